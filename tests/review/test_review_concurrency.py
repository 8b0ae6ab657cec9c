"""Eight threads record and commit on one session while the network does its worst."""

import random
import threading
import time

import pytest

from sessionkit.errors import RequestError

FAULTS = [
    ("reset", {}),
    ("lost_reply", {}),
    ("html", {}),
    ("truncate", {}),
    ("latency", {"seconds": 0.05}),
    ("body", {"body": '[{"action": "cre'}),
]


@pytest.mark.parametrize(
    "seconds", [3.0, pytest.param(60.0, marks=[pytest.mark.soak, pytest.mark.timeout(240)])]
)
def test_no_write_is_lost_or_done_twice(  # noqa: C901 - what eight threads do is told in one place
    open_session, sandbox, service, seconds
):
    session = open_session(timeout=5.0)
    task_ids = [task["id"] for task in session.query("select description from Task limit 8").all()]
    created, wanted, failed, problems = [[] for _ in range(8)], {}, [], []
    ends = time.monotonic() + seconds

    def work(number):
        dice = random.Random(number)
        task = session.get("Task", task_ids[number])
        turn = 0
        while time.monotonic() < ends:
            turn += 1
            name = f"w{number}-{turn}"
            session.create("Scope", {"name": name})
            created[number].append(name)
            task["description"] = wanted[number] = name
            if dice.random() < 0.3:
                try:
                    session.commit()
                except RequestError:
                    failed.append(name)
                except Exception as error:
                    problems.append(error)
                    return

    def disturb():
        dice = random.Random(99)
        while time.monotonic() < ends:
            kind, options = dice.choice(FAULTS)
            sandbox.fault(kind, path="/api", **options)
            time.sleep(0.02)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    threads.append(threading.Thread(target=disturb))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert failed, "the faults did not get through"
    sandbox.clear()
    session.commit()
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
