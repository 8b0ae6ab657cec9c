"""From the studio's table to the form in which the service describes itself (`query_schemas`)."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from functools import cache
from typing import Any

from sessionkit_review.sandbox.schema.table import STUDIO

Json = dict[str, Any]

_NAMESPACE = uuid.UUID("5e551047-0000-4000-8000-7265766965f7")
_HEADER = re.compile(r"(?P<name>\w+)(?: < (?P<base>\w+))?(?: \((?P<key>[\w, ]+)\))?$")
_WORD = re.compile(
    r"(?P<name>\w+)"
    r"(?::(?P<type>\w+)|>(?P<one>\w+)(?P<stored>@(?P<column>\w*))?|\[(?P<many>\w+)\]|\{(?P<mapped>\w+)\})?"
    r"(?P<flags>[!~^+%-]*)"
    r"(?:=(?P<default>.+))?$"
)
_BUILT_IN = re.compile(r"\{(?P<type>\w+):(?P<name>\w+)\}$")

_FRAGMENTS: dict[str, Json] = {
    "string": {"type": "string"},
    "key": {"type": "string", "format": "foreign_key"},
    "date": {"type": "string", "format": "date-time"},
    "json": {"type": "string", "format": "json"},
    "any": {"type": "variable"},
    **{name: {"type": name} for name in ("boolean", "integer", "number", "object")},
}

# The names that the service uses in events; scripts look for them there ("statusid" in entity["keys"]).
_ALIASES = {
    "project": "show",
    "project_id": "showid",
    "thumbnail_id": "thumbid",
    "metadata": "meta",
    "custom_attributes": "custom_attribute_values",
    "start_date": "startdate",
    "end_date": "enddate",
    "full_name": "fullname",
    "is_published": "ispublished",
    **{
        name: name.replace("_", "")
        for name in ("status_id", "type_id", "priority_id", "asset_id", "user_id", "task_id", "is_open")
    },
}


@cache
def built_in_id(entity_type: str, name: str) -> str:
    """The id of an entity that every studio has, such as `built_in_id("Status", "Done")`.

    The same in every sandbox, so that scripts and recordings can be compared.
    """
    return str(uuid.uuid5(_NAMESPACE, f"{entity_type}/{name}"))


def schema_hash(schemas: list[Json]) -> str:
    """The hash by which clients know whether their cached copy of `schemas` is still the server's."""
    return hashlib.md5(json.dumps(schemas, sort_keys=True).encode(), usedforsecurity=False).hexdigest()


def studio_schemas() -> list[Json]:
    """The studio's entity types in `query_schemas` form, in the table's order."""
    expanded: dict[str, Json] = {}
    header, words = "", []
    for line in [*STUDIO.splitlines(), "End"]:
        if line.startswith(" "):
            words += re.findall(r'(?:[^\s"]|"[^"]*")+', line)
        elif line:
            if header:
                _expand(header, words, expanded)
            header, words = line, []
    return list(expanded.values())


def _expand(header: str, words: list[str], expanded: dict[str, Json]) -> None:
    named = _HEADER.match(header)
    assert named, header
    schema = _begin(named["name"], expanded.get(named["base"] or ""), named["key"])
    for word in words:
        match = _WORD.match(word)
        assert match, f"{header}: {word}"
        _add(schema, match)
    if "object_type_id" in schema["properties"]:
        kind = schema["properties"]["object_type_id"].get("default")
        if kind:
            schema["alias_for"] = {"id": "Task", "classifiers": {"object_typeid": kind}}
    expanded[schema["id"]] = schema


def _begin(name: str, base: Json | None, key: str | None) -> Json:
    """The schema as it stands before its own attributes: its base's, or just its primary key."""
    if base is not None:
        return {**json.loads(json.dumps(base)), "id": name}
    keys = [part.strip() for part in key.split(",")] if key else ["id"]
    own_id = {"id": {"type": "string", "default": "{uid}"}} if keys == ["id"] else {}
    return {
        "id": name,
        "type": "object",
        "primary_key": keys,
        "properties": own_id,
        "default_projections": list(keys),
        "required": list(keys),
        "immutable": list(keys),
        "computed": [],
        "system_projections": [],
    }


def _add(schema: Json, word: re.Match[str]) -> None:
    name, flags = word["name"], word["flags"]
    stored = [name]
    if word["one"]:
        _set(schema, name, {"$ref": word["one"]})
        column = (word["column"] or "") if word["stored"] else f"{name}_id"
        stored = [column] if column else []
        if column:
            _set(schema, column, dict(_FRAGMENTS["key"]))
    elif word["many"]:
        _set(schema, name, {"type": "array", "items": {"$ref": word["many"]}})
    elif word["mapped"]:
        pair = {"key": "key", "value": "value"}
        _set(
            schema,
            name,
            {"type": "mapped_array", "items": {"$ref": word["mapped"]}, "key_value_attributes": pair},
        )
    else:
        _set(schema, name, dict(_FRAGMENTS[word["type"] or "string"]))
    _flag(schema, flags, [name], stored)
    if word["default"]:
        schema["properties"][stored[0]]["default"] = _default(word["default"])


def _set(schema: Json, name: str, fragment: Json) -> None:
    alias = _ALIASES.get(name)
    schema["properties"][name] = {**fragment, "alias_for": alias} if alias else fragment


def _flag(schema: Json, flags: str, named: list[str], stored: list[str]) -> None:
    both = list(dict.fromkeys([*named, *stored]))
    wanted = {
        "!": ("required", stored),
        "+": ("default_projections", stored),
        "%": ("system_projections", stored),
        "~": ("immutable", both),
        "^": ("computed", both),
    }
    for flag in flags:
        if flag == "-":
            schema["properties"][named[0]]["restricted_projection"] = True
            continue
        group, names = wanted[flag]
        schema[group] += [name for name in names if name not in schema[group]]


def _default(text: str) -> Any:
    built_in = _BUILT_IN.match(text)
    return built_in_id(built_in["type"], built_in["name"]) if built_in else json.loads(text)
