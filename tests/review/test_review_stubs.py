import ast

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
