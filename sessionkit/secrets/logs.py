"""Redaction of log records and of http.client's debug prints.

A filter on a logger does not see the records of the loggers below it, and nobody knows the loggers of
tomorrow. So `install` hooks the making of records: those of the named loggers, and of all below them, are
clean before any handler, of any library, sees them.
"""

from __future__ import annotations

import builtins
import http.client
import logging
from typing import Any

from sessionkit.records import RecordLayer
from sessionkit.secrets.registry import redact

DEFAULT_LOGGERS = ("sessionkit", "urllib3", "requests", "websocket", "redis")
"""What the names of the covered loggers begin with: ours, our backends', and what carries our calls."""

# What every record has, and `clean` looks at by itself or need not: the rest came by `extra=`.
_STANDARD = vars(logging.makeLogRecord({})).keys() - {"stack_info"}
_formatter = logging.Formatter()
_covered: tuple[str, ...] = ()
_layer: RecordLayer | None = None


class RedactingFilter(logging.Filter):
    """Removes registered secrets from every record; put it on a handler of your own.

    handler.addFilter(RedactingFilter())
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean `record` in place, and let it pass."""
        clean(record)
        return True


def install(*loggers: str) -> None:
    """Clean the records of these loggers, and of all below them, from now on.

    Args:
        *loggers: Beginnings of logger names, in addition to those of sessionkit and its backends, urllib3,
            requests, websocket and redis.

    What `http.client` prints at `debuglevel` is cleaned as well. Safe to call more than once. Attributes that
    a caller gives by `extra=` are put on a record after it is made: a `RedactingFilter` cleans those.
    """
    global _covered, _layer  # noqa: PLW0603 - the process has one record factory, and this is its state
    _covered = tuple(dict.fromkeys((*_covered, *DEFAULT_LOGGERS, *loggers)))
    if _layer is None or not _layer.is_on_top:
        _layer = RecordLayer(_clean_covered)  # those below clean, too: who put one above may put it back
    # A module's global shadows the builtin for that module alone.
    vars(http.client)["print"] = _clean_print


def uninstall() -> None:
    """Undo `install`; a record factory that somebody has put above ours stays."""
    global _covered, _layer
    if _layer is not None:
        _layer.take_off()
    _covered, _layer = (), None
    vars(http.client).pop("print", None)


def clean(record: logging.LogRecord) -> None:
    """Remove registered secrets from a record: message, arguments, exception, stack and extra attributes."""
    message = _message(record)
    cleaned = redact(message)
    if cleaned is not message:
        record.msg, record.args = cleaned, None
    if record.exc_info:
        _clean_exception(record)
    for name in vars(record).keys() - _STANDARD:
        value = getattr(record, name)
        if isinstance(value, str):
            setattr(record, name, redact(value))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - logging would print the arguments as they are: it gets a message instead
        record.msg, record.args = f"{record.msg} {record.args!r}", None
        return str(record.msg)


def _clean_exception(record: logging.LogRecord) -> None:
    """Keep the exception unless its text holds a secret; then only its cleaned text remains."""
    assert record.exc_info
    text = record.exc_text or _formatter.formatException(record.exc_info)
    cleaned = redact(text)
    if cleaned is not text:
        record.exc_text, record.exc_info = cleaned, None


def _clean_covered(record: logging.LogRecord) -> None:
    if record.name.startswith(_covered):
        clean(record)


def _clean_print(*values: object, **options: Any) -> None:
    builtins.print(*(redact(str(value)) for value in values), **options)  # noqa: T201 - http.client's own output
