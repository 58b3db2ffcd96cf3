"""The routes of the command API, one file per resource."""
