"""Tasks that run a program."""

from __future__ import annotations

import codecs
import os
import shlex
import signal
import sys
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sessionkit.errors import ConfigurationError
from sessionkit_redengine.capture import listening
from sessionkit_redengine.errors import TaskTerminationException
from sessionkit_redengine.runs import Flag
from sessionkit_redengine.tasks.base import Task
from sessionkit_redengine.tasks.fields import choice

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Sequence

    from sessionkit_redengine.engine import Session
    from sessionkit_redengine.output import RunOutput
    from sessionkit_redengine.runs import Run

_FORMS: Final = {"-": "-", "short": "-", "--": "--", "long": "--"}
_PIECE: Final = 65_536  # bytes
_FLAG = "_termination_flag_"


class CommandTask(Task):
    """A task that runs a program and returns what it wrote, as bytes.

    CommandTask(command="rsync -a /srv /backup", start_cond="daily after 22:00")
    CommandTask(command=["convert", "in.exr"], parameters={"quality": 90})     # convert in.exr --quality 90

    Parameters become options. A program that ends with anything but 0 fails the run with an `OSError` that
    carries what it wrote to its standard error.

    Args:
        command: Text, or a list of words. Text is split like a shell would, unless `shell` is set.
        shell: Whether a shell reads the text.
        cwd: The directory to run in.
        argform: How options begin: "-" or "short", "--" or "long".
        kwds_popen: More arguments for `subprocess.Popen`.
        session: Whose task this is; None is the default session.
        name: Default: the command.
        fields: See `Task`.
    """

    more_fields = frozenset(("command", "shell", "cwd", "argform", "kwds_popen"))
    command: str | Sequence[str] = ()
    shell: bool = False
    cwd: str | None = None
    argform: str | None = None
    kwds_popen: dict[str, Any] = {}  # noqa: RUF012 - replaced, never changed

    def __init__(
        self,
        command: str | Sequence[str],
        *,
        session: Session | None = None,
        name: str | None = None,
        **fields: Any,
    ) -> None:
        if not command or not isinstance(command, (str, list, tuple)):
            raise ConfigurationError(f"A command is text or a list of words, not {command!r}.")
        if fields.get("argform") is not None:
            choice(fields["argform"], tuple(_FORMS))
        super().__init__(session=session, name=name, command=command, **fields)

    def get_default_name(self) -> str:
        """The command."""
        return self.command if isinstance(self.command, str) else " ".join(self.command)

    def job_call(self) -> Callable[..., Any]:
        """What runs the program."""
        return Program(
            self.command if isinstance(self.command, str) else tuple(self.command),
            self.shell,
            _FORMS[self.argform or "--"],
            {**self.kwds_popen, "cwd": self.cwd},
        )

    def job_parameters(self, run: Run) -> dict[str, Any]:
        """The task's own parameters, and the flag that ends the program."""
        return {**super().job_parameters(run), _FLAG: run.flag}

    def execute(self, **parameters: Any) -> Any:
        """Run the program."""
        return self.job_call()(**parameters)


class Program:
    """A program with its options; picklable."""

    def __init__(
        self, command: str | tuple[str, ...], shell: bool, prefix: str, popen: dict[str, Any]
    ) -> None:
        self.command = command
        self.shell = shell
        self.prefix = prefix
        self.popen = popen

    def __call__(self, **parameters: Any) -> bytes:
        """Run it to its end and return its standard output.

        Raises:
            OSError: when it cannot be started, or ends with anything but 0.
            TaskTerminationException: when the run was told to end.
        """
        import subprocess  # noqa: PLC0415 - ten milliseconds that sessions without programs save

        flag = parameters.pop(_FLAG, None) or Flag()
        process = subprocess.Popen(  # noqa: S603 - running what the user wrote is what this is for
            self.line(parameters),
            shell=self.shell,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **{"start_new_session": not _in_worker(), **self.popen},
        )
        with process:
            output, errors = _communicate(process, flag)
        if process.returncode:
            written = (errors if isinstance(errors, str) else errors.decode(errors="replace")).strip()
            raise OSError(process.returncode, f"the command ended with {process.returncode}: {written}")
        result: bytes = output  # or text, if `kwds_popen` says so
        return result

    def line(self, parameters: dict[str, Any]) -> str | list[str]:
        """The command with its options; text for a shell, else words."""
        options = [
            word for name, value in parameters.items() for word in (f"{self.prefix}{name}", str(value))
        ]
        if isinstance(self.command, str) and self.shell:
            return " ".join([self.command, *map(shlex.quote, options)])
        if not isinstance(self.command, str):
            return [*self.command, *options]
        if os.name == "nt":
            import subprocess  # noqa: PLC0415 - see `__call__`

            return " ".join([self.command, subprocess.list2cmdline(options)])
        return [*shlex.split(self.command), *options]


def _communicate(process: subprocess.Popen[bytes], flag: Flag) -> tuple[Any, Any]:
    listener = listening()
    output: tuple[list[Any], list[Any]] = ([], [])
    # In threads, as a program that fills one pipe does not write to the other.
    aside = threading.Thread(target=_read, args=(process.stderr, "stderr", output[1], listener), daemon=True)
    try:
        with flag.calling(lambda: _kill(process)):
            aside.start()
            _read(process.stdout, "stdout", output[0], listener)
            aside.join()
            process.wait()
    except BaseException:
        _kill(process)
        if aside.ident is not None:
            aside.join()
        raise
    if flag.is_set():
        raise TaskTerminationException("the run was told to end")
    return _joined(output[0]), _joined(output[1])


def _read(stream: Any, name: str, kept: list[Any], listener: RunOutput | None) -> None:
    """Read a pipe to its end, and have it heard as it comes."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    # At most as much as is there; with `text=True` it is lines.
    read = partial(stream.read1, _PIECE) if hasattr(stream, "read1") else stream.readline
    while piece := read():
        kept.append(piece)
        if listener is not None:
            listener.write(name, piece if isinstance(piece, str) else decoder.decode(piece))


def _joined(pieces: list[Any]) -> Any:
    return (b"" if not pieces or isinstance(pieces[0], bytes) else "").join(pieces)


def _in_worker() -> bool:
    """Whether this is a worker process, whose group the program is to stay in: they are ended together."""
    multiprocessing = sys.modules.get("multiprocessing.process")
    return multiprocessing is not None and multiprocessing.parent_process() is not None


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the program, and what it started if it leads a group of its own."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
