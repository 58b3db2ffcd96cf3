"""Everything that is derived from events, made again from them and compared with what is stored."""
