"""Who asks, and whether they may: the same on both services."""
