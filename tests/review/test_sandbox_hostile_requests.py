"""Whatever is sent, the answer is a result or a typed error; the service itself never fails."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionkit.sandbox import Sandbox
from sessionkit_review.sandbox import ReviewService
from sessionkit_review.sandbox.api import OPERATIONS
from sessionkit_review.sandbox.schema.expand import built_in_id

FIELDS = [
    "entity_type",
    "entity_key",
    "entity_data",
    "expression",
    "terms",
    "context_id",
    "object_type_ids",
    "values",
    "context_ids",
    "reset_type",
    "user_id",
    "role_id",
    "project_id",
    "new_role_id",
    "all_open_projects",
    "job_type",
    "component_id",
    "file_name",
    "parts",
    "upload_id",
    "checksum",
    "operation",
    "version_id",
    "keep_original",
    "name",
    "theme",
    "review_session_invitee_id",
]
NAMES = [
    "Task",
    "User",
    "Metadata",
    "Note",
    "AssetVersion",
    "ContextCustomAttributeValue",
    "Context",
    "Timer",
    "Job",
    "StatusChange",
    "ListObject",
]
ATTRIBUTES = [
    "id",
    "name",
    "parent",
    "parent_id",
    "status",
    "notes",
    "metadata",
    "custom_attributes",
    "key",
    "value",
    "configuration_id",
    "entity_id",
    "link",
    "scopes",
    "assignments",
    "__entity_type__",
    "start_date",
    "bid",
    "data",
    "is_active",
]

IDS = [
    built_in_id("User", "demo/mara.lindqvist"),
    built_in_id("Task", "demo/sq010/sh010/Layout"),
    built_in_id("Shot", "demo/sq010/sh010"),
    built_in_id("Status", "Approved"),
    built_in_id("SecurityRole", "User"),
    built_in_id("Project", "demo/tern"),
    built_in_id("CustomAttributeConfiguration", "demo/fstart"),
]

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(
        [*NAMES, *ATTRIBUTES, "select id from Task", "Task where name is", "get", "put", "api_key", "x"]
    )
)
anything = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(ATTRIBUTES), inner, max_size=4)
    ),
    max_leaves=8,
)
data = st.dictionaries(st.sampled_from(ATTRIBUTES), anything, max_size=5)
keys = st.lists(st.sampled_from(IDS) | leaves, max_size=2)
changes = st.fixed_dictionaries(
    {
        "action": st.sampled_from(["create", "update", "delete"]),
        "entity_type": st.sampled_from(NAMES),
        "entity_data": data,
        "entity_key": keys | anything,
    }
)
others = st.fixed_dictionaries(
    {"action": st.sampled_from(sorted(OPERATIONS))},
    optional={
        **dict.fromkeys(FIELDS, anything | st.sampled_from(IDS)),
        "entity_type": st.sampled_from(NAMES),
    },
)


@pytest.fixture(scope="module")
def ask():
    """Hands operations to the service as its route does; its own failures come out as they are."""
    with Sandbox(services=[ReviewService]) as box:
        service = box.service("review")
        headers = {"ftrack-user": "mara.lindqvist", "ftrack-api-key": "key"}

        def answer(batch):
            service.access.set_key("mara.lindqvist", "key")  # the last batch may have reset it
            return service.answer(batch, headers)

        yield lambda batch: box._on_loop(lambda: answer(batch))


@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(batch=st.lists(changes | others, min_size=1, max_size=3))
def test_any_operations_are_answered(ask, batch):
    status, answer = ask(batch)
    assert status == 200
    if isinstance(answer, dict):
        assert answer["exception"] in {
            "ValidationError",
            "ParseError",
            "KeyError",
            "PermissionError",
            "DuplicateEntryError",
            "IntegrityError",
        }
    else:
        assert len(answer) == len(batch)
