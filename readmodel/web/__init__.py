"""Pages for people: what the query API knows, as HTML. They read only; the browser commands."""
