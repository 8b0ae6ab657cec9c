"""A PostgreSQL server of the tests' own, where the machine has one: on a socket in its folder, on no port."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest


def _program(name):
    places = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *places]))


@contextmanager
def postgres():
    """The server; gives a function that makes a new database and returns its URL."""
    psycopg = pytest.importorskip("psycopg")
    pytest.importorskip("sqlalchemy")
    initdb, server = _program("initdb"), _program("postgres")
    if initdb is None or server is None:
        pytest.skip("this machine has no PostgreSQL")
    # It refuses to run as root, and nobody cannot enter pytest's folders.
    user = {"user": "nobody"} if os.getuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="pg", dir="/tmp", ignore_cleanup_errors=True) as folder:
        if user:
            shutil.chown(folder, "nobody")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder, **user}
        data = f"{folder}/data"
        subprocess.run([initdb, "-D", data, "-U", "tests", "-A", "trust", "--no-sync"], check=True, **quiet)
        options = ("-c", "listen_addresses=", "-c", "fsync=off", "-c", f"unix_socket_directories={folder}")
        with subprocess.Popen([server, "-D", data, *options], **quiet) as process:
            numbers = itertools.count()

            def make():
                name = f"tests{next(numbers)}"
                with _connected(psycopg, folder) as connection:
                    connection.execute(f"CREATE DATABASE {name}")
                return f"postgresql+psycopg://tests@/{name}?host={folder}"

            try:
                yield make
            finally:
                process.terminate()
                process.wait(20)


def _connected(psycopg, folder):
    from redengine_nursery import wait_until

    made = []

    def connects():
        try:
            made.append(psycopg.connect(f"host={folder} user=tests dbname=postgres", autocommit=True))
        except psycopg.OperationalError:
            return False
        return True

    wait_until(connects)
    return made[0]
