"""The reference: one page per public module, from its public names, their signatures and docstrings.

Docstrings here are Google's sections around Markdown, which neither autodoc nor MyST reads as such. So
they are turned into MyST: `Args:` into a list, indented and `>>>` lines into code, tables as they are, and
whatever Markdown would take for markup outside of backticks is escaped.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

#: The pages, in the order of the table of contents. A name that several modules offer stands with the first.
MODULES: Final = (
    "sessionkit.engine",
    "sessionkit.registry",
    "sessionkit.http",
    "sessionkit.auth",
    "sessionkit.outcome",
    "sessionkit.errors",
    "sessionkit.threads",
    "sessionkit.tokens",
    "sessionkit.secrets",
    "sessionkit.config",
    "sessionkit.connecting",
    "sessionkit.clock",
    "sessionkit.cache",
    "sessionkit.events",
    "sessionkit.events.expression",
    "sessionkit.transfer",
    "sessionkit.sandbox",
    "sessionkit.sandbox.faults",
    "sessionkit.testing",
    "sessionkit.testing.conformance",
    "sessionkit_dyn",
    "sessionkit_dyn.zones",
    "sessionkit_dyn.records",
    "sessionkit_dyn.changes",
    "sessionkit_dyn.reports",
    "sessionkit_dyn.tasks",
    "sessionkit_dyn.tools",
    "sessionkit_dyn.accounts",
    "sessionkit_dyn.mm.message",
    "sessionkit_dyn.mm.accounts",
    "sessionkit_dyn.mm.reports",
    "sessionkit_dyn.errors",
    "sessionkit_review",
    "sessionkit_review.locations",
    "sessionkit_review.locations.resolve",
    "sessionkit_review.storage",
    "sessionkit_review.storage_wizard",
    "sessionkit_review.errors",
    "sessionkit_review.logging",
    "sessionkit_helios",
    "sessionkit_redengine",
)

_SECTION: Final = re.compile(r"(Args|Attributes|Raises|Returns|Yields|Usage):\s*(.*)")
_TITLES: Final = {
    "Args": "Arguments",
    "Attributes": "Attributes",
    "Raises": "Raises",
    "Returns": "Returns",
    "Yields": "Yields",
}
#: Where bases come from that say nothing to a reader.
_PLUMBING: Final = frozenset({"abc", "builtins", "typing", "typing_extensions"})
_ITEM: Final = re.compile(r"([\w*, .]+?): (.*)")
_MARKUP: Final = re.compile(r"([\\*_<\[{#])")
_ADDRESS: Final = re.compile(
    r"<([\w.]+ object|function [\w.<>]+) at 0x[0-9a-f]+>|<object object>|<factory>|\bEllipsis\b"
)


def write(folder: Path) -> None:
    """Write the pages, and touch none that is as it should be: Sphinx reads only what is new."""
    folder.mkdir(exist_ok=True)
    pages = dict(_pages())
    pages["index"] = _index(list(pages))
    for old in folder.glob("*.md"):
        if old.stem not in pages:
            old.unlink()
    for name, text in pages.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def _pages() -> Iterator[tuple[str, str]]:
    told: set[int] = set()
    for name in MODULES:
        module = import_module(name)
        entries = [_entry(key, value) for key, value in _public(module) if _first(value, told)]
        yield (
            name,
            "\n".join(
                [f"# {name}\n", markdown(module.__doc__), f"```{{py:currentmodule}} {name}\n```\n", *entries]
            ),
        )


def _index(names: list[str]) -> str:
    summaries = "\n".join(f"| [`{name}`]({name}.md) | {_summary(import_module(name))} |" for name in names)
    toctree = "\n".join(("```{toctree}", ":hidden:", "", *names, "```"))
    return (
        "# Reference\n\nEverything with a public name, made from the code itself. "
        "`sessionkit` offers the names most programs need: `from sessionkit import HttpEngine, Secret`.\n\n"
        f"| module | is |\n|---|---|\n{summaries}\n\n{toctree}\n"
    )


def _summary(thing: Any) -> str:
    first = inspect.cleandoc(thing.__doc__ or "").split("\n\n")[0].replace("\n", " ")
    told = re.sub(r"^`[^`]+`: ", "", first).rstrip(":")
    return _escaped(told[:1].upper() + told[1:])


def _public(module: ModuleType) -> list[tuple[str, Any]]:
    """What a module offers: its `__all__`, or else what it defines."""
    names = getattr(module, "__all__", None)
    if names is None:
        found = [(name, value) for name, value in vars(module).items() if not name.startswith("_")]
        return [(name, value) for name, value in found if getattr(value, "__module__", "") == module.__name__]
    return [(name, getattr(module, name)) for name in names]


def _first(value: Any, told: set[int]) -> bool:
    documented = inspect.isclass(value) or inspect.isroutine(value)
    if not documented or id(value) in told:
        return False
    told.add(id(value))
    return True


def _entry(name: str, value: Any) -> str:
    """The directive of a class, with its members, or of a function."""
    if not inspect.isclass(value):
        return _directive(
            "py:function", f"{name}{_signature(value)}", markdown(inspect.getdoc(value)), depth=3
        )
    kind = "py:exception" if issubclass(value, BaseException) else "py:class"
    bases = ", ".join(f"`{base.__name__}`" for base in value.__bases__ if base.__module__ not in _PLUMBING)
    body = [markdown(value.__doc__), *(_member(key, member) for key, member in vars(value).items())]
    if bases:
        body.insert(0, f"*A kind of* {bases}.\n")
    constructor = "" if kind == "py:exception" or _is_protocol(value) else _signature(value)
    return _directive(kind, f"{name}{constructor}", "\n".join(filter(None, body)), depth=4)


def _is_protocol(value: Any) -> bool:
    return bool(getattr(value, "_is_protocol", False))


def _member(name: str, member: Any) -> str:
    if name.startswith("_"):
        return ""
    if isinstance(member, property):
        return _directive("py:property", name, markdown(member.__doc__), depth=3)
    options = {classmethod: ":classmethod:", staticmethod: ":staticmethod:"}.get(type(member), "")
    function = getattr(member, "__func__", member)
    if not inspect.isfunction(function) or not function.__doc__:
        return ""
    signature = _signature(function, bound=not isinstance(member, staticmethod))
    return _directive("py:method", f"{name}{signature}", markdown(function.__doc__), depth=3, options=options)


def _directive(kind: str, signature: str, body: str, *, depth: int, options: str = "") -> str:
    fence = ":" * depth
    lines = (f"{fence}{{{kind}}} {signature}", options, "", body.rstrip(), fence, "")
    return "\n".join(line for index, line in enumerate(lines) if line or index != 1)


class _Text:
    """An annotation that `inspect` writes without quotes."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _signature(function: Any, *, bound: bool = False) -> str:
    if inspect.isclass(function) and type(function).__call__ is not type.__call__:
        # The metaclass takes anything; the constructor says what.
        return _signature(function.__init__, bound=True).removesuffix(" -> None")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return "(...)"
    parameters = [
        parameter.replace(annotation=_annotation(parameter.annotation))
        for parameter in list(signature.parameters.values())[bound:]
    ]
    returned = signature.return_annotation
    returned = inspect.Signature.empty if inspect.isclass(function) else _annotation(returned)
    text = str(signature.replace(parameters=parameters, return_annotation=returned))
    return _ADDRESS.sub("...", text)


def _annotation(annotation: Any) -> Any:
    text = getattr(annotation, "__forward_arg__", annotation)
    return _Text(text) if isinstance(text, str) else annotation


# --- docstrings ---


def markdown(docstring: str | None) -> str:
    """A docstring as MyST.

    >>> markdown("Adds.")
    'Adds.\\n'
    """
    lines = inspect.cleandoc(docstring or "").splitlines()
    return "\n".join(_blocks(lines)) + "\n"


def _blocks(lines: list[str]) -> Iterator[str]:
    while lines:
        section = _SECTION.fullmatch(lines[0])
        if section:
            length = 1 + _span(lines[1:], lambda line: not line or line.startswith(" "))
            yield from _section(section[1], section[2], lines[1:length])
        elif lines[0].startswith("    "):
            length = _span(lines, lambda line: not line or line.startswith("    "))
            yield _code(lines[:length])
        elif lines[0].startswith(">>>"):
            length = _span(lines, bool)
            yield _code(lines[:length], language="python")
        elif lines[0].startswith("|"):
            length = _span(lines, lambda line: line.startswith("|"))
            yield "\n" + "\n".join(_escaped(line) for line in lines[:length]) + "\n"
        else:
            length = 1
            yield _escaped(lines[0])
        lines = lines[length:]


def _span(lines: list[str], belongs: Any) -> int:
    return next((number for number, line in enumerate(lines) if not belongs(line)), len(lines))


def _section(kind: str, rest: str, lines: list[str]) -> Iterator[str]:
    if kind == "Usage":
        yield _code(lines)
        return
    body = textwrap.dedent("\n".join(lines)).strip().splitlines()
    yield f"\n**{_TITLES[kind]}** {_escaped(rest)}\n"
    items: list[str] = []
    for line in body:
        found = _ITEM.fullmatch(line) if kind not in {"Returns", "Yields"} else None
        if found:
            items.append(f"- `{found[1]}`: {_escaped(found[2])}")
        elif line.startswith(" ") and items:
            items[-1] += " " + _escaped(line.strip())
        else:
            items.append(_escaped(line))
    yield from (*items, "")


def _code(lines: list[str], language: str = "") -> str:
    code = textwrap.dedent("\n".join(lines)).strip("\n")
    if not language:
        try:
            ast.parse(code)
        except SyntaxError:
            language = "text"
    return f"\n```{language or 'python'}\n{code}\n```\n"


def _escaped(text: str) -> str:
    """`text` with Markdown's own characters escaped, but for what stands in backticks."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if number % 2 else _MARKUP.sub(r"\\\1", part) for number, part in enumerate(parts))
