"""What this service tells of itself: an OpenAPI 3.1 document, written from one table."""
