"""Every promise of a token source holds, in whichever order its threads and processes move.

`token_model` explains the steps. When a random schedule breaks a promise, the test fails with the shortest
part of it that does; it belongs into `ONCE_BROKEN` then.
"""

import pytest
from redis_kit import real_redis
from token_schedules import broken_promise, search

pytestmark = pytest.mark.usefixtures("no_logs")

ONCE_BROKEN = {
    "a newcomer was told that a renewal hung, and had not waited for it": (
        {"kind": "memory"},
        [("run", "bob1", 3), ("advance", 90.0), ("run", "bob2", 3)],
    ),
    "a token that had just been refused was taken from the store and used once more": (
        {"kind": "file", "skew": 15.0},
        [
            ("run", "ann1", 13),
            ("advance", 90.0),
            ("run", "ann1", 8),
            ("revoke",),
            ("run", "ann2", 4),
            ("run", "ann1", 13),
        ],
    ),
}


@pytest.fixture(scope="module")
def server():
    with real_redis() as server:
        yield server


@pytest.mark.parametrize("name", ONCE_BROKEN)
def test_no_promise_is_broken_that_was_broken_once(name, tmp_path):
    kind, steps = ONCE_BROKEN[name]
    broken = broken_promise(tmp_path, None, steps, **kind)
    assert not broken, broken


def test_no_promise_is_broken_by_dozens_of_random_schedules(tmp_path, server):
    broken = search(tmp_path, server, range(36))
    assert not broken, broken


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("length", [40, 80, 200])
def test_no_promise_is_broken_by_thousands_of_random_schedules(length, tmp_path, server):
    broken = search(tmp_path, server, range(1_000_000, 1_003_000), length)
    assert not broken, broken
