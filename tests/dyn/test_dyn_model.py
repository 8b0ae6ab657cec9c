"""Every promise about changed zones holds, whatever goes wrong and in whichever order threads move.

`zone_model` explains the steps. When a random schedule breaks a promise, the test fails with the shortest
part of it that does; it belongs into `ONCE_BROKEN` then.
"""

from dataclasses import replace

import pytest
from zone_schedules import broken_promise, search

from sessionkit_dyn import protocol, unpublished
from sessionkit_dyn.changeset import Changeset
from sessionkit_dyn.session import DynectSession

accept = Changeset._accept

pytestmark = pytest.mark.usefixtures("no_logs")

ONCE_BROKEN = {
    "a session was closed while it signed in, and left the token behind": [
        ("close", "ann"),
        ("end", "ann", "expired"),
        ("do", "ann1", "refresh"),
        ("go", "ann1", 5),
        ("go", "ann1", 2),
    ],
    "a publication whose answer was lost was made again": [
        ("do", "ann2", "discard"),
        ("go", "ann2", 3),
        ("plan", "cut after"),
        ("do", "ann1", "publish"),
        ("go", "ann1", 2),
    ],
    "one was denied, because its token ended before it was asked for again": [
        ("plan", "502 after"),
        ("do", "ann2", "publish"),
        ("go", "ann2", 8),
        ("do", "ann1", "add", 8, 300),
        ("go", "ann1", 13),
        ("end", "ann", "expired"),
    ],
    "a record that was there before was taken for the one whose answer was lost": [
        ("plan", "cut after"),
        ("do", "ann1", "add", 1, 300),
        ("go", "ann1", 13),
    ],
    "so was an unpublished one": [
        ("do", "ann1", "update", 2, 8),
        ("go", "ann1", 8),
        ("do", "ann1", "add", 8, 60),
        ("plan", "cut before"),
        ("go", "ann1", 3),
    ],
    "a thread waited for another's calls at a node beyond its own deadline": [
        ("do", "ann1", "add", 5, 300),
        ("do", "ann2", "replace", 5),
    ],
    "a job that went with its token was called not found": [
        ("do", "ann1", "publish"),
        ("job", "redirect", 1, 0.0),
        ("go", "ann1", 13),
        ("end", "ann", "revoked"),
    ],
    "a call that had become a job was reported as never sent": [
        ("do", "bob", "publish"),
        ("job", "redirect", 2, 300.0),
        ("go", "bob", 8),
        *[("plan", "refused")] * 4,
        *[("tick",), ("go", "bob", 3)] * 5,
    ],
    "what was added while the zone was published was taken for published": [
        ("do", "ann2", "add", 8, 300),
        ("job", "redirect", 0, 0.0),
        ("do", "ann1", "publish"),
        ("go", "ann1", 3),
    ],
    "what was added while changes were discarded was not listed when it was lost": [
        ("do", "ann1", "add", 7, 60),
        ("do", "ann2", "discard"),
        ("go", "ann2", 3),
        ("go", "ann1", 5),
        ("end", "ann", "expired"),
    ],
}

#: Mistakes: what takes the place of what, and a schedule that notices.
MISTAKES = {
    "an addition is repeated in the dark": (
        (protocol, "_as_asked", lambda _, call: replace(call, method="GET")),
        [("plan", "cut after"), ("do", "ann1", "add", 8, 300), ("go", "ann1", 13)],
    ),
    "so is a publication": (
        (protocol.DynectProtocol, "_of_publication", lambda _, outcome, *__: outcome),
        "a publication whose answer was lost was made again",
    ),
    "whatever is found was added": (
        (unpublished, "_was_there", lambda *_: False),
        "a record that was there before was taken for the one whose answer was lost",
    ),
    "what is published later counts as published": (
        (Changeset, "settle", lambda self, zone, _: self._pending.pop(zone, None)),
        "what was added while the zone was published was taken for published",
    ),
    "nobody notices that the token is another one": (
        (Changeset, "signed_with", lambda self, token: setattr(self, "token", token) or []),
        [("do", "ann1", "add", 8, 300), ("go", "ann1", 13), ("end", "ann", "expired")],
    ),
    "a late answer counts for the new token": (
        (Changeset, "_accept", lambda self, zone, call, _: accept(self, zone, call, None)),
        [
            ("do", "ann1", "add", 8, 300),
            ("go", "ann1", 4),
            ("end", "ann", "expired"),
            ("do", "ann2", "refresh"),
            ("go", "ann2", 13),
        ],
    ),
    "every job is ours": (
        (protocol, "_orphaned", lambda _: False),
        "a job that went with its token was called not found",
    ),
    "changes that were lost are made again, and forgotten": (
        (DynectSession, "redo_lost_changes", lambda self, zone: len(self.forget_lost_changes(zone))),
        [
            ("do", "ann1", "add", 8, 300),
            ("go", "ann1", 13),
            ("end", "ann", "expired"),
            ("do", "ann1", "refresh"),
            ("go", "ann1", 13),
            ("do", "ann1", "redo"),
        ],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_noticed(name, monkeypatch):
    (where, what, mistaken), steps = MISTAKES[name]
    monkeypatch.setattr(where, what, mistaken)
    assert broken_promise(ONCE_BROKEN[steps] if isinstance(steps, str) else steps)


@pytest.mark.parametrize("name", ONCE_BROKEN)
def test_no_promise_is_broken_that_was_broken_once(name):
    broken = broken_promise(ONCE_BROKEN[name])
    assert not broken, broken


def test_no_promise_is_broken_by_dozens_of_random_schedules():
    broken = search(range(20))
    assert not broken, broken


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("length", [30, 60, 150])
def test_no_promise_is_broken_by_thousands_of_random_schedules(length):
    broken = search(range(1_000_000, 1_003_000), length)
    assert not broken, broken
