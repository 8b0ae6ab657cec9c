"""The reference's pages: docstrings become Markdown, and every public module has its page."""

import importlib.util
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "docs" / "reference.py"


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_prose_is_escaped_but_for_what_is_in_backticks(reference):
    assert (
        reference.markdown("Of *args, `*args`, <none> and a_b.")
        == "Of \\*args, `*args`, \\<none> and a\\_b.\n"
    )


def test_arguments_become_a_list(reference):
    text = reference.markdown(
        "Adds.\n\nArgs:\n    first, second: The two\n        numbers.\n    options: More.\n"
    )
    assert "**Arguments**" in text
    assert "- `first, second`: The two numbers.\n- `options`: More.\n" in text


def test_what_is_raised_is_told(reference):
    text = reference.markdown("Adds.\n\nRaises:\n    ValueError: too large.\n")
    assert "**Raises**" in text
    assert "- `ValueError`: too large." in text


def test_indented_lines_become_code_of_the_right_language(reference):
    text = reference.markdown(
        "Adds.\n\n    x = add(1)\n\nThen:\n\n    Error\n    ├── Other   (of some kind)\n"
    )
    assert "```python\nx = add(1)\n```" in text
    assert "```text\nError\n├── Other   (of some kind)\n```" in text


def test_examples_become_code_and_tables_stay(reference):
    text = reference.markdown("Adds.\n\n>>> add(1)\n2\n\n| a | b |\n|---|---|\n| `x_y` | c_d |\n")
    assert "```python\n>>> add(1)\n2\n```" in text
    assert "\n| a | b |\n|---|---|\n| `x_y` | c\\_d |\n" in text


def test_each_module_has_a_page_and_each_name_one_place(reference, tmp_path):
    reference.write(tmp_path)
    pages = {path.stem: path.read_text() for path in tmp_path.glob("*.md")}
    assert set(pages) == {*reference.MODULES, "index"}
    everything = "\n".join(pages.values())
    for directive in ("py:class} HttpEngine(", "py:function} download(", "py:exception} NotFound"):
        assert everything.count(directive) == 1
    assert ":::{py:method} request(method: str, uri: str" in pages["sessionkit.http"]


def test_a_page_that_is_as_it_should_be_is_not_written_again(reference, tmp_path):
    reference.write(tmp_path)
    (tmp_path / "old.md").write_text("of a module that is gone")
    page = tmp_path / "sessionkit.http.md"
    before = page.stat().st_mtime_ns
    reference.write(tmp_path)
    assert page.stat().st_mtime_ns == before
    assert not (tmp_path / "old.md").exists()
