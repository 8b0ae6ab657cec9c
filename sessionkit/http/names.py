"""Host names, looked up within a deadline.

The system's `getaddrinfo` takes as long as its name servers let it, and cannot be interrupted: with a server
that does not answer, half a minute and more. So it runs in a thread of its own, left behind when time is up.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading
from typing import Any


def addresses(host: str, port: int, family: int, seconds: float | None) -> list[str]:
    """The addresses of `host`, within so many seconds; None waits as long as the system does.

    Raises:
        TimeoutError: there is no answer yet.
        OSError, UnicodeError: what `getaddrinfo` raises.
    """
    asked = (host, port, family, socket.SOCK_STREAM)
    if seconds is None or _is_address(host):
        return _texts(socket.getaddrinfo(*asked))
    answer: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answer.put(socket.getaddrinfo(*asked))
        except (OSError, UnicodeError) as error:
            answer.put(error)

    try:
        threading.Thread(target=ask, name="sessionkit-resolver", daemon=True).start()
    except RuntimeError:  # no more threads, or the interpreter is ending
        ask()
    try:
        found = answer.get(timeout=max(0.001, min(seconds, threading.TIMEOUT_MAX)))
    except queue.Empty:
        raise TimeoutError(f"the name {host} was not found within {seconds:g} s") from None
    if isinstance(found, Exception):
        raise found
    return _texts(found)


def _texts(found: list[Any]) -> list[str]:
    return [str(entry[4][0]) for entry in found]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True
