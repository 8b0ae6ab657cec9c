from sessionkit_review.sandbox.schema.expand import built_in_id, schema_hash, studio_schemas
from sessionkit_review.sandbox.schema.model import Schema

FORMS = {"string", "boolean", "integer", "number", "object", "variable", "array", "mapped_array"}


def test_the_studio_has_the_services_shape():
    schemas = studio_schemas()
    names = {schema["id"] for schema in schemas}
    assert len(names) == len(schemas) >= 60
    for schema in schemas:
        properties = schema["properties"]
        assert schema["type"] == "object"
        assert schema["primary_key"]
        for group in (
            "primary_key",
            "required",
            "immutable",
            "computed",
            "default_projections",
            "system_projections",
        ):
            assert set(schema[group]) <= properties.keys(), (schema["id"], group)
        assert set(schema["primary_key"]) <= set(schema["required"]) & set(schema["immutable"])
        for name, fragment in properties.items():
            target = fragment.get("$ref") or fragment.get("items", {}).get("$ref")
            assert target in names if target else fragment["type"] in FORMS, (schema["id"], name)


def test_what_clients_build_on_is_there():
    schemas = {schema["id"]: schema for schema in studio_schemas()}
    assert schemas["Task"]["properties"]["id"] == {"type": "string", "default": "{uid}"}
    assert schemas["Task"]["properties"]["object_type_id"]["default"] == built_in_id("ObjectType", "Task")
    assert schemas["Task"]["alias_for"]["classifiers"] == {"object_typeid": built_in_id("ObjectType", "Task")}
    assert schemas["Metadata"]["primary_key"] == ["parent_id", "key"]
    assert schemas["Task"]["properties"]["metadata"]["key_value_attributes"] == {
        "key": "key",
        "value": "value",
    }
    assert schemas["Task"]["properties"]["start_date"]["format"] == "date-time"
    assert schemas["Job"]["properties"]["data"]["format"] == "json"
    assert schemas["Context"]["properties"]["custom_attribute_links"]["restricted_projection"] is True
    assert schemas["CustomAttributeConfiguration"]["properties"]["default"]["type"] == "variable"


def test_the_hash_is_the_clients():
    import hashlib
    import json

    schemas = studio_schemas()
    assert schema_hash(schemas) == hashlib.md5(json.dumps(schemas, sort_keys=True).encode()).hexdigest()
    assert schema_hash(schemas) == schema_hash(studio_schemas())


def test_kinds():
    schema = Schema(studio_schemas())
    assert schema.get("Shot").line == ("Shot", "TypedContext", "Context")
    assert schema.get("Project").line == ("Project", "Context")
    assert schema.get("SequenceComponent").line == ("SequenceComponent", "ContainerComponent", "Component")
    assert schema.get("Resource").kinds == {"Resource", "User", "Group"}
    assert schema.get("Status").line == ("Status",)


def test_relations_are_found():
    schema = Schema(studio_schemas())
    found = {
        ("Task", "status"): ("one", "status_id"),
        ("Asset", "parent"): ("one", "context_id"),
        ("Note", "author"): ("one", "user_id"),
        ("Status", "state"): ("one", "state_id"),
        ("Project", "children"): ("inverse", "parent_id"),
        ("Task", "timelogs"): ("inverse", "context_id"),
        ("Note", "replies"): ("inverse", "in_reply_to_id"),
        ("AssetVersion", "components"): ("inverse", "version_id"),
        ("Task", "ancestors"): ("tree", ""),
        ("Task", "custom_attributes"): ("dense", ""),
        ("AssetVersion", "uses_versions"): ("link", ""),
        ("Task", "scopes"): ("link", ""),
    }
    for (name, attribute), expected in found.items():
        relation = schema.get(name).relations[attribute]
        assert (relation.kind, relation.column) == expected, (name, attribute)
    assert schema.get("Task").relations["assignments"].fixed == (("type", "assignment"),)
