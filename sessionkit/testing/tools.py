"""What the conformance kit is made with: threads, logs, and the shapes of a secret."""

from __future__ import annotations

import base64
import io
import json
import logging
import threading
import time
import urllib.parse
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS: Final = 20.0
"""How long a test waits for what must happen."""


def disguises(secret: str) -> set[str]:
    """`secret` as it is, and as URLs, forms, JSON, base64 and bytes' reprs would write it."""
    raw = secret.encode()
    return {
        secret,
        urllib.parse.quote(secret),
        urllib.parse.quote(secret, safe=""),
        urllib.parse.quote_plus(secret),
        json.dumps(secret)[1:-1],
        repr(raw)[2:-1],
        base64.b64encode(raw).decode().rstrip("="),
    }


def wait_until(
    condition: Callable[[], object], seconds: float = 10.0, *, otherwise: str = "it did not come about"
) -> None:
    """Wait for what another thread, process or server brings about.

    Raises:
        AssertionError: with `otherwise`, when it has not within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.005)


def in_threads(count: int, work: Callable[[], Any]) -> list[Any]:
    """What `work` returned in each of `count` threads that began together; raises what one raised."""
    barrier, results, errors = threading.Barrier(count), [], []

    def run() -> None:
        try:
            barrier.wait(SECONDS)
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised below, in the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    if errors:
        raise errors[0]
    assert len(results) == count, "a thread did not come to an end"
    return results


@contextmanager
def everything_logged() -> Iterator[io.StringIO]:
    """Whatever anybody logs, from level 1, as a careless application would write it."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s %(args)s"))
    root = logging.getLogger()
    loggers = [root, *(logging.getLogger(name) for name in ("sessionkit", "urllib3", "requests"))]
    with ExitStack() as undo:
        for logger in loggers:
            undo.callback(logger.setLevel, logger.level)
            logger.setLevel(1)
        root.addHandler(handler)
        undo.callback(root.removeHandler, handler)
        yield out
