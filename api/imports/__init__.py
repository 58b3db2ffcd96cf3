"""Rows of any number, from a request's stream to the log, with flat memory."""
