"""The layers hold: who may import whom, what stays unloaded, what is public."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from waiting import LIMIT

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "onnxcert"
FILES = sorted(PACKAGE.rglob("*.py"))

HEAVY = (
    "onnxruntime",
    "onnx",
    "cupy",
    "h5py",
    "typer",
    "torch",
    "matplotlib",
    "rich",
    "PIL",
    "ray",
)

# The only rooms that may import a library, wherever in the file.
OWNERS = {
    "h5py": ("results/", "data/points/hdf5.py"),
    "filelock": ("results/lock.py",),
    "onnx": ("model/",),
    "onnxruntime": ("model/runtime/passes.py",),
    "cupy": ("sampling/backend/device.py",),
    "typer": ("cli/",),
    "rich": ("api/progress.py", "cli/"),
    "pandas": ("results/",),
    "xarray": ("api/",),
    "matplotlib": ("report/", "simulation/"),
    "statsmodels": ("audit/independent.py",),
    "ray": ("run/workers/ray_cluster.py",),
    "torch": (),
    "tensorflow": (),
    "jax": (),
}


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Every module that a file imports, also lazily inside its functions."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else ""
            name = function.id if isinstance(function, ast.Name) else name
            if name in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield node.args[0].value


def within(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def test_there_is_something_to_look_at() -> None:
    assert len(FILES) > 30


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_is_imported_by_its_owner_alone(library: str) -> None:
    for path in FILES:
        if any(name.split(".")[0] == library for name in imports(path)):
            assert within(path).startswith(OWNERS[library]), f"{within(path)} imports {library}"


def test_whatever_runs_a_model_imports_its_runtime_from_where_telemetry_is_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for path in [*(ROOT / "converters").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]:
        assert not any(name.split(".")[0] == "onnxruntime" for name in imports(path)), path
    passes = importlib.import_module("onnxcert.model.runtime.passes")
    called: list[str] = []
    monkeypatch.setattr(
        passes.onnxruntime, "disable_telemetry_events", lambda: called.append("off")
    )
    # A module of its own, as it would be in a fresh process; the one in use stays as it is.
    specification = importlib.util.spec_from_file_location("passes_anew", passes.__file__)
    assert specification is not None
    assert specification.loader is not None
    specification.loader.exec_module(importlib.util.module_from_spec(specification))
    assert called == ["off"]


def test_nothing_in_the_package_needs_the_converters_or_the_recipes() -> None:
    for path in FILES:
        for name in imports(path):
            assert not name.startswith(("onnxcert.converters", "onnxcert.bundled", "models."))


def test_the_contract_can_be_written_where_onnx_is_not_installed() -> None:
    for path in [PACKAGE / "model" / "__init__.py", *(PACKAGE / "model" / "contract").glob("*.py")]:
        assert not {"onnx", "onnxruntime"} & {name.split(".")[0] for name in imports(path)}


def loaded_by(statement: str) -> set[str]:
    """Top-level modules in memory after `statement` in a fresh process."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {statement}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=LIMIT
    )
    return {name.split(".")[0] for name in done.stdout.split()}


def test_importing_the_package_loads_no_library() -> None:
    assert not loaded_by("import onnxcert") & {*HEAVY, "numpy", "scipy", "statsmodels"}


def test_statistics_without_a_model_load_no_runtime() -> None:
    loaded = loaded_by(
        "from onnxcert.statistics import decide; from onnxcert.sampling import sample"
    )
    assert not loaded & {*HEAVY} - {"PIL"}


def test_each_registry_is_literal_and_keyed_by_the_names_of_its_entries() -> None:
    from onnxcert.data.datasets import READERS
    from onnxcert.data.points import CLOUD_READERS
    from onnxcert.perturbation import PERTURBATIONS
    from onnxcert.statistics.correction import CORRECTIONS

    assert set(CORRECTIONS) == {
        *("bonferroni", "holm", "kfwer", "kfwer-stepdown", "benjamini-yekutieli")
    }
    assert set(PERTURBATIONS) == {"gaussian", "rotation", "axis-rotation", "on-channels"}
    assert {"folder", "camvid"} <= set(READERS)
    for registry in (CORRECTIONS, PERTURBATIONS, READERS, CLOUD_READERS):
        assert all(entry.name == name for name, entry in registry.items())


@pytest.mark.parametrize("path", FILES, ids=within)
def test_no_file_is_too_long_and_each_says_what_it_is_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    assert ast.get_docstring(ast.parse(text)) or not text.strip() or path.name == "_version.py"
