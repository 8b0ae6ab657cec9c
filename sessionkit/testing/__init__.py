"""What a test of a backend needs: a clock to turn, a sandbox, faults, and a conformance kit."""

from sessionkit.testing.clock import ManualClock

__all__ = ["ManualClock"]
