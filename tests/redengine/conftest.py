"""Sessions whose time the test turns, and which are closed when it ends."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from redengine_held import Held
from redengine_postgres import postgres

from sessionkit.testing import ManualClock
from sessionkit_redengine import default
from sessionkit_redengine.engine import Session


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def make_session(clock):
    """Sessions on the turned clock, in UTC, whose tasks run in the scheduler's own thread."""
    with ExitStack() as stack:

        def make(**options):
            options = {"clock": clock, "execution": "main", "timezone": "UTC", **options}
            session = Session.detached(**options)
            stack.callback(session.close)
            return session

        yield make


@pytest.fixture
def session(make_session):
    return make_session()


@pytest.fixture
def live(make_session, clock):
    """Begins a session's life; `step(seconds)` lets time pass, and tells how long it sleeps then."""
    lives = []

    def begin(capacity=None, **options):
        session = make_session(execution="thread", **options)
        scheduler = session.scheduler
        held = scheduler.launcher.executors._made["thread"] = Held(scheduler._done, capacity)
        living = None

        def step(seconds=0):
            nonlocal living
            if living is None:
                living = scheduler._living(None)
                living.__enter__()
                lives.append((living, scheduler, held))
            clock.advance(seconds)
            for _ in range(9):
                scheduler.cycle()
                pause = scheduler.pause()
                if pause:
                    return pause
            raise AssertionError("it never sleeps")

        return session, held, step

    yield begin
    for living, scheduler, held in lives:
        while held.held:
            held.finish()
        scheduler.read_inbox()
        living.__exit__(None, None, None)


@pytest.fixture(scope="session")
def new_postgres_url():
    """Makes databases on a PostgreSQL server of our own; the test is skipped where there is none."""
    with postgres() as make:
        yield make


@pytest.fixture(autouse=True)
def _own_default_session():
    before = default._session
    default._session = None
    yield
    if default._session is not None:
        default._session.close()
    default._session = before
