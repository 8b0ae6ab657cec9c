"""Every accepted event arrives exactly once and in order, whatever happens to the server meanwhile."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAMS = str(Path(__file__).with_name("event_programs.py"))


class Program:
    """A process that speaks JSON lines."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, PROGRAMS, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def hear(self):
        line = self.process.stdout.readline()
        assert line, "the program ended"
        return json.loads(line)

    def say(self, **what):
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def start():
    started = []

    def start(*arguments):
        started.append(Program(*arguments))
        return started[-1]

    yield start
    for program in started:
        program.end()


@pytest.mark.parametrize("ending", ["kill", "stop"])
def test_two_processes_exchange_10000_events_each_while_the_server_restarts_five_times(start, ending):
    count = 10_000 if ending == "kill" else 2_000
    server = start("serve", 0, 3)
    port = server.hear()["port"]
    peers = [
        start("exchange", f"http://127.0.0.1:{port}", me, other, count, 6)
        for me, other in (("ann", "bob"), ("bob", "ann"))
    ]
    for peer in peers:
        assert "ready" in peer.hear()
    for peer in peers:
        peer.say(go=True)
    for _ in range(5):
        time.sleep(0.8)
        if ending == "kill":
            server.end()
        else:
            server.process.stdin.close()
            server.process.wait(20)
        time.sleep(0.2)
        server = start("serve", port, 3)
        server.hear()
    for peer in peers:
        assert "published" in peer.hear()
    for peer in peers:
        peer.say(accepted=count)
    ann, bob = (peer.hear() for peer in peers)
    for publisher, receiver in ((ann, bob), (bob, ann)):
        assert len(publisher["accepted"]) + len(publisher["refused"]) == count
        assert receiver["received"] == publisher["accepted"]
