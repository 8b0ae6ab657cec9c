"""When a call is tried again: `RetryPolicy`, one immutable value, and `RetryBudget`, what all calls share."""

from __future__ import annotations

import random
import re
import threading
from dataclasses import dataclass
from datetime import timezone
from email.utils import parsedate_to_datetime
from typing import Final

from sessionkit.checks import count, number
from sessionkit.errors import ConfigurationError

IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
"""Methods that mean the same when they are asked twice (RFC 9110, 9.2.2)."""

TRANSIENT: Final = frozenset({408, 429, 500, 502, 503, 504})

_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


@dataclass(frozen=True)
class RetryPolicy:
    """Which failures are tried again, how often, and after how long.

    >>> patient = RetryPolicy(attempts=8, longest=60)
    >>> Backend(..., retry=patient)
    >>> Backend(..., retry=RetryPolicy.never())

    Attributes:
        attempts: Sendings of one call in all, at most.
        methods: Methods that may be sent again after they may have reached the service.
        statuses: Statuses that are worth another attempt.
        base: Seconds of the first wait at most; doubled each time.
        longest: Seconds of any wait at most. A service that asks for more is not waited for.
        jitter: Spread each wait evenly between zero and its length ("full jitter").

    Raises:
        ConfigurationError: a number that cannot be meant.
    """

    attempts: int = 4
    methods: frozenset[str] = IDEMPOTENT
    statuses: frozenset[int] = TRANSIENT
    base: float = 0.25
    longest: float = 60.0
    jitter: bool = True

    def __post_init__(self) -> None:
        count("attempts", self.attempts)
        for name in ("base", "longest"):
            if number(name, getattr(self, name)) < 0:
                raise ConfigurationError(f"{name} is {getattr(self, name)}", hint="seconds from 0")

    @classmethod
    def of(cls, given: RetryPolicy | None) -> RetryPolicy:
        """The policy that was given, or the usual one.

        Raises:
            ConfigurationError: it is none.
        """
        if given is None:
            return cls()
        if not isinstance(given, RetryPolicy):
            raise ConfigurationError(
                f"retry is {given!r}", hint="a RetryPolicy, such as RetryPolicy(attempts=8)"
            )
        return given

    @classmethod
    def never(cls) -> RetryPolicy:
        """Try once."""
        return cls(attempts=1)

    def allows(self, method: str, status: int, tried: int) -> bool:
        """Whether `method`, answered by `status` on the `tried`-th attempt, may be sent again.

        429 means that the call was not carried out; the others leave it open.
        """
        return tried < self.attempts and status in self.statuses and (method in self.methods or status == 429)

    def allows_after_loss(self, method: str, tried: int, *, sent: bool) -> bool:
        """Whether `method` may be sent again when no answer came; `sent` if it may have arrived."""
        return tried < self.attempts and (not sent or method in self.methods)

    def backoff(self, tried: int) -> float:
        """Seconds to wait after the `tried`-th attempt, when the service did not say."""
        ceiling = min(self.longest, self.base * 2 ** min(tried - 1, 30))
        return random.uniform(0, ceiling) if self.jitter else ceiling  # noqa: S311 - no secret


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds that a Retry-After header asks for; None when there is none or it makes no sense.

    Understood are whole and fractional seconds and HTTP dates (RFC 9110, 10.2.3); a date in the past is 0.

    >>> retry_after("1.5", now=0)
    1.5
    >>> retry_after("-3", now=0) is None
    True
    """
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    if not text or text[0] in "+-.0123456789":
        return None
    try:
        date = parsedate_to_datetime(text)
        return max(0.0, (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


class RetryBudget:
    """Keeps many callers from making an outage worse: retries cost, successes pay back.

    Every retry takes `cost` out of a bucket of `size`, every answered call puts one back. When the bucket
    is empty, calls fail on their first error until the service answers again.
    """

    def __init__(self, size: int = 500, cost: int = 5) -> None:
        self.size = size
        self.cost = cost
        self._left = size
        self._lock = threading.Lock()

    def after_fork_in_child(self) -> None:
        """A child starts with the budget its parent had left."""
        self._lock = threading.Lock()

    @property
    def left(self) -> int:
        """What is in the bucket."""
        return self._left

    def take(self) -> bool:
        """Pay for a retry; False when the bucket does not hold enough."""
        with self._lock:
            if self._left < self.cost:
                return False
            self._left -= self.cost
            return True

    def refund(self) -> None:
        """A call was answered."""
        if self._left < self.size:
            with self._lock:
                self._left = min(self.size, self._left + 1)
