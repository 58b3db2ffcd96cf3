"""Events become rows, rows become answers. Never touches the command API."""
