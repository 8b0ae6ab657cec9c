"""The operations beside query, create, update and delete."""

import pytest
from test_sandbox_batches import create

from sessionkit_review.sandbox.api import OPERATIONS
from sessionkit_review.sandbox.schema.expand import schema_hash


def test_server_information(call):
    (information,) = call({"action": "query_server_information"})
    (schemas,) = call({"action": "query_schemas"})
    assert information["schema_hash"] == schema_hash(schemas)
    assert information["is_timezone_support_enabled"] is True
    assert information["storage_scenario"] == {"scenario": "ftrack.automatic", "data": {}}
    assert information["user_information"]["username"] == "mara.lindqvist"


def test_server_information_by_name(call):
    (information,) = call({"action": "query_server_information", "values": ["version", "nonsense"]})
    assert information.keys() == {"version"}


def test_every_operation_is_reached(call, post):
    for action in OPERATIONS:
        answer = post([{"action": action}]).json()
        told = answer.get("content", "") if isinstance(answer, dict) else ""
        assert "Invalid action" not in told, action


def test_search(call, query):
    (sequence,) = query('select id, project_id from Sequence where name is "sq020"')
    operation = {
        "action": "search",
        "expression": "select name, parent.name from Task",
        "entity_type": "Task",
    }
    (found,) = call({**operation, "terms": ["LAY"], "context_id": sequence["id"], "object_type_ids": None})
    assert found["action"] == "search"
    assert {entity["name"] for entity in found["data"]} == {"layout"}
    assert len(found["data"]) == 3
    (narrow,) = call({**operation, "terms": ["lay", "zz"]})
    assert narrow["data"] == []
    (paged,) = call(
        {**operation, "expression": "select name from Task limit 2", "context_id": sequence["project_id"]}
    )
    assert paged["metadata"]["next"]["offset"] == 2
    (users,) = call(
        {"action": "search", "expression": "select username", "entity_type": "User", "terms": ["sato"]}
    )
    assert [user["username"] for user in users["data"]] == ["jun.sato"]
    (shots,) = call({**operation, "expression": "select name from TypedContext", "terms": ['"; DROP'],
                     "object_type_ids": [sequence["id"]]})  # fmt: skip
    assert shots["data"] == []


@pytest.mark.parametrize(
    "extra", [{"terms": 5}, {"object_type_ids": 5}, {"entity_type": 5}, {"expression": "("}]
)
def test_searches_that_make_no_sense(refuse, extra):
    operation = {"action": "search", "expression": "select name from Task", "entity_type": "Task", **extra}
    if extra == {"entity_type": 5}:
        operation["expression"] = "select name"
    assert refuse(operation)["exception"] in {"ValidationError", "ParseError"}


def test_reset_an_api_key(call, query, http, sandbox):
    (user,) = query('User where username is "jun.sato"')
    operation = {"action": "reset_remote", "reset_type": "api_key"}
    (answer,) = call({**operation, "entity_type": "User", "entity_key": user["id"]})
    headers = {"ftrack-user": "jun.sato", "ftrack-api-key": answer["data"]["api_key"]}
    asked = http.post(f"{sandbox.url}/api", json=[operation], headers=headers).json()
    own = asked[0]["data"]["api_key"]
    assert own != answer["data"]["api_key"]
    refused = http.post(f"{sandbox.url}/api", json=[operation], headers=headers).json()
    assert refused["exception"] == "InvalidCredentialsError"


def test_widget_url(call, query, sandbox):
    (task,) = query("Task limit 1")
    operation = {"action": "get_widget_url", "name": "tasks", "theme": None}
    (answer,) = call({**operation, "entity_type": "Task", "entity_key": [task["id"]]})
    assert answer["widget_url"].startswith(f"{sandbox.url}/widget?view=tasks&theme=light&entityType=Task")
    assert task["id"] in answer["widget_url"]


def test_invitations(call, query, refuse):
    (user,) = query('User where username is "jun.sato"')
    (invitee,) = query("ReviewSessionInvitee")
    answers = call(
        {"action": "send_user_invite", "user_id": user["id"]},
        {"action": "send_review_session_invite", "review_session_invitee_id": invitee["id"]},
    )
    assert [answer["sent"] for answer in answers] == [True, True]
    assert query("select last_sent_at from ReviewSessionInvitee")[0]["last_sent_at"] is not None
    (nobody,) = call(create("User", username="nobody"))
    assert "no email" in refuse({"action": "send_user_invite", "user_id": nobody["data"]["id"]})["content"]
    assert refuse({"action": "send_user_invite", "user_id": "x"})["exception"] == "KeyError"


def test_delayed_job(call, refuse):
    (answer,) = call({"action": "delayed_job", "job_type": "SYNC_USERS_LDAP"})
    assert answer["data"]["__entity_type__"] == "Job"
    assert answer["data"]["status"] == "done"
    assert refuse({"action": "delayed_job", "job_type": "FORMAT_DISK"})["exception"] == "ValidationError"


def test_security_roles(call, query, refuse):
    (user,) = query('User where username is "jun.sato"')
    roles = {role["name"]: role["id"] for role in query("select name from SecurityRole")}
    (project,) = query("Project")
    manager = {"user_id": user["id"], "role_id": roles["Project Manager"]}
    add = {"action": "add_user_security_role", **manager}
    call(add)
    call(add)
    held = f'UserSecurityRole where user_id is {user["id"]} and security_role.name is "Project Manager"'
    assert len(query(held)) == 1
    call({"action": "grant_user_security_role_project", **manager, "all_open_projects": True})
    assert query(f"select is_all_open_projects from {held}")[0]["is_all_open_projects"] is True
    call({"action": "revoke_user_security_role_project", **manager, "all_open_projects": True})
    for _ in range(2):
        call({"action": "grant_user_security_role_project", **manager, "project_id": project["id"]})
    assert len(query("UserSecurityRoleProject where project.name is lighthouse")) == 1
    call({"action": "revoke_user_security_role_project", **manager, "project_id": project["id"]})
    assert query("UserSecurityRoleProject") == []
    call({"action": "update_user_security_role", **manager, "new_role_id": roles["API"]})
    assert query(held) == []
    error = refuse({"action": "grant_user_security_role_project", **manager, "project_id": project["id"]})
    assert "does not have this role" in error["content"]
    call({"action": "remove_user_security_role", "user_id": user["id"], "role_id": roles["API"]})
    assert len(query(f"UserSecurityRole where user_id is {user['id']}")) == 1


def test_permissions(call):
    (answer,) = call({"action": "permissions"})
    assert answer["data"]["roles"] == ["Administrator"]
    assert answer["data"]["entity_types"]["Task"] == {"create": True, "update": True, "delete": True}


def test_rollups(call, query):
    (project,) = query("Project")
    (answer,) = call({"action": "compute_rollups", "context_ids": [project["id"], "nothing"]})
    (bid,) = call({"action": "query", "expression": "select sum(bid) from Task"}, strict=True)[0]["data"]
    (logged,) = call({"action": "query", "expression": "select sum(duration) from Timelog"}, strict=True)[0][
        "data"
    ]
    assert answer["data"] == [
        {"context_id": project["id"], "bid": bid["sum_bid"], "time_logged": logged["sum_duration"]},
        {"context_id": "nothing", "bid": 0, "time_logged": 0},
    ]
