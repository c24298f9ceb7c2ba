"""What is written for people is true of the program: commands, options, versions."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

import onnxcert
from onnxcert import Gaussian, __version__, cli
from onnxcert.cli import load_command
from onnxcert.data.datasets import READERS
from onnxcert.data.points import CLOUD_READERS
from onnxcert.sampling.leak_check import ONE_DRAW
from onnxcert.sampling.tally import UNIT
from onnxcert.statistics.guarantee import guarantee
from onnxcert.statistics.rule import Rule

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS: dict[str, Any] = {name: load_command(name) for name in cli.COMMANDS}


def blocks(language: str, text: str = README) -> list[str]:
    """The code blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """Every `onnxcert ...` in the shell blocks of README and of the reference, as arguments."""
    found = []
    for block in blocks("(?:sh|bash|console|shell)", README + REFERENCE):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|;|\|", line):
                words = shlex.split(part, comments=True)
                if words and Path(words[0]).name == "onnxcert":
                    found.append(words[1:])
    return found


def options(command: str) -> dict[str, Any]:
    return {
        name: parameter
        for parameter in COMMANDS[command].params
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("-")
    }


def test_the_commands_are_these() -> None:
    assert set(COMMANDS) == {
        *("certify", "report", "inspect", "pack", "verify", "diff"),
        *("plan", "decide", "study", "merge"),
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_a_section(command: str) -> None:
    assert COMMANDS[command].help
    assert re.search(rf"^#+ .*`onnxcert {command}\b", REFERENCE, re.MULTILINE)
    assert re.search(rf"^\| `onnxcert {command}\b", README, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_and_argument_has_help(command: str) -> None:
    for parameter in COMMANDS[command].params:
        assert parameter.name == "help" or (getattr(parameter, "help", "") or "").strip(), (
            f"{command} {parameter.name}"
        )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_shown_at_work(command: str) -> None:
    assert any(words[:1] == [command] for words in commands())


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_the_commands_can_be_typed(words: list[str]) -> None:
    command, *rest = words
    assert command in COMMANDS
    # Parsed as typed; nothing is run.
    COMMANDS[command].make_context(command, list(rest), resilient_parsing=False)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_option_that_a_page_mentions_exists(page: Path) -> None:
    known = {name for command in COMMANDS for name in options(command)} | {"--help", "--version"}
    known |= {"--install-completion", "--show-completion"}  # before a command
    known |= {"--head", "--address", "--array", "--gpus", "--model"}  # of ray, sbatch and optimum
    mentioned = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", page.read_text(encoding="utf-8")))
    assert mentioned <= known


@pytest.mark.parametrize("page", [README, REFERENCE], ids=["README", "commands"])
def test_the_defaults_are_those_of_the_program(page: str) -> None:
    certify = options("certify")
    table = page.split("| option | default | means |")[1].split("\n\n")[0]
    for names, default in re.findall(r"^\| (`--[^|]*) \| ([^|]+?) \|", table, re.MULTILINE):
        flags = re.findall(r"`(--[\w-]+)`", names)
        values = [value.strip() for value in default.split(",")]
        if len(values) != len(flags) or default == "from the model":
            continue
        for flag, value in zip(flags, values, strict=True):
            # Where another option may change the default, the one without any is meant.
            usual = certify[flag].default
            if usual is None:
                usual = getattr(Rule(), flag.removeprefix("--"))
                assert f"default {usual}" in certify[flag].help
            assert str(usual).rstrip("0").rstrip(".") in (
                value,
                value.rstrip("0").rstrip("."),
            )


@pytest.mark.parametrize("page", ["README.md", "docs/guarantee.md"])
def test_the_guarantee_is_quoted_word_for_word(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    quoted = " ".join(re.sub(r"^> ?", "", text, flags=re.MULTILINE).split())
    statement = guarantee(
        rule=Rule(),
        controls="FWER",
        perturbation=Gaussian(0.25),
        unit=UNIT,
        n=100,
        n0=10,
        components=40960,
        kind="pixels",
        selection="pooled",
        law_error=Gaussian(0.25).law_error((3, 160, 256)),
        leak_check=ONE_DRAW,
    )
    assert statement in quoted


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_what_a_page_links_to_exists(page: Path) -> None:
    for target, _, section in (
        link.partition("#")
        for link in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
        if "://" not in link
    ):
        file = page.parent / target if target else page
        assert file.exists(), target
        if section:
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}
            assert section in anchors, section


@pytest.mark.parametrize("reader", READERS)
def test_every_data_set_has_its_row(reader: str) -> None:
    page = (ROOT / "docs" / "models-and-pictures.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| `{reader}` \|", page, re.MULTILINE)


@pytest.mark.parametrize("reader", CLOUD_READERS)
def test_every_data_set_of_point_clouds_has_its_row(reader: str) -> None:
    page = (ROOT / "docs" / "point-clouds.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| `{reader}` \|", page, re.MULTILINE)


def test_readme_names_the_second_command_that_runs_the_tests() -> None:
    assert any("make check" in block for block in blocks("sh"))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^check:", makefile, re.MULTILINE)
    assert "make check" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


PYTHON = [page for page in PAGES if blocks("python", page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", PYTHON, ids=lambda path: path.name)
def test_python_on_a_page_is_python_and_its_names_are_public(page: Path) -> None:
    for block in blocks("python", page.read_text(encoding="utf-8")):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module == "onnxcert":
                assert {alias.name for alias in node.names} <= set(onnxcert.__all__)
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("onnxcert", "oc"):
                assert node.attr in onnxcert.__all__


def test_the_changelog_has_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[?{re.escape(__version__)}\b", changelog, re.MULTILINE)


def test_no_placeholder_is_left() -> None:
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for mark in ("TODO", "FIXME", "XXX", "TABLE\n", "STATEMENT"):
            assert mark not in text, f"{name}: {mark}"


def _resolves(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:end])
        if path.with_suffix(".py").exists() or (path / "__init__.py").exists():
            found: object = importlib.import_module(".".join(parts[:end]))
            for part in parts[end:]:
                if part in getattr(found, "__annotations__", {}):
                    return True
                if not hasattr(found, part):
                    return False
                found = getattr(found, part)
            return True
    return False


def test_names_and_files_that_are_referred_to_exist() -> None:
    texts = [*(ROOT / "onnxcert").rglob("*.py"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]
    lost = []
    for path in texts:
        if path.name == "CHANGELOG.md":  # speaks of what there was
            continue
        text = path.read_text(encoding="utf-8")
        for name in re.findall(r"`(onnxcert(?:\.\w+)+)", text):
            if not name.startswith(("onnxcert.converters", "onnxcert.bundled")):
                lost += [(path.name, name)] * (not _resolves(name))
        for file in re.findall(r"`((?:onnxcert|tests|benchmarks|docs)/[\w./-]+)`", text):
            lost += [(path.name, file)] * (not (ROOT / file).exists())
    assert not lost


def test_the_glossary_names_files_that_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    glossary = text[text.index("## Glossary") : text.index("## How we write")]
    files = re.findall(r"`([\w/]+(?:\.py|/))`", glossary)
    assert len(files) > 40
    assert [file for file in files if not (ROOT / "onnxcert" / file).exists()] == []
