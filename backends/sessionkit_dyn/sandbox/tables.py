"""The tables of the Dyn double, and the small questions everybody asks them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

SCHEMA = """
CREATE TABLE IF NOT EXISTS dyn_setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS dyn_user (
    customer TEXT NOT NULL, user_name TEXT NOT NULL, password TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'active', PRIMARY KEY (customer, user_name));
CREATE TABLE IF NOT EXISTS dyn_session (
    token TEXT PRIMARY KEY, customer TEXT NOT NULL, user_name TEXT NOT NULL, ip TEXT NOT NULL,
    used REAL NOT NULL, state TEXT NOT NULL DEFAULT 'active');
CREATE TABLE IF NOT EXISTS dyn_job (
    job_id INTEGER PRIMARY KEY, token TEXT NOT NULL, style TEXT NOT NULL, polls INTEGER NOT NULL,
    ready REAL NOT NULL, answer TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS dyn_zone (
    zone TEXT PRIMARY KEY, customer TEXT NOT NULL, zone_type TEXT NOT NULL DEFAULT 'Primary',
    serial INTEGER NOT NULL DEFAULT 0, serial_style TEXT NOT NULL DEFAULT 'increment',
    frozen INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS dyn_record (
    record_id INTEGER PRIMARY KEY AUTOINCREMENT, zone TEXT NOT NULL REFERENCES dyn_zone, fqdn TEXT NOT NULL,
    type TEXT NOT NULL, ttl INTEGER NOT NULL, rdata TEXT NOT NULL, beside TEXT NOT NULL DEFAULT '{}');
CREATE INDEX IF NOT EXISTS dyn_record_node ON dyn_record (zone, fqdn);
CREATE TABLE IF NOT EXISTS dyn_change (
    change_id INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL, zone TEXT NOT NULL, kind TEXT NOT NULL,
    record_id INTEGER NOT NULL DEFAULT 0, fqdn TEXT NOT NULL, type TEXT NOT NULL, ttl INTEGER NOT NULL,
    rdata TEXT NOT NULL, beside TEXT NOT NULL DEFAULT '{}');
CREATE INDEX IF NOT EXISTS dyn_change_set ON dyn_change (token, zone);
CREATE TABLE IF NOT EXISTS dyn_note (
    note_id INTEGER PRIMARY KEY AUTOINCREMENT, zone TEXT NOT NULL, serial INTEGER NOT NULL,
    type TEXT NOT NULL, note TEXT NOT NULL, timestamp TEXT NOT NULL, user_name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS dyn_task (
    task_id INTEGER PRIMARY KEY AUTOINCREMENT, customer TEXT NOT NULL, zone_name TEXT NOT NULL,
    name TEXT NOT NULL, status TEXT NOT NULL, blocking TEXT NOT NULL DEFAULT 'N', refusals INTEGER,
    created_ts INTEGER NOT NULL, modified_ts INTEGER NOT NULL, args TEXT NOT NULL DEFAULT '[]');
CREATE TABLE IF NOT EXISTS dyn_thing (
    thing_id INTEGER PRIMARY KEY AUTOINCREMENT, customer TEXT NOT NULL, resource TEXT NOT NULL,
    path TEXT NOT NULL, content TEXT NOT NULL, UNIQUE (customer, resource, path));
CREATE TABLE IF NOT EXISTS dyn_mail_account (
    apikey TEXT PRIMARY KEY, content TEXT NOT NULL, xheaders TEXT NOT NULL DEFAULT '[]');
CREATE TABLE IF NOT EXISTS dyn_mail_item (
    item_id INTEGER PRIMARY KEY AUTOINCREMENT, apikey TEXT NOT NULL, kind TEXT NOT NULL,
    address TEXT NOT NULL, at REAL NOT NULL, content TEXT NOT NULL DEFAULT '{}');
"""

_TABLES = (
    "setting", "user", "session", "job", "zone", "record", "change", "note", "task", "thing", "mail_account",
    "mail_item",
)  # fmt: skip

#: The first ids of an empty database: nine digits for records, eight for tasks, as the service has them.
_FIRST_IDS = {"dyn_record": 318_905_320, "dyn_task": 39_120_952}


def create(db: sqlite3.Connection) -> None:
    """Make the tables that are not there."""
    db.executescript(SCHEMA)
    with db:
        for table, first in _FIRST_IDS.items():
            known = db.execute("SELECT 1 FROM sqlite_sequence WHERE name = ?", [table]).fetchone()
            if known is None:
                db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", [table, first])


def empty(db: sqlite3.Connection) -> None:
    """Forget everything."""
    for table in _TABLES:
        db.execute(f"DELETE FROM dyn_{table}")  # noqa: S608 - the names are the ones above


def one(db: sqlite3.Connection, query: str, *values: Any) -> dict[str, Any] | None:
    """The first row, or None."""
    row = db.execute(query, values).fetchone()
    return None if row is None else dict(row)


def rows(db: sqlite3.Connection, query: str, *values: Any) -> list[dict[str, Any]]:
    """All rows."""
    return [dict(row) for row in db.execute(query, values)]


def insert(db: sqlite3.Connection, table: str, **columns: Any) -> int:
    """Add a row; lists and mappings are kept as JSON. Returns its id."""
    names = ", ".join(columns)
    marks = ", ".join("?" for _ in columns)
    values: Iterable[Any] = (
        json.dumps(value) if isinstance(value, (dict, list)) else value for value in columns.values()
    )
    cursor = db.execute(f"INSERT INTO dyn_{table} ({names}) VALUES ({marks})", list(values))  # noqa: S608 - our own names
    return cursor.lastrowid or 0
