"""The operations of `POST /api`, by subject."""
