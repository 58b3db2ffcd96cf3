"""What an item is and what may happen to it. Pure: no I/O, no clock, no random, no framework."""
