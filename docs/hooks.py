"""What the site needs beyond the pages in `docs/` (mkdocs.yml lists this file under `hooks`).

Pages link to files of the repository outside `docs/`, as they must on a code host. The site gets
these files, at the same path from the root, and the links are adapted. The tutorial is executed.
"""

from __future__ import annotations

import posixpath
import re
import tempfile
from pathlib import Path

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from nbconvert import MarkdownExporter
from nbconvert.preprocessors import ExecutePreprocessor

ROOT = Path(__file__).parents[1]
OUTSIDE = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "benchmarks/results/*.*",
    "models/*/README.md",
    "models/*/**/*.png",
)
LINK = re.compile(r"(?<=\]\()([^()\s#]+)(#[^()\s]*)?(?=\))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files outside `docs/`, and the executed tutorial."""
    for path in sorted(path for pattern in OUTSIDE for path in ROOT.glob(pattern)):
        uri = path.relative_to(ROOT).as_posix()
        files.append(File.generated(config, uri, abs_src_path=str(path)))
    for uri, content in execute(ROOT / "docs" / "tutorial.ipynb").items():
        files.append(File.generated(config, uri, content=content))
    return files


def execute(notebook: Path) -> dict[str, str | bytes]:
    """Return the page of a notebook and its pictures by path; a cell that fails is an error."""
    cells = nbformat.read(notebook, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        ExecutePreprocessor(timeout=600).preprocess(cells, {"metadata": {"path": folder}})
    page, resources = MarkdownExporter().from_notebook_node(
        cells, {"output_files_dir": f"{notebook.stem}_files", "unique_key": notebook.stem}
    )
    return {f"{notebook.stem}.md": page, **resources["outputs"]}


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Point links across the border of `docs/` to where the site has their targets."""
    outside = page.file.generated_by is not None and not page.file.src_uri.startswith("tutorial")
    here = posixpath.dirname(page.file.src_uri)
    in_repository = here if outside else posixpath.join("docs", here)

    def adapt(link: re.Match[str]) -> str:
        target, anchor = link[1], link[2] or ""
        if "://" in target or target.startswith("mailto:"):
            return link[0]
        path = posixpath.normpath(posixpath.join(in_repository, target))
        if path == "docs/tutorial.ipynb" and page.file.src_uri != "tutorial.md":
            path = "tutorial.md"
        path = path.removeprefix("docs/")
        return posixpath.relpath(path, here or ".") + anchor

    return LINK.sub(adapt, markdown)
