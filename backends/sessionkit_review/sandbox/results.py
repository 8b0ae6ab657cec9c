"""Query results: entities with the attributes that were asked for, as the service sends them.

What is asked for is a tree of attributes. Each level is loaded with one statement per relation, however
many entities there are. In the answer an entity is written out once; where it occurs again it is its type
and key (normalised), unless the caller wants it written out each time (denormalised).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from sessionkit_review.sandbox import values
from sessionkit_review.sandbox.errors import invalid
from sessionkit_review.sandbox.query.compiler import Compiler
from sessionkit_review.sandbox.query.grammar import Aggregate, Query, parse
from sessionkit_review.sandbox.schema.model import similar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sessionkit_review.sandbox.schema.model import EntityType, Relation
    from sessionkit_review.sandbox.storage import Storage

Json = dict[str, Any]


@dataclass(slots=True)
class Tree:
    """What to load of entities of one type: values, and a tree for each relation, with its cast or ""."""

    entity_type: EntityType
    scalars: dict[str, None] = field(default_factory=dict)
    relations: dict[tuple[str, str], Tree] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Record:
    """An entity in an answer."""

    type: str
    key: Json
    scalars: Json = field(default_factory=dict)
    relations: dict[str, Record | list[Record] | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Style:
    """How a caller wants answers.

    Attributes:
        strict: Only what was asked for; otherwise also what the service always sends.
        denormalize: Entities are written out wherever they occur.
    """

    strict: bool = False
    denormalize: bool = False


class Results:
    """Runs queries.

    results = Results(storage, url_of=lambda kind, component_id: ...)
    results.query('select name, status.name from Task limit 5', Style())
    """

    def __init__(self, storage: Storage, url_of: Callable[[str, str], str]) -> None:
        self.storage = storage
        self._url_of = url_of

    def query(self, expression: str, style: Style) -> Json:
        """The answer to a query.

        Raises:
            ApiError: for a query that cannot be understood or run.
        """
        return self.run(parse(expression), expression, style)

    def run(self, query: Query, expression: str, style: Style) -> Json:
        """The answer to a query that is parsed already; `expression` is for error messages."""
        compiler = Compiler(self.storage, expression)
        if query.is_aggregate:
            if not style.strict:
                raise invalid("Aggregates and group by need the strict API (ftrack-strict-api: true).")
            return {
                "action": "query",
                "data": self._aggregate(query, compiler),
                "metadata": _metadata(query, 0),
            }
        tree = self._tree(query, compiler, style)
        columns = _columns(self.storage, tree)
        statement = compiler.rows(query, columns)
        rows = self.storage.db.execute(statement.sql, statement.parameters).fetchall()
        records = self._records(tree, rows)
        data = _Writer(denormalize=style.denormalize).entities(records, tree)
        return {"action": "query", "data": data, "metadata": _metadata(query, len(rows))}

    def entity(
        self, entity_type: EntityType, key: Sequence[str], names: Iterable[str], style: Style
    ) -> Json | None:
        """One entity with the attributes `names`, as a query would give it; None if there is none."""
        tree = Tree(entity_type)
        for name in names:
            self._grow(tree, [(name, "")], style)
        self._always(tree, style)
        columns = _columns(self.storage, tree)
        listed = ", ".join(self.storage.column(entity_type, name, "t") for name in columns)
        where = " AND ".join(f't."{name}" = ?' for name in entity_type.primary_key)
        rows = self.storage.db.execute(
            f"SELECT t._type, {listed} FROM {entity_type.table} t WHERE {where}",
            tuple(key),
        ).fetchall()
        records = self._records(tree, rows)
        return _Writer(denormalize=style.denormalize).entities(records, tree)[0] if records else None

    def _aggregate(self, query: Query, compiler: Compiler) -> list[Json]:
        columns, statement = compiler.aggregates(query)
        rows = self.storage.db.execute(statement.sql, statement.parameters)
        return [
            {name: values.from_column(kind, value) for (name, kind), value in zip(columns, row, strict=True)}
            for row in rows
        ]

    def _tree(self, query: Query, compiler: Compiler, style: Style) -> Tree:
        entity_type = compiler.entity_type(query)
        tree = Tree(entity_type)
        for path in query.projections:
            assert not isinstance(path, Aggregate)
            steps = [(step.name, step.cast) for step in path.steps]
            self._grow(tree, steps, style, partial(compiler.fail, position=path.position))
        if not query.projections:
            for name in entity_type.default_projections:
                self._grow(tree, [(name, "")], style)
        self._always(tree, style)
        return tree

    def _grow(
        self,
        tree: Tree,
        steps: list[tuple[str, str]],
        style: Style,
        fail: Callable[[str], Any] | None = None,
    ) -> None:
        """Add a path to what is loaded."""
        for index, (name, cast) in enumerate(steps):
            holder = self.storage.schema.holder(tree.entity_type, name)
            if holder is None or holder.attributes[name].restricted:
                if fail:
                    hint = similar(name, tree.entity_type.attributes)
                    fail(f"{tree.entity_type.name} has no attribute {name!r} to select{hint}")
                return
            attribute, relation = holder.attributes[name], holder.relations.get(name)
            if relation is None:
                if fail and index < len(steps) - 1:
                    fail(f"{tree.entity_type.name}.{name} is a value, not an entity")
                tree.scalars[name] = None
                return
            target = self.storage.schema.types[relation.target]
            if cast:
                if cast not in target.kinds and fail:
                    fail(f"No {target.name} is a {cast}")
                target = self.storage.schema.types.get(cast, target)
            inner = tree.relations.setdefault((name, cast), Tree(target))
            if attribute.kind == "mapped":
                for item in target.default_projections:
                    inner.scalars[item] = None
                inner.scalars.update({n: None for n in ("key", "value") if n in target.attributes})
            self._always(inner, style)
            tree = inner

    def _always(self, tree: Tree, style: Style) -> None:
        """Add what is sent without being asked for."""
        wanted = (
            tree.entity_type.primary_key
            if style.strict
            else (*tree.entity_type.primary_key, *tree.entity_type.system_projections)
        )
        for name in wanted:
            tree.scalars.setdefault(name)

    def _records(self, tree: Tree, rows: list[tuple[Any, ...]]) -> list[Record]:
        """Records of rows, with everything below them."""
        return _Loader(self.storage, self._url_of).records(tree, rows)


def _columns(storage: Storage, tree: Tree) -> list[str]:
    """The columns that a tree needs: its values and where its relations begin."""
    owns = [_relation(storage, tree, name).own for name, _ in tree.relations]
    return list(dict.fromkeys([*tree.entity_type.primary_key, *tree.scalars, *owns]))


def _relation(storage: Storage, tree: Tree, name: str) -> Relation:
    return (storage.schema.holder(tree.entity_type, name) or tree.entity_type).relations[name]


class _Loader:
    """Makes one record per entity, however often it is met, and fills in the relations level by level."""

    def __init__(self, storage: Storage, url_of: Callable[[str, str], str]) -> None:
        self.storage = storage
        self._url_of = url_of
        self._known: dict[tuple[Any, ...], Record] = {}

    def records(self, tree: Tree, rows: list[tuple[Any, ...]]) -> list[Record]:
        """The records of `rows` (type, then the tree's columns)."""
        columns = _columns(self.storage, tree)
        keys = tree.entity_type.primary_key  # the first columns
        readers: dict[str, list[tuple[int, str, Callable[[Any], Any]]]] = {}
        found = []
        for row in rows:
            identity = row[: len(keys) + 1]
            record = self._known.get(identity)
            if record is None:
                record = self._known[identity] = Record(row[0], dict(zip(keys, identity[1:], strict=True)))
            if row[0] not in readers:
                readers[row[0]] = self._readers(self.storage.schema.types[row[0]], tree, columns)
            for index, name, read in readers[row[0]]:
                record.scalars[name] = read(row[index])
            found.append(record)
        for (name, cast), inner in tree.relations.items():
            relation = _relation(self.storage, tree, name)
            own = columns.index(relation.own) + 1
            owners = [
                row[own] if name in self.storage.schema.types[row[0]].attributes else None for row in rows
            ]
            self._relate(found, owners, name, relation, inner, cast=bool(cast))
        return found

    def _readers(
        self, entity_type: EntityType, tree: Tree, columns: list[str]
    ) -> list[tuple[int, str, Callable[[Any], Any]]]:
        """For the values that entities of a type have: where in a row they are and how they are read."""
        return [
            (index + 1, name, self._reader(entity_type, name))
            for index, name in enumerate(columns)
            if name in tree.scalars and name in entity_type.attributes
        ]

    def _reader(self, entity_type: EntityType, name: str) -> Callable[[Any], Any]:
        kind = entity_type.attributes[name].kind
        if kind == "object":
            which = "thumbnail" if name.startswith("thumbnail") else "get"
            return lambda value: value and {"value": self._url_of(which, value)}
        if name in {"link", "_link"}:
            return lambda value: value and json.loads(value)
        if kind in {"string", "integer", "number", "json"}:
            return lambda value: value
        return lambda value: values.from_column(kind, value)

    def _relate(
        self,
        records: list[Record],
        owners: list[Any],
        name: str,
        relation: Relation,
        tree: Tree,
        *,
        cast: bool,
    ) -> None:
        """Load what `relation` leads to from `records`, all of it at once."""
        wanted = list(dict.fromkeys(owner for owner in owners if owner is not None))
        rows = self._rows(relation, tree, wanted) if wanted else []
        loaded = self.records(tree, [row[1:] for row in rows])
        by_owner: dict[Any, list[Record]] = {}
        for row, record in zip(rows, loaded, strict=True):
            by_owner.setdefault(row[0], []).append(record)
        for record, owner in zip(records, owners, strict=True):
            if name not in self.storage.schema.types[record.type].attributes:
                continue
            related = by_owner.get(owner, [])
            if relation.many:
                record.relations[name] = related
            elif related:
                record.relations[name] = related[0]
            elif not cast:  # what is not of the cast's type is left out, it is there nevertheless
                record.relations.setdefault(name, _dangling(tree.entity_type, owner))

    def _rows(self, relation: Relation, tree: Tree, owners: list[Any]) -> list[tuple[Any, ...]]:
        """The owner, type and columns of all that `relation` leads to from the `owners`."""
        target = tree.entity_type
        source, match = relation.source.format(t="t", x="x"), relation.match.format(t="t", x="x")
        listed = ", ".join(self.storage.column(target, name, "t") for name in _columns(self.storage, tree))
        fixed = "".join(f" AND t.{column} = '{value}'" for column, value in relation.fixed)
        kinds = json.dumps(sorted(target.kinds))
        order = {"dense": "t.configuration_id", "tree": "x.depth DESC, t.rowid"}.get(relation.kind, "t.rowid")
        return self.storage.db.execute(
            f"SELECT {match}, t._type, {listed} FROM {source} WHERE "
            f"{match} IN (SELECT value FROM json_each(?)){fixed} "
            f"AND t._type IN (SELECT value FROM json_each(?)) ORDER BY {order}",
            (json.dumps(owners), kinds),
        ).fetchall()


class _Writer:
    """Writes records, each attribute of an entity once (or every time, denormalised)."""

    def __init__(self, *, denormalize: bool) -> None:
        self._again = denormalize
        self._written: dict[int, set[int]] = {}

    def entities(self, records: list[Record], tree: Tree) -> list[Json]:
        return [self._entity(record, tree) for record in records]

    def _entity(self, record: Record, tree: Tree) -> Json:
        written = self._written.get(id(record))
        first = written is None or self._again
        written = self._written.setdefault(id(record), set())
        entity = {"__entity_type__": record.type, **record.key}
        if first:
            names = tree.scalars if self._again else record.scalars
            entity.update((name, record.scalars[name]) for name in names if name in record.scalars)
        for (name, _), inner in tree.relations.items():
            if name not in record.relations or (id(inner) in written and not self._again):
                continue
            written.add(id(inner))
            related = record.relations[name]
            if isinstance(related, list):
                entity[name] = self.entities(related, inner)
            elif related is None:
                entity.setdefault(name, None)
            else:  # a second cast of the same reference adds to what the first one wrote
                entity[name] = {**(entity.get(name) or {}), **self._entity(related, inner)}
        return entity


def _dangling(target: EntityType, key: Any) -> Record | None:
    """Loaded data may refer to what was not loaded: then the reference is all there is."""
    if key is None or len(target.primary_key) != 1:
        return None
    return Record(target.name, {target.primary_key[0]: key})


def _metadata(query: Query, rows: int) -> Json:
    """Where the next page begins: unknown to the service while a page is full."""
    full = query.limit is not None and 0 < query.limit == rows
    return {"next": {"offset": query.offset + rows if full else None}}
