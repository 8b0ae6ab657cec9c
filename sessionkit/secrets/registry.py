"""The values to hide, and the search for them.

The search asks `form in text` for each known form, which costs about a tenth of a microsecond and makes no
object; when there are many, only if the text has four characters in a row with which one of them begins. Only
when a form is found is the text taken apart.
"""

from __future__ import annotations

import re
import threading
import time
import weakref
from collections import deque
from itertools import chain
from typing import TYPE_CHECKING

from sessionkit import fork
from sessionkit.secrets.forms import base64_forms, plain_forms

if TYPE_CHECKING:
    from collections.abc import Iterator

MASK = "***"
"""What stands where a secret stood."""

SHORTEST = 4
"""Values with fewer characters are not searched for; see the package's text."""

GRACE = 600.0
"""Seconds a value stays registered after the last object that held it has gone."""

MOST_RELEASED = 256
"""Values that nobody holds any more are forgotten early when there are more of them than this."""

# With more forms than this, looking for their beginnings first is quicker.
_MANY = 80
_FOR_EVER = float("inf")
_BASE64_RUN = re.compile(r"[A-Za-z0-9+/_=-]*")
_BASE64_RUN_BEFORE = re.compile(r"[A-Za-z0-9+/_-]*\Z")
# Base64 text around a match is hidden with it, up to this many characters to each side.
_REACH = 4096


_Form = tuple[str, bool]
"""A text to search for, and whether it is a piece of base64."""


class Registry:
    """The values to hide; the process has one, which `register` and `redact` use."""

    def __init__(self) -> None:
        self._holders: dict[str, float] = {}
        self._released: deque[tuple[str, float]] = deque()
        self._leaving: dict[str, float] = {}
        self._forms_of: dict[str, tuple[_Form, ...]] = {}
        # The same in one piece, replaced as a whole, so that `redact` reads it without a lock.
        self._forms: tuple[_Form, ...] = ()
        self._starts: frozenset[tuple[str, ...]] = frozenset()
        self._lock = threading.Lock()
        fork.aware(self)

    def after_fork_in_child(self) -> None:
        """Replace the lock, which another thread of the parent may have held."""
        self._lock = threading.Lock()

    def add(self, value: str, holder: object = None) -> None:
        """Hide `value` while `holder` lives and for `GRACE` seconds after; without a holder, for ever."""
        if len(value) < SHORTEST:
            return
        with self._lock:
            self._forget_released()
            more = _FOR_EVER if holder is None else 1
            self._holders[value] = self._holders.get(value, 0) + more
            self._leaving.pop(value, None)
            if value not in self._forms_of:
                self._forms_of[value] = _forms(value)
                self._starts |= _starts(self._forms_of[value])
                self._forms += self._forms_of[value]
        if holder is not None:
            # A finaliser runs anywhere, also in a thread that holds the lock: it only leaves a note.
            weakref.finalize(holder, self._note_release, value).atexit = False

    def redact(self, text: str) -> str:
        """Return `text` with every known value replaced by `MASK`; the same object when there is none."""
        forms = self._forms
        if len(forms) > _MANY and self._starts.isdisjoint(
            zip(text, text[1:], text[2:], text[3:], strict=False)
        ):
            return text
        found = [form for form in forms if form[0] in text]
        return _mask(text, found) if found else text

    def __len__(self) -> int:
        return len(self._holders)

    def _note_release(self, value: str) -> None:
        self._released.append((value, time.monotonic()))

    def _forget_released(self) -> None:
        self._take_notes()
        now = time.monotonic()
        surplus = len(self._leaving) - MOST_RELEASED
        gone = [
            value for n, (value, at) in enumerate(self._leaving.items()) if n < surplus or now - at > GRACE
        ]
        for value in gone:
            del self._leaving[value], self._holders[value], self._forms_of[value]
        if gone:
            self._forms = tuple(chain.from_iterable(self._forms_of.values()))
            self._starts = _starts(self._forms)

    def _take_notes(self) -> None:
        while self._released:
            value, at = self._released.popleft()
            self._holders[value] -= 1
            if self._holders[value] <= 0:
                self._leaving[value] = at


def _forms(value: str) -> tuple[_Form, ...]:
    plain = plain_forms(value)
    return (*((form, False) for form in plain), *((form, True) for form in base64_forms(value) - plain))


def _starts(forms: tuple[_Form, ...]) -> frozenset[tuple[str, ...]]:
    """The first four characters of each form: none is shorter."""
    return frozenset(tuple(form[:SHORTEST]) for form, _ in forms)


def _mask(text: str, forms: list[_Form]) -> str:
    pieces: list[str] = []
    done = 0
    for start, end in sorted(span for form, is_base64 in forms for span in _spans(text, form, is_base64)):
        if start >= done:
            pieces += (text[done:start], MASK)
        done = max(done, end)
    return "".join(pieces) + text[done:]


def _spans(text: str, form: str, is_base64: bool) -> Iterator[tuple[int, int]]:
    start = text.find(form)
    while start >= 0:
        end = start + len(form)
        if is_base64:
            start, end = _base64_run(text, start, end)
        yield start, end
        start = text.find(form, end)


def _base64_run(text: str, start: int, end: int) -> tuple[int, int]:
    """The whole base64 text around a match: its neighbours carry some bits of the value too."""
    before = _BASE64_RUN_BEFORE.search(text, max(0, start - _REACH), start)
    after = _BASE64_RUN.match(text, end, min(len(text), end + _REACH))
    return (before.start() if before else start), (after.end() if after else end)


_registry = Registry()


def register(value: str, holder: object = None) -> None:
    """Have `redact` hide `value` from now on.

    Args:
        value: The secret. Values under four characters are not searched for.
        holder: An object that can be referenced weakly; the value is forgotten ten minutes after it has
            gone. Without one the value is hidden for as long as the process lives.
    """
    _registry.add(value, holder)


def redact(text: str) -> str:
    """Return `text` with every registered value, in any of its disguises, replaced by "***".

    >>> register("s3cr3t/x")
    >>> redact("GET /?key=s3cr3t%2Fx")
    'GET /?key=***'
    """
    return _registry.redact(text)
