"""What `sessionkit sandbox` runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from typing import TYPE_CHECKING

from sessionkit.errors import ConfigurationError
from sessionkit.sandbox.host import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


def sandbox_main(
    host: str = "127.0.0.1",
    port: int = 0,
    db: str = ":memory:",
    data: Sequence[str | Path] = (),
    faults: str | Path | None = None,
    tls: tuple[str, str] | None = None,
    say: Callable[[str], None] = lambda line: print(line, flush=True),  # noqa: T201 - the command's output
    program: Sequence[str] = (),
) -> int:
    """Serve until SIGINT or SIGTERM, after one line of JSON: `{"url": ..., "env": {...}}`.

    With a `program`, a command and its arguments, serve for as long as it runs, with the environment that it
    needs to find the services; nothing is said, because what it prints is the output.

    Must be called in the main thread, which only waits: the server has a thread of its own.

    Returns:
        The exit status: the program's, or 0.

    Raises:
        ConfigurationError: for data, faults, an address, a database or a program that cannot work.
    """
    ended = threading.Event()
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in previous:
        signal.signal(number, lambda *_: ended.set())
    try:
        with Sandbox(host, port, db, data, faults, tls=tls) as box:
            if program:
                return _run(program, box.env)
            say(json.dumps({"url": box.url, "env": box.env}))
            ended.wait()
            return 0
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _run(program: Sequence[str], env: Mapping[str, str]) -> int:
    """Run `program` to its end; its exit status, as a shell counts it."""
    running: list[subprocess.Popen[bytes]] = []
    told = threading.Event()

    def end(*_: object) -> None:
        told.set()
        for process in running:
            process.terminate()

    # Ctrl-C reaches the program by itself, and it is for the program to decide what that means.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, end)
    try:
        process = subprocess.Popen(program, env={**os.environ, **env})  # noqa: S603 - what the user typed
    except OSError as error:
        raise ConfigurationError(
            f"{program[0]} cannot be run: {error.strerror or error}",
            hint="after -- comes a program and its arguments; for a shell's own words: -- sh -c '...'",
        ) from error
    with process:
        running.append(process)
        if told.is_set():
            process.terminate()
        status = process.wait()
    return status if status >= 0 else 128 - status
