"""Whatever happens to schedulers that share a history, each run is one scheduler's, and none is lost."""

from __future__ import annotations

import logging

import pytest
from scheduling_model import Difference, shortest
from sharing_model import Plan, play

from sessionkit_redengine.history import sqlite


@pytest.fixture(autouse=True)
def _quick_and_quiet(monkeypatch):
    monkeypatch.setattr(sqlite, "_WAIT", 0.001)
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def goes_wrong(plan, folder, steps):
    try:
        play(plan, folder, steps)
    except Difference:
        return True
    return False


def agree(seed, folder):
    """Play a world; what goes wrong is told as the shortest history that does."""
    plan = Plan(seed)
    try:
        return play(plan, folder)
    except Difference:
        steps = shortest(plan, folder, goes_wrong)
        world = f"seed {seed}, {plan.count} schedulers, {plan.capacity} places, from {plan.start}"
        with pytest.raises(Difference) as error:
            play(plan, folder, steps)
        pytest.fail("\n".join([world, *map(str, plan.tasks.items()), *map(str, steps), str(error.value)]))


def test_what_is_due_is_run_once_by_one_of_them(tmp_path):
    assert sum(agree(seed, tmp_path) for seed in range(12)) > 100


@pytest.mark.soak
@pytest.mark.parametrize("first", range(1_000, 5_000, 200))
def test_what_is_due_is_run_once_by_one_of_them_in_many_more_worlds(tmp_path, first):
    for seed in range(first, first + 200):
        agree(seed, tmp_path)
