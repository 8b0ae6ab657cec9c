"""An executor whose runs take as long as a test wants."""

from __future__ import annotations

from sessionkit_redengine.executors.base import Executor
from sessionkit_redengine.runs import Outcome


class Held(Executor):
    """Runs end when the test says."""

    def __init__(self, done, capacity=None):
        super().__init__(done)
        self.capacity = capacity
        self.held = []

    def start(self, run, job):
        self.held.append(run)

    def end(self, run):
        self.held.remove(run)
        self.done(run, Outcome("terminate"))

    def finish(self, action="success"):
        self.done(self.held.pop(0), Outcome(action))

    @property
    def names(self):
        return [run.task.name for run in self.held]
