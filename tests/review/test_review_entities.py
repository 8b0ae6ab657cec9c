import copy
from datetime import datetime, timedelta, timezone

import pytest

from sessionkit.cache import ObjectKeyMaker
from sessionkit.errors import ConfigurationError, UnexpectedResponse
from sessionkit_review import NOT_SET, Collection, Entity, inspection
from sessionkit_review.errors import (
    DuplicateItem,
    ImmutableAttribute,
    UnknownAttribute,
    UnknownEntityType,
)


@pytest.fixture(scope="module")
def sandbox(shared_sandbox):
    return shared_sandbox


def test_an_entity_is_one_object_however_it_arrives(session):
    tasks = session.query("select name, status.name from Task").all()
    by_status = {}
    for task in tasks:
        by_status.setdefault(task["status"]["name"], task["status"])
        assert task["status"] is by_status[task["status"]["name"]]
    assert session.get("Task", tasks[0]["id"]) is tasks[0]
    assert session.query("Task").all() == tasks


def test_values_that_are_written_out_once_reach_every_mention(session):
    decoded = session.decode(
        """[{"__entity_type__": "Task", "id": "t", "parent": {"__entity_type__": "Shot", "id": "s",
             "children": [{"__entity_type__": "Task", "id": "t", "bid": 7.0},
                          {"__entity_type__": "Task", "id": "u", "name": "two"}]}},
            {"__entity_type__": "Task", "id": "u"}]"""
    )
    first, second = decoded
    assert first["bid"] == 7.0
    assert second["name"] == "two"
    assert list(first["parent"]["children"]) == [first, second]


def test_dates_are_aware(session):
    task = session.decode(
        '{"__entity_type__": "Task", "id": "t", "start_date": {"__type__": "datetime", "value": '
        '"2024-01-02T03:04:05"}, "end_date": '
        '{"__type__": "datetime", "value": "2024-01-02T03:04:05.5+02:00"}, '
        '"created_at": {"__type__": "date", "value": "2024-01-02"}}'
    )
    assert task["start_date"] == datetime(2024, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    assert task["end_date"].utcoffset() == timedelta(hours=2)
    assert task["created_at"] == datetime(2024, 1, 2, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        '{"__entity_type__": "Task"}',
        '{"__entity_type__": ["Task"], "id": "x"}',
        '{"__entity_type__": "Task", "id": {"a": 1}}',
        '{"__entity_type__": "Task", "id": "x", "end_date": {"__type__": "datetime", "value": "soon"}}',
        '{"__entity_type__": "Task", "id": "x", "end_date": {"__type__": "datetime"}}',
        '{"__entity_type__": "Task", "id": "x", "end_date": {"__type__": ["datetime"]}}',
        "[" * 100_000,
        '{"a":' * 900 + "1" + "}" * 900,
    ],
)
def test_nonsense_is_a_typed_error_or_harmless(session, text):
    try:
        session.decode(text)
    except UnexpectedResponse:
        return
    assert text.startswith('{"a":')


def test_an_unknown_type_is_named(session):
    with pytest.raises(UnknownEntityType, match=r"(?s)no entity type 'Tsak'.*did you mean 'Task'"):
        session.decode('{"__entity_type__": "Tsak", "id": "x"}')
    with pytest.raises(KeyError):
        session.create("Tsak", {})


def test_attributes_that_did_not_arrive_are_not_set(session, calls):
    with session.auto_populating(False):
        task = session.query("select id from Task").first()
        before = calls()
        assert task["description"] is NOT_SET
        assert not task["description"]
        assert calls() == before
    assert task["description"] is not NOT_SET


def test_an_unknown_attribute_is_named(session):
    task = session.query("Task").first()
    with pytest.raises(UnknownAttribute, match="did you mean 'description'"):
        task["descripton"]
    with pytest.raises(KeyError):
        task["nonsense"] = 1
    assert "nonsense" not in task
    assert "description" in task
    assert set(task) == set(task.attributes)


def test_one_read_loads_the_attribute_for_all_that_came_together(session, calls):
    tasks = session.query("select name from Task").all()
    assert len(tasks) > 40
    before = calls()
    for task in tasks:
        assert task["description"] is not NOT_SET
        assert task["status"]["name"]
        assert task["status"]["color"]
    # the descriptions, the statuses' references, their names, their colours
    assert calls() - before == 4


def test_loading_together_can_be_turned_off(open_session, calls):
    session = open_session(batch_loading=False)
    tasks = session.query("select id from Shot").all()
    before = calls()
    for task in tasks:
        _ = task["description"]
    assert calls() - before == len(tasks)


def test_a_value_that_the_server_does_not_send_is_asked_for_once(session, calls):
    job = session.create("Job", {"id": "nowhere", "type": "api_job"}, reconstructing=True)
    before = calls()
    assert job["status"] is NOT_SET
    assert job["status"] is NOT_SET
    assert calls() - before == 1


def test_populate_asks_once_and_only_for_what_is_missing(session, calls):
    tasks = session.query("select id from Task").all()
    before = calls()
    session.populate(tasks, "name, status.name, assignments.resource.id")
    session.populate(tasks, "name, status.name")
    assert calls() - before == 1
    with session.auto_populating(False):
        assert all(task["status"]["name"] for task in tasks)


def test_what_was_changed_here_stays_when_the_server_answers(session):
    task = session.query("select name from Task").first()
    old = task["name"]
    task["name"] = "mine"
    session.query("select name, description from Task").all()
    assert task["name"] == "mine"
    del task["name"]
    assert task["name"] == old
    assert session.modified == []


def test_entities_are_mappings_compared_by_identity(session, open_session):
    task = session.query("Task").first()
    same = open_session().get("Task", task["id"])
    assert same is not task
    assert same == task
    assert hash(same) == hash(task)
    assert task != session.query("Shot").first()
    assert isinstance(task, Entity)
    assert isinstance(task, session.types["Task"])
    assert str(task) == f"<Task({task['id']})>"
    assert inspection.identity(task) == ("Task", [task["id"]])
    assert inspection.primary_key(task) == {"id": task["id"]}


def test_collections_hold_each_entity_once(session):
    version = session.query("select uses_versions from AssetVersion").first()
    others = [each for each in session.query("AssetVersion").all() if each is not version][:2]
    uses = version["uses_versions"]
    assert isinstance(uses, Collection)
    uses.extend(others)
    with pytest.raises(DuplicateItem):
        uses.append(others[0])
    with pytest.raises(ConfigurationError):
        uses.append("no entity")
    session.commit()
    assert uses == others
    session.reset()
    again = session.get("AssetVersion", version["id"])
    assert set(again["uses_versions"]) == set(others)
    again["uses_versions"].remove(others[0])
    session.commit()
    assert list(again["uses_versions"]) == [others[1]]


def test_immutable_attributes_stay(session):
    task = session.query("Task").first()
    with pytest.raises(ImmutableAttribute):
        task["id"] = "another"


def test_metadata_are_texts_by_key(session, open_session):
    project = session.query("Project").first()
    assert dict(project["metadata"]) == {"frame_rate": "24", "resolution": "2048x858"}
    project["metadata"]["frame_rate"] = "25"
    project["metadata"]["lens"] = "35mm"
    del project["metadata"]["resolution"]
    assert dict(project["metadata"]) == {"frame_rate": "25", "lens": "35mm"}
    session.commit()
    assert dict(open_session().get("Project", project["id"])["metadata"]) == {
        "frame_rate": "25",
        "lens": "35mm",
    }
    project["metadata"] = {"lens": "50mm"}
    session.commit()
    assert dict(open_session().get("Project", project["id"])["metadata"]) == {"lens": "50mm"}
    del project["metadata"]["lens"]
    project["metadata"]["lens"] = "85mm"
    session.commit()
    assert dict(open_session().get("Project", project["id"])["metadata"]) == {"lens": "85mm"}


def test_custom_attributes_have_their_configurations_defaults(session, open_session):
    shot = session.query('Shot where name is "sh010"').first()
    assert shot["custom_attributes"]["fstart"] == 1001
    assert shot["custom_attributes"]["needs_roto"] is False
    shot["custom_attributes"]["fstart"] = 990
    session.commit()
    assert open_session().get("Shot", shot["id"])["custom_attributes"]["fstart"] == 990
    with pytest.raises(UnknownAttribute, match="no custom attribute"):
        shot["custom_attributes"]["nonsense"]
    with pytest.raises(KeyError):
        shot["custom_attributes"]["nonsense"] = 1


def test_a_new_entity_has_custom_attributes_and_metadata_at_once(session, open_session):
    sequence = session.query("Sequence").first()
    shot = session.create("Shot", {"name": "new", "parent": sequence, "metadata": {"lens": "35mm"}})
    assert set(shot["custom_attributes"]) >= {"fstart", "fend", "needs_roto"}
    shot["custom_attributes"]["fend"] = 1200
    assert list(shot["notes"]) == []
    session.commit()
    seen = open_session().get("Shot", shot["id"])
    assert seen["custom_attributes"]["fend"] == 1200
    assert dict(seen["metadata"]) == {"lens": "35mm"}


def test_entities_of_another_session_can_be_merged(session, open_session):
    other = open_session().query("select name, status.name from Task").first()
    mine = session.merge(other)
    assert mine.session is session
    with session.auto_populating(False):
        assert mine["status"]["name"] == other["status"]["name"]


def test_an_entity_in_a_caches_key_is_who_it_is_and_loads_nothing(session, calls):
    first, second = session.query("select id from Task limit 2").all()
    make, before = ObjectKeyMaker().key, calls()
    assert make("render", first) == make("render", first) != make("render", second)
    assert calls() == before
    first["description"] = "another one"
    assert make("render", first) == make("render", session.get("Task", first["id"]))
    session.rollback()


def test_custom_attributes_are_cleared_to_their_defaults(session):
    shot = session.query('Shot where name is "sh020"').first()
    shot["custom_attributes"].update(fstart=5, needs_roto=True)
    shot["custom_attributes"].clear()
    assert (shot["custom_attributes"]["fstart"], shot["custom_attributes"]["needs_roto"]) == (1001, False)
    session.rollback()


@pytest.mark.parametrize("entity_type", ["Project", "Asset", "AssetVersion", "Task"])
def test_a_projects_own_custom_attributes_are_known_to_all_that_belong_to_it(
    session, open_session, entity_type
):
    kind = {"Project": "show", "Task": "task"}.get(entity_type, entity_type.lower())
    entity = session.query(f"{entity_type} order by id").first()
    project = session.query('Project where name is "lighthouse"').one()
    type_id = session.query("CustomAttributeType where name is text").one()["id"]
    key = f"own_{entity_type}"
    common = {"key": key, "label": key, "entity_type": kind, "type_id": type_id}
    if entity_type == "Task":
        common["object_type_id"] = entity["object_type_id"]
    for default, project_id in (("mine", project["id"]), ("everybody's", None), ("other's", "another")):
        data = {**common, "default": default, "project_id": project_id}
        session.create("CustomAttributeConfiguration", data)
    session.commit()
    assert open_session().get(entity_type, entity["id"])["custom_attributes"][key] == "mine"


def test_none_is_an_empty_collection(session):
    version = session.query("select uses_versions from AssetVersion where uses_versions any ()").first()
    version = version or session.query("AssetVersion").first()
    version["uses_versions"] = None
    version["metadata"] = {"a": "b"}
    version["metadata"] = None
    assert (list(version["uses_versions"]), dict(version["metadata"])) == ([], {})
    session.rollback()


def test_copies_of_what_holds_entities_hold_the_same_entities(session):
    task = session.query("Task").first()
    assert copy.copy(task) is task
    assert copy.deepcopy({"tasks": [task]})["tasks"][0] is task


def test_keys_of_metadata_are_texts_whatever_they_were(session, open_session):
    project = session.query("Project").first()
    frames = project["metadata"]
    frames[1001] = "first"
    frames[1001] = "begin"
    assert (frames[1001], frames["1001"], 1001 in frames) == ("begin", "begin", True)
    session.commit()
    project["metadata"] = {1001: "begin", 1040: "end"}
    assert [
        each for each in session.deleted if each.entity_type == "Metadata" and each["key"] == "1001"
    ] == []
    session.commit()
    assert dict(open_session().get("Project", project["id"])["metadata"]) == {"1001": "begin", "1040": "end"}
    del frames[1040]
    session.commit()
    assert dict(frames) == {"1001": "begin"}


def test_a_new_entity_keeps_the_names_of_all_custom_attributes_when_one_is_set(session, open_session):
    shot = session.create("Shot", {"name": "dense", "parent": session.query("Sequence").first()})
    names = set(shot["custom_attributes"])
    assert len(names) > 1
    shot["custom_attributes"]["fend"] = 1200
    assert set(shot["custom_attributes"]) == names
    session.commit()
    assert dict(shot["custom_attributes"]) == dict(
        open_session().get("Shot", shot["id"])["custom_attributes"]
    )


def test_ensure_finds_what_somebody_else_made_meanwhile(session, open_session):
    other = open_session()
    commit, wanted = session.commit, {"name": "race", "full_name": "Mine", "metadata": {"a": "b"}}

    def late():
        session.commit = commit
        schema = other.query("ProjectSchema").first()
        theirs = other.create("Project", {"name": "race", "full_name": "Theirs", "project_schema": schema})
        other.commit()
        commit()
        return theirs

    session.commit = late
    schema = session.query("ProjectSchema").first()
    project = session.ensure("Project", {**wanted, "project_schema": schema}, ["name"])
    assert (len(session.recorded_operations), session.created) == (0, [])
    found = other.query("Project where name is race").one()
    other.refresh(found)
    assert (project["id"], found["full_name"], dict(found["metadata"])) == (found["id"], "Mine", {"a": "b"})
