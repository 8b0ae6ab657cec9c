"""Entities in SQLite: a table per family of types, a column per attribute, an index per reference."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sessionkit_review.sandbox.schema.model import TREE, EntityType, Schema, quote, studio

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence

Row = dict[str, Any]

_AFFINITY = {"boolean": "INTEGER", "integer": "INTEGER", "number": "REAL", "any": ""}

_LOGGED = "(SELECT coalesce(sum(l.duration), 0) FROM review_Timelog l WHERE l.context_id = {t}.id)"
_NAME_AND_TYPE = (
    "json_object('type', iif(c._type = 'Project', 'Project', 'TypedContext'), 'id', c.id, 'name', c.name)"
)
_PATH = f"SELECT {_NAME_AND_TYPE} AS step, x.depth FROM {TREE} x JOIN review_Context c ON c.id = x.ancestor"
_LINK = (
    "(SELECT json_group_array(json(step)) FROM "
    f"({_PATH} WHERE x.descendant = {{t}}.id ORDER BY x.depth DESC))"
)
_VERSION_STEP = (
    "SELECT json_object('type', 'AssetVersion', 'id', {t}.id, 'name', "
    "coalesce(a.name || ' ', '') || 'version ' || coalesce({t}.version, '')), -1 "
    "FROM review_Asset a WHERE a.id = {t}.asset_id"
)
_VERSION_LINK = (
    f"(SELECT json_group_array(json(step)) FROM ({_PATH} WHERE x.descendant = "
    "(SELECT context_id FROM review_Asset WHERE id = {t}.asset_id) "
    f"UNION ALL {_VERSION_STEP} ORDER BY 2 DESC))"
)
_SESSION_THUMBNAIL = (
    "(SELECT v.thumbnail_id FROM review_ReviewSessionObject o "
    "JOIN review_AssetVersion v ON v.id = o.version_id "
    "WHERE o.review_session_id = {t}.id AND v.thumbnail_id IS NOT NULL ORDER BY o.sort_order LIMIT 1)"
)

_IS_LATEST = (
    "(NOT EXISTS (SELECT 1 FROM review_AssetVersion v "
    "WHERE v.asset_id = {t}.asset_id AND v.version > {t}.version))"
)

# Attributes that are worked out: SQL for one entity `{t}`, and the types whose tables it reads.
_COMPUTED: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {
    ("Context", "link"): (_LINK, ()),
    ("Context", "_link"): (_LINK, ()),
    ("AssetVersion", "link"): (_VERSION_LINK, ("Context", "Asset")),
    ("AssetVersion", "_link"): (_VERSION_LINK, ("Context", "Asset")),
    ("Group", "link"): ("json_array(json_object('type', 'Group', 'id', {t}.id, 'name', {t}.name))", ()),
    ("TypedContext", "time_logged"): (_LOGGED, ("Timelog",)),
    ("TypedContext", "bid_time_logged_difference"): (f"(coalesce({{t}}.bid, 0) - {_LOGGED})", ("Timelog",)),
    ("Asset", "latest_version_id"): (
        "(SELECT v.id FROM review_AssetVersion v WHERE v.asset_id = {t}.id ORDER BY v.version DESC LIMIT 1)",
        ("AssetVersion",),
    ),
    ("AssetVersion", "is_latest_version"): (
        _IS_LATEST,
        (),
    ),
    ("ReviewSession", "is_open"): ("({t}.end_date > review_now())", ()),
    ("ReviewSession", "thumbnail_id"): (_SESSION_THUMBNAIL, ("ReviewSessionObject", "AssetVersion")),
    ("ReviewSession", "thumbnail_url"): (_SESSION_THUMBNAIL, ("ReviewSessionObject", "AssetVersion")),
    **{(name, "thumbnail_url"): ("{t}.thumbnail_id", ()) for name in ("Context", "AssetVersion", "User")},
    **{
        (name, url): ("{t}.component_id", ())
        for name in ("ComponentLocation", "NoteComponent", "JobComponent", "SettingComponent")
        for url in ("url", "thumbnail_url")
    },
}

_OF_CONTEXT = (
    "(c.project_id IS NULL OR c.project_id = e.project_id) AND "
    "((c.entity_type = 'show' AND (c.is_hierarchical OR e._type = 'Project')) OR "
    "(c.entity_type = 'task' AND e._type <> 'Project' "
    "AND (c.object_type_id IS NULL OR c.object_type_id = e.object_type_id)))"
)

# For each kind of custom attribute values: the type that owns them and the configurations that apply.
_DENSE = {
    "ContextCustomAttributeValue": (
        "Context",
        _OF_CONTEXT,
    ),
    "AssetCustomAttributeValue": ("Asset", "c.entity_type = 'asset'"),
    "AssetVersionCustomAttributeValue": ("AssetVersion", "c.entity_type = 'assetversion'"),
    "UserCustomAttributeValue": ("User", "c.entity_type = 'user' AND e._type = 'User'"),
    "ListCustomAttributeValue": ("List", "c.entity_type = 'list'"),
    "ListObjectCustomAttributeValue": ("ListObject", "c.entity_type = 'listobject'"),
}

_OWN_VALUE = (
    "SELECT v.value FROM review_CustomAttributeValue v WHERE v.entity_id = e.id AND v.configuration_id = c.id"
)
_NEAREST_VALUE = (
    f"SELECT v.value FROM {TREE} x JOIN review_CustomAttributeValue v ON v.entity_id = x.ancestor "
    "AND v.configuration_id = c.id WHERE x.descendant = e.id AND v.value IS NOT NULL "
    "AND (x.depth = 0 OR c.is_hierarchical) ORDER BY x.depth LIMIT 1"
)


class Storage:
    """The tables of one service.

        storage = Storage(db)
        storage.create()
        storage.insert(storage.schema.get("State"), {"id": "1", "name": "Done"})

    Nothing here commits: callers group writes with `with storage.db:`.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self.schema = studio()
        self._columns: dict[str, dict[str, str]] = {}

    def create(self) -> None:
        """Make what is missing; a database of an earlier run brings its own schema."""
        self.db.execute("CREATE TABLE IF NOT EXISTS review__setting (name TEXT PRIMARY KEY, value TEXT)")
        kept = self.setting("schemas")
        self.use(Schema(json.loads(kept)) if kept else self.schema)

    def use(self, schema: Schema) -> None:
        """Serve `schema` from now on: tables and columns it has and the database lacks are added."""
        self.schema = schema
        self._columns.clear()
        self.set_setting("schemas", json.dumps(schema.raw))
        for statement in self._tables():
            self.db.execute(statement)
        self.db.execute(
            f"CREATE TABLE IF NOT EXISTS {TREE} (ancestor TEXT, descendant TEXT, depth INTEGER, "
            "PRIMARY KEY (descendant, ancestor)) WITHOUT ROWID"
        )
        self.db.execute(f"CREATE INDEX IF NOT EXISTS {TREE}_down ON {TREE} (ancestor, depth)")
        for name, (owner, applies) in _DENSE.items():
            if name in schema and owner in schema and "CustomAttributeConfiguration" in schema:
                self._dense_view(schema.get(name), schema.get(owner), applies)

    def setting(self, name: str) -> str | None:
        """A value that the service keeps beside its entities."""
        row = self.db.execute("SELECT value FROM review__setting WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else None

    def set_setting(self, name: str, value: str) -> None:
        """Keep a value beside the entities."""
        self.db.execute("INSERT OR REPLACE INTO review__setting VALUES (?, ?)", (name, value))

    def clear(self) -> None:
        """Remove every entity."""
        for family in sorted({entity_type.store for entity_type in self.schema.types.values()}):
            self.db.execute(f"DELETE FROM {family}")
        for table in sorted(self.link_tables()):
            self.db.execute(f"DELETE FROM {table}")
        self.db.execute(f"DELETE FROM {TREE}")

    def link_tables(self) -> set[str]:
        """The tables of many-to-many relations for which there is no entity type."""
        relations = (r for t in self.schema.types.values() for r in t.relations.values())
        return {r.link.table for r in relations if r.link and not r.link.entity_type}

    def column(self, entity_type: EntityType, name: str, alias: str) -> str:
        """SQL for an attribute (or hidden column) `name`, its own or of a kind of it, of the row `alias`."""
        found = _computed(self.schema.holder(entity_type, name) or entity_type, name)
        if found is None:
            return f"{alias}.{quote(name)}"
        sql, needs = found
        return sql.format(t=alias) if all(need in self.schema for need in needs) else "NULL"

    def columns(self, family: str) -> dict[str, str]:
        """The stored columns of a family's table: name to SQL type."""
        if family in self._columns:
            return self._columns[family]
        found = self._columns[family] = {}
        for kind in sorted(self.schema.types[family].kinds):
            entity_type = self.schema.types[kind]
            for attribute in entity_type.scalars:
                if _computed(entity_type, attribute.name) is None:
                    found.setdefault(attribute.name, _AFFINITY.get(attribute.kind, "TEXT"))
            for relation in entity_type.relations.values():
                if relation.kind == "one" and _computed(entity_type, relation.own) is None:
                    found.setdefault(relation.own, "TEXT")
        return found

    def insert(self, entity_type: EntityType, values: Mapping[str, Any]) -> None:
        """Add a row."""
        names = ["_type", *values]
        marks = ", ".join("?" * len(names))
        self.db.execute(
            f"INSERT INTO {entity_type.store} ({_listed(names)}) VALUES ({marks})",
            (entity_type.name, *values.values()),
        )

    def update(self, entity_type: EntityType, key: Sequence[str], values: Mapping[str, Any]) -> None:
        """Change columns of a row."""
        changes = ", ".join(f"{quote(name)} = ?" for name in values)
        self.db.execute(
            f"UPDATE {entity_type.store} SET {changes} WHERE {_is_key(entity_type)}",
            (*values.values(), *key),
        )

    def delete(self, entity_type: EntityType, key: Sequence[str]) -> None:
        """Remove a row."""
        self.db.execute(f"DELETE FROM {entity_type.store} WHERE {_is_key(entity_type)}", tuple(key))

    def row(self, entity_type: EntityType, key: Sequence[str]) -> Row | None:
        """The stored columns of one entity of this type or a kind of it, with its type as `_type`."""
        rows = self.rows(entity_type, _is_key(entity_type), key, limit=1)
        return rows[0] if rows else None

    def rows(
        self, entity_type: EntityType, where: str, parameters: Iterable[Any] = (), *, limit: int = -1
    ) -> list[Row]:
        """The stored columns of the entities of this type for which the SQL `where` holds, oldest first."""
        kinds = sorted(entity_type.kinds)
        marks = ", ".join("?" * len(kinds))
        cursor = self.db.execute(
            f"SELECT * FROM {entity_type.store} WHERE ({where}) AND _type IN ({marks}) "
            "ORDER BY rowid LIMIT ?",
            (*parameters, *kinds, limit),
        )
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def type_of(self, entity_id: str) -> EntityType | None:
        """The type of the entity with this id, wherever it is; None if there is none."""
        for entity_type in self.schema.types.values():
            if entity_type.name == entity_type.family and entity_type.primary_key == ("id",):
                found = self.row(entity_type, (entity_id,))
                if found:
                    return self.schema.types[found["_type"]]
        return None

    def _tables(self) -> Iterable[str]:
        families = {entity_type.family for entity_type in self.schema.types.values()}
        for family in sorted(families):
            entity_type = self.schema.types[family]
            columns = self.columns(family)
            keys = _listed(entity_type.primary_key)
            listed = ", ".join(f"{quote(name)} {affinity}" for name, affinity in columns.items())
            yield (
                f"CREATE TABLE IF NOT EXISTS {entity_type.store} (_type TEXT, {listed}, PRIMARY KEY ({keys}))"
            )
            known = {row[1] for row in self.db.execute(f"PRAGMA table_info({entity_type.store})")}
            for name in columns.keys() - known if known else ():
                yield f"ALTER TABLE {entity_type.store} ADD COLUMN {quote(name)} {columns[name]}"
            for name in columns:
                if name.endswith("_id") and (name,) != entity_type.primary_key:
                    index = quote(f"review_{family}_{name}")
                    yield f"CREATE INDEX IF NOT EXISTS {index} ON {entity_type.store} ({quote(name)})"
        for table in sorted(self.link_tables()):
            yield f"CREATE TABLE IF NOT EXISTS {table} (own TEXT, other TEXT, PRIMARY KEY (own, other))"

    def _dense_view(self, values: EntityType, owner: EntityType, applies: str) -> None:
        value = _NEAREST_VALUE if owner.name == "Context" else _OWN_VALUE
        self.db.execute(f"DROP VIEW IF EXISTS {values.table}")
        self.db.execute(
            f"CREATE VIEW {values.table} AS SELECT '{values.name}' AS _type, c.id AS configuration_id, "
            f'e.id AS entity_id, c.key AS key, coalesce(({value}), c."default") AS value '
            "FROM review_CustomConfigurationBase c "
            f"JOIN {owner.store} e ON {applies} WHERE c._type = 'CustomAttributeConfiguration'"
        )


def _computed(entity_type: EntityType, name: str) -> tuple[str, tuple[str, ...]] | None:
    return next((_COMPUTED[line, name] for line in entity_type.line if (line, name) in _COMPUTED), None)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(quote(name) for name in names)


def _is_key(entity_type: EntityType) -> str:
    return " AND ".join(f"{quote(name)} = ?" for name in entity_type.primary_key)
