# ruff: noqa: T201 - tasks that print are what this is about
"""What tasks say is heard where it is said, kept within bounds, and found again from elsewhere."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import io
import json
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
import redengine_work as work
from click.testing import CliRunner

from sessionkit.clock import SYSTEM_CLOCK
from sessionkit.errors import ConfigurationError
from sessionkit.secrets import register
from sessionkit.testing.tools import wait_until
from sessionkit_redengine import CodeTask, CommandTask, FuncTask
from sessionkit_redengine.capture import Tee
from sessionkit_redengine.commands import tasks
from sessionkit_redengine.errors import HistoryError, TaskNotFound
from sessionkit_redengine.history import MemoryHistory, open_history
from sessionkit_redengine.output import MOST_CHARACTERS, MOST_LINES, MOST_RUNS, OutputLine, Portion, RunOutput

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SAID = [("stdout", "to out"), ("stderr", "to err"), ("log", "WARNING shots: 3 missing")]


def said(session, name):
    return [line[1:] for line in session.get_task_output(name)]


@pytest.fixture
def real(make_session, tmp_path):
    """Sessions on the real clock, with a history that others can read."""

    def make(**options):
        return make_session(**{"clock": SYSTEM_CLOCK, "history": tmp_path / "runs.db", **options})

    return make


@pytest.fixture(params=["memory", "sqlite", "sqlalchemy"])
def history(request, tmp_path):
    where = {"memory": None, "sqlite": tmp_path / "runs.db", "sqlalchemy": f"sqlite:///{tmp_path / 'sa.db'}"}
    return open_history(where[request.param])


# --- where it is said ---


@pytest.mark.parametrize("execution", ["main", "thread", "process"])
def test_what_a_function_prints_and_logs(real, execution, capfd):
    session = real(execution=execution)
    FuncTask(work.speak, session=session, name="a")
    session.run()
    assert said(session, "a") == SAID
    if execution != "process":  # whose streams are those of the fork server
        assert "to out\n" in capfd.readouterr().out  # and it goes where it always went


@pytest.mark.parametrize("start", ["spawn", "fork"])
def test_however_processes_are_started(real, start):
    session = real(execution="process", process_start=start)
    FuncTask(work.speak, session=session, name="a")
    session.run()
    assert said(session, "a") == SAID


def process_pool():
    return concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))


@pytest.mark.parametrize("pool", [concurrent.futures.ThreadPoolExecutor, process_pool])
def test_in_an_executor_of_ones_own(real, pool):
    with pool() as executor:
        session = real(execution=executor)
        FuncTask(work.speak, session=session, name="a")
        session.run()
    assert said(session, "a") == SAID


def test_async_functions_side_by_side(real):
    session = real()

    async def talk(name):
        for number in range(3):
            print(name, number)
            await asyncio.sleep(0.01)
        await asyncio.to_thread(print, name, "from a thread")

    for name in "ab":
        FuncTask(talk, session=session, name=name, parameters={"name": name})
    session.run()
    for name in "ab":
        assert [text for _, text in said(session, name)] == [
            *(f"{name} {number}" for number in range(3)),
            f"{name} from a thread",
        ]


def test_threads_side_by_side(real):
    session = real(execution="thread")
    meeting = threading.Barrier(4)

    def talk(name):
        for number in range(50):
            meeting.wait(20)
            print(name, number)

    for name in "abcd":
        FuncTask(talk, session=session, name=name, parameters={"name": name})
    session.run()
    for name in "abcd":
        assert [text for _, text in said(session, name)] == [f"{name} {number}" for number in range(50)]


@pytest.mark.parametrize("execution", ["main", "thread", "process", "async"])
def test_what_a_program_writes(real, execution):
    session = real(execution=execution)
    CommandTask(["sh", "-c", "echo one; sleep .1; echo two >&2; printf rest"], session=session, name="a")
    session.run()
    assert said(session, "a") == [("stdout", "one"), ("stderr", "two"), ("stdout", "rest")]


def test_a_program_that_fails(real, caplog):
    session = real()
    CommandTask(["sh", "-c", "echo why >&2; exit 3"], session=session, name="a")
    session.run()
    assert said(session, "a") == [("stderr", "why")]
    (failed,) = session.get_task_log("a", "fail")
    assert "the command ended with 3: why" in failed.exc_text


@pytest.mark.parametrize(
    ("options", "result"),
    [({"text": True}, "out\n"), ({"bufsize": 0}, b"out\n")],
)
def test_programs_with_pipes_of_another_kind(real, options, result):
    session = real()
    CommandTask(["sh", "-c", "echo out; echo err >&2"], session=session, name="a", kwds_popen=options)
    session.run()
    assert session.returns["a"] == result
    assert sorted(said(session, "a")) == [("stderr", "err"), ("stdout", "out")]


def test_a_program_that_fills_both_pipes(real):
    session = real()
    code = "import sys; sys.stderr.write('e' * 300_000); sys.stdout.write('o' * 300_000)"
    CommandTask([sys.executable, "-c", code], session=session, name="a")
    session.run()
    assert len(session.returns["a"]) == 300_000


def test_handlers_of_before_and_of_now_are_heard_once(make_session):
    session = make_session()
    logger = logging.getLogger("shots.once")
    before, now = logging.StreamHandler(io.StringIO()), None

    def talk():
        nonlocal now
        now = logging.StreamHandler()  # on the stream of now, which is listened to
        logger.addHandler(now)
        logger.error("cannot divide", exc_info=ZeroDivisionError("by zero"))
        logger.error("%d", "wrong")  # its handlers tell

    logger.addHandler(before)
    logger.propagate = False
    raises, logging.raiseExceptions = logging.raiseExceptions, False
    try:
        FuncTask(talk, session=session, name="a")
        session.run()
    finally:
        logging.raiseExceptions = raises
        logger.removeHandler(before)
        logger.removeHandler(now)
    assert said(session, "a") == [
        ("log", "ERROR shots.once: cannot divide"),
        ("log", "ZeroDivisionError: by zero"),
    ]


def test_streams_are_as_before_when_the_scheduler_has_ended(make_session):
    session = make_session()
    streams, factory = (sys.stdout, sys.stderr), logging.getLogRecordFactory()
    kept = []
    FuncTask(lambda: kept.append(sys.stdout), session=session, name="a")
    session.run()
    assert isinstance(kept[0], Tee)
    assert (sys.stdout, sys.stderr) == streams
    assert logging.getLogRecordFactory() is factory
    kept[0].writelines(["nobody's", " words\n"])  # who kept it can go on
    assert kept[0].writable()


def test_a_schedule_within_a_schedule(make_session):
    inner, outer = make_session(), make_session()
    FuncTask(lambda: print("inner"), session=inner, name="a")

    def run():
        print("before")
        inner.run()
        print("after")

    FuncTask(run, session=outer, name="a")
    outer.run()
    assert said(inner, "a") == [("stdout", "inner")]
    assert said(outer, "a") == [("stdout", "before"), ("stdout", "after")]


def test_a_redirection_of_the_tasks_own_wins(make_session):
    session = make_session()
    mine = io.StringIO()

    def talk():
        with contextlib.redirect_stdout(mine):
            print("to itself")
        print("to all")

    FuncTask(talk, session=session, name="a")
    session.run()
    assert mine.getvalue() == "to itself\n"
    assert said(session, "a") == [("stdout", "to all")]


def test_keeping_no_output(make_session):
    session = make_session(keep_output=False)
    stdout = sys.stdout
    kept = []
    FuncTask(lambda: (kept.append(sys.stdout), print("x")), session=session, name="a")
    CommandTask("echo x", session=session, name="b")
    FuncTask(work.speak, session=session, name="c", execution="process")
    session.run()
    assert kept == [stdout]
    assert [said(session, name) for name in "abc"] == [[], [], []]


# --- how much is kept ---


def test_the_latest_lines_of_a_flood(history, make_session):
    session = make_session(history=history)
    FuncTask(lambda: [print(number) for number in range(5_000)], session=session, name="a")
    session.run()
    assert [text for _, text in said(session, "a")] == [str(number) for number in range(4_000, 5_000)]


@pytest.mark.parametrize("execution", ["thread", "process"])
def test_a_flood_over_time_leaves_a_small_table(real, tmp_path, execution):
    session = real(execution=execution)
    FuncTask(work.flood, session=session, name="a", parameters={"seconds": 0.8, "least": 4 * MOST_LINES})
    session.run()
    assert session["a"].status == "success"
    lines = session.get_task_output("a")
    numbers = [int(line.text.split()[0]) for line in lines]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))  # the latest, without a gap
    assert numbers[-1] == session.returns["a"] > 3 * MOST_LINES
    assert sum(len(line.text) for line in lines) <= MOST_CHARACTERS
    count, size = rows(session)
    assert count < 3 * MOST_LINES
    assert size < 4 * MOST_CHARACTERS


def rows(session):
    found = session.history._do(
        lambda execute: execute("SELECT COUNT(*), SUM(LENGTH(body)) FROM redengine_output").rows
    )
    return tuple(value or 0 for value in found[0])


def test_a_program_that_floods(real):
    session = real()
    CommandTask(["sh", "-c", "yes | head -n 1000000"], session=session, name="a")
    session.run()
    assert len(session.returns["a"]) == 2_000_000
    assert len(session.get_task_output("a")) == MOST_LINES
    assert rows(session)[1] < 4 * MOST_CHARACTERS


def test_silent_runs_write_nothing(real):
    session = real()
    FuncTask(int, session=session, name="a")
    CommandTask("true", session=session, name="b")
    session.run()
    assert rows(session) == (0, 0)
    assert not [thread for thread in threading.enumerate() if thread.name == "redengine-output"]


def test_the_latest_runs_of_each_task(history, make_session):
    session = make_session(history=history)

    def speak(task, run):
        line = OutputLine(float(run), "stdout", f"{task} {run}")
        history.add_output([Portion("redengine", task, f"{task}{run}", float(run), 1, 1, [line])])

    speak("rare", 0)
    for run in range(MOST_RUNS + 60):
        speak("often", run)
    kept = [run for run in range(MOST_RUNS + 60) if session.get_task_output(run_id=f"often{run}")]
    assert MOST_RUNS <= len(kept) <= MOST_RUNS + 16
    assert kept == list(range(kept[0], MOST_RUNS + 60))
    assert session.get_task_output(run_id="rare0")[0].text == "rare 0"


@pytest.mark.parametrize(
    ("writes", "lines"),
    [
        (["a", "b\nc", "\n"], ["ab", "c"]),
        (["one\r\n", "two\r", "\n"], ["one", "two"]),
        (["10 %\r50 %", "\r100 %\n"], ["100 %"]),
        (["\n\n"], ["", ""]),
        (["x" * 10_000, "y" * 10_000, "\nz"], ["x" * 4_096, "z"]),
        (["", "unfinished"], ["unfinished"]),
        (["my s3cr", "et-of-red is\n"], ["my *** is"]),
        (["first-half\nother-half\n"], ["***"]),
        (["lone \ud800 \0 surrogate\n"], ["lone \ud800 \0 surrogate"]),
    ],
)
def test_how_writes_become_lines(writes, lines):
    register("s3cret-of-red")
    register("first-half\nother-half")
    output = RunOutput(bool, float)
    for text in writes:
        output.write("stdout", text)
    output.end()
    assert [line.text for line in output.take()] == lines


def test_what_cannot_be_held_makes_room():
    output = RunOutput(bool, float)
    for _ in range(100):
        output.write("stdout", "x" * 3_000 + "\n")
    kept = [line for portion in iter(output.take, []) for line in portion]
    assert len(kept) == MOST_CHARACTERS // 3_000


@pytest.mark.parametrize("execution", ["main", "process"])
def test_secrets_are_hidden(real, execution):
    register("an0ther-secret-of-red")
    session = real(execution=execution)
    CodeTask(code="print('it is', 'an0ther-secret-of' + '-red')", session=session, name="a")
    CommandTask("echo an0ther-secret-of-red", session=session, name="b")
    session.run()
    assert said(session, "a") == [("stdout", "it is ***")]
    assert said(session, "b") == [("stdout", "***")]


def test_any_character_survives_the_history(history, make_session):
    session = make_session(history=history)
    CommandTask(["printf", r"a\0\303\244\377\n"], session=session, name="a")
    session.run()
    assert said(session, "a") == [("stdout", "a\0\xe4\N{REPLACEMENT CHARACTER}")]
    lines = [OutputLine(1.0, "stdout", "\ud800")]
    history.add_output([Portion("redengine", "a", "odd", 1.0, 1, 1, lines)])
    assert session.get_task_output(run_id="odd") == lines


class Sulking(MemoryHistory):
    sulks = True

    def add_output(self, portions):
        if self.sulks:
            raise HistoryError("the disk is full")
        super().add_output(portions)


def test_a_history_that_cannot_be_written(make_session):
    history = Sulking()
    session = make_session(history=history)
    FuncTask(lambda: print("told later"), session=session, name="a")
    session.run()
    assert session["a"].status == "success"
    assert [problem for problem in session.problems if "what tasks say" in problem] == [
        "what tasks say is not recorded yet: the disk is full"
    ]
    history.sulks = False
    assert said(session, "a") == [("stdout", "told later")]


def test_asking_for_what_is_not_there(session):
    FuncTask(int, session=session, name="a")
    assert session.get_task_output("a") == []
    assert session.get_task_output(run_id="none") == []
    with pytest.raises(TaskNotFound):
        session.get_task_output("nobody")


# --- from elsewhere ---


def invoke(*arguments):
    result = CliRunner().invoke(tasks, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_output_of_a_past_run(real, tmp_path):
    session = real()
    texts = iter(["first", "second \033[31mred\033[2J\a"])
    FuncTask(lambda: print(next(texts)), session=session, name="a")
    session.run()
    session.run()
    history = tmp_path / "runs.db"
    (shown,) = invoke("--history", history, "output", "a").splitlines()
    assert shown.endswith("  stdout  second red\N{REPLACEMENT CHARACTER}")  # it cannot steer the terminal
    first = json.loads(invoke("--history", history, "log", "a", "--json"))[0]
    lines = json.loads(invoke("--history", history, "output", "a", "--run", first["run_id"], "--json"))
    assert [(line["stream"], line["text"]) for line in lines] == [("stdout", "first")]
    assert first["started"] <= lines[0]["created"] <= first["ended"]
    with pytest.raises(ConfigurationError, match="no run 'x'"):
        invoke("--history", history, "output", "a", "--run", "x")
    with pytest.raises(TaskNotFound):
        invoke("--history", history, "output", "nobody")


PROGRAM = """
import sys, time
sys.path[:0] = {paths!r}
import redengine_work as work
from sessionkit_redengine import CommandTask, FuncTask, Session

if __name__ == "__main__":
    session = Session(history={history!r}, execution={execution!r})
    FuncTask(work.count_up, session=session, name="counts", start_cond="~has started")
    CommandTask(["sh", "-c", "echo from a program; exec sleep 60"],
        session=session, name="command", start_cond="~has started")
    session.start()
"""


@pytest.fixture(params=["main", "thread", "process", "async"])
def elsewhere(request, tmp_path):
    """A scheduler in another process, one of whose tasks goes on speaking; and its history."""
    history, program = tmp_path / "runs.db", tmp_path / "program.py"
    paths = [str(HERE), str(ROOT), str(ROOT / "backends")]
    execution = request.param
    program.write_text(PROGRAM.format(paths=paths, history=str(history), execution=execution))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, str(program)], start_new_session=True, **quiet) as process:
        yield process, history
        process.kill()


def test_following_lines_live_and_after_a_kill(elsewhere):
    process, history = elsewhere
    wait_until(lambda: history.exists() and lines_of(history, "counts"))
    command = [sys.executable, "-m", "sessionkit.cli", "tasks", "--history", str(history), "follow", "counts"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as follower:
        try:
            shown = [follower.stdout.readline() for _ in range(20)]  # while the task runs
            process.send_signal(signal.SIGKILL)
            process.wait()
            follower.send_signal(signal.SIGINT)
            stop = threading.Timer(20, follower.kill)
            stop.start()
            rest = follower.stdout.read()  # `communicate` would forget what was read with the last line
            stop.cancel()
        finally:
            follower.kill()
    numbers = [int(line.split("  stdout  ")[1]) for line in [*shown, *rest.splitlines()]]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert all("  counts  stdout  " in line for line in shown)
    kept = lines_of(history, "counts")
    assert {str(number) for number in numbers} <= set(kept)  # nothing that was there is lost
    assert kept == [str(number) for number in range(len(kept))]


def lines_of(history, name):
    found = open_history(history)
    try:
        state = found.state("redengine", name)
        return [line.text for line in found.output(state.run_id)[1]] if state else []
    except HistoryError:  # it is being made
        return []
    finally:
        found.close()


def test_a_program_is_heard_before_it_ends(real):
    session = real(execution="thread")
    CommandTask(["sh", "-c", "echo begun; exec sleep 60"], session=session, name="a", start_cond="true")
    thread = threading.Thread(target=session.start)
    thread.start()
    try:
        wait_until(lambda: session["a"].is_running and said(session, "a") == [("stdout", "begun")])
    finally:
        session.shut_down(force=True)
        thread.join(20)


def test_what_a_worker_prints_goes_where_it_went_before(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        f"import sys; sys.path[:0] = {[str(HERE), str(ROOT), str(ROOT / 'backends')]!r}\n"
        "import redengine_work as work\n"
        "from sessionkit_redengine import FuncTask, Session\n"
        "if __name__ == '__main__':\n"
        "    session = Session(execution='process')\n"
        "    FuncTask(work.speak, session=session, name='a')\n"
        "    session.run()\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, timeout=60)
    assert done.stdout == "to out\n"
    assert "to err\n3 missing\n" in done.stderr


def test_a_child_that_a_task_forks_is_heard_by_nobody(real):
    session = real()

    def talk():
        child = os.fork()
        if child == 0:
            print("child")
            os._exit(0)
        os.waitpid(child, 0)
        print("parent")

    FuncTask(talk, session=session, name="a")
    session.run()
    assert said(session, "a") == [("stdout", "parent")]


def test_what_a_worker_says_after_its_run_is_nobodys(real):
    session = real(execution="process", max_process_count=1)
    FuncTask(work.mutter, session=session, name="a")
    FuncTask(work.speak_later, session=session, name="b")
    session.run("a")
    assert said(session, "a") == [("stdout", "before the end")]
    session.run("a", "b")
    assert session["b"].status == "success"
    assert isinstance(session.get_task_output("a")[0], OutputLine)


def test_printing_goes_on_while_listening_begins_and_ends():
    # `print` borrows the stream it writes to, which crashed when another thread had it replaced.
    script = """
        import os, sys, threading
        from sessionkit_redengine import capture

        sys.stdout = open(os.devnull, "w")
        sys.setswitchinterval(1e-6)

        def toggle():
            for _ in range(5_000):
                capture.start_capture()
                capture.stop_capture()

        thread = threading.Thread(target=toggle)
        thread.start()
        while thread.is_alive():
            print("here")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], timeout=60, check=False)
    assert done.returncode == 0
