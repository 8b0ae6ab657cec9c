"""Conditions on events: each event is a run, from the session's hub or another session's."""

from __future__ import annotations

import multiprocessing
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest
import redengine_work as work
from echo import Echoing

import sessionkit
from sessionkit import SessionEngine
from sessionkit.clock import SYSTEM_CLOCK
from sessionkit.events import Event as HubEvent
from sessionkit.events import EventHub, EventHubConnectionError
from sessionkit.testing.tools import wait_until
from sessionkit_redengine import FuncTask, dask
from sessionkit_redengine.arguments import Event


class Review(Echoing, SessionEngine):
    """A session of another backend."""

    __metakey__ = "test-review"


@pytest.fixture
def running(make_session):
    """A session that runs in a thread until the test ends."""
    threads = []

    def start(session):
        thread = threading.Thread(target=sessionkit.propagate(session.start))
        thread.start()
        threads.append((session, thread))
        while not session.scheduler.is_alive:
            time.sleep(0.001)
        wait_until(lambda: session.scheduler.cycles)

    yield start
    for session, thread in threads:
        session.shut_down()
        thread.join(10)
        assert not thread.is_alive()


def publish(topic, **data):
    with EventHub() as hub:
        hub.publish(HubEvent(topic, data=data))


@pytest.mark.parametrize("execution", ["main", "thread", "process"])
def test_each_event_is_a_run(make_session, running, execution):
    session = make_session(clock=SYSTEM_CLOCK, execution=execution)
    FuncTask(
        work.event_number,
        session=session,
        name="a",
        start_cond="on event 'topic=shot.approved and data.number>0'",
    )
    running(session)
    for number in (1, 0, 2, 3):
        publish("shot.approved", number=number)
    publish("shot.rejected", number=4)
    wait_until(lambda: len(list(session.get_task_log(action="success"))) == 3)
    assert session.returns["a"] == 3


def test_events_wait_for_the_other_conditions(make_session, running):
    session = make_session(clock=SYSTEM_CLOCK, parameters={"open": "no"})
    seen = []
    FuncTask(
        lambda event=Event(): seen.append(event["data"]["number"]),
        session=session,
        name="a",
        start_cond="on event 'topic=a' & param 'open' is 'yes'",
    )
    running(session)
    for number in range(5):
        publish("a", number=number)
    time.sleep(0.05)
    assert seen == []
    session.parameters["open"] = "yes"
    wait_until(lambda: len(seen) == 5)
    assert seen == [0, 1, 2, 3, 4]


def test_two_events_may_be_needed(make_session, running):
    session = make_session(clock=SYSTEM_CLOCK)
    runs = []
    FuncTask(
        lambda: runs.append("both"),
        session=session,
        name="both",
        start_cond="on event 'topic=a' & on event 'topic=b'",
    )
    FuncTask(
        lambda: runs.append("any"),
        session=session,
        name="any",
        start_cond="on event 'topic=a' | on event 'topic=b'",
    )
    running(session)
    publish("a")
    publish("a")
    wait_until(lambda: len(runs) == 2)
    publish("b")
    wait_until(lambda: len(runs) == 4)
    assert sorted(runs) == ["any", "any", "any", "both"]


def test_another_sessions_hub_is_listened_to(make_session, running):
    hubs = []

    def factory(session):
        hubs.append(EventHub())
        return hubs[0]

    with Review(event_hub_factory=factory) as review:
        session = make_session(clock=SYSTEM_CLOCK, execution="thread")
        seen = []

        def publish_movie():
            seen.append(Review.current() is not None)

        FuncTask(publish_movie, session=session, name="a", start_cond="on event 'topic=x' from 'test-review'")
        running(session)
        review.event_hub.publish(HubEvent("x"))
        wait_until(lambda: len(seen) == 1 or session.problems)
    assert not session.problems


def test_a_session_that_is_not_open_is_reported(make_session):
    session = make_session(shut_cond="true")
    FuncTask(int, session=session, name="a", start_cond="on event 'topic=x' from 'nobody'")
    session.start()
    assert "'nobody' is open" in session.problems[0]


def test_too_many_events_are_dropped_and_reported(make_session, running):
    session = make_session(clock=SYSTEM_CLOCK)
    FuncTask(int, session=session, name="a", start_cond="on event 'topic=a' & false")
    running(session)
    with EventHub() as hub:
        for _ in range(1_003):
            hub.publish(HubEvent("a"))
    wait_until(lambda: len(session.problems) >= 3)
    assert "oldest was dropped" in session.problems[0]


def test_a_scheduler_that_ended_listens_no_more(make_session):
    session = make_session(shut_cond="true")
    FuncTask(int, session=session, name="a", start_cond="on event 'topic=x'")
    session.start()
    assert session.event_hub.enabled is False


def test_what_a_session_does_is_told(make_session):
    session = make_session(shut_cond="scheduler has run over 1 minute")
    told = []
    session.event_hub.subscribe(
        "topic=redengine.*",
        lambda event: told.append((event["topic"], event["data"].get("task"), event["data"].get("action"))),
    )
    FuncTask(int, session=session, name="a", start_cond="daily")
    FuncTask(work.fail, session=session, name="b", start_cond="daily")
    session.start()
    assert told == [
        ("redengine.scheduler.started", None, None),
        ("redengine.task.started", "a", None),
        ("redengine.task.finished", "a", "success"),
        ("redengine.task.started", "b", None),
        ("redengine.task.finished", "b", "fail"),
        ("redengine.scheduler.stopped", None, None),
    ]


@pytest.mark.parametrize("execution", ["main", "thread", "async"])
def test_tasks_find_the_current_sessions_of_every_backend(make_session, execution):
    session = make_session(clock=SYSTEM_CLOCK, execution=execution)

    async def in_loop():
        return Review.current().execute("hello")

    FuncTask(
        in_loop if execution == "async" else lambda: Review.current().execute("hello"),
        session=session,
        name="a",
        execution=execution,
    )
    with Review():
        assert session.execute("a") == "hello"
    assert session["a"].status == "success"


def test_a_task_leaves_no_session_to_the_next_one(make_session):
    session = make_session(clock=SYSTEM_CLOCK, execution="thread", max_thread_count=1)
    FuncTask(lambda: Review() and None, session=session, name="opens")
    FuncTask(Review.get_session, session=session, name="looks")
    session.run("opens")
    assert session.execute("looks") is None


@pytest.fixture
def profile(tmp_path, monkeypatch):
    """A session of a profile, current while the test runs."""
    config = tmp_path / "sessions.yaml"
    config.write_text("here:\n  backend: redengine\n  name: from-the-profile\n")
    monkeypatch.setenv("SESSIONKIT_CONFIG", str(config))
    with sessionkit.connect("here"):
        yield


def test_a_session_of_a_profile_is_opened_in_the_process_of_the_task(make_session, profile):
    session = make_session(clock=SYSTEM_CLOCK, execution="process")
    FuncTask(work.current_session_name, session=session, name="a")
    assert session.execute("a") == "from-the-profile"


@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_tasks_in_a_pool_of_ones_own_find_the_current_sessions(make_session, profile, kind):
    options = {"mp_context": multiprocessing.get_context("spawn")} if kind is ProcessPoolExecutor else {}
    with kind(1, **options) as pool:
        session = make_session(clock=SYSTEM_CLOCK, execution=pool)
        FuncTask(work.current_session_name, session=session, name="a")
        FuncTask(work.current_session_name, session=session, name="b")
        assert session.execute("a") == session.execute("b") == "from-the-profile"
        assert pool.submit(work.is_nobody_current).result()  # and leave none behind


def test_tasks_on_a_cluster_find_the_current_sessions(make_session, profile, tmp_path):
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 1, "threads_per_worker": 2, "dashboard_address": ":0"}
    options["local_directory"] = str(tmp_path)
    with distributed.LocalCluster(**options) as cluster, dask(cluster.scheduler_address) as pool:
        session = make_session(clock=SYSTEM_CLOCK, execution=pool)
        for name in "abcd":
            FuncTask(work.current_session_name, session=session, name=name)
        session.run()
        assert dict.fromkeys("abcd", "from-the-profile") == {
            name: session.returns[name] for name in session.returns
        }


def test_a_session_that_cannot_be_opened_elsewhere_is_left_out(make_session, profile, tmp_path):
    session = make_session(clock=SYSTEM_CLOCK, execution="process", process_start="spawn")
    FuncTask(work.is_nobody_current, session=session, name="a")
    (tmp_path / "sessions.yaml").unlink()
    assert session.execute("a")


def test_a_hub_that_cannot_be_reached_is_tried_again(make_session, clock):
    tried = []

    class Unreachable(EventHub):
        def connect(self):
            tried.append(clock.time())
            if len(tried) < 3:
                raise EventHubConnectionError("nobody answers")
            super().connect()

    session = make_session(
        event_hub_factory=lambda _: Unreachable(), shut_cond="scheduler has run over 1 minute"
    )
    FuncTask(int, session=session, name="a", start_cond="on event 'topic=a'")
    start = clock.time()
    session.start()
    assert [at - start for at in tried] == [0, 10, 20]
    assert "nobody answers" in session.problems[0]
