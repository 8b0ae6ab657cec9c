"""How a scheduler's process ends: on Ctrl-C, on SIGTERM, cancelled, killed; and that nothing is left then."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import redengine_work as work

from sessionkit.clock import SYSTEM_CLOCK
from sessionkit_redengine import FuncTask
from sessionkit_redengine.history import Query, open_database

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

PROGRAM = """
import asyncio, os, subprocess, sys, threading, time
sys.path[:0] = [{root!r}, {backends!r}, {here!r}]
import redengine_work as work
from sessionkit_redengine import CommandTask, FuncTask, Session

def last():
    print("last task", flush=True)

def busy(seconds):
    time.sleep(seconds)

async def patient(seconds):
    await asyncio.sleep(seconds)

if __name__ == "__main__":
    session = Session(history="runs.db")
    once = {{"session": session, "start_cond": "~has started"}}
    seconds = float(sys.argv[2])
    FuncTask(work.tell_and_sleep, name="process", execution="process", **once,
             parameters={{"path": "process", "seconds": seconds}})
    CommandTask(f"echo $$ > command; sleep {{seconds}}", shell=True, name="command", execution="thread",
                **once)
    FuncTask(patient, name="async", execution="async", parameters={{"seconds": seconds}}, **once)
    FuncTask(last, session=session, name="last", on_shutdown=True, execution="main")
    if sys.argv[1] == "once":
        session.execute("process")
    elif sys.argv[1] == "start":
        session.start()
    else:
        asyncio.run(session.serve())
    print("went on", flush=True)
"""


@pytest.fixture
def started(tmp_path):
    """Start a program whose tasks take so many seconds; gives it once they run, with their processes."""

    @contextmanager
    def start(how, seconds, tasks=("process", "command")):
        program = tmp_path / "program.py"
        places = {"root": str(ROOT), "backends": str(ROOT / "backends"), "here": str(HERE)}
        program.write_text(PROGRAM.format(**places))
        command = [sys.executable, str(program), how, str(seconds)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, cwd=tmp_path, start_new_session=True, **pipes) as process:
            try:
                yield process, [told(tmp_path / task, process) for task in tasks]
            finally:
                process.kill()

    return start


def told(path, process):
    deadline = time.monotonic() + 20
    while not (path.exists() and path.read_text().endswith("\n")):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline, f"{path.name} did not begin"
        time.sleep(0.01)
    return int(path.read_text())


def wait_until_gone(pids):
    deadline = time.monotonic() + 10
    while left := [pid for pid in pids if runs(pid)]:
        assert time.monotonic() < deadline, f"processes {left} go on"
        time.sleep(0.01)


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def ends(tmp_path):
    with closing(open_database(str(tmp_path / "runs.db"))) as history:
        return {run.task: run.action for run in history.runs("redengine", Query())}


@pytest.mark.parametrize("how", ["start", "serve"])
def test_sigterm_waits_for_what_runs(started, tmp_path, how):
    with started(how, 0.5) as (process, pids):
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=20)
    assert (process.returncode, output) == (0, "last task\nwent on\n"), errors
    assert set(ends(tmp_path).values()) == {"success"}
    wait_until_gone(pids)


@pytest.mark.parametrize("how", ["start", "serve"])
@pytest.mark.parametrize("signals", [(signal.SIGINT,), (signal.SIGTERM, signal.SIGTERM)], ids=["int", "term"])
def test_ctrl_c_and_a_second_sigterm_end_what_runs(started, tmp_path, how, signals):
    begun = time.monotonic()
    with started(how, 60) as (process, pids):
        for number in signals:
            process.send_signal(number)
            time.sleep(0.2)
        output, errors = process.communicate(timeout=20)
    assert process.returncode != 0
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert output == "last task\n"
    kept = {"process": "terminate", "command": "terminate", "async": "terminate", "last": "success"}
    assert ends(tmp_path) == kept
    assert time.monotonic() - begun < 30
    wait_until_gone(pids)


def test_a_program_that_runs_one_task_is_ended_by_sigterm(started, tmp_path):
    with started("once", 60, tasks=("process",)) as (process, pids):
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=20)
    assert process.returncode != 0
    assert "went on" not in output
    assert ends(tmp_path)["process"] == "terminate"
    wait_until_gone(pids)


def test_workers_end_with_a_scheduler_that_is_killed(started):
    with started("start", 60) as (process, pids):
        process.kill()
        wait_until_gone(pids[:1])
        os.kill(pids[1], signal.SIGKILL)  # a program in a thread is nobody's child now


def test_a_handler_of_ones_own_is_left_alone(make_session):
    heard = []
    before = signal.signal(signal.SIGTERM, lambda *_: heard.append(1))
    try:
        made = make_session(shut_cond="scheduler has run over 1 minute")
        FuncTask(lambda: os.kill(os.getpid(), signal.SIGTERM), session=made, name="a", start_cond="daily")
        made.start()
        assert heard == [1]
        assert made["a"].status == "success"
    finally:
        signal.signal(signal.SIGTERM, before)


def test_the_default_is_as_it_was_afterwards(make_session):
    handlers = []
    made = make_session(shut_cond="scheduler has run over 1 minute")
    FuncTask(
        lambda: handlers.append(signal.getsignal(signal.SIGTERM)), session=made, name="a", start_cond="daily"
    )
    made.start()
    assert handlers[0] not in {signal.SIG_DFL, None}
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_scheduler_in_a_thread_touches_no_signals(make_session):
    handlers = []
    made = make_session(shut_cond="scheduler has run over 1 minute")
    FuncTask(
        lambda: handlers.append(signal.getsignal(signal.SIGTERM)), session=made, name="a", start_cond="daily"
    )
    thread = threading.Thread(target=made.start)
    thread.start()
    thread.join(20)
    assert handlers == [signal.SIG_DFL]


def test_serving_can_be_cancelled(make_session):
    made = make_session(execution="async", clock=SYSTEM_CLOCK)
    begun_running = asyncio.Event()

    async def patient():
        begun_running.set()
        await asyncio.sleep(60)

    FuncTask(patient, session=made, name="a", start_cond="daily")
    FuncTask(work.pid, session=made, name="last", on_shutdown=True, execution="thread")

    async def main():
        serving = asyncio.create_task(made.serve())
        await begun_running.wait()
        begun = time.monotonic()
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        return time.monotonic() - begun

    assert asyncio.run(main()) < 4
    assert made["a"].status == "terminate"
    assert made["last"].status == "success"
    assert not made.scheduler.is_alive
