"""`Select`: a query built of values, which are always quoted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sessionkit_review.expression import checked_path, condition

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionkit_review.core import ReviewCore
    from sessionkit_review.entity import Entity
    from sessionkit_review.query import QueryResult


@dataclass(frozen=True)
class Select:
    """A query in the making; each method gives another one, so that parts can be kept and used again.

    >>> approved = session.select("Task", "name", "parent.name").where(status__name="Approved")
    >>> for task in approved.where(project=project, name__like="light%").order_by("-end_date"): ...

    Made by `session.select`. Asked as soon as it is iterated, or by `all`, `one`, `first`.
    """

    session: ReviewCore
    entity_type: str
    projections: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    offset_: int | None = None
    limit_: int | None = None

    def where(self, *expressions: str, **conditions: Any) -> Select:
        """Only what meets all of these, and the conditions there were.

        Args:
            expressions: Conditions in the query language, taken as they are: never build them of values.
            conditions: A path with "__" for ".", and a value: `status__name="Done"`; after it an operator:
                `not`, `gt`, `gte`, `lt`, `lte`, `like`, `not_like`, `in`, `not_in`. A value may be text, a
                number, a date, None, an entity, or a list of those.
        """
        added = [*(f"({text})" for text in expressions), *(condition(*pair) for pair in conditions.items())]
        return replace(self, conditions=(*self.conditions, *added))

    def order_by(self, *names: str) -> Select:
        """In the order of these paths; one that begins with "-" counts backwards."""
        order = (
            f"{checked_path(n.lstrip('-'))} {'descending' if n[:1] == '-' else 'ascending'}" for n in names
        )
        return replace(self, order=(*self.order, *order))

    def limit(self, count: int) -> Select:
        """At most so many."""
        return replace(self, limit_=int(count))

    def offset(self, count: int) -> Select:
        """Without the first ones."""
        return replace(self, offset_=int(count))

    def __str__(self) -> str:
        names = self.projections or self.session.types[self.entity_type].default_projections
        parts = [f"select {', '.join(map(checked_path, names))} from {self.entity_type}"]
        if self.conditions:
            parts.append(f"where {' and '.join(self.conditions)}")
        if self.order:
            parts.append(f"order by {', '.join(self.order)}")
        if self.offset_ is not None:
            parts.append(f"offset {self.offset_}")
        if self.limit_ is not None:
            parts.append(f"limit {self.limit_}")
        return " ".join(parts)

    def query(self, page_size: int = 500) -> QueryResult:
        """The results; nothing is asked before they are used."""
        return self.session.query(str(self), page_size=page_size)

    def all(self) -> list[Entity]:
        """All results."""
        return self.query().all()

    def one(self) -> Entity:
        """The only result; see `QueryResult.one`."""
        return self.query().one()

    def first(self) -> Entity | None:
        """The first result, or None."""
        return self.query().first()

    def __iter__(self) -> Iterator[Entity]:
        return iter(self.query())
