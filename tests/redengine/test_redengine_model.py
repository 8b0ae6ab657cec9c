"""The scheduler starts the same runs as one that looks at everything all the time: `scheduling_model`."""

from __future__ import annotations

import pytest
from scheduling_model import Plan, play, play_or_tell

pytestmark = pytest.mark.usefixtures("no_logs")


def agree(seed, folder):
    """Play a world of the naive scheduler and the real one."""
    return play_or_tell(play, Plan(seed), folder, f"seed {seed}")


def test_what_is_due_starts_then_and_nothing_else_does(tmp_path):
    once_wrong = (2834, 3833)
    assert sum(agree(seed, tmp_path) for seed in (*range(8), *once_wrong)) > 50


@pytest.mark.soak
@pytest.mark.parametrize("first", range(1_000, 5_000, 200))
def test_what_is_due_starts_then_in_many_more_worlds(tmp_path, first):
    for seed in range(first, first + 200):
        agree(seed, tmp_path)
