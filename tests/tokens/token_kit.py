"""What the tests of tokens share."""

import threading
import time
from functools import partial

from sessionkit.errors import ServerError
from sessionkit.testing.tools import wait_until
from sessionkit.tokens import Token


class Endpoint:
    """A token endpoint: counts what it issues, and fails or hangs when told."""

    def __init__(self, clock, lifetime=3600.0):
        self.clock = clock
        self.lifetime = lifetime
        self.issued = 0
        self.failures = 0
        self.delay = 0.05
        self.hang = None
        self.calls = 0

    def __call__(self, deadline):
        self.calls += 1
        time.sleep(self.delay)
        if self.hang is not None:
            self.hang.wait(10)
        if self.failures:
            self.failures -= 1
            raise ServerError("the token endpoint is broken", status=503)
        self.issued += 1
        lasts = None if self.lifetime is None else self.clock.time() + self.lifetime
        return Token(f"token-number-{self.issued}", expires_at=lasts)


def together(count, work):
    """What each of `count` threads that start at the same moment got from `work`, errors included."""
    barrier = threading.Barrier(count)
    results = []

    def run():
        barrier.wait(10)
        try:
            results.append(work())
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(results) == count
    return results


until = partial(wait_until, seconds=5.0)
