"""The names that users' scripts call, with their arguments and defaults; ours may have more, at the end."""

import inspect
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence

import pytest

from sessionkit import cache, events
from sessionkit.errors import ConfigurationError
from sessionkit_review import Collection, Entity, QueryResult, ReviewSession, Session, formatter
from sessionkit_review.errors import ImmutableAttribute, InvalidArgument, UnknownAttribute, UnknownEntityType
from sessionkit_review.locations import (
    Accessor,
    Data,
    DiskAccessor,
    File,
    FileWrapper,
    StandardStructure,
    String,
    Structure,
)

BEGIN = (
    "__init__(server_url=None, api_key=None, api_user=None, auto_populate=True, plugin_paths=None, "
    "cache=None, cache_key_maker=None, auto_connect_event_hub=False, schema_cache_path=None, "
    "plugin_arguments=None, timeout=60, cookies=None, headers=None, strict_api=False)"
)
SESSION = """
auto_populating(auto_populate)
call(data)
close()
commit()
create(entity_type, data=None, reconstructing=False)
create_component(path, data=None, location='auto')
decode(string)
delete(entity)
encode(data, entity_attribute_strategy='set_only')
encode_media(media, version_id=None, keep_original='auto')
ensure(entity_type, data, identifying_keys=None)
entity_reference(entity)
get(entity_type, entity_key)
get_component_availabilities(components, locations=None)
get_component_availability(component, locations=None)
get_upload_metadata(component_id, file_name, file_size, checksum=None)
get_widget_url(name, entity=None, theme=None)
merge(value)
operation_recording(record_operations)
pick_location(component=None)
pick_locations(components)
populate(entities, projections)
query(expression, page_size=500)
reset()
reset_remote(reset_type, entity=None)
rollback()
send_review_session_invite(invitee)
send_review_session_invites(invitees)
send_user_invite(user)
send_user_invites(users)
"""
ENTITIES = {
    "AssetVersion": "create_component(path, data=None, location=None) "
    "encode_media(media, keep_original='auto')",
    "FileComponent": "get_availability(locations=None)",
    "Task": "create_thumbnail(path, data=None) "
    "create_note(content, author, recipients=None, category=None, labels=None)",
    "Note": "create_reply(content, author)",
    "User": "start_timer(context=None, comment='', name=None, force=False) stop_timer() send_invite() "
    "reset_api_key()",
    "ProjectSchema": "get_statuses(schema, type_id=None) get_types(schema)",
    "Location": "add_component(component, source, recursive=True) "
    "add_components(components, sources, recursive=True) remove_component(component, recursive=True) "
    "remove_components(components, recursive=True) get_component_availability(component) "
    "get_component_availabilities(components) get_resource_identifier(component) "
    "get_resource_identifiers(components) get_filesystem_path(component) get_filesystem_paths(components) "
    "get_url(component) get_thumbnail_url(component, size=None)",
}
OTHERS = {
    QueryResult: "all() one() first()",
    Collection: "insert(index, value)",
    Accessor: "list(resource_identifier) exists(resource_identifier) is_file(resource_identifier) "
    "is_container(resource_identifier) open(resource_identifier, mode='rb') remove(resource_identifier) "
    "make_container(resource_identifier, recursive=True) get_container(resource_identifier) "
    "is_sequence(resource_identifier) remove_container(resource_identifier) "
    "get_filesystem_path(resource_identifier)",
    DiskAccessor: "__init__(prefix)",
    Structure: "get_resource_identifier(entity, context=None)",
    StandardStructure: "__init__(project_versions_prefix=None, illegal_character_substitute='_') "
    "sanitise_for_filesystem(value)",
    Data: "read(limit=None) write(content) flush() seek(offset, whence=0) tell() close()",
    FileWrapper: "__init__(wrapped_file)",
    File: "__init__(path, mode='rb')",
    String: "__init__(content=None)",
    formatter: "format(entity, formatters=None, attribute_filter=None, recursive=False, indent=0, "
    "indent_first_line=True)",
    cache.Cache: "get(key) set(key, value) remove(key) keys() values() clear(pattern=None)",
    events.EventHub: "__init__(server_url, api_user, api_key, headers=None, cookies=None) init_connection() "
    "connect() disconnect(unsubscribe=True, reconnect=False) reconnect(attempts=10, delay=5) "
    "wait(duration=None) get_subscriber_by_identifier(identifier) "
    "subscribe(subscription, callback, subscriber=None, priority=100) unsubscribe(subscriber_identifier) "
    "publish(event, synchronous=False, on_reply=None, on_error='raise')",
}


def check(kind, wanted):
    """Whether a method takes these arguments in this order with these defaults, and needs no others."""
    name, _, arguments = wanted.partition("(")
    parameters = list(inspect.signature(getattr(kind, name)).parameters.values())
    given = [each for each in parameters if each.name != "self"]
    expected = [each.partition("=") for each in arguments.rstrip(")").split(", ") if each]
    for parameter, (argument, equals, default) in zip(given, expected, strict=False):
        assert parameter.name == argument, wanted
        if equals:
            assert parameter.default == eval(default), wanted  # the table above
    assert len(given) >= len(expected), wanted
    needed = [each for each in given[len(expected) :] if each.default is each.empty]
    assert all(each.kind in {each.VAR_KEYWORD, each.VAR_POSITIONAL} for each in needed), wanted


def methods(text):
    return [f"{each})" for each in text.replace("\n", " ").split(")") for each in [each.strip()] if each]


@pytest.mark.parametrize("wanted", [BEGIN, *SESSION.split("\n")[1:-1]])
def test_a_sessions_methods_are_called_as_ever(wanted):
    check(ReviewSession, wanted)


@pytest.mark.parametrize("kind", OTHERS, ids=lambda kind: kind.__name__)
def test_what_belongs_to_a_session_is_called_as_ever(kind):
    for wanted in methods(OTHERS[kind]):
        check(kind, wanted)


def test_the_helpers_of_entities_are_called_as_ever(shared_sandbox, session):
    for name, text in ENTITIES.items():
        for wanted in methods(text):
            check(session.types[name], wanted)


def test_properties_and_kinds(session):
    properties = (
        "api_key api_user auto_populate closed created deleted event_hub modified record_operations "
        "recorded_operations schemas server_information server_url types"
    )
    for name in properties.split():
        getattr(session, name)
    for name in ("api_key", "api_user", "server_url", "server_information", "created"):
        with pytest.raises(AttributeError):
            setattr(session, name, "x")
    session.server_information["version"] = "0"
    assert session.server_information["version"] != "0"
    assert Session is ReviewSession
    assert issubclass(Entity, MutableMapping)
    assert issubclass(Collection, MutableSequence)
    assert issubclass(QueryResult, Sequence)
    assert isinstance(session.types, Mapping)
    assert issubclass(type(session.cache_key_maker), cache.KeyMaker)


def test_arguments_that_cannot_be_are_type_errors(open_session, session, monkeypatch):
    for wrong in ({"cookies": 5}, {"headers": 5}, {"strict_api": "x"}):
        with pytest.raises(TypeError):
            open_session(**wrong)
    for name in ("FTRACK_SERVER", "FTRACK_API_KEY", "FTRACK_APIKEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(TypeError, match="server_url"):
        open_session(server_url=None)
    with pytest.raises(TypeError, match="api_key"):
        open_session(api_key=None)
    with pytest.raises(TypeError):
        session.encode(object())
    with pytest.raises(InvalidArgument):
        session.encode_media(5)
    with pytest.raises(InvalidArgument, match="the key of a Task"):
        session.get("Task", None)
    with pytest.raises(InvalidArgument, match="a query is a text"):
        session.query(None)
    with pytest.raises(InvalidArgument, match="cache is a Cache"):
        open_session(cache=5)


def test_keys_and_values_that_cannot_be(session):
    with pytest.raises(ValueError, match="strategy"):
        session.encode({}, "some")
    with pytest.raises(KeyError):
        session.get("Tusk", "x")
    with pytest.raises(ValueError, match="key of a Task"):
        session.get("Task", ["a", "b"])
    with pytest.raises(KeyError):
        session.ensure("Task", {"name": "x"}, ["nope"])
    with pytest.raises(ValueError, match="cannot be told"):
        session.ensure("Task", {})
    assert session.ensure("Scope", {"name": "told"}, []) is session.ensure("Scope", {"name": "told"})
    with pytest.raises(UnknownEntityType):
        session.create("Tusk")
    with pytest.raises(UnknownAttribute):
        session.create("Task", {"nmae": "x"})
    with pytest.raises(ValueError, match="type of a new Job"):
        session.create("Job", {"type": "other"})
    assert session.create("Job")["type"] == "api_job"
    with pytest.raises(ImmutableAttribute):
        session.query("Task").first()["id"] = "x"
    query = session.query("Task limit 2")
    with pytest.raises(ConfigurationError):
        query.one()
    with pytest.raises(ConfigurationError):
        query.first()
    session.rollback()
