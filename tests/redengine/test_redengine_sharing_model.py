"""Whatever happens to schedulers that share a history, each run is one scheduler's, and none is lost."""

from __future__ import annotations

import pytest
from scheduling_model import Difference, play_or_tell
from sharing_model import Plan, play

from sessionkit_redengine.history import records, sqlite

pytestmark = pytest.mark.usefixtures("no_logs")


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(sqlite, "_WAIT", 0.001)


def agree(seed, folder):
    """Play a world of schedulers that share a history."""
    plan = Plan(seed)
    world = f"seed {seed}, {plan.count} schedulers, {plan.capacity} places, from {plan.start}"
    return play_or_tell(play, plan, folder, world)


def test_what_is_due_is_run_once_by_one_of_them(tmp_path):
    assert sum(agree(seed, tmp_path) for seed in range(12)) > 100


@pytest.mark.parametrize(
    ("unnumbered", "seed"), [(("success", "fail", "inaction", "crash"), 0), (("crash",), 6)]
)
def test_a_change_without_a_number_is_noticed(tmp_path, monkeypatch, unnumbered, seed):
    def number(execute, values, right=records.number_change):
        if values["action"] not in unnumbered:
            right(execute, values)

    monkeypatch.setattr(records, "number_change", number)
    with pytest.raises(Difference):
        play(Plan(seed), tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("first", range(1_000, 5_000, 200))
def test_what_is_due_is_run_once_by_one_of_them_in_many_more_worlds(tmp_path, first):
    for seed in range(first, first + 200):
        agree(seed, tmp_path)
