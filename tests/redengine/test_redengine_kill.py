"""The scheduler is killed in the middle of its runs, again and again: the history accounts for every run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

from sessionkit_redengine.history import Query, open_database

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

PROGRAM = """
import os, sys, time
sys.path[:0] = [{root!r}, {backends!r}]
from sessionkit_redengine import FuncTask, Session
from sessionkit_redengine.arguments import Due, Task

out = os.open({out!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def work(due=Due(), task=Task()):
    os.write(out, f"start {{task.name}} {{due!r}}\\n".encode())
    time.sleep(0.002)
    os.write(out, f"end {{task.name}} {{due!r}}\\n".encode())

def run():
    session = Session(history={history!r}, execution="thread", timezone="UTC")
    for number in range(4):
        FuncTask(work, session=session, name=str(number), start_cond="every 20 ms", missed="all")
    session.start()

for _ in sys.stdin:
    child = os.fork()
    if child == 0:
        run()
    print(child, flush=True)
    os.waitpid(child, 0)
"""

KILLS = 50


def test_kill_and_restart_fifty_times(tmp_path):
    history, out = tmp_path / "runs.db", tmp_path / "out"
    program = tmp_path / "program.py"
    places = {"root": str(ROOT), "backends": str(ROOT / "backends"), "out": str(out), "history": str(history)}
    program.write_text(PROGRAM.format(**places))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    with subprocess.Popen([sys.executable, str(program)], **pipes) as nursery:
        for kill in range(KILLS):
            nursery.stdin.write("one more\n")
            child = int(nursery.stdout.readline())
            time.sleep(0.08 + 0.004 * (kill % 10))
            os.kill(child, signal.SIGKILL)
        nursery.stdin.close()
    assert nursery.returncode == 0

    found = open_database(str(history))
    found.recover("redengine", time.time())
    runs = list(found.runs("redengine", Query()))
    found.close()
    lines = Counter(tuple(line.split()) for line in out.read_text().splitlines())
    started = {key[1:] for key in lines if key[0] == "start"}
    ended = {key[1:] for key in lines if key[0] == "end"}
    known = {(run.task, repr(run.due)): run for run in runs}

    assert len(runs) >= KILLS
    assert set(lines.values()) == {1}  # nothing ran twice
    assert len(known) == len(runs)  # no due time was given to two runs
    assert started <= set(known)  # what ran is recorded
    assert {run.action for run in runs} <= {"success", "crash"}
    assert {key for key, run in known.items() if run.action == "success"} <= ended
    assert all(key in ended for key in started if known[key].action == "success")
    for task in map(str, range(4)):  # and no due time was lost: each follows the one before
        dues = sorted(run.due for run in runs if run.task == task)
        steps = {round(later - earlier, 6) for earlier, later in pairwise(dues)}
        assert steps <= {0.02}
