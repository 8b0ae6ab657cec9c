"""The scheduler starts the same runs as one that looks at everything all the time: `scheduling_model`."""

from __future__ import annotations

import logging

import pytest
from scheduling_model import Difference, Plan, play, shortest


@pytest.fixture(autouse=True)
def _quiet(caplog):
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def differs(plan, folder, steps):
    try:
        play(plan, folder, steps)
    except Difference:
        return True
    return False


def agree(seed, folder):
    """Play a world; what fails is told as the shortest history that does."""
    plan = Plan(seed)
    try:
        return play(plan, folder)
    except Difference:
        steps = shortest(plan, folder, differs)
        told = [f"seed {seed}", *map(str, plan.tasks.items()), *map(str, steps)]
        with pytest.raises(Difference) as error:
            play(plan, folder, steps)
        pytest.fail("\n".join([*told, str(error.value)]))


def test_what_is_due_starts_then_and_nothing_else_does(tmp_path):
    once_wrong = (2834, 3833)
    assert sum(agree(seed, tmp_path) for seed in (*range(8), *once_wrong)) > 50


@pytest.mark.soak
@pytest.mark.parametrize("first", range(1_000, 5_000, 200))
def test_what_is_due_starts_then_in_many_more_worlds(tmp_path, first):
    for seed in range(first, first + 200):
        agree(seed, tmp_path)
