"""What a test of a backend needs: a clock to turn, a sandbox, faults, and a conformance kit.

`ManualClock` is the clock; `sessionkit.testing.plugin` brings the fixtures `sandbox` and `manual_clock` to
pytest, and `sessionkit.testing.conformance` the tests that every backend inherits.
"""

from sessionkit.testing.clock import ManualClock

__all__ = ["ManualClock"]
