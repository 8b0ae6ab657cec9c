import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from sessionkit_review.cli import review
from sessionkit_review.stubs import stubs

SCHEMAS = [
    {
        "id": "Task",
        "primary_key": ["id"],
        "properties": {
            "id": {"type": "string"},
            "bid": {"type": "number"},
            "end_date": {"type": "string", "format": "date-time"},
            "status": {"$ref": "Status"},
            "notes": {"type": "array", "items": {"$ref": "Note"}},
            "metadata": {"type": "mapped_array", "items": {"$ref": "Metadata"}},
            "anything": {"type": "variable"},
        },
    },
    {
        "id": "Status",
        "primary_key": ["id"],
        "properties": {"id": {"type": "string"}, "name": {"type": "string"}},
    },
    {"id": "not a name", "primary_key": ["id"], "properties": {}},
]


def attributes(tree, name):
    (found,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    return {
        ast.literal_eval(method.args.args[1].annotation.slice): ast.unparse(method.returns)
        for method in found.body
    }


def test_stubs_know_every_attribute():
    tree = ast.parse(stubs(SCHEMAS))
    assert attributes(tree, "Task") == {
        "anything": "Any",
        "bid": "float | None",
        "end_date": "_datetime | None",
        "id": "str | None",
        "metadata": "_Metadata",
        "notes": "_abc.Sequence[_Entity]",
        "status": "Status",
    }
    assert (
        "TaskPath: TypeAlias = Literal['anything', 'bid', 'end_date', 'id', 'metadata', 'notes', 'status',"
        in (stubs(SCHEMAS))
    )
    assert "'status.name'" in stubs(SCHEMAS)
    assert "not a name" not in stubs(SCHEMAS)


def test_the_command_writes_them(sandbox, tmp_path, monkeypatch):
    for name, value in sandbox.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FTRACK_API_SCHEMA_CACHE_PATH", str(tmp_path / "schemas"))
    result = CliRunner().invoke(review, ["stubs", "-o", str(tmp_path / "studio.pyi")])
    assert result.exit_code == 0, result.output
    tree = ast.parse((tmp_path / "studio.pyi").read_text())
    assert attributes(tree, "Task")["status"] == "Status"
    shown = CliRunner().invoke(review, ["stubs"])
    assert shown.output == (tmp_path / "studio.pyi").read_text()


USER = """\
from __future__ import annotations
from datetime import datetime
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from studio import Session, Task

def right(session: Session) -> str | None:
    found = session.select("Task", "name", "status.name", "parent.name")
    task = found.where(name="x").order_by("name").first()
    if task is None:
        return None
    when: datetime | None = task["end_date"]
    bid: float | None = task["bid"]
    for note in task["notes"]:
        author: str | None = note["author"]["username"]
    version = session.create("AssetVersion", {"task": task})
    component = version.create_component("x.png")
    same: Task | None = session.get("Task", "x")
    for shot in session.select("Shot", "name"):
        frame = shot["custom_attributes"]["fstart"]
    return session.ensure("Task", {"name": "x"})["status"]["name"]

def wrong(session: Session) -> None:
    task = session.select("Task").one()
    task["staus"]
    task["status"]["nmae"]
    number: int = task["status"]["name"]
    session.select("Task", "name", "status.nmae")
    session.select("Tusk")
    session.create("Tusk", {})
    session.get("Task", "x")["name"]
    session.ensure("Shot", {"name": "x"})["nope"]
    for shot in session.select("Shot"):
        shot["frames"]
    task["notes"][0]["autor"]
"""


@pytest.mark.timeout(240)
def test_a_type_checker_finds_what_is_wrong_and_nothing_else(sandbox, tmp_path, monkeypatch, pytestconfig):
    """With the types of a whole studio, as the command writes them."""
    for name, value in sandbox.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FTRACK_API_SCHEMA_CACHE_PATH", str(tmp_path / "schemas"))
    assert CliRunner().invoke(review, ["stubs", "-o", str(tmp_path / "studio.pyi")]).exit_code == 0
    (tmp_path / "user.py").write_text(USER)
    root = Path(__file__).parents[2]
    # What it found out about the package is kept between runs: that takes longer than all else.
    kept = str(pytestconfig.cache.mkdir("review-stubs"))
    options = ["--strict", "--config-file=", "--no-error-summary", "--cache-dir", kept]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "user.py"],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": os.pathsep.join([str(root), str(root / "backends")])},
        capture_output=True,
        text=True,
        check=False,
    )
    errors = re.findall(r"^(.+?):(\d+): error: .* \[([\w-]+)\]$", done.stdout, re.MULTILINE)
    lines = USER.splitlines()
    assert {name for name, _, _ in errors} == {"user.py"}, done.stdout[:4000] + done.stderr
    assert [(lines[int(line) - 1].strip(), code) for _, line, code in errors] == [
        ('task["staus"]', "call-overload"),
        ('task["status"]["nmae"]', "call-overload"),
        ('number: int = task["status"]["name"]', "assignment"),
        ('session.select("Task", "name", "status.nmae")', "call-overload"),
        ('session.select("Tusk")', "call-overload"),
        ('session.create("Tusk", {})', "call-overload"),
        ('session.get("Task", "x")["name"]', "index"),
        ('session.ensure("Shot", {"name": "x"})["nope"]', "call-overload"),
        ('shot["frames"]', "call-overload"),
        ('task["notes"][0]["autor"]', "call-overload"),
    ]
