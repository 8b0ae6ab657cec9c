"""At every place the current session is the one of the table, whatever happened before and elsewhere.

`current_model` explains the places and the table, `current_world` the steps. When a random history goes
wrong, the test fails with the shortest part of it that does; it belongs into `ONCE_WRONG` then.
"""

import gc
import logging
import os
import random
from collections import Counter

import pytest
import shrinking
from current_model import Counted, Difference, steps_of
from current_world import play

from sessionkit import SessionEngine, reaper, registry, threads
from sessionkit_dyn import DynectSession
from sessionkit_dyn.sandbox import DynService

WORLDS, FORKING = range(14), range(100, 102)

ONCE_WRONG = {
    "a context that was copied in a block kept its session alive": [
        ("enter", 0, 10, (0, "carl"), "close", None),
        ("copy", 0, 0, (0, None), "close", None),
        ("leave", 0, 0, (0, None), "close", None),
        ("collect", 0, 0, (0, None), "close", None),
    ],
    "an interrupt while signing out left the session open and its connections too": [
        ("call", 0, 1, (2, "bob"), "close", None),
        ("close", 0, 0, (0, None), "close", ("sign_out", KeyboardInterrupt)),
    ],
    "a new session was an old one": [
        ("call", 0, 1, (0, "ann"), "close", None),
        ("call", 0, 1, (0, "bob"), "close", None),
        ("new_session", 0, 1, (0, "ann"), "close", None),
    ],
}


@pytest.mark.parametrize("name", ONCE_WRONG)
def test_nothing_is_wrong_that_was_wrong_once(name):
    assert not wrong(ONCE_WRONG[name])


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Without a look at the whole program at each collection, nor the logs of what goes wrong on purpose."""
    logging.disable(logging.CRITICAL)
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
    logging.disable(logging.NOTSET)


def wrong(steps):
    try:
        play(steps)
    except Difference as difference:
        return str(difference)
    return ""


def search(seeds, **options):
    return shrinking.search(seeds, lambda rng: ({}, steps_of(rng, **options)), wrong)


def test_dozens_of_random_histories_are_as_the_table_says():
    assert not search(WORLDS)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_few_random_histories_with_forks_are_as_the_table_says():
    assert not search(FORKING, forks=True)


class Dyn(Counted, DynectSession):
    """A real session of the sandbox's, which signs in at once."""

    __metakey__ = "model.dyn"

    def __init__(self, user="ann"):
        super().__init__(user)

    def ask(self):
        self.keep_alive()
        return "x"


class LoudDyn(Dyn):
    """Found where a Dyn is asked for."""


class OtherDyn(Dyn):
    __metakey__ = "model.dyn.other"


@pytest.mark.parametrize("sandbox_options", [{"services": [DynService]}])
def test_a_few_random_histories_of_real_sessions_give_every_token_back(sandbox, monkeypatch):
    for name, value in sandbox.env.items():
        monkeypatch.setenv(name, value)
    count = sum(
        play(steps_of(random.Random(seed), length=25), kinds=(Dyn, LoudDyn, OtherDyn)) for seed in range(3)
    )
    asked = Counter(seen.method for seen in sandbox.requests(path="/REST/Session*"))
    assert asked["POST"] == asked["DELETE"] == count > 10
    assert not sandbox.connections


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize(("forks", "length"), [(False, 40), (False, 150), (True, 60)])
def test_thousands_of_random_histories_are_as_the_table_says(forks, length):
    assert not search(range(1_000_000, 1_003_000), forks=forks and hasattr(os, "fork"), length=length)


# --- mistakes on purpose: the histories must notice each ---


def keep_what_was_left(slot, entry):
    """A block that was left stays current in copied contexts."""
    slot.context.set(entry.below)
    slot.view.settle(slot.view.own, slot.view.blocks - 1)


def enter_for_all_threads(slot, session):
    """A block is seen in whichever thread its context is run."""
    entry = registry.Entry(session, slot.view.marker, slot._top(), None)
    slot.context.set(entry)
    return entry


def push_below(slot, session):
    slot.view.settle([session, *slot._others(session)], slot.view.blocks)


def close_what_was_borrowed(session, *_):
    entry = type(session)._slot.mine(session._blocks)
    session._blocks.remove(entry)
    type(session)._slot.leave(entry)
    if not session._blocks:
        session.close()


def sign_out_again(session):
    session._quietly(session.sign_out)
    session.closed = session._family.closed = True
    session._quietly(session.on_close)


def see_all_contexts(slot):
    entry = slot.context.get()
    while entry is not None:
        if entry.session is not None and not entry.session.closed:
            yield entry.session
        entry = entry.below
    yield from (session for session in reversed(slot.view.own) if not session.closed)


MISTAKES = {
    "a block that was left says something still": (registry.Entry, "leave", lambda entry: None),
    "a block that was left stays where contexts were copied": (registry.Slot, "leave", keep_what_was_left),
    "a block is not counted": (registry.Slot, "enter", enter_for_all_threads),
    "what is called last is not current": (registry.Slot, "push", push_below),
    "a block closes what it borrowed": (SessionEngine, "__exit__", close_what_was_borrowed),
    "a session signs out each time it is closed": (SessionEngine, "close", sign_out_again),
    "a context brings sessions to another thread": (registry.Slot, "visible", see_all_contexts),
    "what is forgotten is not closed": (reaper, "adopt", lambda session: None),
    "a thread keeps its own when it is entered": (registry.Slot, "drop", lambda slot, session: None),
    "a pool's worker keeps what it had": (threads, "forget_thread", lambda: None),
    "a session that is closed takes calls": (SessionEngine, "check_open", lambda session: None),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_histories_notice_a_mistake(mistake, monkeypatch):
    where, name, instead = MISTAKES[mistake]
    monkeypatch.setattr(where, name, instead)
    assert any(wrong(steps_of(random.Random(seed))) for seed in WORLDS)
