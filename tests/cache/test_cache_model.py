"""Nobody gets from a cache what they know to be old, whatever is under way in whichever order.

`cache_model` explains the steps. When a random schedule breaks a promise, the test fails with the shortest
part of it that does; it belongs into `ONCE_BROKEN` then.
"""

from __future__ import annotations

import pytest
from cache_model import broken_promise, search

ONCE_BROKEN = {
    "what was on its way to a nearer layer, while others emptied the deeper one, stayed after a clear": (
        {"style": "own"},
        [
            ("read", "ann2", "/plain"),
            ("go", 0, 99),
            ("change", "/plain"),
            ("clear", "ann", "/plain"),
            ("go", 0, 6),
            ("read", "ann", "/plain"),
            ("go", 1, 4),
            ("clear", "ann2", "/plain"),
            ("go", 2, 99),
            *[("go", 0, 99)] * 2,
            ("read", "ann", "/plain"),
            ("go", 0, 99),
        ],
    ),
}


@pytest.mark.parametrize("name", ONCE_BROKEN)
def test_no_promise_is_broken_that_was_broken_once(name):
    kind, steps = ONCE_BROKEN[name]
    assert not broken_promise(steps, **kind)


@pytest.mark.parametrize(("store", "seeds"), [("memory", 60), ("file", 15), ("none", 10)])
def test_no_promise_is_broken_by_random_schedules(store, seeds):
    broken = search(range(seeds), stores=[store])
    assert not broken, broken
