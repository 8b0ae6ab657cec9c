"""The review service (ftrack) as a backend of sessionkit."""
