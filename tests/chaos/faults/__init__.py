"""Everything that can go wrong, a file for each class of it."""
