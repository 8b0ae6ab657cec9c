"""The sandbox's review service."""

from sessionkit_review.sandbox.service import ReviewService

__all__ = ["ReviewService"]
