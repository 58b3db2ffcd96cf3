"""Seam one, on Redis: accepted commands, in order per partition, until the ledger has them."""
