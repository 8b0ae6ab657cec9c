"""What holds for every test."""

import atexit
import logging
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

from sessionkit.secrets import registry

_TEMPORARY = pytest.StashKey()


def pytest_configure(config):
    """Have all that a test, or a process that it kills, puts into the temporary directory in one place.

    And let Ctrl-C mean something to the programs that are started.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # so a shell starts what it puts in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        config.stash[_TEMPORARY] = os.environ["TMPDIR"] = tempfile.mkdtemp(prefix="sk-")
        Path(os.environ["TMPDIR"]).chmod(0o711)  # some tests go on as another user
        tempfile.tempdir = None
        # Registered now it comes last: `multiprocessing` wants to find its own folder there at the end.
        atexit.register(_remove, os.environ["TMPDIR"], os.getpid())


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    """Leave it for whoever looks into what failed."""
    folder = session.config.stash.get(_TEMPORARY, None)
    if folder is not None and exitstatus != pytest.ExitCode.OK:
        atexit.unregister(_remove)


def _remove(folder, owner):
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def no_logs():
    """For what goes wrong on purpose, again and again."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(autouse=True)
def secrets_of_ones_own(monkeypatch):
    """What one test calls a secret is an ordinary word in the next."""
    monkeypatch.setattr(registry, "_registry", registry.Registry())
