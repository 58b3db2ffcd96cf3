"""Seam two, in SQL: events, heads, outcomes, checkpoints. Only ever appended or moved forward."""
