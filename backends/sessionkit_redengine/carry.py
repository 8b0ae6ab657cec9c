"""How the sessions that are current in the scheduler reach a task that runs in another thread or process."""

from __future__ import annotations

import logging
import pickle
import threading
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from sessionkit import fork
from sessionkit.registry import current_sessions
from sessionkit.threads import propagate
from sessionkit_redengine.capture import speaking, start_capture, stop_capture
from sessionkit_redengine.output import RunOutput
from sessionkit_redengine.runs import RemoteError
from sessionkit_redengine.worker import perform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sessionkit import SessionEngine
    from sessionkit_redengine.output import OutputLine
    from sessionkit_redengine.runs import Job, Outcome, Run

    Work = Callable[[Job], Outcome]

log = logging.getLogger(__name__)


def portable(sessions: Iterable[SessionEngine]) -> bytes:
    """Those of some sessions that another process can open for itself: the ones of a profile."""
    pickled = []
    for session in sessions:
        with suppress(TypeError):  # others say that they are not pickled
            pickled.append(pickle.dumps(session))
    return pickle.dumps(pickled) if pickled else b""


class Passage:
    """A job on its way into an executor of the user, whatever that is.

    Called in this process it runs the job with siblings of the sessions that were current where it was made;
    pickled, and called where it arrives, with sessions that are opened there.

    Args:
        job: The job.
        run: The run. Its id goes along: no executor may take one passage's result for another's.
    """

    def __init__(self, job: Job, run: Run) -> None:
        self._job = job
        self._run = run
        # Pools pickle in threads of their own, where nothing is current.
        self._sessions = tuple(current_sessions())
        self._work: Work = propagate(perform) if self._sessions else perform

    def __call__(self) -> Outcome:
        """Run the job."""
        with speaking(self._run):
            return self._work(self._job)

    def __reduce__(self) -> tuple[type[Arrival], tuple[Job, str, bytes]]:
        return Arrival, (self._job, self._run.id, portable(self._sessions))


class Arrival:
    """A job that has come from another process, with what opens its sessions here."""

    def __init__(self, job: Job, run_id: str, sessions: bytes) -> None:
        self._parts = (job, run_id, sessions)

    def __call__(self) -> Outcome:
        """Run the job."""
        job, _, sessions = self._parts
        heard = Heard()
        start_capture()
        try:
            with speaking(heard):
                outcome = perform_here(job, sessions)
        finally:
            stop_capture()
        return outcome._replace(lines=heard.lines())

    def __reduce__(self) -> tuple[type[Arrival], tuple[Job, str, bytes]]:
        return Arrival, self._parts


class Heard:
    """What a run says where nobody can be told before it has ended."""

    def __init__(self) -> None:
        self.output = RunOutput(bool, time.time)

    def lines(self) -> list[OutputLine]:
        """All that is left of it."""
        self.output.end()
        return [line for portion in iter(self.output.take, []) for line in portion]


def perform_here(job: Job, sessions: bytes) -> Outcome:
    """Run a job that came from another process; the outcome can be sent back if the task's result can."""
    outcome = (_work_with(sessions) if sessions else perform)(job)
    # An exception may need arguments to be rebuilt, or hold what cannot be pickled: its text is enough.
    return outcome._replace(error=_as_text(outcome.error))


def _as_text(error: BaseException | None) -> BaseException | None:
    return None if error is None else RemoteError(f"{type(error).__name__}: {error}")


_opened: dict[bytes, Work] = {}
_opening = threading.Lock()


class _Forgetful:
    def after_fork_in_child(self) -> None:
        """The lock may be held by a thread that this child does not have."""
        global _opening  # noqa: PLW0603 - a new lock for a new process
        _opening = threading.Lock()


_forgetful = fork.aware(_Forgetful())


def _work_with(sessions: bytes) -> Work:
    """What runs jobs with these sessions: opened once for this process, each thread has siblings of them."""
    with _opening:
        if sessions not in _opened:
            # In a thread of its own: what is opened becomes the thread's current session.
            opener = threading.Thread(target=_open, args=(sessions,))
            opener.start()
            opener.join()
        return _opened[sessions]


def _open(sessions: bytes) -> None:
    with ExitStack() as stack:
        for session in _sessions_of(sessions):
            stack.enter_context(session.activate())
        _opened[sessions] = propagate(perform)


def _sessions_of(pickled: bytes) -> list[Any]:
    """The sender's current sessions, as far as they can be opened here: a task may need none of them."""
    sessions = []
    for one in pickle.loads(pickled):  # noqa: S301 - from the process whose jobs we run
        try:
            sessions.append(pickle.loads(one))  # noqa: S301 - see above
        except Exception as error:  # noqa: BLE001 - a backend may raise anything
            log.warning("a current session cannot be opened in this process: %s", error)
    return sessions
