"""Sessions in odd moments: overlapping blocks, closing under way, forks, ends of threads and processes."""

import _thread
import asyncio
import contextlib
import gc
import multiprocessing
import os
import subprocess
import sys
import textwrap
import threading
import weakref

import pytest
from core_kit import Api
from echo import Echoing

import sessionkit
from sessionkit import Again, CredentialLogin, SessionEngine, fork, reaper
from sessionkit.errors import SessionClosed, SessionKitError
from sessionkit.http.caching import CachePolicy
from sessionkit.testing.tools import wait_until


class Echo(Echoing, SessionEngine):
    __metakey__ = "test.hardening.echo"

    def __init__(self, user="ann", *, key=b"", options=None):
        self.user = user
        super().__init__()


class LoudEcho(Echo):
    """A kind of Echo."""


# --- who is current ---


def test_a_call_without_arguments_gives_the_current_one_also_of_a_subclass():
    loud = LoudEcho("bob")
    assert Echo.current() is loud
    assert Echo() is loud
    plain = Echo("bob")
    assert type(plain) is Echo
    assert LoudEcho() is loud


def test_bytes_among_the_arguments_are_kept_unreadable():
    session = Echo(key=b"hunter22")
    assert "hunter22" not in repr(session.arguments)
    assert Echo(key=b"hunter22") is session
    assert Echo(key="hunter22") is not session


def test_tasks_that_enter_one_session_leave_each_others_blocks_alone():
    shared = Echo("ann")
    bob = Echo("bob")

    async def work(first, second):
        with shared:
            first.set()
            await second.wait()
            return Echo.current() is shared

    async def main():
        one, two, both = asyncio.Event(), asyncio.Event(), asyncio.Event()
        both.set()
        with shared:
            slow = asyncio.create_task(work(one, two))
            await one.wait()
            quick = asyncio.create_task(work(asyncio.Event(), both))
            assert await quick
            late = asyncio.create_task(work(asyncio.Event(), two))
            await asyncio.sleep(0)
            two.set()
            return await slow, await late, Echo.current() is shared

    assert asyncio.run(main()) == (True, True, True)
    assert shared.closed
    assert Echo.current() is bob


def test_threads_that_enter_one_session_leave_each_others_blocks_alone():
    shared = Echo.detached("ann")
    shared._detached = False
    inside, leave = threading.Event(), threading.Event()
    seen = []

    def work():
        with shared:
            inside.set()
            leave.wait(10)
            seen.append(Echo.get_session())

    with shared:
        thread = threading.Thread(target=work)
        thread.start()
        inside.wait(10)
    leave.set()
    thread.join(10)
    assert seen == [shared]
    assert shared.closed


@pytest.mark.parametrize("how", ["with", "close"])
def test_a_long_block_keeps_no_session_that_was_closed_inside_it(how):
    references = []
    with Echo("outer"):
        for number in range(20):
            if how == "with":
                with Echo(f"user{number}") as session:
                    pass
            else:
                session = Echo(f"user{number}")
                session.close()
            references.append(weakref.ref(session))
        del session
        gc.collect()
        assert sum(reference() is not None for reference in references) <= 2
        assert Echo.current().user == "outer"


def block(session):
    with session as entered:
        yield entered


def alive(references):
    gc.collect()
    return sum(reference() is not None for reference in references)


def test_blocks_that_overlap_one_after_the_other_keep_no_session_that_was_closed():
    references, before = [], None
    for number in range(20):
        generator = block(Echo(f"user{number}"))
        references.append(weakref.ref(next(generator)))
        if before is not None:
            before.close()
        before = generator
    assert alive(references) == 1
    before.close()


def test_a_task_that_outlives_the_block_it_was_started_in_keeps_no_session_alive():
    async def main():
        end = asyncio.Event()
        with Echo("ann") as session:
            made = Echo("made inside")
            task = asyncio.create_task(end.wait())
            references = [weakref.ref(session), weakref.ref(made)]
        del session, made
        left = alive(references)
        end.set()
        await task
        return left

    assert asyncio.run(main()) == 0


def test_a_session_closed_by_another_thread_is_forgotten_by_its_own():
    session = Echo("ann")
    thread = threading.Thread(target=session.close)
    thread.start()
    thread.join(10)
    reference = weakref.ref(session)
    del session, thread
    assert Echo.get_session() is None
    assert alive([reference]) == 0


def test_two_sessions_asked_for_in_turn_inside_a_block_take_no_more_room_each_time():
    with Echo("outer"):
        ann, bob = Echo("ann"), Echo("bob")
        for _ in range(10):
            assert Echo("ann") is ann
            assert Echo("bob") is bob
        assert [session.user for session in Echo._slot.visible()] == ["bob", "ann", "outer"]


def test_what_a_task_asks_for_inside_its_parents_block_leaves_the_parents_order_alone():
    async def child():
        assert Echo.current().user == "carl"
        assert Echo("ann") is Echo.current()

    async def main():
        with Echo("outer"):
            ann, bob, carl = Echo("ann"), Echo("bob"), Echo("carl")
            await asyncio.create_task(child())
            for session in (carl, bob, ann):
                assert Echo.current() is session
                session.close()

    asyncio.run(main())


def test_a_pool_worker_keeps_no_session_that_was_closed(server):
    references = []
    with sessionkit.ThreadPoolExecutor(1) as pool:
        for _ in range(5):
            with Api(server.url, cache_policy=CachePolicy(ttl=60)) as session:
                pool.submit(lambda: Api.current().get("/x")).result(10)
            references.append(weakref.ref(session))
        del session
        pool.submit(int).result(10)
        gc.collect()
        assert sum(reference() is not None for reference in references) <= 1


def test_a_pool_task_does_not_see_the_block_that_an_earlier_one_left_open():
    left = []

    def leave_one_open():
        left.append(block(Echo("ann")))
        next(left[0])

    def enter_and_close_the_other():
        with Echo("bob") as bob:
            left.pop().close()
            return Echo.current() is bob

    with sessionkit.ThreadPoolExecutor(1) as pool:
        pool.submit(leave_one_open).result(10)
        assert pool.submit(Echo.get_session).result(10) is None
        assert pool.submit(enter_and_close_the_other).result(10)
        assert pool.submit(Echo.get_session).result(10) is None


def test_a_foreign_thread_is_not_taken_for_an_earlier_one_of_its_ident():
    idents, found, done = [], [], _thread.allocate_lock()

    def run(work):
        def body():
            idents.append(_thread.get_ident())
            found.append(work())
            done.release()

        done.acquire()
        _thread.start_new_thread(body, ())
        done.acquire(timeout=10)
        done.release()

    run(lambda: (Echo("ann"), sessionkit.propagate(Echo.current)))
    session, ask = found.pop()
    while len(idents) < 2 or (idents[-1] != idents[0] and len(idents) < 50):
        run(ask)
    assert session not in found


# --- closing under way ---


class Leaving(Echo):
    """Somebody with something to do on the way out."""

    __metakey__ = "test.hardening.leaving"

    def __init__(self, user="ann", *, leave=lambda session: None, **given):
        self.leave, self.dropped = leave, 0
        super().__init__(user)
        if "hub" in given:
            self._hub_factory = given["hub"]

    def sign_out(self):
        self.leave(self)

    def on_close(self):
        self.dropped += 1


def interrupt(_):
    raise KeyboardInterrupt


def test_an_interrupt_while_signing_out_leaves_a_closed_session_without_connections():
    session = Leaving(leave=interrupt)
    heard = []
    session.event_hub.subscribe("topic=sessionkit.session.closed", heard.append)
    with pytest.raises(KeyboardInterrupt):
        session.close()
    assert (session.closed, session.dropped) == (True, 1)
    assert len(heard) == 1
    assert session not in sessionkit.sessions()
    session.close()
    assert session.dropped == 1


def test_an_interrupt_while_a_block_signs_out_restores_what_was_current():
    before = Leaving("before")
    with pytest.raises(KeyboardInterrupt), Leaving(leave=interrupt) as session:
        pass
    assert session.closed
    assert Leaving.current() is before


def test_a_session_that_is_signing_out_takes_no_calls_but_its_own():
    seen = []

    def leave(session):
        seen.append(session.execute("my own"))
        for each in (session, twin):
            thread = threading.Thread(target=lambda each=each: seen.append(refused(each)))
            thread.start()
            thread.join(10)

    def refused(session):
        with pytest.raises(SessionClosed) as caught:
            session.execute("somebody else's")
        return type(caught.value)

    session = Leaving(leave=leave)
    twin = session.sibling()
    session.close()
    assert seen == ["my own", SessionClosed, SessionClosed]


def test_a_session_may_be_closed_by_what_interrupts_its_closing():
    """A signal's handler runs between any two lines, in the thread that was closing."""
    code, before = SessionEngine.close.__code__, sys.gettrace()

    def traced(frame, event, _):
        nonlocal left
        if frame.f_code is code and frame.f_locals["self"] is session:
            left -= event == "line"
            if left == 0:
                sys.settrace(None)
                session.close()
        return traced

    for step in range(1, 50):
        session, left = Leaving(), step
        sys.settrace(traced)
        try:
            session.close()
        finally:
            sys.settrace(before)
        assert (session.closed, session.dropped) == (True, 1)
        if left > 0:  # it has not so many lines
            break
    assert 5 < step < 49


def test_new_session_makes_a_new_one_though_one_of_the_same_arguments_is_open_below():
    ann, bob = Echo("ann"), Echo("bob")
    new = Echo.new_session("ann")
    assert new is not ann
    assert (ann.closed, bob.closed) == (False, True)
    assert Echo("ann") is Echo.current() is new


def test_a_hub_that_cannot_be_made_leaves_no_session_open():
    def refuse(session):
        made.append(session)
        raise ValueError("no hub today")

    made = []
    with pytest.raises(ValueError, match="no hub today"):
        Leaving(hub=refuse)
    assert len(made) == 1
    assert (made[0].closed, made[0].dropped) == (True, 1)
    assert Leaving.get_session() is None


class Job(Echo):
    __metakey__ = "test.hardening.job"
    polls = 0

    def process(self, response, call):
        self.polls += 1
        if self.polls == 3:
            thread = threading.Thread(target=self.close)
            thread.start()
            thread.join(10)
        return Again(delay=0.0)


def test_a_call_that_waits_for_a_job_ends_when_its_session_is_closed():
    job = Job.detached()
    with pytest.raises(SessionClosed):
        job.execute("job")
    assert job.polls == 3


def test_a_refused_call_does_not_sign_in_again_once_its_session_is_closed(server):
    def answer(seen):
        if seen.path == "/login":
            return 200, {}, {"token": "t-12345"}
        if seen.path == "/x":
            thread = threading.Thread(target=api.close)
            thread.start()
            thread.join(10)
            return 401, {}, {}
        return 200, {}, {}

    server.answer = answer
    auth = CredentialLogin("/login", {"user": "ann"}, logout=("DELETE", "/login/out"))
    api = Api.detached(server.url, auth=auth)
    with pytest.raises((SessionClosed, sessionkit.errors.AuthenticationError)):
        api.get("/x")
    assert [seen.path for seen in server.seen] == ["/login", "/x", "/login/out"]


def test_a_token_that_is_on_its_way_when_its_session_is_closed_is_given_back(server):
    asked, closing = threading.Event(), threading.Event()

    def answer(seen):
        if seen.path == "/login":
            asked.set()
            closing.wait(10)
            return 200, {}, {"token": "t-12345"}
        return 200, {}, {}

    server.answer = answer
    auth = CredentialLogin("/login", {"user": "ann"}, logout=("DELETE", "/login/out"))
    api = Api.detached(server.url, auth=auth)

    def ask():
        with contextlib.suppress(SessionKitError):  # by then it may be closed
            api.get("/x")

    call = threading.Thread(target=ask)
    call.start()
    asked.wait(10)
    threading.Timer(0.05, closing.set).start()
    api.close()
    call.join(10)
    (out,) = [seen for seen in server.seen if seen.path == "/login/out"]
    assert out.headers["authorization"] == "Bearer t-12345"


# --- forks ---


class Failing:
    def after_fork_in_child(self):
        raise RuntimeError("a backend's mistake")


class Slow:
    def after_fork_in_child(self):
        threading.Event().wait(0.2)


class Careful:
    anew = False

    def after_fork_in_child(self):
        self.anew = True


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_what_fails_after_a_fork_does_not_keep_the_rest_from_starting_anew():
    failing, careful = fork.aware(Failing()), fork.aware(Careful())
    pid = os.fork()
    if pid == 0:
        os._exit(0 if careful.anew else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert failing is not None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_signs_out_none_of_its_parents_other_threads(tmp_path, monkeypatch):
    slow = fork.aware(Slow())  # in the child it holds up the sessions, which come after it
    mine = fork.aware(reaper.Reaper())
    monkeypatch.setattr(reaper, "adopt", mine.adopt)

    class Loud(Echo):
        def sign_out(self):
            (tmp_path / str(os.getpid())).touch()

    def work():
        Loud()
        inside.set()
        leave.wait(10)

    inside, leave = threading.Event(), threading.Event()
    thread = threading.Thread(target=work)
    thread.start()
    inside.wait(10)
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    assert slow is not None
    leave.set()
    thread.join(10)
    wait_until(lambda: [path.name for path in tmp_path.iterdir()] == [str(os.getpid())])


LOGIN = """
import sys; sys.path.insert(0, {tests!r})
import os, multiprocessing, threading
from core_kit import Api
from sessionkit import CredentialLogin
def use(path):
    Api.current().get(path)
if __name__ == "__main__":
    auth = CredentialLogin("/login", {{"user": "ann"}}, logout=("DELETE", "/logout"))
    session = Api({url!r}, auth=auth)
    session.get("/parent")
"""


def run(server, code):
    server.answer = lambda seen: (200, {}, {"token": "t-12345"})
    head = LOGIN.format(tests=os.path.dirname(__file__), url=server.url)  # noqa: PTH120 - a plain string
    program = head + textwrap.indent(textwrap.dedent(code), "    ")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)
    assert done.stderr == b""
    assert done.returncode == 0
    return [seen.path for seen in server.seen]


def test_an_interpreter_that_ends_signs_out(server):
    assert run(server, "") == ["/login", "/parent", "/logout"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_that_ends_normally_does_not_sign_out_its_parent(server):
    paths = run(
        server,
        """
        if os.fork() == 0:
            use("/child")
            sys.exit()
        os.wait()
        session.get("/after")
        """,
    )
    assert paths == ["/login", "/parent", "/child", "/after", "/logout"]


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
def test_a_worker_process_uses_its_parents_session_and_does_not_sign_it_out(server):
    paths = run(
        server,
        """
        worker = multiprocessing.get_context("fork").Process(target=use, args=("/child",))
        worker.start()
        worker.join()
        session.get("/after")
        """,
    )
    assert paths == ["/login", "/parent", "/child", "/after", "/logout"]


def test_a_session_dropped_while_the_interpreter_ends_is_signed_out_without_a_word(server):
    paths = run(
        server,
        f"""
        import atexit
        login = CredentialLogin("/login", {{"user": "bob"}}, logout=("DELETE", "/bob"))
        held = [Api.detached({server.url!r}, auth=login)]
        del login
        held[0].get("/bob")
        atexit.register(held.clear)
        """.replace("{{", "{").replace("}}", "}"),
    )
    assert sorted(paths) == ["/bob", "/bob", "/login", "/login", "/logout", "/parent"]


def test_a_reaper_that_gets_no_thread_tries_again_with_the_next_session(monkeypatch):
    closed = threading.Event()

    class Session:
        def close(self):
            closed.set()

    mine = reaper.Reaper()
    real = reaper._thread.start_new_thread

    def refuse(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(reaper._thread, "start_new_thread", refuse)
    mine.adopt(Session())
    assert not closed.is_set()
    monkeypatch.setattr(reaper._thread, "start_new_thread", real)
    mine.adopt(Session())
    assert closed.wait(10)


def test_a_reaper_survives_whatever_ends_a_closing():
    mine, closed = reaper.Reaper(), threading.Event()

    class Session:
        def __init__(self, close):
            self.close = close

    def cancelled():
        raise asyncio.CancelledError

    mine.adopt(Session(cancelled))
    mine.adopt(Session(closed.set))
    assert closed.wait(10)


def test_a_worker_keeps_its_sibling_and_gets_another_when_it_was_closed():
    with Echo("ann"), sessionkit.ThreadPoolExecutor(1) as pool:
        first = pool.submit(Echo.current).result(10)
        assert pool.submit(Echo.current).result(10) is first
        pool.submit(first.close).result(10)
        assert pool.submit(lambda: Echo.current().execute("x")).result(10) == "x"


def test_closing_many_at_exit_ends_in_time():
    closed = []

    class Slow:
        def close(self):
            closed.append(1)
            threading.Event().wait(0.1)

    reaper.close_all([Slow() for _ in range(50)], seconds=0.25)
    assert 1 <= len(closed) <= 4


def test_a_reaper_that_went_home_comes_back(monkeypatch):
    monkeypatch.setattr(reaper, "IDLE_SECONDS", 0.01)
    mine = reaper.Reaper()
    for _ in range(3):
        closed = threading.Event()
        mine.adopt(type("Session", (), {"close": lambda self, closed=closed: closed.set()})())
        assert closed.wait(10)
        threading.Event().wait(0.1)
