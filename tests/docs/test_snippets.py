"""Every snippet of README and of the pages in docs runs, or a reason says why it cannot.

The snippets of a page run one after the other, in a folder with small files of the names that they
use (conftest.py). Commands of onnxcert run in this process and must end with status 0. In a
`console` block the lines after a command must be printed, `...` standing for anything. The number
after `#` of a Python expression is compared.
"""

from __future__ import annotations

import ast
import re
import shlex
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Command, Outcome

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

NOT_RUN = {
    "python3 -m venv": "creates an environment; tests/test_wheel.py installs the package",
    "pip install": "installs packages",
    "make check": "runs this test",
    "python benchmarks/gpu.py": "needs a GPU",
    "--device cuda": "needs a GPU",
    "--workers": "starts processes; tests/run/workers does",
    "ray start": "needs a cluster",
    "--ray-address": "needs a cluster",
    "#!/bin/bash": "runs under SLURM",
    "onnxcert merge out/all out/[1-8]": "needs the shards that ran under SLURM",
    "onnxcert study": "takes minutes; tests/simulation runs small ones",
    "pointnet2.onnx": "needs ShapeNet part",
    "optimum-cli": "downloads a model",
    "yolo export": "downloads a model",
    "import keras": "needs Keras and a model of the user",
}
# What a page expects to be there already.
BEFORE = {
    "commands.md": [
        "certify model.onnx photos/ --labels labels/ --seed 1 --no-pictures --out out/mine",
        "certify model.onnx photos/ --labels labels/ --seed 2 --no-pictures --out out/other",
    ],
    "python.md": ["certify model.onnx scene-01.png --no-pictures --out out/street"],
}


def snippets(page: Path) -> Iterator[tuple[str, str]]:
    """Yield language and text of the blocks that a reader may run."""
    text = page.read_text(encoding="utf-8")
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        assert language in ("sh", "console", "python", "text", "toml", "yaml"), language
        if language in ("sh", "console", "python"):
            yield language, block


def commands(block: str) -> Iterator[str]:
    """Yield the commands of a block of shell, each on one line."""
    for line in block.replace("\\\n", " ").splitlines():
        for part in line.split("&&"):
            if part.strip():
                yield part.strip()


def reason(text: str) -> str | None:
    """Return why a command or a block is not run."""
    return next((why for start, why in NOT_RUN.items() if start in text), None)


def run(command: str, onnxcert: Command) -> Outcome:
    """Run a command of onnxcert, with `> FILE` as a shell does."""
    words = shlex.split(command, comments=True)
    assert Path(words[0]).name == "onnxcert", f"{command!r}: not onnxcert, and no reason in NOT_RUN"
    target = None
    if ">" in words:
        at = words.index(">")
        words, target = words[:at], words[at + 1]
    outcome = onnxcert(*words[1:])
    if target is not None:
        Path(target).write_text(outcome.out)
    return outcome


def execute(block: str, names: dict[str, Any]) -> None:
    """Run Python, and compare the numbers in comments with the values of their lines."""
    tree, lines = ast.parse(block), block.splitlines()
    for node in tree.body:
        said = re.search(r"  # (-?\d[\d.]*?)(?:\.\.\.|\s|$)", lines[node.end_lineno - 1])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the libraries that a snippet calls
            if isinstance(node, ast.Expr):
                value = eval(compile(ast.Expression(node.value), "snippet", "eval"), names)
                assert said is None or str(value).startswith(said[1]), f"{value} is not {said[1]}"
            else:
                exec(compile(ast.Module([node], []), "snippet", "exec"), names)


def assert_printed(expected: str, outcome: Outcome) -> None:
    """Each line of a console block was printed; `...` stands for anything."""
    printed = [line.rstrip() for line in outcome.out.splitlines()]
    for line in expected.splitlines():
        pattern = re.escape(line.rstrip()).replace(re.escape("..."), ".*")
        assert any(re.fullmatch(pattern, shown) for shown in printed), line


# What a new user types first; `make docs` runs the others.
ALWAYS = {"README.md", "index.md", "python.md"}


@pytest.mark.slow
@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=() if page.name in ALWAYS else pytest.mark.pages)
        for page in PAGES
        if list(snippets(page))
    ],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_the_snippets_of_a_page_run(page: Path, onnxcert: Command) -> None:
    for before in BEFORE.get(page.name, []):
        assert onnxcert(*before.split()).status == 0, before
    names: dict[str, Any] = {"__name__": "snippet"}
    for language, block in snippets(page):
        if language == "python":
            if not reason(block):
                execute(block, names)
        elif language == "console":
            for text in block.split("$ ")[1:]:
                command, _, expected = text.partition("\n")
                assert_printed(expected, run(command, onnxcert))
        elif not (block.startswith("#!") and reason(block)):
            for command in commands(block):
                if not reason(command):
                    outcome = run(command, onnxcert)
                    assert outcome.status == 0, f"{command}\n{outcome.err}"


def test_every_reason_applies_to_a_snippet() -> None:
    texts = "\n".join(block for page in PAGES for _, block in snippets(page))
    assert [start for start in NOT_RUN if start not in texts] == []
