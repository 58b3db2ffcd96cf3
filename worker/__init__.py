"""Log in, one transaction out. Serves no HTTP."""
