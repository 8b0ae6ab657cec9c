"""Every page of the documentation, the README and CONTRIBUTING: what they show is what happens."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from docs_pages import Block, blocks_of

ROOT = Path(__file__).parents[2]
EXAMPLES = [ROOT / "examples" / name for name in ("weather", "library", "tickets")]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))]
WITH_CODE = [page for page in PAGES if any(block.runs or block.note for block in blocks_of(page.read_text()))]


def name(page):
    return page.stem


def run_page(page, folder):
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("SESSIONKIT", "XDG"))}
    roots = [ROOT, ROOT / "backends", *EXAMPLES]
    home, work = folder / "home", folder / "work"
    home.mkdir()
    work.mkdir()
    environ |= {"HOME": str(home), "PYTHONPATH": os.pathsep.join(map(str, roots))}
    # A page may fork beside its sandbox's thread: Python warns of the locks that sessionkit replaces.
    options = ["-W", "error", "-W", "ignore:This process:DeprecationWarning"]
    runner = [sys.executable, *options, str(Path(__file__).with_name("run_page.py")), str(page)]
    return subprocess.run(
        runner, cwd=work, env=environ, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("page", WITH_CODE, ids=name)
def test_what_a_page_shows_runs(page, tmp_path):
    done = run_page(page, tmp_path)
    assert done.returncode == 0, done.stderr
    assert not done.stderr


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_that_a_page_shows_are_the_repositorys(page):
    for block in blocks_of(page.read_text()):
        if block.file and block.file[1]:
            assert block.code == (ROOT / block.file[1]).read_text(), f"{page.name}:{block.line}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text()):
        known = target.startswith("reference/")  # generated
        assert known or (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_tests_that_the_backend_page_shows_pass():
    options = ["-q", "-p", "no:cacheprovider", "-p", "sessionkit.testing.plugin"]
    tests = [sys.executable, "-m", "pytest", *options, f"--rootdir={EXAMPLES[0]}", "tests"]
    environ = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        tests, cwd=EXAMPLES[0], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout


def test_blocks_are_found_with_what_is_said_of_them():
    text = "a\n\n```python\nx = 1\n```\n\n<!-- prints -->\n```text\n1\n```\n"
    assert blocks_of(text) == [Block("python", "x = 1\n", "", 3), Block("text", "1\n", "prints", 8)]


@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        ("```python\nprint(1)\n```\n\n<!-- prints -->\n```text\n2\n```\n", "what was printed is"),
        ("```python\n1 / 0\n```\n", "page.md"),
        ("```python\nx = 1\n```\n\n<!-- raises -->\n```text\nx\n```\n", "was to raise"),
    ],
)
def test_a_page_that_is_wrong_is_found_out(page, complaint, tmp_path):
    (tmp_path / "page.md").write_text(page)
    done = run_page(tmp_path / "page.md", tmp_path)
    assert done.returncode == 1
    assert complaint in done.stderr
