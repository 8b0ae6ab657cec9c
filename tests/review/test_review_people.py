import pytest

from sessionkit_review import ReviewSession
from sessionkit_review.errors import CredentialsRefused, NoResultFound, NotUnique, ServerCompatibilityError


@pytest.fixture(scope="module")
def sandbox(shared_sandbox):
    return shared_sandbox


@pytest.fixture
def me(session):
    return session.query(f'User where username is "{session.api_user}"').one()


def test_notes_have_recipients_labels_and_replies(session, me, open_session):
    version = session.query("AssetVersion").first()
    other = session.query('User where username is "jun.sato"').one()
    label = session.query("NoteLabel").first()
    note = version.create_note('Is the "horizon" meant to tilt?', me, recipients=[other], labels=[label])
    note.create_reply("Yes, by two degrees.", author=other)
    session.commit()
    seen = open_session().get("Note", note["id"])
    assert seen["author"]["username"] == session.api_user
    assert [each["content"] for each in seen["replies"]] == ["Yes, by two degrees."]
    assert [each["recipient"]["id"] for each in seen["recipients"]] == [other["id"]]
    assert [each["label"]["id"] for each in seen["note_label_links"]] == [label["id"]]
    assert seen["parent_id"] == version["id"]
    assert note in version["notes"]


def test_there_is_one_timer_per_user(session, me):
    task = session.query("Task").first()
    with pytest.raises(NoResultFound):
        me.stop_timer()
    timer = me.start_timer(task, comment="painting")
    pending = session.create("Scope", {"name": "_pending"})
    with pytest.raises(NotUnique):
        me.start_timer(task)
    assert session.created == [pending], "only the timer is taken back"
    second = me.start_timer(task, force=True)
    assert second != timer
    log = me.stop_timer()
    assert log["duration"] >= 0
    assert log["context_id"] == task["id"]
    assert session.query("Timer").all() == []


def test_a_new_key_replaces_the_old_one(session, open_session):
    user = session.query('User where username is "petra.novak"').one()
    key = user.reset_api_key()
    with open_session(api_user="petra.novak", api_key=key) as other:
        assert other.query("Task").first()
    user.reset_api_key()
    with pytest.raises(CredentialsRefused, match="check api_user and api_key"):
        open_session(api_user="petra.novak", api_key=key)


def test_widgets_and_invitations(session, me):
    task = session.query("Task").first()
    url = session.get_widget_url("info", entity=task, theme="dark")
    assert task["id"] in url
    assert session.api_key not in url
    me.send_invite()
    invitee = session.query("select last_sent_at from ReviewSessionInvitee").first()
    assert invitee["last_sent_at"] is None
    session.send_review_session_invite(invitee)
    assert invitee["last_sent_at"] is not None


def test_workflows_tell_statuses_and_types(session):
    schema = session.query("ProjectSchema").first()
    assert "Approved" in {status["name"] for status in schema.get_statuses("Task")}
    assert schema.get_statuses("AssetVersion")
    assert schema.get_statuses("Shot")
    assert schema.get_types("Task")
    with pytest.raises(ValueError, match="nothing for 'Tree'"):
        schema.get_statuses("Tree")


def test_what_has_no_method_can_be_called(session, open_session):
    strict = open_session(strict_api=True)
    rows = strict.call(
        [{"action": "query", "expression": "select count(id), status.name from Task group by status.name"}]
    )
    assert rows[0]["data"][0].keys() == {"count_id", "status.name"} or rows[0]["data"]
    with pytest.raises(ServerCompatibilityError):
        session.call([{"action": "make_tea"}])
    assert isinstance(session, ReviewSession)


def test_a_category_of_a_note_is_a_label_where_there_are_labels(session, me, open_session):
    task = session.query("Task").first()
    category, label = (session.query(name).first() for name in ("NoteCategory", "NoteLabel"))
    note = task.create_note("Please look.", me, category=category)
    with pytest.raises(ValueError, match="a category or labels"):
        task.create_note("Please look.", me, category=category, labels=[label])
    session.commit()
    seen = open_session().get("Note", note["id"])
    assert [each["label_id"] for each in seen["note_label_links"]] == [category["id"]]
