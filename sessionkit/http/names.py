"""Host names, looked up and connected to within a deadline.

The system's `getaddrinfo` takes as long as its name servers let it, and cannot be interrupted: with a server
that does not answer, half a minute and more. So it runs in a thread of its own, left behind when time is up.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


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


def connect(
    host: str,
    port: int,
    family: int,
    seconds: float | None,
    attempt: Callable[[tuple[str, int], float | None], socket.socket] = socket.create_connection,
) -> socket.socket:
    """A connection to one of the addresses of `host`: together, they and their lookup have these seconds.

    Args:
        host: A name or an address.
        port: Of the service.
        family: Of addresses, as for `getaddrinfo`.
        seconds: None waits as long as the system does.
        attempt: Connects to one address and port, within the seconds it is given.

    Raises:
        OSError, UnicodeError: what the lookup raises, or the attempt at the last address.
    """
    end = None if seconds is None else time.monotonic() + seconds
    found = addresses(host, port, family, seconds)

    def share(left: int) -> float | None:
        return None if end is None else max(0.001, (end - time.monotonic()) / left)

    for left in range(len(found), 1, -1):
        with suppress(OSError):
            return attempt((found[-left], port), share(left))
    return attempt((found[-1], port), share(1))


def _texts(found: list[Any]) -> list[str]:
    return [str(entry[4][0]) for entry in found]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True
