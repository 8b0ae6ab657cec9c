"""Files on the review server itself."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sessionkit.errors import ConfigurationError, NotFound
from sessionkit_review.errors import MissingEntity, ResourceNotFound
from sessionkit_review.locations.accessor import Accessor
from sessionkit_review.locations.data import FileWrapper

if TYPE_CHECKING:
    from sessionkit_review.session import ReviewSession


class ServerAccessor(Accessor):
    """Stores files on the server; a resource identifier is the component's id."""

    def __init__(self, session: ReviewSession) -> None:
        self._session = session

    def exists(self, resource_identifier: str) -> bool:
        """Whether the server has a file of the component."""
        try:
            with self._session.stream("/component/get", args={"id": resource_identifier}):
                return True
        except NotFound:
            return False

    def open(self, resource_identifier: str, mode: str = "rb") -> FileWrapper:
        """The file, fetched whole; or one that is sent when it is closed."""
        if mode in {"r", "rb"}:
            return self._read(resource_identifier)
        if mode in {"w", "wb"}:
            return _Outgoing(self, resource_identifier)
        raise ConfigurationError(f"a file on the server is opened for 'rb' or 'wb', not {mode!r}")

    def _read(self, resource_identifier: str) -> FileWrapper:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - it is the caller's to close
        try:
            with self._session.stream("/component/get", args={"id": resource_identifier}) as answer:
                for chunk in answer:
                    file.write(chunk)
        except BaseException as error:
            file.close()
            if isinstance(error, (NotFound, MissingEntity)):
                raise ResourceNotFound(
                    f"the server has no file of component {resource_identifier}"
                ) from error
            raise
        file.seek(0)
        return FileWrapper(file)

    def put(self, resource_identifier: str, path: Path) -> None:
        """Send a file."""
        self._session.upload_component(resource_identifier, path)

    def remove(self, resource_identifier: str) -> None:
        """Remove the component's file."""
        try:
            # A GET with an effect, as the server has it; this client sends no key in the URL.
            with self._session.stream("/component/remove", args={"id": resource_identifier}) as answer:
                for _ in answer:
                    pass
        except NotFound as error:
            raise ResourceNotFound(f"the server has no file of component {resource_identifier}") from error

    def get_container(self, resource_identifier: str) -> str:  # noqa: ARG002
        """The server has no containers: ""."""
        return ""

    def get_url(self, resource_identifier: str | None = None) -> str:
        """A URL that anybody may use for a while, signed by the server; no key is in it."""
        operation = {"action": "generate_signed_url", "component_id": resource_identifier, "operation": "get"}
        return str(self._session.read_text(operation, "signed_url"))

    def get_thumbnail_url(self, resource_identifier: str, size: int | None = None) -> str:
        """The URL of a picture of the file; whoever uses it must be signed in by headers.

        Args:
            resource_identifier: The component's id.
            size: Pixels of its longer side.
        """
        sized = f"&size={int(size)}" if size else ""
        return f"{self._session.base_url}/component/thumbnail?id={resource_identifier}{sized}"


class _Outgoing(FileWrapper):
    """A file that is sent when it is closed."""

    def __init__(self, accessor: ServerAccessor, resource_identifier: str) -> None:
        with tempfile.NamedTemporaryFile(prefix="sessionkit-", delete=False) as made:
            self._path = Path(made.name)
        super().__init__(self._path.open("w+b"))
        self._accessor = accessor
        self._identifier = resource_identifier
        self._failed = False

    def __exit__(self, kind: object, *rest: object) -> None:
        self._failed = kind is not None
        self.close()

    def close(self) -> None:
        if self.closed:
            return
        super().close()
        try:
            if not self._failed:
                self._accessor.put(self._identifier, self._path)
        finally:
            self._path.unlink(missing_ok=True)
