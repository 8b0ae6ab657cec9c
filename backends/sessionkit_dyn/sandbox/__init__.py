"""The double of Managed DNS and Message Management that the sandbox hosts."""

from sessionkit_dyn.sandbox.service import DynService

__all__ = ["DynService"]
