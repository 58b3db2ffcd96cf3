"""The hottest reads, an item by its id and a plain list: in front of Flask, with its own bytes."""
