"""What one process changes, no other keeps an old copy of: not in memory, nor in a cache they share."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from sessionkit.testing.tools import wait_until


@pytest.fixture
def other(sandbox, shared, tmp_path):
    """Have another process do something: `other("set", "Task", id, "description", "x")`."""
    script = Path(__file__).with_name("review_other_process.py")
    command = [sys.executable, script, tmp_path / "entities.db", tmp_path / "schemas"]
    env = {**os.environ, "NO_PROXY": "*", **sandbox.env}
    with subprocess.Popen(
        command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def tell(*what):
            process.stdin.write(json.dumps(what) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        try:
            assert json.loads(process.stdout.readline()) == "ready"
            yield tell
        finally:
            process.stdin.close()
            process.wait(20)


def kept(shared, task_id):
    """The keys of an entity's copies."""
    return [key for key in list(shared.keys()) if task_id in str(key)]


until = partial(wait_until, seconds=20.0)


def test_a_change_reaches_every_process(other, here, shared, open_session):
    task = here.query("select description, name from Task").first()
    task_id = task["id"]
    name = task["name"]
    task["name"] = "not committed"
    before = other("get", "Task", task_id, "description")
    assert before == task["description"]

    other("set", "Task", task_id, "description", "from over there")
    until(lambda: "description" not in task._data)
    assert task["description"] == "from over there"
    assert task["name"] == "not committed"
    here.rollback()
    assert task["name"] == name

    task["description"] = "from here"
    here.commit()
    until(lambda: other("get", "Task", task_id, "description") == "from here")
    with open_session(cache=shared) as later:  # it only knows what the cache says
        assert later.get("Task", task_id)["description"] == "from here"


def test_a_copy_in_the_shared_cache_is_dropped_though_nobody_has_it_in_memory(here, shared, open_session):
    with open_session(cache=shared) as earlier:
        task_id = earlier.query("select description from Task").first()["id"]
    assert kept(shared, task_id)
    with open_session() as changing:  # it does not use the cache, and does not know of it
        changing.get("Task", task_id)["description"] = "changed"
        changing.commit()
    until(lambda: not kept(shared, task_id))
    with open_session(cache=shared) as later:
        assert later.get("Task", task_id)["description"] == "changed"


def test_what_was_deleted_is_gone_in_every_process(other, here, shared):
    task = here.query("select name, description from Task").first()
    task_id = task["id"]
    assert other("get", "Task", task_id, "name") == task["name"]
    assert kept(shared, task_id)
    other("delete", "Task", task_id)
    until(lambda: task not in here.entities)
    assert not kept(shared, task_id)
    assert here.get("Task", task_id) is None
