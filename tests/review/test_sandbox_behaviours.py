"""What the service does of its own accord."""

import pytest
from test_sandbox_batches import create, delete, reference, update

HOUR = 3600


@pytest.fixture
def sandbox_options(sandbox_options, manual_clock):
    return {**sandbox_options, "clock": manual_clock}


@pytest.fixture
def task(query):
    return query(
        'select name, parent_id, status_id, project_id from Task where status.name is "Approved" limit 1'
    )[0]


def made(call, *operations):
    """The entities that these operations created."""
    return [result["data"] for result in call(*operations)]


def test_new_tasks_get_their_projects_status_type_and_priority(call, query, task):
    (new,) = made(call, create("Task", name="new", parent_id=task["parent_id"]))
    (found,) = query(
        "select status.name, type.name, priority.name, project.name, sort, bid from Task "
        f"where id is {new['id']}"
    )
    assert [found[name]["name"] for name in ("status", "type", "priority", "project")] == [
        "Not started",
        "Generic",
        "None",
        "lighthouse",
    ]
    assert (found["sort"], found["bid"]) == (0.0, 0.0)


def test_who_and_when_is_filled_in(call, query, manual_clock):
    (note,) = made(call, create("Note", content="hm"))
    (found,) = query(f"select author.username, date from Note where id is {note['id']}")
    assert found["author"]["username"] == "mara.lindqvist"
    from sessionkit_review.sandbox.values import now

    assert found["date"]["value"] == now(manual_clock.time())


def test_versions_count_up_per_asset(call, query, task):
    (asset,) = made(call, create("Asset", name="plate", context_id=task["parent_id"]))
    numbers = [made(call, create("AssetVersion", asset_id=asset["id"]))[0]["version"] for _ in range(3)]
    other = made(
        call,
        create("Asset", name="x", context_id=task["parent_id"], id="a2"),
        create("AssetVersion", asset_id="a2"),
    )
    assert numbers == [1, 2, 3]
    assert other[1]["version"] == 1
    (given,) = made(call, create("AssetVersion", asset_id=asset["id"], version=10))
    latest = query(f"AssetVersion where asset_id is {asset['id']} and is_latest_version is True")
    assert [v["id"] for v in latest] == [given["id"]]
    (found,) = query(f"select latest_version.version from Asset where id is {asset['id']}")
    assert found["latest_version"]["version"] == 10


def test_moving_a_context_takes_all_below_it_along(call, query, refuse):
    made(
        call,
        create("Project", id="p2", name="other"),
        create("Sequence", id="s2", name="sq", parent_id="p2"),
        create("Shot", id="h2", name="sh", parent_id="s2"),
        create("Task", id="t2", name="t", parent_id="h2"),
    )
    (old,) = query('select id from Sequence where name is "sq010"')
    call(update("Shot", "h2", parent_id=old["id"]))
    (found,) = query("select link, project.name, ancestors.name from Task where id is t2")
    assert [step["name"] for step in found["link"]] == ["lighthouse", "sq010", "sh", "t"]
    assert found["project"]["name"] == "lighthouse"
    assert [a["name"] for a in found["ancestors"]] == ["sq010", "sh"]
    assert query('Task where id is t2 and ancestors any (name is "sq")') == []
    assert refuse(update("Sequence", old["id"], parent_id="h2"))["exception"] == "ValidationError"
    assert refuse(update("Sequence", old["id"], parent_id=old["id"]))["exception"] == "ValidationError"


def test_types_follow_from_what_an_entity_says_it_is(call, query):
    (shot_type,) = query("ObjectType where name is Shot")
    (project,) = query("Project")
    results = call(
        create("TypedContext", name="x", parent_id=project["id"], object_type_id=shot_type["id"]),
        create("Component", name="c", system_type="sequence"),
        create("Context", name="y", context_type="show"),
        create("FileComponent", name="f"),
        create("Group", name="g"),
    )
    assert [result["data"]["__entity_type__"] for result in results] == [
        "Shot",
        "SequenceComponent",
        "Project",
        "FileComponent",
        "Group",
    ]
    assert results[3]["data"]["system_type"] == "file"
    assert results[4]["data"]["resource_type"] == "group"
    assert len(query("ContainerComponent")) == 1
    assert {entity["__entity_type__"] for entity in query("Resource")} == {"User", "Group"}


def test_one_timer_per_user(call, refuse, query):
    (user,) = query('User where username is "jun.sato"')
    made(call, create("Timer", user=reference(user)))
    error = refuse(create("Timer", user=reference(user)))
    assert error["exception"] == "DuplicateEntryError"
    (timer,) = query("Timer")
    call(delete("Timer", timer["id"]))
    made(call, create("Timer", user=reference(user)))


def test_logged_time_adds_up(call, query, task):
    (before,) = query(f"select time_logged from Task where id is {task['id']}")
    call(
        create("Timelog", context_id=task["id"], duration=2 * HOUR), update("Task", task["id"], bid=10 * HOUR)
    )
    (after,) = query(f"select time_logged, bid_time_logged_difference from Task where id is {task['id']}")
    assert after["time_logged"] == before["time_logged"] + 2 * HOUR
    assert after["bid_time_logged_difference"] == 10 * HOUR - after["time_logged"]


def test_status_changes_are_recorded(call, query, task):
    (status,) = query('select id from Status where name is "On hold"')
    call(update("Task", task["id"], status_id=status["id"]))
    call(update("Task", task["id"], status_id=status["id"]))
    (change,) = query(
        "select from_status.name, status.name, user.username from StatusChange "
        f"where parent_id is {task['id']}"
    )
    assert change["__entity_type__"] == "TypedContextStatusChange"
    assert (change["from_status"]["name"], change["status"]["name"]) == ("Approved", "On hold")
    assert change["user"]["username"] == "mara.lindqvist"


def test_custom_attributes_are_dense(call, query):
    shots = query("select custom_attributes from Shot")
    values = [{item["key"]: item["value"] for item in shot["custom_attributes"]} for shot in shots]
    assert all(item.keys() == {"fstart", "fend", "needs_roto", "client_note"} for item in values)
    assert {item["needs_roto"] for item in values} == {False}
    (shot,) = query("select id from Shot limit 1")
    (configuration,) = query("select id from CustomAttributeConfiguration where key is needs_roto")
    call(update("ContextCustomAttributeValue", configuration["id"], shot["id"], value=True))
    found = query(
        "select custom_attributes from Shot where custom_attributes any (key is needs_roto and value is True)"
    )
    assert [entity["id"] for entity in found] == [shot["id"]]
    call(delete("ContextCustomAttributeValue", configuration["id"], shot["id"]))
    assert query("Shot where custom_attributes any (key is needs_roto and value is True)") == []


def test_hierarchical_attributes_are_inherited(call, query):
    (configuration,) = query("select id from CustomAttributeConfiguration where key is client_note")
    (sequence,) = query('select id from Sequence where name is "sq020"')
    call(
        create(
            "ContextCustomAttributeValue",
            configuration_id=configuration["id"],
            entity_id=sequence["id"],
            value="slow",
        )
    )
    found = query(
        'select id from TypedContext where custom_attributes any (key is client_note and value is "slow")'
    )
    below = query('select id from TypedContext where name is "sq020" or ancestors any (name is "sq020")')
    assert {e["id"] for e in found} == {e["id"] for e in below}
    assert len(found) == 16


def test_custom_attributes_keep_what_they_hold(call, query):
    (kind,) = query("select id from CustomAttributeType where name is text")
    (user,) = query('select id from User where username is "jun.sato"')
    call(
        create(
            "CustomAttributeConfiguration",
            id="c1",
            key="skills",
            entity_type="user",
            type_id=kind["id"],
            default=[],
        )
    )
    value = {"__type__": "datetime", "value": "2030-01-02T03:04:05"}
    for given in (["fx", "roto"], "text", 5, 2.5, True, None, value):
        call(update("UserCustomAttributeValue", "c1", user["id"], value=given))
        (found,) = query(
            f"select value from UserCustomAttributeValue where entity_id is {user['id']} and key is skills"
        )
        assert found["value"] == ([] if given is None else given)


def test_metadata_is_a_mapping(call, query, task):
    call(
        create("Metadata", parent_id=task["id"], key="a", value="1"),
        create("Metadata", parent_id=task["id"], key="b", value="2"),
    )
    (found,) = query(f"select metadata from Task where id is {task['id']}")
    assert {item["key"]: (item["value"], item["parent_type"]) for item in found["metadata"]} == {
        "a": ("1", "Task"),
        "b": ("2", "Task"),
    }


def test_deleting_a_project_takes_everything_along(call, query):
    (project,) = query("select id from Project")
    call(delete("Project", project["id"]))
    for gone in (
        "Context",
        "Asset",
        "AssetVersion",
        "Note",
        "ReviewSession",
        "ReviewSessionObject",
        "Appointment",
        "ListObject",
        "List",
        "Timelog",
        "Recipient",
        "Metadata",
    ):
        assert query(gone) == [], gone
    assert len(query("User")) == 6


def test_deleting_a_task_leaves_its_versions(call, query, task):
    versions = query(f"AssetVersion where task_id is {task['id']}")
    call(delete("Task", task["id"]))
    ids = ", ".join(version["id"] for version in versions)
    assert {v["task_id"] for v in query(f"select task_id from AssetVersion where id in ({ids})")} == {None}


def test_what_is_needed_stays(refuse, call, query):
    (status,) = query('select id from Status where name is "Approved"')
    error = refuse(delete("Status", status["id"]))
    assert error["exception"] == "IntegrityError"
    assert "status_id" in error["content"]
    call(delete("NoteCategory", query("NoteCategory limit 1")[0]["id"]))


def test_a_review_session_closes_when_its_time_is_over(query, manual_clock):
    assert query("select is_open from ReviewSession")[0]["is_open"] is True
    manual_clock.advance(30 * 24 * HOUR)
    assert query("select is_open from ReviewSession")[0]["is_open"] is False
    assert query("ReviewSession where is_open is True") == []


@pytest.fixture
def told(sandbox, monkeypatch):
    """The events that the service published."""
    events = []
    monkeypatch.setattr(type(sandbox), "publish", lambda _, event: events.append(event))
    return events


def test_changes_are_published(call, query, told, task):
    (status,) = query('select id from Status where name is "On hold"')
    call(
        update("Task", task["id"], status_id=status["id"], name="renamed"),
        create("Note", id="n1", content="x", parent_id=task["id"], parent_type="Task"),
        headers={"ftrack-pushtoken": "push", "ftrack-clienttoken": "client"},
    )
    (event,) = told
    changed, added = event["data"]["entities"]
    assert event["topic"] == "ftrack.update"
    assert (event["data"]["pushToken"], event["data"]["clientToken"]) == ("push", "client")
    assert event["data"]["user"]["name"] == event["source"]["user"]["username"] == "mara.lindqvist"
    assert (changed["action"], changed["entityType"], changed["entityId"]) == ("update", "task", task["id"])
    assert changed["keys"] == ["name", "statusid"]
    assert changed["changes"]["statusid"] == {"old": task["status_id"], "new": status["id"]}
    assert [step["entityType"] for step in changed["parents"]] == ["task", "task", "task", "show"]
    assert (added["action"], added["entityType"], added["parentId"]) == ("add", "note", task["id"])


def test_deletions_are_published_one_by_one(call, told, task):
    call(delete("Task", task["id"]))
    (event,) = told
    kinds = {(entity["action"], entity["entityType"]) for entity in event["data"]["entities"]}
    assert kinds == {("remove", "task"), ("remove", "appointment"), ("remove", "timelog")}


def test_custom_attributes_are_published_as_changes_of_their_owner(call, query, told):
    (shot,) = query("select id from Shot limit 1")
    (configuration,) = query("select id from CustomAttributeConfiguration where key is fstart")
    call(update("ContextCustomAttributeValue", configuration["id"], shot["id"], value=7))
    (entity,) = told[0]["data"]["entities"]
    assert (entity["entityId"], entity["keys"]) == (shot["id"], ["fstart"])
    assert entity["changes"]["fstart"] == {"old": 1001, "new": 7}


def test_nothing_is_published_of_what_did_not_happen(call, refuse, query, told, task):
    query("Task")
    call(update("Task", task["id"], name=task["name"]))
    refuse(update("Task", task["id"], name="x"), update("Task", "no-such-task", name="x"))
    assert told == []
