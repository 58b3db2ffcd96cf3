"""One item by its id, the hottest read: answered in front of Flask, with Flask's own bytes."""
