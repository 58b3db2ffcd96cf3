"""The catalogue as a whole, as it stands at one moment, joined to the feed."""
