# ruff: noqa: T201 - some of them print
"""Functions for tasks that run in other processes; they must be importable there."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from sessionkit_redengine.arguments import Event


def pid():
    return os.getpid()


def add(a, b=1):
    return a + b


def fail():
    raise ValueError("told to")


def die():
    os._exit(3)


def sleep(seconds=60):
    time.sleep(seconds)
    return "slept"


async def async_add(a, b=1):
    await asyncio.sleep(0)
    return a + b


async def async_sleep():
    await asyncio.sleep(60)


def unpicklable():
    return lambda: None


class Picky(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def raise_picky():
    raise Picky("this", "that")


def write(path, text="x"):
    with Path(path).open("a") as stream:
        stream.write(text)


def meet(path, text):
    """Note when this runs, and do so until there was another one."""
    write(path, f"<{text}")
    deadline = time.monotonic() + 30
    while Path(path).read_text().count("<") < 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.02)  # for a third one, if it may
    write(path, f">{text}")


def note_task(task):
    assert task.name == "a"
    yield


def event_number(event=Event()):
    return event["data"]["number"]


def tell_and_sleep(path, seconds=60):
    write(path, f"{os.getpid()}\n")
    time.sleep(seconds)


def start_a_program(told):
    with subprocess.Popen(["sleep", "60"]) as program:
        write(told, f"{program.pid}\n")


def current_session_name():
    from sessionkit_redengine import Session

    return Session.current().name


def is_nobody_current():
    from sessionkit_redengine import Session

    return Session.get_session() is None


def speak():
    print("to", "out")
    print("to err", file=sys.stderr)
    logging.getLogger("shots").warning("%d missing", 3)


def flood(seconds, least):
    """Speak for a while, and until so many lines were said."""
    end = time.monotonic() + seconds
    number = 0
    while time.monotonic() < end or number < least:
        number += 1
        print(number, "and a word or two more, so that there is something to keep")
    return number


def count_up():
    for number in range(10_000):
        print(number)
        time.sleep(0.02)


def mutter():
    """Say something, and more when the run has ended."""
    threading.Timer(0.05, print, ["too late"]).start()
    print("before the end")


def speak_later():
    time.sleep(0.1)
    print("b")
