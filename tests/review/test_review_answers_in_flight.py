"""An answer that was on its way while something changed is not believed about that."""

import json
import threading

import pytest
from review_other_process import listens

from sessionkit.testing.tools import wait_until


@pytest.fixture
def other(open_session):
    return open_session()


@pytest.fixture
def scope(here, other):
    """A scope that exists for one test, as `here` has been told."""
    scope = other.create("Scope", {"name": "before"})
    other.commit()
    listens(here)
    yield scope
    if other.get("Scope", scope["id"]) is not None:
        other.delete(scope)
        other.commit()


def meanwhile(session, happens):
    """Have something happen once, after the server has answered and before the answer is taken in."""
    read, pending = session.read_operations, [happens]

    def late(operations, **options):
        found = read(operations, **options)
        if pending:
            pending.pop()()
        return found

    session.read_operations = late


def change(session, scope, heard_by, name="after"):
    scope["name"] = name
    session.commit()
    listens(heard_by)


@pytest.mark.parametrize("known", [False, True])
def test_what_an_event_said_while_a_query_was_under_way_holds(here, other, scope, known):
    text = f'select name from Scope where id is "{scope["id"]}"'
    if known:
        assert here.query(text).one()["name"] == "before"
    meanwhile(here, lambda: change(other, scope, here))
    assert here.query(text).one()["name"] == "after"


def test_a_page_that_was_fetched_ahead_is_not_older_than_the_events_since(here, other):
    scopes = [other.create("Scope", {"name": f"s{number}"}) for number in range(8)]
    other.commit()
    found = here.query('select name from Scope where name like "s%" order by name', page_size=4)
    names = iter(found)
    first = [next(names)["name"] for _ in range(3)]
    wait_until(lambda: found._ahead is not None and not found._ahead._thread.is_alive())
    change(other, scopes[6], here, "s6 now")
    assert [*first, *(each["name"] for each in names)] == [*(f"s{n}" for n in range(6)), "s6 now", "s7"]
    for each in scopes:
        other.delete(each)
    other.commit()


def test_what_was_deleted_while_a_query_was_under_way_is_gone(here, other, scope):
    def delete():
        other.delete(scope)
        other.commit()
        listens(here)

    meanwhile(here, delete)
    here.query(f'select name from Scope where id is "{scope["id"]}"').all()
    assert here.get("Scope", scope["id"]) is None


def test_a_missing_attribute_is_loaded_again_when_it_changes_while_it_is_loaded(here, other, scope):
    found = here.query(f'select id from Scope where id is "{scope["id"]}"').one()
    meanwhile(here, lambda: change(other, scope, here))
    assert found["name"] == "after"


def test_what_another_thread_committed_meanwhile_holds(here, scope):
    mine = here.query(f'select name from Scope where id is "{scope["id"]}"').one()

    def commit():
        mine["name"] = "of another thread"
        thread = threading.Thread(target=here.commit)
        thread.start()
        thread.join()

    meanwhile(here, commit)
    here.query(f'select name from Scope where id is "{scope["id"]}"').all()
    assert mine["name"] == "of another thread"


def test_an_old_answer_is_not_put_into_the_shared_cache(here, other, scope, shared):
    meanwhile(here, lambda: change(other, scope, here))
    here.query(f'select name from Scope where id is "{scope["id"]}"').all()
    kept = [json.loads(shared.get(key)) for key in list(shared.keys()) if scope["id"] in str(key)]
    assert "before" not in [each.get("name") for each in kept]


def test_more_changes_than_are_remembered_leave_nothing_believed(here, scope, monkeypatch):
    found = here.query(f'select name from Scope where id is "{scope["id"]}"').one()
    monkeypatch.setattr(here.news, "_items", type(here.news._items)(maxlen=3))
    asked = here.asked()
    for _ in range(5):
        here.news.add(None)
    assert here.news.since(asked.number) is None
    here.decoder.decode([], asked=asked)
    assert "name" not in found._data
    assert found["name"] == "before"
