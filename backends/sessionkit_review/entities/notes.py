"""Notes, and everything that can have some."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionkit.errors import ConfigurationError
from sessionkit_review.entity import Entity

if TYPE_CHECKING:
    from collections.abc import Iterable


class CreateNoteMixin(Entity):
    """What has notes."""

    __slots__ = ()

    def create_note(
        self,
        content: str,
        author: Entity,
        recipients: Iterable[Entity] | None = None,
        category: Entity | None = None,
        labels: Iterable[Entity] | None = None,
    ) -> Entity:
        """Write a note; it is sent by the next commit.

        >>> version.create_note("Soften the rim light.", author=me, recipients=[artist])

        Args:
            content: The text.
            author: A user.
            recipients: Users and groups to whom it is addressed.
            category: A note category, which servers that know labels take as one.
            labels: Note labels; of these and a category there may be one or the other.

        Raises:
            ConfigurationError: when there are both.
        """
        session = self.session
        data: dict[str, Any] = {"content": content, "author": author}
        marks = list(labels or ())
        if category is not None and marks:
            raise ConfigurationError("a note has a category or labels, not both")
        if category is not None and "NoteLabel" in session.types:
            marks = [category]
        elif category is not None:
            data["category"] = category
        note = session.create("Note", data)
        self["notes"].append(note)
        for recipient in recipients or ():
            key = {"note_id": note["id"], "resource_id": recipient["id"]}
            note["recipients"].append(session.create("Recipient", key))
        for label in marks:
            session.create("NoteLabelLink", {"label_id": label["id"], "note_id": note["id"]})
        return note


class Note(Entity):
    """A note."""

    __slots__ = ()

    def create_reply(self, content: str, author: Entity) -> Entity:
        """Answer a note; the answer is sent by the next commit."""
        reply = self.session.create("Note", {"content": content, "author": author})
        self["replies"].append(reply)
        return reply
