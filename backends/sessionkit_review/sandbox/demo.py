"""A believable studio for newcomers: one film in production, its people, tasks, versions and a review.

The same entities with the same ids in every sandbox; dates are relative to the day it starts.
"""

from __future__ import annotations

from typing import Any

from sessionkit_review.sandbox import values
from sessionkit_review.sandbox.schema.expand import built_in_id as known

Json = dict[str, Any]

DEMO_USER = "mara.lindqvist"
DEMO_KEY = "demo-5a0f6c1e-8d2b-4f39-9a57-sandbox"

_DAY = 24 * 3600
_PEOPLE = [
    ("mara.lindqvist", "Mara", "Lindqvist", "Administrator"),
    ("tomas.okafor", "Tomas", "Okafor", "Project Manager"),
    ("ines.moreau", "Ines", "Moreau", "User"),
    ("jun.sato", "Jun", "Sato", "User"),
    ("petra.novak", "Petra", "Novak", "User"),
    ("guest.client", "Guest", "Client", "Restricted User"),
]
_SHOTS = {
    "sq010": ["sh010", "sh020", "sh030", "sh040"],
    "sq020": ["sh010", "sh020", "sh030"],
    "sq030": ["sh010", "sh020"],
}
_STEPS = [
    ("Layout", "ines.moreau"),
    ("Animation", "jun.sato"),
    ("Lighting", "petra.novak"),
    ("Compositing", "ines.moreau"),
]
_STATUSES = ("Approved", "Pending review", "In progress", "Change requested", "Ready to start", "Not started")
_ASSETS = {"Harbour": "Environment", "Keeper": "Character", "Lantern": "Prop"}
_NOTES = [
    "The silhouette reads well, soften the rim light.",
    "Hold the pause before the turn six frames longer.",
    "Approved by the director, thank you!",
]


def demo(seconds: float) -> Json:
    """The demo data as a section of a data file; `seconds` is now, after the epoch."""
    studio = _Studio(seconds)
    studio.people()
    studio.project()
    studio.shots()
    studio.builds()
    studio.review()
    return {"users": {DEMO_USER: DEMO_KEY}, "entities": studio.entities}


class _Studio:
    """Collects entities by type."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.entities: dict[str, list[Json]] = {}
        self.versions: list[str] = []

    def add(self, entity_type: str, path: str, /, **attributes: Any) -> str:
        """Add an entity; its id follows from its type and `path`."""
        id_ = known(entity_type, f"demo/{path}")
        self.entities.setdefault(entity_type, []).append({"id": id_, **attributes})
        return id_

    def day(self, days: float) -> str:
        """A day from now."""
        return values.now(self.seconds + days * _DAY)

    def people(self) -> None:
        team = self.add("Group", "Lighthouse", name="Lighthouse crew", local=True)
        for username, first, last, role in _PEOPLE:
            user = self.add(
                "User",
                username,
                username=username,
                first_name=first,
                last_name=last,
                email=f"{username}@tern.example",
                is_active=True,
            )
            self.add("Membership", username, user_id=user, group_id=team)
            self.add(
                "UserSecurityRole",
                username,
                user_id=user,
                security_role_id=known("SecurityRole", role),
                is_all_projects=True,
            )

    def project(self) -> None:
        self.root = self.add(
            "Project",
            "tern",
            name="lighthouse",
            full_name="The Lighthouse Keeper",
            color="#2aa1df",
            start_date=self.day(-60),
            end_date=self.day(120),
            status="active",
            project_schema_id=known("ProjectSchema", "VFX"),
            created_at=self.day(-60),
            created_by_id=self.user(DEMO_USER),
            metadata={"frame_rate": "24", "resolution": "2048x858"},
        )
        for key, label, kind, default, where in (
            ("fstart", "Start frame", "number", 1001, "Shot"),
            ("fend", "End frame", "number", 1100, "Shot"),
            ("needs_roto", "Needs roto", "boolean", False, "Shot"),
            ("client_note", "Client note", "text", "", None),
        ):
            self.add(
                "CustomAttributeConfiguration",
                key,
                key=key,
                label=label,
                default=default,
                core=False,
                type_id=known("CustomAttributeType", kind),
                config="{}",
                entity_type="task" if where else "show",
                is_hierarchical=where is None,
                object_type_id=known("ObjectType", where) if where else None,
            )

    def user(self, username: str) -> str:
        return known("User", f"demo/{username}")

    def context(self, kind: str, name: str, parent: str, path: str, **attributes: Any) -> str:
        return self.add(
            kind,
            path,
            name=name,
            parent_id=parent,
            project_id=self.root,
            context_type="task",
            created_at=self.day(-50),
            created_by_id=self.user(DEMO_USER),
            **attributes,
        )

    def shots(self) -> None:
        count = 0
        for sequence, names in _SHOTS.items():
            place = self.context("Sequence", sequence, self.root, sequence)
            for index, name in enumerate(names):
                path = f"{sequence}/{name}"
                shot = self.context(
                    "Shot",
                    name,
                    place,
                    path,
                    description=f"Shot {index + 1} of {sequence}.",
                    status_id=known("Status", "In progress"),
                    custom_attributes={"fstart": 1001, "fend": 1040 + 17 * index},
                )
                for step, username in _STEPS:
                    self.task(
                        shot, f"{path}/{step}", step, username, _STATUSES[count % len(_STATUSES)], count
                    )
                    count += 1

    def builds(self) -> None:
        folder = self.context("Folder", "assets", self.root, "assets")
        for index, (name, kind) in enumerate(_ASSETS.items()):
            build = self.context("AssetBuild", name, folder, f"assets/{name}", type_id=known("Type", kind))
            for offset, step in enumerate(("Modeling", "Texture")):
                self.task(build, f"assets/{name}/{step}", step, "jun.sato", _STATUSES[index + offset], index)

    def task(self, parent: str, path: str, step: str, username: str, status: str, index: int) -> None:
        task = self.context(
            "Task",
            step.lower(),
            parent,
            path,
            type_id=known("Type", step),
            status_id=known("Status", status),
            bid=8.0 * 3600 * (1 + index % 3),
            sort=float(index),
            start_date=self.day(index % 20 - 10),
            end_date=self.day(index % 20 - 5),
        )
        self.add("Appointment", path, context_id=task, resource_id=self.user(username), type="assignment")
        if status in {"Approved", "Pending review", "Change requested"}:
            self.version(parent, task, path, step, username, status)
            self.add(
                "Timelog",
                path,
                context_id=task,
                user_id=self.user(username),
                start=self.day(-3),
                duration=3.5 * 3600,
                comment="",
            )

    def version(self, parent: str, task: str, path: str, step: str, username: str, status: str) -> None:
        asset = self.add(
            "Asset", path, name=step.lower(), context_id=parent, type_id=known("AssetType", "Image Sequence")
        )
        for number in (1, 2):
            version = self.add(
                "AssetVersion",
                f"{path}/{number}",
                asset_id=asset,
                version=number,
                task_id=task,
                user_id=self.user(username),
                date=self.day(-4 + number),
                comment=f"Take {number}.",
                status_id=known("Status", status if number == 2 else "Change requested"),
            )
        self.versions.append(version)
        text = _NOTES[len(self.versions) % len(_NOTES)]
        note = self.add(
            "Note",
            path,
            content=text,
            user_id=self.user(DEMO_USER),
            parent_id=version,
            parent_type="AssetVersion",
            date=self.day(-1),
        )
        self.add("Recipient", path, note_id=note, resource_id=self.user(username))
        del self.entities["Recipient"][-1]["id"]

    def review(self) -> None:
        session = self.add(
            "ReviewSession",
            "friday",
            name="Friday review",
            description="Shots of the week.",
            project_id=self.root,
            start_date=self.day(-1),
            end_date=self.day(6),
            created_at=self.day(-1),
            created_by_id=self.user(DEMO_USER),
        )
        for order, version in enumerate(self.versions[:5]):
            self.add(
                "ReviewSessionObject",
                str(order),
                review_session_id=session,
                version_id=version,
                sort_order=float(order),
                created_at=self.day(-1),
            )
        self.add(
            "ReviewSessionInvitee",
            "guest",
            review_session_id=session,
            name="Guest Client",
            email="guest.client@tern.example",
            created_by_id=self.user(DEMO_USER),
            created_at=self.day(-1),
        )
        dailies = self.add(
            "AssetVersionList",
            "dailies",
            name="Dailies",
            project_id=self.root,
            is_open=True,
            category_id=known("ListCategory", "Dailies"),
            user_id=self.user(DEMO_USER),
        )
        for order, version in enumerate(self.versions):
            self.add("ListObject", str(order), list_id=dailies, entity_id=version)
