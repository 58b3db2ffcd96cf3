"""HTTP in, commands on the log out. Never touches SQL."""
