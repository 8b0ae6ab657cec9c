"""Real schedulers in real processes, forked from one that has imported everything, to be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from typing_extensions import Self

from sessionkit_redengine.history import Query, open_database

ROOT = Path(__file__).parent.parent.parent

PROGRAM = """
import json, os, signal, sys, time
sys.path[:0] = {paths!r}
from sessionkit_redengine import FuncTask, Session
from sessionkit_redengine.arguments import Due, Task
{imports}

def note(word, task, due):
    line = f"{{word}} {{task.name}} {{due!r}} {{os.getpid()}}\\n"
    out = os.open({out!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(out, line.encode())
    os.close(out)

def work(due=Due(), task=Task()):
    note("start", task, due)
    time.sleep(0.002)
    note("end", task, due)

def hang(due=Due(), task=Task()):
    note("start", task, due)
    time.sleep(600)

def run(tasks):
    session = Session(history={history!r}, execution={execution!r}, timezone="UTC")
    for name, fields in tasks.items():
        FuncTask(globals()[fields.pop("func", "work")], session=session, name=name, **fields)
    signal.signal(signal.SIGTERM, lambda *_: session.shut_down(force=True))
    session.start()
    session.close()

if __name__ == "__main__":
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            run(json.loads(line))
            os._exit(0)
        print(child, flush=True)
"""


class Nursery:
    """Starts schedulers of one history, each in a process of its own.

    Args:
        folder: Where the history and the notes of the runs are.
        history: The history's file or URL.
        execution: Where tasks run.
    """

    def __init__(self, folder: Path, history: str, execution: str = "thread") -> None:
        self.notes = folder / "notes"
        self.notes.touch()
        self.history = history
        program = folder / "program.py"
        places = {"out": str(self.notes), "history": history, "execution": execution}
        paths = [str(ROOT), str(ROOT / "backends"), *sys.path]
        imports = "import sqlalchemy, sessionkit_redengine.history.alchemy" if "://" in history else ""
        imports += (
            "\nimport psycopg, sqlalchemy.dialects.postgresql" if history.startswith("postgresql") else ""
        )
        program.write_text(PROGRAM.format(**places, paths=paths, imports=imports))
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
        self._process = subprocess.Popen([sys.executable, str(program)], **pipes)
        self._alive: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in tuple(self._alive):
            self.kill(pid)
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def start(self, tasks: str) -> int:
        """Start a scheduler of these tasks (JSON); its process id."""
        self._process.stdin.write(f"{tasks}\n")
        pid = int(self._process.stdout.readline())
        self._alive.add(pid)
        return pid

    def kill(self, pid: int) -> None:
        """End it as a power failure would, and wait until it is gone."""
        os.kill(pid, signal.SIGKILL)
        self._alive.remove(pid)
        wait_until(lambda: not _lives(pid))

    def end(self, pid: int) -> None:
        """Have it end in good order."""
        os.kill(pid, signal.SIGTERM)
        self._alive.remove(pid)
        wait_until(lambda: not _lives(pid))

    def lines(self) -> list[tuple[str, str, str, str]]:
        """What the tasks noted: a word, the task, the due time, the process."""
        return [tuple(line.split()) for line in self.notes.read_text().splitlines()]

    def wait_for_lines(self, more: int) -> None:
        """Wait until the tasks have noted so many more."""
        size = self.notes.stat().st_size
        wait_until(lambda: self.notes.stat().st_size >= size + 25 * more)

    def runs(self) -> list:
        """All runs that the history knows, those of the dead marked."""
        found = open_database(self.history)
        try:
            found.recover("redengine", time.time())
            return list(found.runs("redengine", Query()))
        finally:
            found.close()

    def check(self) -> dict:
        """The history accounts for every run, and none happened twice; the runs by task and due time."""
        runs = self.runs()
        lines = Counter(line[:3] for line in self.lines())
        started = {key[1:] for key in lines if key[0] == "start"}
        ended = {key[1:] for key in lines if key[0] == "end"}
        known = {(run.task, repr(run.due)): run for run in runs}
        assert set(lines.values()) == {1}  # nothing ran twice
        assert len(known) == len(runs)  # no due time was given to two runs
        assert started <= set(known)  # what ran is recorded
        assert {run.action for run in runs} <= {"success", "crash", "terminate"}
        assert {key for key, run in known.items() if run.action == "success"} <= ended
        return known


def _lives(pid: int) -> bool:
    """Whether a process is there and has not ended (nobody waits for those of the nursery)."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def wait_until(holds, seconds: float = 60.0) -> None:
    """Wait for something to become true.

    Raises:
        TimeoutError: when it does not.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.001)
