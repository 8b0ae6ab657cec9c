"""What answers look like: entities, references, dates, pages, errors."""

import pytest

from sessionkit.sandbox import Sandbox
from sessionkit_review.sandbox import ReviewService


@pytest.fixture(scope="module")
def sandbox():
    """One for all tests: nothing here changes anything."""
    with Sandbox(services=[ReviewService]) as box:
        yield box
        assert [entry.error for entry in box.requests() if entry.error] == []


def test_results_stand_in_the_order_of_their_operations(call):
    information, schemas, tasks = call(
        {"action": "query_server_information"},
        {"action": "query_schemas"},
        {"action": "query", "expression": "Task limit 2"},
    )
    assert information["version"].count(".") == 2
    assert len(schemas) >= 60
    assert [entity["__entity_type__"] for entity in tasks["data"]] == ["Task", "Task"]


def test_entities_have_their_keys_and_what_the_service_always_sends(query):
    (task,) = query("select description from Task limit 1")
    assert task.keys() == {
        "__entity_type__",
        "id",
        "description",
        "context_type",
        "project_id",
        "object_type_id",
    }


def test_strict_answers_have_only_what_was_asked_for(query):
    (task,) = query("select description from Task limit 1", strict=True)
    assert task.keys() == {"__entity_type__", "id", "description"}


def test_composite_keys_are_always_there(query):
    entity = query("select value from Metadata limit 1", strict=True)[0]
    assert entity.keys() == {"__entity_type__", "parent_id", "key", "value"}


def test_an_entity_is_written_out_once(query):
    first, second = query('select status.name from Task where status.name is "Approved" limit 2')
    assert first["status"]["name"] == "Approved"
    assert second["status"] == {"__entity_type__": "Status", "id": first["status"]["id"]}


def test_a_reference_back_is_only_a_reference(query):
    (version,) = query("select asset.versions.version from AssetVersion limit 1")
    own, other = version["asset"]["versions"]
    assert own == {"__entity_type__": "AssetVersion", "id": version["id"]}
    assert other["version"] == 2


def test_denormalised_answers_write_everything_out(query):
    headers = {"ftrack-api-options": "strict=1;denormalize=1"}
    first, second = query(
        'select status.name from Task where status.name is "Approved" limit 2', headers=headers
    )
    assert first["status"] == second["status"] == {
        "__entity_type__": "Status", "id": first["status"]["id"], "name": "Approved"
    }  # fmt: skip


def test_options_may_be_written_with_colons(query):
    entities = query("Task limit 2", headers={"ftrack-api-options": "strict:1;denormalize:1"})
    assert entities[0].keys() == {"__entity_type__", "id", "name", "context_type"}


def test_polymorphic_references_have_their_own_type(query):
    found = query("select parent.name, parent[Project].full_name from TypedContext")
    assert {entity["parent"]["__entity_type__"] for entity in found} == {
        "Project",
        "Sequence",
        "Shot",
        "Folder",
        "AssetBuild",
    }
    named = [entity["parent"] for entity in found if "full_name" in entity["parent"]]
    assert {parent["__entity_type__"] for parent in named} == {"Project"}


def test_attributes_of_a_kind_can_be_selected_through_its_base(query):
    found = query('select resource.username from Appointment where context.status.name is "Approved"')
    assert {"ines.moreau", "jun.sato"} <= {entity["resource"].get("username") for entity in found}


def test_dates_have_their_type(query):
    (task,) = query("select start_date from Task where start_date is_not none limit 1")
    assert task["start_date"]["__type__"] == "datetime"
    assert len(task["start_date"]["value"]) == len("2022-10-10T10:12:09")


def test_collections_of_collections_are_loaded(query):
    (project,) = query("select children.children.children.name from Project")
    names = {
        task["name"]
        for place in project["children"]
        for shot in place["children"]
        for task in shot.get("children", [])
    }
    assert {"layout", "animation"} <= names


def test_links_lead_from_the_project_down(query):
    (task,) = query(
        'select link, name from Task where parent.name is "sh010" and parent.parent.name is "sq020" limit 1'
    )
    assert [step["name"] for step in task["link"]] == ["lighthouse", "sq020", "sh010", task["name"]]
    assert task["link"][0]["type"] == "Project"
    assert task["link"][-1] == {"type": "TypedContext", "id": task["id"], "name": task["name"]}


@pytest.mark.parametrize(
    ("expression", "offset"),
    [
        ("select id from Task limit 1", 1),
        ("select id from Task limit 2", 2),
        ("select id from Task offset 10 limit 5", 15),
        ("select id from Task offset 40 limit 5", None),
        ("select id from Task", None),
        ("select id from Task limit 0", None),
    ],
)
def test_where_the_next_page_begins(call, expression, offset):
    (answer,) = call({"action": "query", "expression": expression})
    assert answer["metadata"] == {"next": {"offset": offset}}


def test_pages_have_everything_once(call):
    found, offset = [], 0
    while offset is not None:
        expression = f"select id from Task offset {offset} limit 5"
        (answer,) = call({"action": "query", "expression": expression})
        found += [entity["id"] for entity in answer["data"]]
        offset = answer["metadata"]["next"]["offset"]
    assert len(found) == len(set(found)) == 42


def test_aggregates_need_the_strict_api(call, refuse):
    operation = {
        "action": "query",
        "expression": "select count(id), sum(bid), status_id from Task group by status_id",
    }
    assert refuse(operation)["exception"] == "ValidationError"
    (answer,) = call(operation, strict=True)
    assert sum(row["count_id"] for row in answer["data"]) == 42
    assert answer["data"][0].keys() == {"count_id", "sum_bid", "status_id"}


def test_aggregates_over_everything(call):
    (answer,) = call(
        {"action": "query", "expression": "select count(id), max(start_date), avg(bid) from Task"},
        strict=True,
    )
    (row,) = answer["data"]
    assert row["count_id"] == 42
    assert row["max_start_date"]["__type__"] == "datetime"
    assert row["avg_bid"] > 0


@pytest.mark.parametrize(
    ("expression", "content"),
    [
        ("select nmae from Task", "Task has no attribute 'nmae' to select, did you mean 'name'?"),
        ("select status.nope from Task", "Status has no attribute 'nope'"),
        ("select name.first from Task", "Task.name is a value, not an entity"),
        ("select parent[Status].name from Task", "No Context is a Status"),
        ("Task where custom_attribute_links any ()", "cannot be queried"),
        ("Task where children is x", "is a collection: use children any (...)"),
        ("Task where children has ()", "is a collection: use any"),
        ("Task where status any ()", "is one entity: use has"),
        ("Task order by children.name", "goes through a collection"),
        ("Task where bid is heavy", "'heavy' is not a number, which 'bid' is"),
        ("Task where start_date > someday", "'someday' is not a date"),
        ("Status where is_active is perhaps", "'perhaps' is not a boolean"),
        ("Task where bid > none", "Nothing is '>' none"),
        ("Task where id in (select id, name from Status)", "selects one attribute"),
        ("Tsk", "There is no entity type 'Tsk', did you mean 'Task'?"),
    ],
)
def test_queries_that_make_no_sense(refuse, expression, content):
    error = refuse({"action": "query", "expression": expression})
    assert error["exception"] == "ParseError"
    assert content in error["content"]


def test_errors_travel_with_200_unless_strict(post):
    bad = [{"action": "query", "expression": "Tsk"}]
    assert post(bad).status_code == 200
    assert post(bad, strict=True).status_code == 400
    assert (
        post(
            [{"action": "update", "entity_type": "Task", "entity_key": ["x"], "entity_data": {}}], strict=True
        ).status_code
        == 404
    )


@pytest.mark.parametrize(
    "body", ["", "{", '{"action": "query"}', "[1]", '[{"action": ["query"]}]', "[" * 100_000, '"x"']
)
def test_bodies_that_are_no_operations(sandbox, http, credentials, body):
    answer = http.post(f"{sandbox.url}/api", data=body, headers=credentials)
    assert answer.status_code == 200
    assert answer.json()["exception"] == "ValidationError"


def test_unknown_actions_are_named_as_clients_expect(refuse):
    assert refuse({"action": "make_tea"})["content"] == "Invalid action u'make_tea'"


def test_thousands_of_keys_fit_into_one_query(query):
    ids = ", ".join(f"no-such-id-{number}" for number in range(50_000))
    (task,) = query("select id from Task limit 1")
    assert [e["id"] for e in query(f"select id from Task where id in ({ids}, {task['id']})")] == [task["id"]]


def test_thousands_of_alternatives_fit_into_one_query(query):
    pairs = " or ".join(f'(parent_id is "p{number}"and key is "k")' for number in range(3_000))
    assert query(f"select value from Metadata where {pairs}") == []
