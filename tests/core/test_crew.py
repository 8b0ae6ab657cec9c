"""The threads behind many calls: made as they are needed, and none that waits behind a busy one."""

import threading
import time

from wire_kit import settle

from sessionkit.http.crew import Crew
from sessionkit.http.many import GRACE


def test_threads_are_made_only_as_they_are_needed():
    done = []
    crew = Crew(4, done.append)
    for number in range(5):
        crew.give(number)
        settle(lambda number=number: len(done) == number + 1 and crew._open == 0)
    assert len(crew._threads) == 1
    crew.end()
    crew.wait(5)
    assert done == list(range(5))


def test_nothing_waits_behind_a_thread_that_is_busy():
    for _ in range(50):
        gate, done = threading.Event(), []

        def do(item, gate=gate, done=done):
            if item == "slow":
                gate.wait(5)
            done.append(item)

        crew = Crew(3, do)
        crew.give("a")
        crew.give("slow")
        crew.give("b")
        settle(lambda done=done: set(done) == {"a", "b"})
        gate.set()
        crew.end()
        crew.wait(5)


def test_the_end_returns_what_was_not_begun_and_waits_a_while():
    gate, done = threading.Event(), []

    def do(item):
        gate.wait(10)
        done.append(item)

    crew = Crew(2, do, backlog=1)
    for number in range(6):
        crew.give(number)
    settle(lambda: crew._given.qsize() == 4)
    assert sorted(crew.end()) == [2, 3, 4, 5]
    begun = time.monotonic()
    crew.wait(0.1)
    assert 0.05 < time.monotonic() - begun < GRACE
    gate.set()
    crew.wait(5)
    assert sorted(done) == [0, 1]


def test_a_system_without_more_threads_makes_do_with_fewer(monkeypatch):
    gate, done = threading.Event(), []

    def do(item):
        gate.wait(5)
        done.append(item)

    crew = Crew(3, do)
    crew.give(1)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", lambda _: (_ for _ in ()).throw(RuntimeError("no more")))
        crew.give(2)
    gate.set()
    settle(lambda: done == [1, 2])
    crew.end()
    crew.wait(5)
