"""The design's table "who is signed in here and now", row by row, and in every kind of concurrency."""

import asyncio
import contextvars
import gc
import os
import pickle
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor as PlainPool
from contextlib import contextmanager
from typing import ClassVar

import pytest
from echo import Echoing

import sessionkit
from sessionkit import NoCurrentSession, SessionEngine
from sessionkit.errors import SessionClosed
from sessionkit.testing.tools import wait_until


class Echo(Echoing, SessionEngine):
    __metakey__ = "test.echo"

    def __init__(self, user="ann", *, password="pw", options=None):
        self.user = user
        self.closings = 0
        super().__init__()

    def on_close(self):
        self.closings += 1


class LoudEcho(Echo):
    """A kind of Echo: found where an Echo is asked for."""


class Other(Echo):
    __metakey__ = "test.other"


class Broken(Echo):
    __metakey__ = "test.broken"
    made: ClassVar = []

    def __init__(self):
        super().__init__()
        self.made.append(weakref.ref(self))
        raise ValueError("login refused")


@pytest.fixture(autouse=True)
def nobody_signed_in():
    yield
    for session in sessionkit.sessions():
        session.close()


def in_thread(function):
    result = []
    thread = threading.Thread(target=lambda: result.append(function()))
    thread.start()
    thread.join(10)
    return result[0]


# --- the table ---


def test_a_plain_call_opens_a_session_and_makes_it_current():
    session = Echo("ann")
    assert Echo.current() is session
    assert sessionkit.current(Echo) is session


def test_a_call_without_arguments_gives_the_current_one():
    assert Echo("ann") is Echo()


def test_a_call_without_arguments_opens_one_when_there_is_none():
    assert Echo().user == "ann"


def test_the_same_arguments_give_the_same_object_however_they_are_passed():
    session = Echo("bob", password="x", options={"a": ["b"]})
    assert Echo(user="bob", options={"a": ["b"]}, password="x") is session


def test_other_arguments_give_another_session_and_leave_the_first_untouched():
    ann = Echo("ann")
    bob = Echo("bob")
    assert bob is not ann
    assert Echo.current() is bob
    bob.close()
    assert Echo.current() is ann
    assert not ann.closed


@pytest.mark.parametrize("other", [{"password": "y"}, {"options": {"a": ["c"]}}])
def test_no_argument_is_silently_ignored(other):
    assert Echo("bob", **{"password": "x", "options": {"a": ["b"]}, **other}) is not Echo(
        "bob", password="x", options={"a": ["b"]}
    )


def test_the_first_of_two_is_current_again_when_it_is_asked_for_by_its_arguments():
    ann, bob = Echo("ann"), Echo("bob")
    assert Echo("ann") is ann
    assert Echo.current() is ann
    ann.close()
    assert Echo.current() is bob


def test_a_block_has_its_own_session_and_closes_it():
    outer = Echo("ann")
    with Echo("bob") as inner:
        assert Echo.current() is inner
    assert inner.closed
    assert inner.closings == 1
    assert Echo.current() is outer


def test_a_block_closes_its_session_when_it_fails_and_lets_the_error_through():
    with pytest.raises(KeyError), Echo("bob") as session:
        raise KeyError
    assert session.closed


def test_a_block_borrows_the_session_that_was_current_already():
    outer = Echo("ann")
    with Echo() as inner:
        assert inner is outer
    assert not outer.closed
    assert Echo.current() is outer


def test_blocks_nest_on_one_session_and_the_outermost_closes_it():
    with Echo("ann") as outer:
        with Echo("ann") as inner:
            assert inner is outer
        assert not outer.closed
        with outer:
            pass
        assert not outer.closed
    assert outer.closed


def test_a_session_made_inside_a_block_is_current_until_the_block_ends():
    outer = Echo("ann")
    with Echo("bob") as bob:
        inside = Echo("carl")
        assert Echo.current() is inside
        inside.close()
        assert Echo.current() is bob
        inside = Echo("dora")
    assert Echo.current() is outer
    assert not inside.closed


def test_a_held_session_is_closed_by_its_block():
    session = Echo("ann")
    with session:
        assert Echo.current() is session
    assert session.closed
    assert Echo.get_session() is None


def test_a_held_session_that_was_given_out_again_is_borrowed_by_its_next_block():
    session = Echo("ann")
    assert Echo() is session
    with session:
        pass
    assert not session.closed
    with session:
        pass
    assert session.closed


def test_activate_makes_current_and_does_not_close():
    ann, bob = Echo("ann"), Echo("bob")
    with ann.activate() as active:
        assert active is Echo.current() is ann
    assert Echo.current() is bob
    assert not ann.closed


def test_no_current_session_says_how_to_open_one():
    class Login(Echo):
        __metakey__ = "test.login"

        def __init__(self, customer, password="x"):
            super().__init__()

    with pytest.raises(NoCurrentSession, match=r"Login\(customer=\.\.\.\)") as caught:
        Login.current()
    assert "with Login(" in str(caught.value)
    assert "ThreadPoolExecutor" in str(caught.value)
    assert Login.get_session() is None


def test_new_session_replaces_and_closes_the_current_one():
    ann = Echo("ann")
    bob = Echo.new_session("bob")
    assert ann.closed
    assert Echo.current() is bob


def test_new_session_makes_a_new_one_for_the_same_arguments():
    assert Echo("ann") is not Echo.new_session("ann")


def test_close_session_without_one_does_nothing():
    Echo.close_session()
    Echo("ann")
    Echo.close_session()
    assert Echo.get_session() is None


def test_a_detached_session_is_nobodys_current_one():
    session = Echo.detached("ann")
    assert Echo.get_session() is None
    assert Echo("ann") is not session
    with session as same:
        assert same is session
        assert Echo.current() is not session
    assert session.closed


def test_sessions_lists_the_open_ones_and_holds_none_alive():
    session = Echo.detached("ann")
    assert session in sessionkit.sessions()
    reference = weakref.ref(session)
    session.close()
    assert session not in sessionkit.sessions()
    del session
    gc.collect()
    assert reference() is None


def test_kinds_do_not_mix():
    echo, other = Echo("ann"), Other("ann")
    assert Echo.current() is echo
    assert Other.current() is other


def test_a_subclass_is_found_where_its_base_is_asked_for_and_never_the_other_way_round():
    plain = Echo("ann")
    with pytest.raises(NoCurrentSession):
        LoudEcho.current()
    loud = LoudEcho("ann")
    assert loud is not plain
    assert Echo.current() is loud
    assert LoudEcho.current() is loud


def test_a_class_without_a_metakey_is_refused():
    with pytest.raises(TypeError, match="__metakey__"):
        type("Nameless", (SessionEngine,), {})()


def test_a_constructor_that_fails_leaves_nothing_behind():
    with pytest.raises(ValueError, match="login refused"):
        Broken()
    gc.collect()
    assert Broken.get_session() is None
    assert Broken.made[-1]() is None or Broken.made[-1]().closed


def test_a_closed_session_refuses_calls_and_closes_once():
    session = Echo("ann")
    session.close()
    session.close()
    assert session.closings == 1
    with pytest.raises(SessionClosed):
        session.execute("x")
    with pytest.raises(SessionClosed), session:
        pass


# --- threads ---


def test_a_thread_finds_no_session_of_another():
    Echo("ann")
    assert in_thread(Echo.get_session) is None


def test_each_thread_has_its_own_for_the_same_arguments():
    assert in_thread(lambda: Echo("ann")) is not Echo("ann")


def test_a_context_copied_into_another_thread_brings_no_session_along():
    with Echo("ann") as session:
        context = contextvars.copy_context()
        assert context.run(Echo.current) is session
        assert in_thread(lambda: context.run(Echo.get_session)) is None


def test_200_short_threads_never_see_each_others_session():
    seen = []

    def work(number):
        seen.append(Echo.get_session())
        assert Echo(f"user{number}").user == f"user{number}"

    for number in range(200):
        in_thread(lambda number=number: work(number))
    assert seen == [None] * 200


def test_a_thousand_threads_leave_no_session_behind():
    closed = []

    class Counted(Echo):
        __metakey__ = "test.counted"

        def on_close(self):
            closed.append(1)

    def work():
        Counted("ann").execute("x")

    for _ in range(20):
        threads = [threading.Thread(target=work) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    wait_until(lambda: len(closed) == 1000)
    gc.collect()
    assert [session for session in sessionkit.sessions() if isinstance(session, Counted)] == []
    wait_until(lambda: not any(t.name.startswith("Dummy") for t in threading.enumerate()))


def test_concurrent_first_use_loses_no_session():
    barrier = threading.Barrier(8)

    def work():
        barrier.wait(10)
        mine = Echo("ann")
        return Echo.current() is mine

    with PlainPool(8) as pool:
        assert all(f.result(10) for f in [pool.submit(work) for _ in range(8)])


def test_closing_from_another_thread_frees_the_place():
    ann, bob = Echo("ann"), Echo("bob")
    in_thread(bob.close)
    assert Echo.current() is ann


def test_pool_tasks_get_a_sibling_of_the_submitters_session():
    with Echo("ann") as session, sessionkit.ThreadPoolExecutor(2) as pool:
        siblings = list(pool.map(lambda _: Echo.current(), range(8)))
        assert {s.user for s in siblings} == {"ann"}
        assert session not in siblings
        assert len(set(map(id, siblings))) <= 2
        assert all(s.cache is session.cache for s in siblings)
        assert all(s.event_hub is session.event_hub for s in siblings)
    with pytest.raises(SessionClosed):
        siblings[0].execute("x")


def test_pool_tasks_never_see_what_an_earlier_task_left():
    with sessionkit.ThreadPoolExecutor(1) as pool:
        pool.submit(Echo, "ann").result(10)
        assert pool.submit(Echo.get_session).result(10) is None


def test_closing_a_sibling_ends_nobody_else():
    session = Echo("ann")
    sibling = session.sibling()
    sibling.close()
    assert session.execute("x") == "x"
    assert sibling.closed


def test_propagate_gives_a_plain_thread_a_sibling_and_uses_the_session_itself_at_home():
    session = Echo("ann")
    ask = sessionkit.propagate(Echo.current)
    assert ask() is session
    there = in_thread(ask)
    assert there is not session
    assert there.user == "ann"


# --- asyncio ---


def test_tasks_see_their_own_blocks_only():
    async def work(user):
        with Echo(user) as session:
            await asyncio.sleep(0)
            assert Echo.current() is session
            await asyncio.sleep(0)
            return Echo.current().user

    async def main():
        return await asyncio.gather(*(work(f"user{n}") for n in range(50)))

    assert asyncio.run(main()) == [f"user{n}" for n in range(50)]
    assert Echo.get_session() is None


def test_a_task_started_in_a_block_sees_its_session_and_no_closed_one():
    async def child(gate):
        inside = Echo.get_session()
        await gate.wait()
        return inside, Echo.get_session()

    async def main():
        gate = asyncio.Event()
        with Echo("ann") as session:
            task = asyncio.create_task(child(gate))
            await asyncio.sleep(0)
        gate.set()
        return session, await task

    session, (inside, after) = asyncio.run(main())
    assert inside is session
    assert after is None


def test_to_thread_finds_no_session_unless_it_is_propagated():
    async def main():
        with Echo("ann"):
            return (
                await asyncio.to_thread(Echo.get_session),
                await asyncio.to_thread(sessionkit.propagate(Echo.get_session)),
            )

    plain, propagated = asyncio.run(main())
    assert plain is None
    assert propagated.user == "ann"


# --- generators and odd orders ---


def test_a_context_manager_made_of_a_generator_works():
    @contextmanager
    def signed_in(user):
        with Echo(user) as session:
            yield session

    outer = Echo("ann")
    with signed_in("bob") as bob:
        assert Echo.current() is bob
    assert Echo.current() is outer


def test_blocks_left_out_of_order_restore_what_is_still_open():
    def block(user):
        with Echo(user) as session:
            yield session

    outer = Echo("ann")
    first, second = block("bob"), block("carl")
    bob, carl = next(first), next(second)
    assert Echo.current() is carl
    first.close()
    assert bob.closed
    assert Echo.current() is carl
    second.close()
    assert Echo.current() is outer


def test_a_generator_closed_in_another_thread_leaves_no_closed_session_current():
    def block():
        with Echo("bob") as session:
            yield session

    generator = block()
    next(generator)
    in_thread(generator.close)
    assert Echo.get_session() is None


# --- fork and pickle ---


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_keeps_its_session_and_signs_nobody_out():
    session = Echo("ann")
    pid = os.fork()
    if pid == 0:
        try:
            assert Echo.current() is session
            assert session.execute("x") == "x"
            session.close()
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert session.execute("x") == "x"


def test_pickling_a_session_carries_no_secret_and_says_what_to_do():
    with pytest.raises(TypeError, match=r"sessionkit\.connect"):
        pickle.dumps(Echo("ann", password="hunter22"))


def test_what_a_session_was_made_with_shows_no_secret():
    session = Echo("ann", password="hunter22", options={"key": "hunter22"})
    assert "hunter22" not in repr(session.arguments)
    assert "hunter22" not in repr(session)
