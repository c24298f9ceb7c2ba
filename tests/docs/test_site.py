"""What `make docs` builds from is whole. The strict build itself is no part of the tests."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import onnxcert

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CONFIG = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
NAV = re.findall(r"^ +- (?:[\w ]+: )?([\w/.-]+\.md)$", CONFIG, re.MULTILINE)
TUTORIAL: dict[str, Any] = json.loads((DOCS / "tutorial.ipynb").read_text(encoding="utf-8"))


def test_the_navigation_names_every_page_and_no_other() -> None:
    assert len(NAV) == len(set(NAV))
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    pages -= {"assets/README.md"}  # about files that were copied
    outside = {name for name in NAV if (ROOT / name).exists()}
    assert set(NAV) - outside == pages | {"tutorial.md"}  # written from the notebook


def test_every_public_name_is_on_the_page_of_the_api() -> None:
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    shown = {
        name.split(".")[-1] for name in re.findall(r"^::: onnxcert\.(\S+)$", page, re.MULTILINE)
    }
    assert set(onnxcert.__all__) - {"__version__"} <= shown


def test_what_the_pages_load_is_vendored() -> None:
    loaded = re.findall(r"assets/[\w/.-]+\.(?:js|css)", CONFIG)
    assert len(loaded) == 5
    for name in loaded:
        assert (DOCS / name).is_file(), name
    style = DOCS / "assets" / "katex" / "katex.min.css"
    urls = re.findall(r"url\(([^)]+)\)", style.read_text(encoding="utf-8"))
    assert urls
    assert [url for url in urls if not (style.parent / url).is_file()] == []
    assert "font: false" in CONFIG  # else Material loads its fonts from another server
    for package in ("katex", "iframe-worker"):
        assert (DOCS / "assets" / package / "LICENSE").is_file()


def code() -> list[str]:
    return ["".join(c["source"]) for c in TUTORIAL["cells"] if c["cell_type"] == "code"]


def test_the_tutorial_is_stored_without_outputs() -> None:
    assert code()
    for cell in TUTORIAL["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.pages
@pytest.mark.slow
@pytest.mark.usefixtures("workspace")
def test_the_tutorial_runs() -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in code():
        exec(cell, names)
