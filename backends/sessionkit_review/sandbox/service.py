"""The sandbox's review service: what the vendor's clients and ours talk to instead of a studio's server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from starlette.routing import Route

from sessionkit.sandbox.service import Host, Service
from sessionkit_review.sandbox import api, loading, values
from sessionkit_review.sandbox.access import Access, User
from sessionkit_review.sandbox.batch import Batch
from sessionkit_review.sandbox.behaviours import Scene
from sessionkit_review.sandbox.changes import update_event
from sessionkit_review.sandbox.components import Components
from sessionkit_review.sandbox.demo import DEMO_KEY, DEMO_USER, demo
from sessionkit_review.sandbox.encoding import Encoder
from sessionkit_review.sandbox.errors import ApiError
from sessionkit_review.sandbox.files import Files
from sessionkit_review.sandbox.operations.call import Call
from sessionkit_review.sandbox.results import Results, Style
from sessionkit_review.sandbox.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

Json = dict[str, Any]


class ReviewService(Service):
    """An ftrack server on SQLite: `/api`, the component routes, encode jobs and update events.

    Usage: `sessionkit sandbox`, or `Sandbox(services=[ReviewService])` in Python.
    """

    name: ClassVar[str] = "review"

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.storage = Storage(host.db)
        self.files = Files(host.db)
        self.access = Access(self.storage, host)
        self.results = Results(self.storage, self.access.url)
        self.encoder = Encoder(self.storage, self.files, self._transaction)
        self._components = Components(self.files, self.access)

    def routes(self) -> Sequence[BaseRoute]:
        """`/api` and `/component/...`."""
        return [Route("/api", self._api, methods=["POST"]), *self._components.routes()]

    def setup(self) -> None:
        """Make the tables; a new database gets what every studio has."""
        self.host.events.authenticators.append(self.authenticate)
        self.host.db.create_function("review_now", 0, lambda: values.now(self.host.clock.time()))
        with self.host.db:
            self.storage.create()
            self.files.create()
            self.access.create()
            loading.complete(self._scene(None))

    def demo(self) -> Mapping[str, Any]:
        """A small studio with one film in production."""
        return demo(self.host.clock.time())

    def load(self, data: Mapping[str, Any], *, replace: bool) -> None:
        """Store a data file's section; see `loading`."""
        with self.host.db:
            loading.load(self._scene(None), self.access, data, self.host.data_folder, replace=replace)

    def env(self) -> Mapping[str, str]:
        """What `ftrack_api.Session()` and ours read."""
        rows = self.host.db.execute("SELECT username, api_key FROM review__key ORDER BY rowid").fetchall()
        username, api_key = (DEMO_USER, DEMO_KEY) if (DEMO_USER, DEMO_KEY) in rows or not rows else rows[0]
        return {"FTRACK_SERVER": self.host.url, "FTRACK_API_USER": username, "FTRACK_API_KEY": api_key}

    def fault(self, kind: str, options: Mapping[str, Any]) -> bool:
        """`revoked`: from now on the key of `user` (without one: every key) is refused."""
        if kind != "revoked":
            return False
        with self.host.db:
            if options.get("user"):
                self.host.db.execute("DELETE FROM review__key WHERE username = ?", (options["user"],))
            else:
                self.access.forget()
        return True

    async def start(self) -> None:
        """Begin to encode."""
        await self.encoder.start()

    async def stop(self) -> None:
        """End encoding."""
        await self.encoder.stop()

    def authenticate(self, headers: Mapping[str, str], query: Mapping[str, str]) -> str | None:
        """The user who connects to the event server, None for bad credentials."""
        try:
            return self.access.sign_in(headers, query).username
        except ApiError:
            return None

    async def _api(self, request: Request) -> Response:
        try:
            operations = await api.body_of(request)
        except ApiError as error:
            return api.answer(error.as_json(), error.status if api.style_of(request.headers).strict else 200)
        status, answer = self.answer(operations, request.headers)
        return api.answer(answer, status)

    def answer(self, operations: Any, headers: Mapping[str, str]) -> tuple[int, Any]:
        """The HTTP status and the answer to a request's operations: results, or what was refused."""
        style = api.style_of(headers)
        try:
            return 200, self._run(operations, self.access.sign_in(headers, {}), style, headers)
        except ApiError as error:
            return (error.status if style.strict else 200), error.as_json()

    def _run(self, operations: Any, user: User, style: Style, headers: Mapping[str, str]) -> list[Any]:
        """Run a request's operations in one transaction, then tell of what they changed."""
        with self.host.db:
            batch = Batch(self._scene(user.id))
            call = Call(
                host=self.host,
                storage=self.storage,
                files=self.files,
                access=self.access,
                results=self.results,
                batch=batch,
                user=user,
                style=style,
                information=json.loads(self.storage.setting("server_information") or "{}"),
                start_job=self.encoder.add,
            )
            results = api.run(call, operations)
            entities = self._end(batch)
            results = [result() if callable(result) else result for result in results]
        self._tell(entities, {"id": user.id, "username": user.username}, headers)
        for todo in call.after:
            todo()
        return results

    def _transaction(self, change: Callable[[Batch], None], user_id: str | None) -> None:
        """Let the service itself change entities, in the name of a user."""
        with self.host.db:
            scene = self._scene(user_id)
            batch = Batch(scene)
            change(batch)
            entities = self._end(batch)
        username = scene.value("User", "username", user_id)
        self._tell(entities, {"id": user_id, "username": username}, {})

    def _end(self, batch: Batch) -> list[Json]:
        entities = batch.finish()
        for component_id in batch.removed_components:
            self.files.remove(component_id)
        return entities

    def _tell(self, entities: list[Json], user: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        if entities:
            self.host.publish(update_event(entities, user, headers))

    def _scene(self, user_id: str | None) -> Scene:
        return Scene(self.storage, user_id, self.host.clock.time())
