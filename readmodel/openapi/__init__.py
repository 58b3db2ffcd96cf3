"""The description of this service for programs: OpenAPI 3.1, written from tables of routes."""
