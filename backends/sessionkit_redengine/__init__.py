"""The Red Engine session."""
