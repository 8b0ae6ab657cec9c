"""What `sessionkit sandbox` runs."""

from __future__ import annotations

import json
import signal
import threading
from typing import TYPE_CHECKING

from sessionkit.sandbox.host import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


def sandbox_main(
    host: str = "127.0.0.1",
    port: int = 0,
    db: str = ":memory:",
    data: Sequence[str | Path] = (),
    faults: str | Path | None = None,
    tls: tuple[str, str] | None = None,
    say: Callable[[str], None] = lambda line: print(line, flush=True),  # noqa: T201 - the command's output
) -> None:
    """Serve until SIGINT or SIGTERM, after one line of JSON: `{"url": ..., "env": {...}}`.

    Must be called in the main thread, which only waits: the server has a thread of its own.

    Raises:
        ConfigurationError: for data, faults, an address or a database that cannot work.
    """
    ended = threading.Event()
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in previous:
        signal.signal(number, lambda *_: ended.set())
    try:
        with Sandbox(host, port, db, data, faults, tls=tls) as box:
            say(json.dumps({"url": box.url, "env": box.env}))
            ended.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
