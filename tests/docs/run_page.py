"""Run the blocks of one documentation page: `python run_page.py PAGE`, in a folder made for it.

A process of its own for each page, because pages sign in, change environment and logging, and fork. Lines
of tracebacks are those of the page.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import linecache
import os
import shlex
import sys
import traceback
from itertools import zip_longest
from pathlib import Path

from docs_pages import Block, blocks_of

import sessionkit

_CHECKER = doctest.OutputChecker()


def main(page: str) -> None:
    blocks = blocks_of(Path(page).read_text("utf-8"))
    namespace = {"__name__": "__main__", "__file__": page}
    sys.path.insert(0, str(Path.cwd()))
    try:
        for block, following in zip_longest(blocks, blocks[1:]):
            if block.file:
                _write(block)
            elif block.runs:
                _compare(_run(block, page, namespace, following), following, page)
            elif block.note == "run":
                _commands(block, page)
    finally:
        _clean_up(namespace)


def _clean_up(namespace: dict) -> None:
    """What a reader's prompt does when it ends, while the page's sandbox is still there."""
    for session in sessionkit.sessions():
        session.close()
    if "sandbox" in namespace:
        namespace["sandbox"].stop()


def _write(block: Block) -> None:
    path = Path(block.file[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.code, "utf-8")
    path.chmod(0o600)


def _run(block: Block, page: str, namespace: dict, following: Block | None) -> str:
    # Empty lines before it put the code on the page's own lines.
    source = "\n" * block.line + block.code
    linecache.cache[page] = (len(source), None, source.splitlines(keepends=True), page)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(source, page, "exec"), namespace)
        except Exception as error:
            if following is None or following.note != "raises":
                raise
            return printed.getvalue() + "".join(traceback.format_exception_only(error))
    if following is not None and following.note == "raises":
        raise AssertionError(f"{page}:{block.line + 1} was to raise, and did not")
    return printed.getvalue()


def _compare(printed: str, following: Block | None, page: str) -> None:
    if following is None or following.note not in {"prints", "raises"}:
        return
    _expect(following.code, printed, f"{page}:{following.line + 1}")


def _expect(wanted: str, printed: str, where: str) -> None:
    printed = "".join(f"{line.rstrip()}\n" for line in printed.splitlines())
    if not _CHECKER.check_output(wanted, printed, doctest.ELLIPSIS):
        raise AssertionError(f"{where} says\n{wanted}\nand what was printed is\n{printed}")


def _commands(block: Block, page: str) -> None:
    from sessionkit.cli.app import run

    for entry in block.code.split("$ ")[1:]:
        # A command may be broken by "\"; what it prints follows.
        lines = entry.splitlines()
        length = next(number for number, line in enumerate(lines, 1) if not line.endswith("\\"))
        command = shlex.split("\n".join(lines[:length]).replace("\\\n", " "), comments=True)
        wanted = "\n".join(lines[length:]).strip("\n") + "\n"
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            status = run(command[1:])
        if wanted.strip():
            _expect(wanted, printed.getvalue(), f"{page}:{block.line + 1} {lines[0]}")
        elif status:
            raise AssertionError(f"{page}: {lines[0]} ended with {status}: {printed.getvalue()}")


if __name__ == "__main__":
    os.environ["COLUMNS"] = "100"  # as wide as the pages
    main(sys.argv[1])
