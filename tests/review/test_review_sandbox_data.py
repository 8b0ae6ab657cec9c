"""Data files: what the review service holds when it starts."""

import json

import pytest

from sessionkit.errors import ConfigurationError
from sessionkit.sandbox import Sandbox
from sessionkit_review.sandbox import ReviewService
from sessionkit_review.sandbox.schema.expand import studio_schemas

SECTION = {
    "server_information": {"version": "4.12.1", "is_timezone_support_enabled": False},
    "users": {"jenkins": "the-api-key"},
    "entities": {
        "Task": [
            {
                "id": "t1",
                "name": "light",
                "parent": {"__entity_type__": "Shot", "id": "s1"},
                "status": {"__entity_type__": "Status", "id": "st1", "name": "Moody", "is_active": True},
                "start_date": {"__type__": "datetime", "value": "2030-01-02T03:04:05"},
                "end_date": "2030-02-01",
                "metadata": {"lens": "35mm"},
                "assignments": [
                    {
                        "__entity_type__": "Appointment",
                        "id": "a1",
                        "type": "assignment",
                        "resource": {"__entity_type__": "User", "id": "u1"},
                    }
                ],
            }
        ],
        "Shot": [{"id": "s1", "name": "sh", "parent_id": "p1"}],
        "Project": [{"id": "p1", "name": "show", "full_name": "The Show"}],
        "User": [{"id": "u1", "username": "jenkins", "is_active": True}],
    },
}


@pytest.fixture
def serve(http):
    """A function that asks a sandbox with this data: `serve(data, "expression")` -> entities."""

    def serve(section, *expressions, replace=True, **options):
        data = [{"replace": replace, "review": section}]
        with Sandbox(services=[ReviewService], data=data, **options) as box:
            operations = [{"action": "query_server_information"}]
            operations += [{"action": "query", "expression": expression} for expression in expressions]
            headers = {"ftrack-user": box.env["FTRACK_API_USER"], "ftrack-api-key": box.env["FTRACK_API_KEY"]}
            information, *found = http.post(f"{box.url}/api", json=operations, headers=headers).json()
            return [information, *(answer["data"] for answer in found)]

    return serve


def test_entities_come_as_they_are_on_the_wire(serve):
    information, tasks, users = serve(
        SECTION,
        "select name, parent.name, project.full_name, status.name, start_date, end_date, metadata, link, "
        "assignments.resource.username, ancestors.name from Task",
        "select username from User",
    )
    (task,) = tasks
    assert (information["version"], information["is_timezone_support_enabled"]) == ("4.12.1", False)
    assert information["schema_hash"]
    assert (task["name"], task["parent"]["name"], task["project"]["full_name"]) == ("light", "sh", "The Show")
    assert task["status"]["name"] == "Moody"
    assert task["start_date"] == {"__type__": "datetime", "value": "2030-01-02T03:04:05"}
    assert task["end_date"] == {"__type__": "datetime", "value": "2030-02-01T00:00:00"}
    assert [(item["key"], item["value"]) for item in task["metadata"]] == [("lens", "35mm")]
    assert task["assignments"][0]["resource"]["username"] == "jenkins"
    assert [step["name"] for step in task["link"]] == ["show", "sh", "light"]
    assert [user["username"] for user in users] == ["jenkins"]


def test_over_the_demo_data_or_instead_of_it(serve):
    _, over = serve(SECTION, "Project", replace=False)
    _, instead = serve(SECTION, "Project")
    assert (len(over), len(instead)) == (2, 1)


def test_references_may_lead_to_what_is_not_there(serve):
    section = {
        **SECTION,
        "entities": {
            "Task": [{"id": "t", "name": "x", "status": {"__entity_type__": "Status", "id": "gone"}}]
        },
    }
    _, tasks = serve(section, "select status.name from Task")
    assert tasks[0]["status"] == {"__entity_type__": "Status", "id": "gone"}


def test_what_a_studio_needs_is_added_where_there_is_none(serve):
    _, locations, statuses, types = serve(SECTION, "Location", "Status", "select name from ObjectType")
    assert len(locations) == 5
    assert [status["id"] for status in statuses] == ["st1"]
    assert {"Task", "Shot", "Asset Build"} <= {kind["name"] for kind in types}


@pytest.mark.parametrize(
    ("users", "username", "api_key", "accepted"),
    [
        ({"a": "k"}, "a", "k", True),
        ({"a": "k"}, "a", "x", False),
        ({"a": "*"}, "a", "anything", True),
        ({"a": "*"}, "b", "anything", False),
        ({"*": "k"}, "whoever", "k", True),
        ({"*": "k"}, "whoever", "x", False),
        ({"*": "k", "a": "own"}, "a", "k", False),
        ({"*": "*"}, "whoever", "x", True),
        ({"*": "*"}, "whoever", "", False),
    ],
)
def test_keys_of_users(http, users, username, api_key, accepted):
    with Sandbox(services=[ReviewService], data=[{"replace": True, "review": {"users": users}}]) as box:
        headers = {"ftrack-user": username, "ftrack-api-key": api_key}
        asked = [{"action": "query", "expression": f'User where username is "{username}"'}]
        answer = http.post(f"{box.url}/api", json=asked, headers=headers).json()
    assert isinstance(answer, list) == accepted
    if accepted:
        assert len(answer[0]["data"]) == 1


def test_a_schema_of_ones_own(serve, tmp_path):
    schemas = [
        schema
        for schema in studio_schemas()
        if schema["id"] not in {"Message", "Conversation", "Participant"}
    ]
    wave = json.loads(json.dumps(next(schema for schema in schemas if schema["id"] == "Shot")))
    wave["id"] = "Wave"
    wave["properties"]["object_type_id"]["default"] = "wave-type"
    wave["properties"]["height"] = {"type": "number"}
    (tmp_path / "schemas.json").write_text(json.dumps([*schemas, wave]))
    (tmp_path / "data.yaml").write_text(
        "review:\n  users: {a: k}\n  schemas: schemas.json\n  entities:\n"
        "    Project: [{id: p, name: sea}]\n    Wave: [{id: w, name: first, parent_id: p, height: 2.5}]\n"
        "    Task: [{id: t, name: surf, parent_id: w, start_date: 2030-01-02}]\n"
    )
    with Sandbox(services=[ReviewService], data=[tmp_path / "data.yaml"]) as box:
        results = box._on_loop(lambda: box.service("review").results)
        from sessionkit_review.sandbox.results import Style

        (found,) = box._on_loop(
            lambda: results.query("select height, name from TypedContext where height > 2", Style())["data"]
        )
        (task,) = box._on_loop(
            lambda: results.query(
                "select parent.height, start_date from Task where parent[Wave].height = 2.5", Style()
            )["data"]
        )
        names = {
            kind["name"]
            for kind in box._on_loop(lambda: results.query("select name from ObjectType", Style())["data"])
        }
    assert (found["__entity_type__"], found["height"], found["object_type_id"]) == ("Wave", 2.5, "wave-type")
    assert task["parent"]["height"] == 2.5
    assert task["start_date"]["value"] == "2030-01-02T00:00:00"
    assert "Wave" in names or len(names) == 7


def test_a_database_file_keeps_everything(serve, tmp_path, http):
    db = tmp_path / "box.db"
    serve(SECTION, "Task", db=db)
    with Sandbox(services=[ReviewService], db=db) as box:
        headers = {"ftrack-user": "jenkins", "ftrack-api-key": "the-api-key"}
        asked = [
            {"action": "query_server_information"},
            {"action": "query", "expression": "select name from Task"},
        ]
        information, tasks = http.post(f"{box.url}/api", json=asked, headers=headers).json()
        assert box.env["FTRACK_API_USER"] == "jenkins"
    assert information["version"] == "4.12.1"
    assert [task["name"] for task in tasks["data"]] == ["light"]


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"people": {}}, "review.people: there is no such section."),
        ({"users": ["a"]}, "review.users: this is a list."),
        ({"entities": {"Tsk": []}}, "review.entities.Tsk: the schema has no such type."),
        ({"entities": {"Task": ["x"]}}, "review.entities.Task[0]: this is no mapping of attributes."),
        (
            {"entities": {"Task": [{"id": "a"}, {"colour": "red"}]}},
            "review.entities.Task[1]: Task has no attribute 'colour'.",
        ),
        (
            {"entities": {"Task": [{"bid": "heavy"}]}},
            "review.entities.Task[0]: bid: 'heavy' is not a number.",
        ),
        ({"entities": {"Task": [{"start_date": "someday"}]}}, "start_date: 'someday' is not a date."),
        (
            {"entities": {"Task": [{"custom_attributes": {"x": 1}}]}},
            "there is no custom attribute 'x' on Task.",
        ),
        (
            {"entities": {"Metadata": [{"value": "x"}]}},
            "review.entities.Metadata[0]: Metadata.parent_id is required.",
        ),
        ({"schemas": "no-such-file.json"}, "review.schemas: "),
        ({"schemas": [{"id": "X"}]}, "review.schemas: not a list of schemas"),
        ({"schemas": [5]}, "review.schemas: not a list of schemas"),
    ],
)
def test_data_that_makes_no_sense_is_named(section, message):
    with (
        pytest.raises(ConfigurationError) as caught,
        Sandbox(services=[ReviewService], data=[{"review": section}]),
    ):
        pass
    assert message in str(caught.value)
