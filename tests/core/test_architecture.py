"""The house as the design draws it: which way the imports point, and what is public."""

import ast
import subprocess
import sys
from importlib import import_module
from importlib.util import resolve_name
from pathlib import Path

import pytest

import sessionkit

ROOT = Path(sessionkit.__file__).parents[1]
BACKENDS = sorted(path.name for path in (ROOT / "backends").iterdir() if (path / "__init__.py").exists())


def modules(folder):
    for path in sorted((ROOT / folder).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        parts = parts[1:] if parts[0] == "backends" else parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(name, path, *, everywhere):
    """Names that a module imports: at its top, or anywhere; never what only a type checker reads."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in statements(ast.parse(path.read_text("utf-8")).body, everywhere=everywhere):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = (
                resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module
            )
            yield from (f"{base}.{alias.name}" for alias in node.names)


def statements(body, *, everywhere):
    for node in body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        if not isinstance(node, functions) or everywhere:
            for field in ("body", "orelse", "finalbody", "handlers"):
                yield from statements(getattr(node, field, None) or [], everywhere=everywhere)


def test_the_framework_knows_no_backend():
    for name, path in modules("sessionkit"):
        for imported in imports(name, path, everywhere=True):
            assert imported.split(".")[0] not in BACKENDS, f"{name} imports {imported}"


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_backend_imports_no_other_backend(backend):
    for name, path in modules(f"backends/{backend}"):
        for imported in imports(name, path, everywhere=True):
            assert imported.split(".")[0] not in set(BACKENDS) - {backend}, f"{name} imports {imported}"


@pytest.mark.parametrize("folder", ["sessionkit", *(f"backends/{name}" for name in BACKENDS)])
def test_no_two_modules_import_each_other(folder):
    known = dict(modules(folder))
    edges = {}
    for name, path in known.items():
        found = set()
        for imported in imports(name, path, everywhere=False):
            # A name imported from a package is that package's, unless it is a module in it.
            target = imported if imported in known else imported.rpartition(".")[0]
            if target in known and target != name and not name.startswith(f"{target}."):
                found.add(target)
        edges[name] = found
    done, path = set(), []

    def visit(name):
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name in done:
            return
        path.append(name)
        for target in sorted(edges[name]):
            visit(target)
        done.add(path.pop())

    for name in edges:
        visit(name)


def test_the_public_surface_is_what_all_says():
    assert sorted(sessionkit.__all__) == list(sessionkit.__all__)
    for name in sessionkit.__all__:
        assert getattr(sessionkit, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        sessionkit.nonsense  # noqa: B018


@pytest.mark.parametrize(
    ("imported", "heavy"),
    [
        ("sessionkit", ["requests", "urllib3", "yaml", "cryptography", "wrapt", "asyncio"]),
        ("sessionkit.http", ["requests", "yaml", "cryptography", "wrapt", "redis", "asyncio", "websocket"]),
        *((name, ["requests", "numpy", "PIL", "pandas", "starlette", "sqlalchemy"]) for name in BACKENDS),
    ],
)
def test_importing_loads_nothing_that_a_user_may_not_need(imported, heavy):
    code = f"import sys, {imported}; print(*sorted(set({heavy!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


LAZY = [
    "sessionkit",
    "sessionkit.cache",
    "sessionkit_helios",
    "sessionkit_review",
    "sessionkit_redengine",
    "sessionkit_dyn",
]


@pytest.mark.parametrize("package", LAZY)
def test_no_module_takes_the_name_of_something_its_package_offers(package):
    # Importing `package.name` puts the module where the package's lazy `name` is looked for.
    offered = import_module(package)
    folder = Path(offered.__file__).parent
    submodules = {path.stem for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()}
    for name in submodules & set(offered.__all__):
        assert getattr(offered, name) is import_module(f"{package}.{name}"), f"{package}.{name} is two things"
