"""Sphinx: pages in Markdown, and a reference made of the code's own docstrings (see reference.py)."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import reference

project = "sessionkit"
copyright = "the sessionkit authors, Apache License 2.0"
release = version = installed_version("sessionkit")

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "sessionkit"
html_static_path = ["_static"]
html_css_files = ["sessionkit.css"]
html_copy_source = False
html_show_sphinx = False
maximum_signature_line_length = 88
pygments_style = "friendly"
pygments_dark_style = "native"
add_module_names = False


def setup(app: object) -> None:
    """Write the reference's pages before Sphinx looks for pages."""
    del app
    reference.write(Path(__file__).parent / "reference")
