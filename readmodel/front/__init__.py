"""Between the server, which is one loop that never waits, and Flask, which works in threads."""
