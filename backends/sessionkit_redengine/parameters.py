"""Parameters: named values that a session shares with its tasks."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class Parameters(MutableMapping[str, Any]):
    """A dictionary of parameters that tells when one of them changes.

    >>> parameters = Parameters({"env": "test"}, threshold=3)
    >>> parameters["env"] = "prod"       # conditions on `env` are looked at again

    Values may be argument objects (`Return("fetch")`, `Private("secret")`): tasks receive what they stand
    for at each run, and the parameters keep the object.
    """

    def __init__(self, values: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        self._values: dict[str, Any] = {**(values or {}), **more}
        self._changed: Callable[[str], None] | None = None

    def on_change(self, callback: Callable[[str], None]) -> None:
        """Have `callback(name)` called after each change."""
        self._changed = callback

    def to_dict(self) -> dict[str, Any]:
        """A plain copy."""
        return dict(self._values)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._values[name] = value
        self._tell(name)

    def __delitem__(self, name: str) -> None:
        del self._values[name]
        self._tell(name)

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._values))

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Parameters({self._values!r})"

    def _tell(self, name: str) -> None:
        if self._changed is not None:
            self._changed(name)
