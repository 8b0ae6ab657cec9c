# ruff: noqa: T201 - it talks to its caller through its output
"""Everything that a client reads of a server: each row of each type with all its attributes, and each file.

python review_rows.py ftrack|ours
"""

import hashlib
import json
import sys

from review_clients import CLIENTS


def rows_of(client, session):
    """Rows by type and primary key, as JSON takes them; files by their component."""
    found = {}
    for name in sorted(session.types):
        kind = session.types[name]
        attributes = sorted(kind.attributes.keys())
        text = f"select {', '.join(attributes)} from {name}"
        found[name] = {
            " ".join(_key(entity)): {each: _value(entity[each]) for each in attributes}
            for entity in session.query(text)
        }
    found["files"] = {key: _file(client, session, key) for key in _stored(session)}
    return found


def _stored(session):
    rows = session.query('select component_id from ComponentLocation where location.name is "ftrack.server"')
    return [row["component_id"] for row in rows]


def _file(client, session, key):
    """Size and digest of a file, and of the picture that the server makes of it."""
    server = session.query('Location where name is "ftrack.server"').one()
    file = server.accessor.open(key, "rb")
    content = file.read()
    file.close()
    component = session.query(f'Component where id is "{key}"').one()
    status, kind, picture = client.fetch(session, server.get_thumbnail_url(component, size=32))
    return [len(content), _digest(content), status, kind, _digest(picture)]


def _digest(content):
    return hashlib.sha256(content).hexdigest()


def _key(entity):
    return [str(entity[name]) for name in entity.primary_key_attributes]


def _value(value):
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "primary_key_attributes"):
        return [value.entity_type, *_key(value)]
    if hasattr(value, "keys"):
        return {str(key): _value(value[key]) for key in sorted(value.keys())}
    if isinstance(value, list):
        return [_value(each) for each in value]
    if hasattr(value, "__iter__") and not isinstance(value, str):
        return sorted(map(_value, value))
    if isinstance(value, str):
        return value.partition("&expires=")[0]  # a signature is another each time
    return str(value) if type(value).__name__ == "Symbol" else value


def main(name):
    client = CLIENTS[name]()
    with client.Session(schema_cache_path=False, plugin_paths=[]) as session:
        print(json.dumps(rows_of(client, session)))


if __name__ == "__main__":
    main(sys.argv[1])
