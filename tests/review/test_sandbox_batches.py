"""Creating, changing and deleting: one transaction, checked at its end."""

import pytest


def create(entity_type, /, **data):
    key = [data["id"]] if "id" in data else []
    return {
        "action": "create",
        "entity_type": entity_type,
        "entity_key": key,
        "entity_data": {"__entity_type__": entity_type, **data},
    }


def update(entity_type, /, *key, **data):
    return {
        "action": "update",
        "entity_type": entity_type,
        "entity_key": list(key),
        "entity_data": {"__entity_type__": entity_type, **data},
    }


def delete(entity_type, *key):
    return {"action": "delete", "entity_type": entity_type, "entity_key": list(key)}


def reference(entity):
    return {"__entity_type__": entity["__entity_type__"], "id": entity["id"]}


@pytest.fixture
def shot(query):
    return query("select name, project_id from Shot limit 1")[0]


@pytest.fixture
def task(query):
    return query(
        'select name, parent_id, status_id, project_id from Task where status.name is "Approved" limit 1'
    )[0]


def test_create_answers_with_the_entity(call, shot):
    (result,) = call(create("Task", id="t1", name="paint", parent=reference(shot), bid=3600))
    data = result["data"]
    assert result["action"] == "create"
    assert data["id"] == "t1"
    assert data["parent_id"] == shot["id"]
    assert reference(data["parent"]) == reference(shot)
    assert data["bid"] == 3600.0
    assert data["project_id"] == shot["project_id"]
    assert {"status_id", "type_id", "priority_id", "created_at", "context_type"} <= data.keys()
    assert None not in data.values()


def test_update_answers_with_what_was_changed_and_the_key(call, task):
    (result,) = call(update("Task", task["id"], description="done"))
    assert result["action"] == "update"
    assert result["data"]["description"] == "done"
    assert result["data"]["id"] == task["id"]


def test_composite_keys_come_back_complete(call, task):
    new, changed, gone = call(
        create("Metadata", parent_id=task["id"], parent_type="Task", key="lens", value="35"),
        update("Metadata", task["id"], "lens", value="50"),
        delete("Metadata", task["id"], "lens"),
    )
    for result in (new, changed):
        assert (result["data"]["parent_id"], result["data"]["key"]) == (task["id"], "lens")
    assert gone == {"action": "delete", "data": True}


def test_required_attributes_are_checked_at_the_end(call, refuse, query):
    call(
        create("Location", id="l1"),
        create("Scope", id="s1", name="x"),
        update("Location", "l1", name="late"),
    )
    assert query("select name from Location where id is l1")[0]["name"] == "late"
    error = refuse(create("Location", id="l2"), create("Scope", id="s2", name="y"))
    assert (error["exception"], error["content"]) == ("ValidationError", "Location.name is required.")
    assert query("Scope where id is s2") == []


def test_a_batch_happens_as_a_whole_or_not_at_all(refuse, query, task):
    before = query("select id, name from Task order by id")
    error = refuse(
        create("Project", id="p9", name="nine"),
        update("Task", task["id"], name="changed"),
        delete("Shot", task["parent_id"]),
        update("Task", "no-such-task", name="x"),
    )
    assert error["content"] == "There is no Task no-such-task."
    assert query("select id, name from Task order by id") == before
    assert query("Project where id is p9") == []
    assert len(query("TypedContext where project.id is_not none and ancestors any ()")) == len(
        query("TypedContext where parent[TypedContext].id is_not none")
    )


def test_a_batch_sees_its_own_changes(call):
    _, found = call(
        create("Project", id="p9", name="nine"),
        {"action": "query", "expression": "Project where name is nine"},
    )
    assert [entity["id"] for entity in found["data"]] == ["p9"]


def test_a_later_operation_may_delete_what_an_earlier_one_created(call, query):
    results = call(create("Scope", id="s1", name="x"), delete("Scope", "s1"))
    assert results[0]["data"] == {"__entity_type__": "Scope", "id": "s1"}
    assert query("Scope where id is s1") == []


def test_a_parent_may_be_created_later_in_the_batch(call, query):
    project = {"__entity_type__": "Project", "id": "p9"}
    call(create("Asset", id="a9", name="late", parent=project), create("Project", id="p9", name="nine"))
    assert query("Asset where parent.name is nine")[0]["id"] == "a9"


@pytest.mark.parametrize(
    ("operation", "exception", "content"),
    [
        (create("Task", colour="red"), "ValidationError", "Task has no attribute 'colour'."),
        (create("Tsk", name="x"), "KeyError", "There is no entity type 'Tsk', did you mean 'Task'?."),
        (create("Status", name="x", sort="first"), "ValidationError", "sort: 'first' is not an integer."),
        (create("Status", name="x", sort=10**30), "ValidationError", "sort: "),
        (create("Status", name="x", is_active="maybe"), "ValidationError", "'maybe' is not a boolean."),
        (create("Timelog", start="soon"), "ValidationError", "start: 'soon' is not a date."),
        (create("Task", parent="x"), "ValidationError", "parent: this str is not a reference to an entity."),
        (create("Task", children="x"), "ValidationError", "children: a str is not a list of entities."),
        (create("Task", children=[1]), "ValidationError", "This int is not a reference to a Context."),
        (create("Task", time_logged=5), "ValidationError", "Task.time_logged is worked out by the service"),
        (create("Asset", name="x", context_id="nowhere"), "IntegrityError", "there is no Context nowhere."),
        (create("Metadata", value="x"), "ValidationError", "Metadata.parent_id is required."),
        (update("Task", "a", "b", name="x"), "ValidationError", "A key of Task is (id)"),
        (create("Task", name="x") | {"entity_data": None}, "ValidationError", "must be an object"),
        (create("Task", name="x") | {"entity_type": 5}, "ValidationError", "entity_type must be a string"),
        (update("Task", name="x"), "ValidationError", "A key of Task is (id), not []"),
        (update("Task", "x") | {"entity_key": 5}, "KeyError", "There is no Task 5"),
        (update("Task", "x") | {"entity_key": {"a": 1}}, "KeyError", "There is no Task"),
        ({"action": "query"}, "ValidationError", "expression must be a string"),
    ],
)  # fmt: skip
def test_operations_that_are_refused(refuse, operation, exception, content):
    error = refuse(operation)
    assert error["exception"] == exception
    assert content in error["content"]


def test_immutable_attributes_stay(refuse, call, query, task):
    other = query("select id from ObjectType where name is Shot")[0]["id"]
    assert "cannot be changed" in refuse(update("Task", task["id"], object_type_id=other))["content"]
    call(update("Task", task["id"], id=task["id"]))  # not a change


def test_only_one_of_some_things(refuse, call):
    call(create("User", id="u1", username="nora"))
    assert refuse(create("User", username="nora"))["exception"] == "DuplicateEntryError"
    assert refuse(create("Scope", id="s", name="x"), create("Scope", id="s", name="y"))["exception"] == (
        "DuplicateEntryError"
    )
    call(create("User", id="u2", username="vera"))
    assert refuse(update("User", "u2", username="nora"))["exception"] == "DuplicateEntryError"


def test_collections_take_and_release_their_items(call, query, task):
    first, second = (call(create("Note", content=text))[0]["data"] for text in ("first", "second"))
    call(update("Task", task["id"], notes=[reference(first), reference(second)]))
    assert len(query(f"Note where parent_id is {task['id']}")) == 2
    call(update("Task", task["id"], notes=[reference(second)]))
    assert [n["id"] for n in query(f"Note where parent_id is {task['id']}")] == [second["id"]]
    assert query(f"select parent_id from Note where id is {first['id']}")[0]["parent_id"] is None


def test_assignments_released_are_deleted(call, query, task):
    (found,) = query(f"select assignments from Task where id is {task['id']}")
    assert len(found["assignments"]) == 1
    call(update("Task", task["id"], assignments=[]))
    assert query(f"Appointment where context_id is {task['id']}") == []


def test_many_to_many_relations(call, query, task):
    (scope,) = call(create("Scope", name="hero"))
    call(update("Task", task["id"], scopes=[reference(scope["data"])]))
    assert [t["id"] for t in query("Task where scopes any (name is hero)")] == [task["id"]]
    (status,) = query('Status where name is "Omitted"')
    (workflow,) = query("WorkflowSchema where name is Versions")
    statuses = query(f"select statuses from WorkflowSchema where id is {workflow['id']}")[0]["statuses"]
    call(
        update("WorkflowSchema", workflow["id"], statuses=[*map(reference, statuses[1:]), reference(status)])
    )
    again = query("select statuses.name from WorkflowSchema where name is Versions")[0]["statuses"]
    assert [entity["name"] for entity in again] == ["Change requested", "Approved", "Omitted"]


def test_awkward_text_is_kept(call, query):
    text = "a\"b'c\\d\n\u2028é😀; DROP TABLE x; --{0}%s\x00"
    (made,) = call(create("Scope", name=text))
    assert query(f"select name from Scope where id is {made['data']['id']}")[0]["name"] == text


def test_text_that_is_no_text_is_refused(refuse):
    assert refuse(create("Scope", name="\ud800"))["exception"] == "ValidationError"
    assert (
        refuse({"action": "query", "expression": "Scope where name is '\ud800'"})["exception"]
        == "ValidationError"
    )
