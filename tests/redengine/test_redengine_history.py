"""What is known of runs: in memory, in SQLite, by URL; after a restart, and with other schedulers beside."""

from __future__ import annotations

import sqlite3
import threading
from datetime import datetime

import pytest
from redengine_times import instant

from sessionkit.errors import ConfigurationError
from sessionkit.testing import ManualClock
from sessionkit_redengine import FuncTask, HistoryError
from sessionkit_redengine.history import MemoryHistory, Query, RunRecord, open_database, open_history
from sessionkit_redengine.history.owner import Owner, process_start

KINDS = ["memory", "sqlite", "url", "postgres"]


@pytest.fixture(params=KINDS)
def where(request, tmp_path):
    return place(request, tmp_path)


def place(request, tmp_path):
    if request.param == "postgres":
        return request.getfixturevalue("new_postgres_url")()
    if request.param == "url":
        pytest.importorskip("sqlalchemy")
    places = {"memory": None, "sqlite": tmp_path / "runs.db", "url": f"sqlite:///{tmp_path / 'runs.db'}"}
    return places[request.param]


@pytest.fixture
def history(where):
    made = open_history(where)
    yield made
    made.close()


def run_of(task, number, action="success", *, started=None, session="s"):
    started = float(number) if started is None else started
    return RunRecord(session, task, f"{task}-{number}", started, started), action


def put(history, run, action, seen=""):
    assert history.claim(run, seen)
    run.ended, run.action = run.started + 0.5, action
    history.finish(run)


def test_runs_are_asked_for_by_what_they_were(history):
    seen = {}
    for number in range(6):
        run, action = run_of("ab"[number % 2], number, "fail" if number == 3 else "success")
        put(history, run, action, seen.get(run.task, ""))
        seen[run.task] = run.run_id

    def ids(**query):
        return [run.run_id for run in history.runs("s", Query(**query))]

    assert ids() == ["a-0", "b-1", "a-2", "b-3", "a-4", "b-5"]
    assert ids(task_name="a") == ["a-0", "a-2", "a-4"]
    assert ids(task_name=["a", "b"], limit=2) == ["a-4", "b-5"]
    assert ids(action="fail") == ["b-3"]
    assert ids(action=["fail", "success"], since=2, until=3) == ["a-2", "b-3"]
    assert ids(run_id="a-4") == ["a-4"]
    assert ids(task_name=[]) == []
    assert list(history.runs("another", Query())) == [] or isinstance(history, MemoryHistory)
    assert history.series("s", "b") == {"run": [1.0, 3.0, 5.0], "success": [1.5, 5.5], "fail": [3.5]}


def test_many_runs_are_read_in_pages(history):
    history._page_size = 20
    seen = ""
    for number in range(83):
        run, action = run_of("a", number, started=float(number // 3))
        put(history, run, action, seen)
        seen = run.run_id
    found = [run.run_id for run in history.runs("s", Query())]
    assert len(found) == len(set(found)) == 83
    assert len(list(history.runs("s", Query(limit=7)))) == 7


def test_an_unknown_action_is_an_error():
    with pytest.raises(ConfigurationError, match="succes"):
        Query(action="succes")


def test_memory_keeps_the_latest_runs_only():
    history = MemoryHistory(max_runs=10)
    for number in range(25):
        put(history, *run_of("a", number))
    assert [run.run_id for run in history.runs("s", Query())] == [f"a-{number}" for number in range(15, 25)]


def test_a_database_may_be_told_how_many_runs_to_keep(tmp_path):
    history = open_database(str(tmp_path / "runs.db"), max_runs=50)
    seen = ""
    for number in range(300):
        run, action = run_of("a", number)
        put(history, run, action, seen)
        seen = run.run_id
    assert 50 <= len(list(history.runs("s", Query()))) <= 150
    assert history.states("s")["a"].last["success"] == 299.5
    history.close()


@pytest.mark.parametrize("bad", [3, object(), b"x"])
def test_what_is_no_history(bad):
    with pytest.raises(ConfigurationError):
        open_history(bad)


def test_a_url_that_leads_nowhere():
    pytest.importorskip("sqlalchemy")
    with pytest.raises(ConfigurationError):
        open_history("nosuchdb://x").states("s")


class TestRestart:
    @pytest.fixture(params=KINDS[1:])
    def path(self, request, tmp_path):
        return place(request, tmp_path)

    def day(self, make_session, path, runs, clock, hours=1, **fields):
        session = make_session(history=path, shut_cond=f"scheduler has run over {hours} hours")
        FuncTask(
            lambda: runs.append(clock.time()), session=session, name="a", **{"start_cond": "daily", **fields}
        )
        session.start()
        session.close()

    def test_nothing_is_forgotten_and_nothing_runs_twice(self, make_session, path, clock):
        runs = []
        for _ in range(5):
            self.day(make_session, path, runs, clock)
        assert len(runs) == 1
        clock.advance(86_400)
        self.day(make_session, path, runs, clock)
        assert len(runs) == 2

    def test_every_goes_on_where_it_was(self, make_session, path, clock):
        runs = []
        start = clock.time()
        for _ in range(4):
            self.day(make_session, path, runs, clock, start_cond="every 90 minutes")
        assert [at - start for at in runs] == [0, 5_400, 10_800]

    def test_failures_in_a_row_are_counted_on(self, make_session, path, clock):
        runs = []

        def fail():
            runs.append(clock.time())
            raise ValueError

        start = clock.time()
        for _ in range(4):
            session = make_session(history=path, shut_cond="scheduler has run over 1 hours")
            FuncTask(fail, session=session, name="a", start_cond="daily", retries=2, retry_delay="90 minutes")
            session.start()
            session.close()
        assert [at - start for at in runs] == [0, 5_400, 10_800]

    @pytest.mark.parametrize(("missed", "dues"), [("skip", 0), ("once", 1), ("all", 3)])
    def test_due_times_that_passed_while_it_was_down(self, make_session, path, clock, missed, dues):
        runs = []
        clock.jump(10 * 3_600)
        fields = {"start_cond": "daily between 10:00 and 12:00", "missed": missed}
        self.day(make_session, path, runs, clock, **fields)
        assert len(runs) == 1
        clock.advance(3 * 86_400 + 3 * 3_600)  # three days later, at 14:00
        session = make_session(history=path, shut_cond="scheduler has run over 1 hours")
        due = []
        FuncTask(
            lambda: due.append(session.scheduler.launcher.alive[0].due), session=session, name="a", **fields
        )
        session.start()
        assert [_shown(at) for at in due] == ["02 10:00", "03 10:00", "04 10:00"][:dues]

    def test_two_sessions_in_one_database_know_nothing_of_each_other(self, make_session, path, clock):
        runs = []
        for name in ("one", "two", "one"):
            session = make_session(history=path, name=name, shut_cond="scheduler has run over 1 minute")
            FuncTask(lambda name=name: runs.append(name), session=session, name="a", start_cond="daily")
            session.start()
            session.close()
        assert runs == ["one", "two"]


def _shown(at):
    from zoneinfo import ZoneInfo

    return datetime.fromtimestamp(at, ZoneInfo("UTC")).strftime("%d %H:%M")


def test_get_task_log(make_session, clock, where):
    session = make_session(history=where)
    FuncTask(lambda: clock.advance(2), session=session, name="a", start_cond="daily")
    FuncTask(lambda: 1 / 0, session=session, name="b", start_cond="after task 'a'")
    session.config.shut_cond = "scheduler has run over 25 hours"
    session.start()
    assert [(record.task_name, record.action) for record in session.get_task_log()][:4] == [
        *(("a", "run"), ("a", "success"), ("b", "run"), ("b", "fail"))
    ]
    first = next(iter(session.get_task_log("a", "success")))
    assert (first.runtime, first.end - first.start, first.created) == (2.0, 2.0, first.end)
    (failed, _) = session.get_task_log(action="fail")
    assert "ZeroDivisionError" in failed.exc_text
    late = session.get_task_log(since=datetime.fromtimestamp(instant("2026-01-02T00:00")).astimezone())
    assert len(list(late)) == 4
    assert session["a"].last_success.timestamp() == instant("2026-01-02T00:00:02")
    session.close()


def test_another_process_may_write_the_history(make_session, clock, tmp_path):
    path = tmp_path / "runs.db"
    session = make_session(history=path, force_status_from_logs=True)
    task = FuncTask(int, session=session, name="a", start_cond="daily")
    assert task.status is None
    assert bool(task) is True
    other = make_session(history=path)
    FuncTask(int, session=other, name="a")
    other.run("a")
    assert task.status == "success"
    assert bool(task) is False


class TestTwoSchedulers:
    @pytest.fixture(params=KINDS[1:])
    def path(self, request, tmp_path):
        return str(place(request, tmp_path))

    def test_the_first_run_of_all_is_claimed_by_one(self, path):
        """Also where all of them open a database that has no tables yet."""
        histories = [open_database(path) for _ in range(4)]
        barrier = threading.Barrier(len(histories))
        claimed = []

        def claim(number):
            barrier.wait(60)
            histories[number].states("s")
            for task in range(20):
                barrier.wait(60)
                claimed.append(histories[number].claim(run_of(f"t{task}", number)[0], "") and task)

        threads = [threading.Thread(target=claim, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(task for task in claimed if task is not False) == list(range(20))
        assert len(list(histories[0].runs("s", Query()))) == 20
        for history in histories:
            history.close()

    def test_a_run_is_claimed_by_one(self, path):
        one, two = (open_database(path) for _ in range(2))
        assert one.claim(run_of("a", 1)[0], "")
        assert not two.claim(run_of("a", 2)[0], "")
        assert two.claim(run_of("a", 3)[0], "a-1")
        assert not one.claim(run_of("a", 4)[0], "a-1")
        assert [run.run_id for run in one.runs("s", Query())] == ["a-1", "a-3"]
        one.close()
        two.close()

    def test_they_share_the_work_and_repeat_none(self, make_session, tmp_path):
        """Two schedulers on two clocks, one of them a little late, for a day of twenty tasks."""
        ran, lock = [], threading.Lock()

        def scheduler(which):
            clock = ManualClock()
            clock.advance(which * 0.3)
            session = make_session(
                clock=clock, history=tmp_path / "runs.db", shut_cond="scheduler has run over 10 hours"
            )
            for number in range(20):

                def work(number=number):
                    with lock:
                        ran.append((number, int(clock.time() // 1_800), which))

                FuncTask(work, session=session, name=str(number), start_cond="cron 0,30 * * * *")
            session.start()
            session.close()

        threads = [threading.Thread(target=scheduler, args=(which,)) for which in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        times = [(number, at) for number, at, _ in ran]
        assert len(times) == len(set(times))
        assert len(times) >= 20 * 19

    def test_one_waits_for_what_the_other_runs(self, make_session, tmp_path, clock):
        path = tmp_path / "runs.db"
        first, second = make_session(history=path), make_session(history=path)
        for session in (first, second):
            FuncTask(int, session=session, name="a", start_cond="daily")
            FuncTask(int, session=session, name="b", start_cond="after task 'a'")
        first.run("a")
        second.config.shut_cond = "scheduler has run over 1 minute"
        second.start()
        log = [(record.task_name, record.action) for record in second.get_task_log(action="success")]
        assert log == [("a", "success"), ("b", "success")]


class TestABrokenHistory:
    class Broken(MemoryHistory):
        def __init__(self, broken):
            super().__init__()
            self.broken = broken

        def claim(self, run, seen, order=""):
            if "claim" in self.broken:
                raise HistoryError("disk full")
            return super().claim(run, seen, order)

        def finish(self, run):
            if "finish" in self.broken:
                raise HistoryError("disk full")

    def test_what_cannot_be_recorded_does_not_start_until_it_can(self, make_session, clock):
        history = self.Broken({"claim"})
        session = make_session(history=history, shut_cond="scheduler has run over 1 minute")
        runs = []
        start = clock.time()
        FuncTask(lambda: runs.append(clock.time() - start), session=session, name="a", start_cond="daily")

        @session.hook_scheduler_cycle()
        def repair(scheduler):
            if clock.time() - start > 10:
                history.broken.clear()

        session.start()
        assert runs
        assert 10 < runs[0] < 13
        assert "disk full" in session.problems[0]

    def test_ends_are_written_when_they_can_be(self, make_session, clock):
        history = self.Broken({"finish"})
        session = make_session(history=history, shut_cond="scheduler has run over 1 minute")
        FuncTask(int, session=session, name="a", start_cond="every 10 seconds")
        session.start()
        assert session.scheduler.launcher.unwritten
        history.broken.clear()
        session.scheduler.launcher.write()
        assert not session.scheduler.launcher.unwritten

    def test_it_ends_the_scheduler_where_that_is_wanted(self, make_session):
        session = make_session(history=self.Broken({"claim"}), silence_task_logging=False)
        FuncTask(int, session=session, name="a", start_cond="daily")
        with pytest.raises(HistoryError, match="disk full"):
            session.start()

    def test_a_file_that_is_no_database(self, make_session, tmp_path):
        (tmp_path / "runs.db").write_text("this is no database" * 100)
        session = make_session(history=tmp_path / "runs.db")
        with pytest.raises(HistoryError, match="not a database"):
            FuncTask(int, session=session, name="a")


def test_runs_of_a_process_that_is_gone_are_found(make_session, clock, tmp_path):
    path = tmp_path / "runs.db"
    dead = open_database(str(path))
    dead.owner = Owner("dead", dead.owner.host, 2**22 + 1, "0")
    dead.claim(RunRecord("redengine", "a", "lost", clock.time(), clock.time()), "")
    dead._database.close()
    session = make_session(history=path, shut_cond="scheduler has run over 1 hour")
    runs = []
    task = FuncTask(lambda: runs.append(1), session=session, name="a", start_cond="daily")
    assert task.status == "run"
    session.start()
    assert task.status == "crash"
    assert runs == []
    assert [record.action for record in session.get_task_log()] == ["run", "crash"]
    assert "was running when its process ended" in session.problems[0]


def test_a_sign_of_life_that_was_lost_with_its_transaction_is_given_again(tmp_path):
    one, two = (open_database(str(tmp_path / "runs.db")) for _ in range(2))

    def spoiled(work, usable=one._do):
        def fail(execute):
            work(execute)
            raise sqlite3.OperationalError("database or disk is full")

        return usable(fail)

    one.states("s")
    one._do, usable = spoiled, one._do
    with pytest.raises(HistoryError):
        one.claim(run_of("a", 1)[0], "")
    one._do = usable
    assert one.claim(run_of("a", 1)[0], "")
    assert two.recover("s", 2.0) == []  # it lives
    one.close()
    two.close()


def test_owners():
    here = Owner.here()
    assert here.alive(0, 10**9)
    assert not here._replace(since="0").alive(0, 0) or here.since == ""
    assert not here._replace(pid=2**22 + 1).alive(0, 0)
    elsewhere = here._replace(host="elsewhere")
    assert elsewhere.alive(100, 200)
    assert not elsewhere.alive(100, 300)
    assert process_start(2**22 + 1) is None


def test_the_database_is_readable_by_anybody(make_session, tmp_path):
    session = make_session(history=tmp_path / "runs.db")
    FuncTask(int, session=session, name="a")
    session.run("a")
    with sqlite3.connect(tmp_path / "runs.db") as connection:
        rows = connection.execute("SELECT task, action FROM redengine_runs").fetchall()
    connection.close()
    assert rows == [("a", "success")]
