"""`sessionkit tasks`, the chart, and the doorbells by which processes wake each other."""

from __future__ import annotations

import contextlib
import io
import json
import os
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import redengine_work as work
from click.testing import CliRunner
from rich.console import Console

from sessionkit.clock import SYSTEM_CLOCK
from sessionkit.errors import ConfigurationError, SessionKitError
from sessionkit.testing.tools import wait_until
from sessionkit_redengine import FuncTask, doorbell
from sessionkit_redengine.chart import Chart
from sessionkit_redengine.commands import tasks
from sessionkit_redengine.errors import TaskNotFound
from sessionkit_redengine.history import RunRecord, open_database
from sessionkit_redengine.target import load

APP = """
from sessionkit_redengine import RedEngine
app = RedEngine(execution="main", timezone="UTC", history={history!r})

@app.task("daily")
def fine():
    return 1

@app.task("every 1 hour")
def broken():
    raise ValueError("no such shot")

later = app.task(command="true", start_cond="yearly on Feb 29th", name="later")
"""

PATIENCE = 8.0


@pytest.fixture
def app(tmp_path, monkeypatch):
    """A module with an application whose tasks have run once."""
    history = tmp_path / "runs.db"
    (tmp_path / "jobs.py").write_text(APP.format(history=str(history)))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    sys.modules.pop("jobs", None)
    session = load("jobs:app")
    session.run("fine", "broken")
    yield session, history
    sys.modules.pop("jobs", None)
    session.close()


def invoke(*arguments):
    result = CliRunner().invoke(tasks, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_listing_tasks(app):
    _, history = app
    rows = {row["task"]: row for row in json.loads(invoke("--app", "jobs:app", "list", "--json"))}
    assert [row["status"] for row in rows.values()] == ["success", "fail", ""]
    assert rows["later"]["next due"].startswith("2028-02-29")
    assert rows["fine"]["next due"] > rows["fine"]["last run"]
    assert "TimeOfYear.on('Feb 29th')" in rows["later"]["start condition"]
    table = invoke("--history", history, "list")
    assert "broken" in table
    assert "later" not in table


def test_the_log(app):
    _, history = app
    assert "ValueError" in invoke("--history", history, "log")
    runs = json.loads(invoke("--history", history, "log", "fine", "--json", "-n", "5"))
    assert [(run["task"], run["action"]) for run in runs] == [("fine", "success")]


def test_following(app):
    session, history = app
    thread = threading.Timer(0.2, lambda: session.run("broken"))
    thread.start()
    text = invoke("--history", history, "follow", "--for", "1.2")
    thread.join()
    assert "broken  fail" in text
    assert "ValueError: no such shot" in text
    assert "fine" not in text


def test_following_for_programs(app):
    session, history = app
    thread = threading.Timer(0.2, lambda: session.run("broken"))
    thread.start()
    text = invoke("--history", history, "follow", "--for", "1.2", "--json")
    thread.join()
    news = [json.loads(line) for line in text.splitlines()]
    assert {one["task"] for one in news} == {"broken"}
    assert "ValueError: no such shot" in "".join(one["error"] for one in news)


@pytest.mark.parametrize("command", [tasks, *tasks.commands.values()], ids=lambda command: command.name)
def test_every_command_shows_how_it_is_used(command):
    text = CliRunner().invoke(command, ["--help"]).output
    assert "Examples:\n    " in text
    assert "    sessionkit tasks --" in text


def test_charts(app, tmp_path):
    _, history = app
    assert "█" in invoke("--history", history, "chart")
    invoke("--history", history, "chart", "--svg", tmp_path / "chart.svg")
    assert "<svg" in (tmp_path / "chart.svg").read_text()


def test_charts_for_programs(app, tmp_path):
    _, history = app
    runs = json.loads(invoke("--history", history, "chart", "--json", "--svg", tmp_path / "chart.svg"))
    assert [(run["task"], run["action"]) for run in runs] == [("fine", "success"), ("broken", "fail")]
    assert "<svg" in (tmp_path / "chart.svg").read_text()
    assert json.loads(invoke("--app", "jobs:app", "chart", "later", "--json")) == []


def test_orders_for_programs(app):
    session, history = app
    for order, paused in (("run", set()), ("pause", {"fine"}), ("resume", set())):
        told = json.loads(invoke("--history", history, order, "fine", "--json"))
        assert told == {"order": order, "tasks": ["fine"], "schedulers": 0, "runs": []}
        assert session.history.paused("redengine") == paused
    assert list(session.history.orders("redengine").values()) == ["fine"]


def test_running_here_for_programs(app):
    done = json.loads(invoke("--app", "jobs:app", "run", "fine", "--json"))
    assert (done["schedulers"], [(run["task"], run["action"]) for run in done["runs"]]) == (
        0,
        [("fine", "success")],
    )
    failed = CliRunner().invoke(tasks, ["--app", "jobs:app", "run", "broken", "--json"])
    assert (failed.exit_code, json.loads(failed.output)["runs"][0]["action"]) == (1, "fail")


def test_running_here_when_no_scheduler_does(app):
    session, _ = app
    assert "fine  success" in invoke("--app", "jobs:app", "run", "fine")
    assert len(list(session.get_task_log("fine", "success"))) == 2
    result = CliRunner().invoke(tasks, ["--app", "jobs:app", "run", "fine", "broken"])
    assert result.exit_code == 1
    assert "ValueError: no such shot" in result.output
    assert "fine  success" in result.output


def test_following_ends_quietly_with_ctrl_c(app):
    command = [sys.executable, "-m", "sessionkit.cli", "tasks", "--history", str(app[1]), "follow"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "bufsize": 1}
    with subprocess.Popen(command, env=environment, start_new_session=True, **pipes) as process:
        try:
            while not select.select([process.stdout], [], [], 0.2)[0]:
                app[0].run("fine")  # until it says that it follows
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    assert (process.returncode, errors) == (0, "")
    assert "fine  success" in output


@pytest.fixture
def scheduler(make_session, tmp_path):
    session = make_session(clock=SYSTEM_CLOCK, history=tmp_path / "shared.db")
    FuncTask(work.pid, session=session, name="told", start_cond="false")
    FuncTask(work.pid, session=session, name="often", start_cond="every 20 ms")
    thread = threading.Thread(target=session.start)
    thread.start()
    wait_until(lambda: session.scheduler.cycles, PATIENCE)
    yield session
    session.shut_down()
    thread.join(20)
    assert not thread.is_alive()


def test_a_scheduler_elsewhere_runs_pauses_and_resumes(scheduler, tmp_path):
    history = tmp_path / "shared.db"
    assert "was told" in invoke("--history", history, "run", "told")
    wait_until(lambda: scheduler["told"].status == "success", PATIENCE)
    invoke("--history", history, "pause", "often")
    wait_until(lambda: "often" in scheduler.scheduler.planner.paused, PATIENCE)
    ran = len(list(scheduler.get_task_log("often", "run")))
    time.sleep(0.1)
    assert len(list(scheduler.get_task_log("often", "run"))) == ran
    assert "paused" in invoke("--history", history, "list")
    invoke("--history", history, "resume", "often")
    wait_until(lambda: len(list(scheduler.get_task_log("often", "run"))) > ran, PATIENCE)
    invoke("--history", history, "run", "nobody")
    wait_until(lambda: any("'nobody'" in problem for problem in scheduler.problems), PATIENCE)


def test_a_pause_lasts_over_a_restart(make_session, tmp_path, clock):
    history = tmp_path / "shared.db"
    with contextlib.closing(open_database(str(history))) as shared:
        shared.order("redengine", "a", "pause", 0)
    session = make_session(history=history, shut_cond="scheduler has run over 1 hour")
    FuncTask(int, session=session, name="a", start_cond="daily")
    session.start()
    assert session["a"].status is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list"], "Which tasks"),
        (["--app", "nothing_like_it", "list"], "cannot be imported: ModuleNotFoundError"),
        (["--app", "json:loads", "list"], "no session"),
        (["--app", "{tmp}/nothing.py", "list"], "There is no file"),
        (["--app", "..", "list"], "cannot be imported"),
        (["--app", ":app", "list"], "Nothing cannot be imported"),
        (["--app", "no module", "list"], "cannot be imported"),
        (["--app", "{tmp}/syntax.py", "list"], "syntax cannot be imported: SyntaxError"),
        (["--app", "{tmp}/raises.py", "list"], "raises cannot be imported: RuntimeError: no licence"),
        (["--app", "{tmp}/exits.py", "list"], "exits cannot be imported: SystemExit: 3"),
        (["--app", "{tmp}/condition.py", "list"], "start_cond"),
        (["--history", "{tmp}/empty.db", "list"], "0 sessions"),
        (["--history", "{tmp}/nothing.db", "list"], "There is no history"),
        (["--history", "{tmp}", "list"], "There is no history"),
        (["--history", "{tmp}/raises.py", "list"], "cannot be used: file is not a database"),
        (["--history", "nothing://at.all", "list"], "no database"),
    ],
)
def test_what_the_command_does_not_know(arguments, message, odd_files, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = sorted(odd_files.iterdir())
    with pytest.raises(SessionKitError, match=message):
        invoke(*(argument.format(tmp=odd_files) for argument in arguments))
    assert sorted(odd_files.iterdir()) == before


@pytest.fixture
def odd_files(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "syntax.py").write_text("def (:")
    (tmp_path / "raises.py").write_text("\nraise RuntimeError('no licence')\n" + "#" * 99)
    (tmp_path / "exits.py").write_text("raise SystemExit(3)")
    (tmp_path / "condition.py").write_text(
        "from sessionkit_redengine import RedEngine\napp = RedEngine()\napp.task('daily &', 'x', code='1')"
    )
    with contextlib.closing(sqlite3.connect(tmp_path / "empty.db")):
        pass
    with contextlib.closing(open_database(str(tmp_path / "empty.db"))) as empty:
        empty.sessions()
    yield tmp_path
    for name in ("syntax", "raises", "exits", "condition"):
        sys.modules.pop(name, None)


def test_a_file_that_fails_to_import_is_pointed_at(odd_files, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name, line in (("raises", 2), ("syntax", 1), ("exits", 1)):
        with pytest.raises(ConfigurationError) as caught:
            load(str(odd_files / f"{name}.py"))
        assert caught.value.hint == f"{odd_files / name}.py, line {line}"


@pytest.mark.parametrize("command", ["run", "pause", "resume", "log", "follow", "chart"])
def test_a_task_that_does_not_exist(app, command):
    with pytest.raises(TaskNotFound, match="'nobody'") as caught:
        invoke("--app", "jobs:app", command, "fine", "nobody")
    assert caught.value.hint == "there are 'fine', 'broken', 'later'"
    assert not list(app[0].history.orders("redengine"))


@pytest.mark.parametrize("command", ["log", "chart"])
def test_a_task_that_never_ran(app, command):
    with pytest.raises(TaskNotFound, match="'later'"):
        invoke("--history", app[1], command, "later")


@pytest.mark.parametrize("arguments", [["log", "-n", "0"], ["chart", "-n", "-1"], ["follow", "--for", "-1"]])
def test_numbers_out_of_range(app, arguments):
    result = CliRunner().invoke(tasks, ["--app", "jobs:app", *arguments])
    assert result.exit_code == 2
    assert "not in the range" in result.output


def test_a_chart_that_cannot_be_written(app, tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be written: No such file"):
        invoke("--app", "jobs:app", "chart", "--svg", tmp_path / "nowhere/chart.svg")


def test_a_chart_of_nothing(app):
    assert "no runs yet" in invoke("--app", "jobs:app", "chart", "later")


def test_who_is_told(app):
    _, history = app
    assert "next one to use this history will obey" in invoke("--history", history, "run", "fine")


def test_a_history_in_memory_is_nobody_elses(tmp_path, monkeypatch):
    (tmp_path / "jobs.py").write_text(APP.format(history="memory"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    sys.modules.pop("jobs", None)
    try:
        with pytest.raises(ConfigurationError, match="own process"):
            invoke("--app", str(tmp_path / "jobs.py"), "pause", "fine")
        sys.modules["jobs"].app.session.close()
    finally:
        sys.modules.pop("jobs", None)


def test_it_is_a_command_of_sessionkit(app):
    _, history = app
    command = [sys.executable, "-m", "sessionkit.cli", "tasks", "--history", str(history), "log"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    output = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert "broken" in output.stdout


# --- charts ---


RUNS = [
    RunRecord("s", "render <b>", "1", 0, 0.0, 60.0, "success"),
    RunRecord("s", "render <b>", "2", 100, 100.0, 130.0, "fail"),
    RunRecord("s", "publish", "3", 150, 150.0, None, "run"),
]


def test_a_chart_in_the_terminal():
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(Chart(RUNS, now=200.0).table(80))
    text = console.export_text()
    line = next(line for line in text.splitlines() if line.startswith("│ render"))
    assert line.index("█") < line.index("▓")
    assert "▶" in text
    assert "00:03:20" in text


def test_a_chart_as_svg():
    svg = Chart(RUNS, now=200.0).svg()
    root = ET.fromstring(svg)
    bars = [node for node in root.iter("{http://www.w3.org/2000/svg}rect") if node.get("rx")]
    assert len(bars) == 3
    assert bars[0].find("{http://www.w3.org/2000/svg}title").text.startswith("render <b>: success")


@pytest.mark.parametrize("runs", [[], RUNS[:1], [RunRecord("s", "x" * 99, "1", 5, 5.0, 5.0, "inaction")]])
def test_charts_of_little(runs):
    Console(file=io.StringIO()).print(Chart(runs).table(40))
    ET.fromstring(Chart(runs).svg())


# --- doorbells ---


def test_a_doorbell_wakes_who_listens(tmp_path):
    rung = threading.Event()
    where = str(tmp_path / "runs.db")
    assert doorbell.ring(where) == 0
    bell = doorbell.Doorbell(where, rung.set)
    assert doorbell.ring(where) == 1
    assert rung.wait(5)
    assert doorbell.ring(str(tmp_path / "other.db")) == 0
    bell.close()
    assert doorbell.ring(where) == 0
    assert not bell._path.exists()


@pytest.fixture
def temporary(monkeypatch):
    """A temporary directory of this test's own; its name is short, as those of sockets must be."""
    with tempfile.TemporaryDirectory(prefix="sk-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def hung_by_the_dead(where):
    """The bell of a process that was killed."""
    path = Path(doorbell._folder()) / f"{doorbell._prefix(where)}-dead"
    doorbell._folder().mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
        bell.bind(str(path))
    return path


def test_the_bell_of_a_process_that_died_is_taken_down(temporary):
    bell = hung_by_the_dead("runs.db")
    assert doorbell.ring("runs.db") == 0
    assert not bell.exists()


def test_who_hangs_a_bell_takes_down_those_of_the_dead_and_the_last_leaves_nothing(temporary):
    dead = hung_by_the_dead("forgotten.db")
    bells = [doorbell.Doorbell(where, lambda: None) for where in ("one.db", "other.db")]
    assert not dead.exists()
    assert len(list(doorbell._folder().iterdir())) == 2
    for bell in bells:
        bell.close()
    assert not list(temporary.iterdir())


def test_a_folder_that_somebody_else_put_there_is_left_alone(temporary, tmp_path):
    (tmp_path / "precious").touch()
    doorbell._folder().symlink_to(tmp_path)
    bell = doorbell.Doorbell("runs.db", lambda: None)
    assert doorbell.ring("runs.db") == 0  # schedulers look for themselves, then
    bell.close()
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]
