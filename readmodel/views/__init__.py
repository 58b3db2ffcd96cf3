"""One file per view: its table, its `project`, its queries."""
