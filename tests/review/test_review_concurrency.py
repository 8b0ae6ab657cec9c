"""Eight threads record and commit on one session while the network does its worst.

What is checked at the end is the database itself, not what any client says of it.
"""

import random
import threading
import time
from collections import Counter

import pytest

from sessionkit.errors import CallTimeout, ConnectionFailed, RequestError, ServerError, UnexpectedResponse
from sessionkit.http import RetryPolicy

TIMEOUT = 0.3
# Each kind twice over: before the server did the work, and after it.
FAULTS = [
    ("reset", {}),
    ("lost_reply", {}),
    ("html", {}),
    ("truncate", {}),
    ("body", {"body": '[{"action": "cre'}),
    ("silent", {}),
    ("stall", {}),
    ("latency", {"seconds": 1.5 * TIMEOUT}),
]
SEEN = {ConnectionFailed, ServerError, UnexpectedResponse, CallTimeout}


def finish(session):
    """Commit what is left; on a busy machine an answer may still come too late."""
    deadline = time.monotonic() + 60
    while len(session.recorded_operations):
        assert time.monotonic() < deadline
        try:
            session.commit()
        except RequestError:
            continue


@pytest.mark.parametrize(
    "seconds", [3.0, pytest.param(60.0, marks=[pytest.mark.soak, pytest.mark.timeout(240)])]
)
def test_no_write_is_lost_or_done_twice(  # noqa: C901 - what eight threads do is told in one place
    open_session, sandbox, service, seconds
):
    session = open_session(timeout=TIMEOUT, retry=RetryPolicy(base=0.0))
    task_ids = [task["id"] for task in session.query("select description from Task limit 8").all()]
    created, wanted, failed, problems = [[] for _ in range(8)], {}, Counter(), []
    ends = time.monotonic() + seconds

    def over():
        """Whether the time is up, and every kind of failure was met."""
        late = time.monotonic() - ends
        return late > 30 or (late > 0 and failed.keys() >= SEEN)

    def work(number):
        dice = random.Random(number)
        task = session.get("Task", task_ids[number])
        turn = 0
        while not over():
            turn += 1
            name = f"w{number}-{turn}"
            session.create("Scope", {"name": name})
            created[number].append(name)
            task["description"] = wanted[number] = name
            if dice.random() < 0.3:
                try:
                    session.commit()
                except RequestError as error:
                    failed[type(error)] += 1
                except Exception as error:
                    problems.append(error)
                    return
            threading.Event().wait(0.01)

    def disturb():
        dice = random.Random(99)
        while not over():
            kind, options = dice.choice(FAULTS)
            sandbox.clear()
            sandbox.fault(kind, path="/api", times=1, **options)
            threading.Event().wait(0.05)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    threads.append(threading.Thread(target=disturb))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert failed.keys() >= SEEN, "some faults did not get through"
    sandbox.clear()
    finish(session)
    assert len(session.recorded_operations) == 0
    rows = service.host.db.execute("SELECT name FROM review_Scope WHERE name LIKE 'w%'").fetchall()
    expected = sorted(name for names in created for name in names)
    assert len(expected) > 8
    assert sorted(name for (name,) in rows) == expected
    for number, task_id in enumerate(task_ids):
        row = service.host.db.execute(
            "SELECT description FROM review_Context WHERE id = ?", (task_id,)
        ).fetchone()
        assert tuple(row) == (wanted[number],)
