"""Queries to SQL.

Names become columns of the schema, values become bound parameters: no word of a query ever reaches the SQL.
Criteria have two values, never NULL: `x != 1` is the opposite of `x = 1` also where there is no x, and no
value is neither greater, nor less, nor like another.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sessionkit_review.sandbox import values
from sessionkit_review.sandbox.errors import ApiError
from sessionkit_review.sandbox.query.grammar import (
    Aggregate,
    Combined,
    Compare,
    Exists,
    Literal,
    Not,
    Path,
    Query,
    Step,
)
from sessionkit_review.sandbox.query.lexer import ParseError
from sessionkit_review.sandbox.schema.model import Attribute, EntityType, Relation, similar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from sessionkit_review.sandbox.query.grammar import Criteria
    from sessionkit_review.sandbox.storage import Storage

_MANY_VALUES = 200  # more of them travel as one JSON parameter: SQLite bounds the number of parameters


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with its parameters."""

    sql: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a path has got to: a row `alias` of `root`, or what a chain of references leads to from there.

    Each reference is (how to get there, the type found there, whether that type was asked for by a cast).
    """

    root: EntityType
    alias: str
    references: tuple[tuple[Relation, EntityType, bool], ...] = ()

    @property
    def entity_type(self) -> EntityType:
        return self.references[-1][1] if self.references else self.root

    def then(self, relation: Relation, target: EntityType, *, cast: bool) -> _Place:
        return replace(self, references=(*self.references, (relation, target, cast)))

    def seen_as(self, entity_type: EntityType) -> _Place:
        """The same place, with the attributes of a kind of its type."""
        if not self.references:
            return replace(self, root=entity_type)
        relation, _, cast = self.references[-1]
        return replace(self, references=(*self.references[:-1], (relation, entity_type, cast)))

    def before(self) -> _Place:
        return replace(self, references=self.references[:-1])


class Compiler:
    """Compiles one query.

    query = parse('Task where status.name is "Done"')
    statement = Compiler(storage, expression).rows(query, ["id", "name"])
    """

    def __init__(self, storage: Storage, expression: str) -> None:
        self.storage = storage
        self.schema = storage.schema
        self.expression = expression
        self.parameters: dict[str, Any] = {}
        self._aliases = 0

    def entity_type(self, query: Query) -> EntityType:
        """The type a query asks for."""
        return self._type(query.entity_type.text, query.entity_type.position)

    def rows(self, query: Query, columns: Sequence[str]) -> Statement:
        """Selects the type and `columns` of the entities that a query asks for."""
        entity_type = self.entity_type(query)
        listed = ", ".join(self.storage.column(entity_type, name, "t0") for name in columns)
        clauses = self._clauses(query, entity_type, "t0")
        return Statement(f"SELECT t0._type, {listed} {clauses}", self.parameters)

    def aggregates(self, query: Query) -> tuple[list[tuple[str, str]], Statement]:
        """The (name, kind) of the columns of an aggregate query's rows, and what selects them."""
        entity_type = self.entity_type(query)
        columns: list[tuple[str, str]] = []
        listed: list[str] = []
        for item in query.projections or query.group:
            function, path = (item.function, item.path) if isinstance(item, Aggregate) else ("", item)
            sql, attribute = self._scalar(path, _Place(entity_type, "t0"))
            name = str(path).replace(".", "_")
            listed.append(f"{function}({sql})" if function else sql)
            kind = attribute.kind if function in {"", "min", "max"} else "number"
            columns.append((f"{function}_{name}" if function else name, kind))
        clauses = self._clauses(query, entity_type, "t0")
        return columns, Statement(f"SELECT {', '.join(listed)} {clauses}", self.parameters)

    def fail(self, message: str, position: int) -> NoReturn:
        """Refuse the query, pointing at the character `position`."""
        raise ParseError(message, self.expression, position)

    def _clauses(self, query: Query, entity_type: EntityType, alias: str) -> str:
        """FROM and all that follows it."""
        place = _Place(entity_type, alias)
        parts = [f"FROM {entity_type.table} {alias} WHERE {self._is_kind(entity_type, alias)}"]
        if query.criteria is not None:
            parts.append(f"AND {self._criteria(query.criteria, place)}")
        if query.group:
            parts.append(f"GROUP BY {', '.join(self._scalar(path, place)[0] for path in query.group)}")
        order = [f"{self._scalar(path, place)[0]} {'DESC' if down else 'ASC'}" for path, down in query.order]
        if not query.is_aggregate:
            keys = "rowid" if not entity_type.is_dense else "configuration_id, {a}.entity_id"
            order.append(f"{alias}.{keys}".format(a=alias))
        if order:
            parts.append(f"ORDER BY {', '.join(order)}")
        if query.limit is not None or query.offset:
            limit = -1 if query.limit is None else query.limit
            parts.append(f"LIMIT {self._bind(limit)} OFFSET {self._bind(query.offset)}")
        return " ".join(parts)

    def _criteria(self, criteria: Criteria, place: _Place) -> str:
        if isinstance(criteria, Combined):
            return _balanced([self._criteria(part, place) for part in criteria.parts], criteria.operator)
        if isinstance(criteria, Not):
            return f"NOT {self._criteria(criteria.criteria, place)}"
        if isinstance(criteria, Exists):
            return self._exists(criteria, place)
        return self._walk(criteria.path, place, criteria)

    def _walk(self, path: Path, place: _Place, test: Compare | Exists) -> str:
        """Follow `path` and put `test` at its end; from a collection on, inside an EXISTS."""
        for index, step in enumerate(path.steps):
            place, attribute = self._attribute(place, step, path)
            last = index == len(path.steps) - 1
            if last and isinstance(test, Compare) and attribute.kind not in {"many", "mapped"}:
                return self._compare(test, attribute, self._value_sql(place, attribute))
            relation, target = self._follow(place.entity_type, attribute, step, path)
            if last and isinstance(test, Compare):
                self.fail(f"{str(path)!r} is a collection: use {step.name} any (...)", path.position)
            if last or relation.many:
                rest = replace(path, steps=path.steps[index + 1 :])
                return self._inside(relation, target, place, bool(step.cast), rest, test)
            place = place.then(relation, target, cast=bool(step.cast))
        raise AssertionError("a path has at least one step")

    def _inside(
        self,
        relation: Relation,
        target: EntityType,
        place: _Place,
        cast: bool,
        rest: Path,
        test: Compare | Exists,
    ) -> str:
        """EXISTS over what `relation` leads to from `place`."""
        t, x = self._alias(), self._alias()
        source = relation.source.format(t=t, x=x)
        conditions = [f"{relation.match.format(t=t, x=x)} = {self._column(place, relation.own)}"]
        conditions += self._conditions(relation, target, t, cast=cast)
        inner = _Place(target, t)
        if rest.steps:
            conditions.append(self._walk(rest, inner, test))
        elif isinstance(test, Exists) and test.criteria is not None:
            conditions.append(self._criteria(test.criteria, inner))
        return f"EXISTS (SELECT 1 FROM {source} WHERE {' AND '.join(conditions)})"

    def _conditions(self, relation: Relation, target: EntityType, alias: str, *, cast: bool) -> list[str]:
        """What entities at the other side must be, beyond being related."""
        found = [f"{alias}.{name} = {self._bind(value)}" for name, value in relation.fixed]
        if cast or (relation.many and target.name != target.family and not target.is_dense):
            found.append(self._is_kind(target, alias))
        return found

    def _exists(self, criteria: Exists, place: _Place) -> str:
        """Checks that has and any stand where they belong, then compiles."""
        found, attribute = place, None
        for step in criteria.path.steps:
            found, attribute = self._attribute(found, step, criteria.path)
            relation, target = self._follow(found.entity_type, attribute, step, criteria.path)
            found = found.then(relation, target, cast=bool(step.cast))
        assert attribute is not None
        wanted = "has" if attribute.kind == "one" else "any"
        if criteria.quantifier != wanted:
            kind = "one entity" if wanted == "has" else "a collection"
            self.fail(f"{str(criteria.path)!r} is {kind}: use {wanted}", criteria.path.position)
        return self._walk(criteria.path, place, criteria)

    def _scalar(self, path: Path, place: _Place) -> tuple[str, Attribute]:
        """SQL for the one value at the end of a path without collections."""
        for index, step in enumerate(path.steps):
            place, attribute = self._attribute(place, step, path)
            if attribute.kind in {"many", "mapped"}:
                self.fail(f"{str(path)!r} goes through a collection and has no one value", path.position)
            if index == len(path.steps) - 1:
                return self._value_sql(place, attribute), attribute
            relation, target = self._follow(place.entity_type, attribute, step, path)
            place = place.then(relation, target, cast=bool(step.cast))
        raise AssertionError("a path has at least one step")

    def _value_sql(self, place: _Place, attribute: Attribute) -> str:
        if attribute.kind == "one":
            return self._column(place, place.entity_type.relations[attribute.name].own)
        sql = self._column(place, attribute.name)
        return (
            f"coalesce(json_extract({sql}, '$.value'), json_extract({sql}, '$'))"
            if attribute.kind == "any"
            else sql
        )

    def _column(self, place: _Place, name: str) -> str:
        """SQL for a column at `place`: a subquery for each reference on the way, NULL where one is unset."""
        if not place.references:
            return self.storage.column(place.root, name, place.alias)
        relation, target, cast = place.references[-1]
        own = self._column(place.before(), relation.own)
        if (name,) == target.primary_key and not cast:
            return own
        t = self._alias()
        conditions = [
            f"{relation.match.format(t=t)} = {own}",
            *self._conditions(relation, target, t, cast=cast),
        ]
        column = self.storage.column(target, name, t)
        return f"(SELECT {column} FROM {relation.source.format(t=t)} WHERE {' AND '.join(conditions)})"

    def _compare(self, test: Compare, attribute: Attribute, sql: str) -> str:
        operator = test.operator
        if operator in {"in", "not in"}:
            inside = self._within(test, attribute, sql)
            return inside if operator == "in" else f"NOT {inside}"
        value = test.values[0]
        if value.is_none:
            if operator not in {"=", "!="}:
                self.fail(f"Nothing is {operator!r} none", value.position)
            return f"{sql} IS NULL" if operator == "=" else f"{sql} IS NOT NULL"
        if operator in {"like", "not like"}:
            like = f"({sql} IS NOT NULL AND {sql} LIKE {self._bind(value.text)})"
            return like if operator == "like" else f"NOT {like}"
        if operator in {"=", "!="}:
            return self._equal(sql, self._literals(attribute, value), negative=operator == "!=")
        literal = self._literals(attribute, value)[0]
        same = f" AND typeof({sql}) {'=' if isinstance(literal, str) else '<>'} 'text'"
        comparable = same if attribute.kind == "any" else ""
        return f"({sql} IS NOT NULL{comparable} AND {sql} {operator} {self._bind(literal)})"

    def _equal(self, sql: str, literals: list[Any], *, negative: bool) -> str:
        if len(literals) == 1:
            return f"{sql} IS {'NOT ' if negative else ''}{self._bind(literals[0])}"
        listed = ", ".join(self._bind(literal) for literal in literals)
        return f"{'NOT ' if negative else ''}({sql} IS NOT NULL AND {sql} IN ({listed}))"

    def _within(self, test: Compare, attribute: Attribute, sql: str) -> str:
        if test.query is not None:
            return f"({sql} IS NOT NULL AND {sql} IN ({self._subquery(test.query)}))"
        found = [
            item for value in test.values if not value.is_none for item in self._literals(attribute, value)
        ]
        if len(found) > _MANY_VALUES:
            listed = f"SELECT value FROM json_each({self._bind(json.dumps(found))})"
        else:
            listed = ", ".join(self._bind(item) for item in found)
        inside = f"({sql} IS NOT NULL AND {sql} IN ({listed}))" if found else "0"
        return f"({sql} IS NULL OR {inside})" if any(value.is_none for value in test.values) else inside

    def _subquery(self, query: Query) -> str:
        entity_type = self.entity_type(query)
        alias = self._alias()
        if len(query.projections) != 1 or isinstance(query.projections[0], Aggregate):
            self.fail("A query within a query selects one attribute", query.entity_type.position)
        sql, _ = self._scalar(query.projections[0], _Place(entity_type, alias))
        return f"SELECT {sql} {self._clauses(query, entity_type, alias)}"

    def _literals(self, attribute: Attribute, value: Literal) -> list[Any]:
        """The value in the forms in which it may be stored."""
        if attribute.kind == "any":
            return _any_forms(value)
        kind = {"one": "string", "integer": "number"}.get(attribute.kind, attribute.kind)
        try:
            return [values.to_column(replace(attribute, kind=kind), value.text)]
        except ApiError:
            message = f"{value.text!r} is not a {kind}, which {attribute.name!r} is"
            raise ParseError(message, self.expression, value.position) from None

    def _attribute(self, place: _Place, step: Step, path: Path) -> tuple[_Place, Attribute]:
        """The attribute that a step names, and the place seen as the type that has it."""
        entity_type = place.entity_type
        holder = self.schema.holder(entity_type, step.name)
        if holder is None:
            hint = similar(step.name, entity_type.attributes)
            self.fail(f"{entity_type.name} has no attribute {step.name!r}{hint}", path.position)
        attribute = holder.attributes[step.name]
        if attribute.restricted:
            self.fail(f"{entity_type.name}.{step.name} cannot be queried", path.position)
        return (place if holder is entity_type else place.seen_as(holder)), attribute

    def _follow(
        self, entity_type: EntityType, attribute: Attribute, step: Step, path: Path
    ) -> tuple[Relation, EntityType]:
        relation = entity_type.relations.get(attribute.name)
        if relation is None:
            self.fail(f"{entity_type.name}.{attribute.name} is a value, not an entity", path.position)
        target = self.schema.types[relation.target]
        if not step.cast:
            return relation, target
        cast = self._type(step.cast, path.position)
        if cast.family != target.family:
            self.fail(f"No {relation.target} is a {step.cast}", path.position)
        return relation, cast

    def _type(self, name: str, position: int) -> EntityType:
        try:
            return self.schema.get(name)
        except KeyError as error:
            self.fail(str(error.args[0]).rstrip("."), position)

    def _is_kind(self, entity_type: EntityType, alias: str) -> str:
        kinds = ", ".join(self._bind(kind) for kind in sorted(entity_type.kinds))
        return f"{alias}._type IN ({kinds})"

    def _bind(self, value: Any) -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f":{name}"

    def _alias(self) -> str:
        self._aliases += 1
        return f"t{self._aliases}"


def _balanced(parts: list[str], operator: str) -> str:
    """The parts joined as a balanced tree: SQLite bounds the depth of an expression."""
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    return f"({_balanced(parts[:middle], operator)} {operator.upper()} {_balanced(parts[middle:], operator)})"


def _any_forms(value: Literal) -> list[Any]:
    """A literal compared with a value of any kind: as text, and unquoted also as number or truth value."""
    forms: list[Any] = [value.text]
    try:
        forms.append(values.number(value.text))
    except ValueError:
        if not value.quoted and value.text.lower() in {"true", "false"}:
            forms.append(values.boolean(value.text))
    return forms[::-1]
