"""The wheel is the program: built from a copy, installed alone, run away from the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from json_schema import check_object
from PIL import Image
from waiting import LIMIT

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
LEFT_OUT = (
    *(".*", "__pycache__", "*.egg-info", "build", "dist", "out", "tests", "docs"),
    *("onnxcert-results", "shared", "benchmarks"),
)


def run(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    # What is installed must do by itself: no checkout on the path.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of the checkout, in which nothing of an earlier build lies."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "checkout"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
    done = run(
        *(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"),
        *("--no-index", "--disable-pip-version-check", "--wheel-dir", folder, copy),
        cwd=folder,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("onnxcert-*.whl")
    return path


@pytest.fixture(scope="module")
def environment(wheel: Path) -> Path:
    """The programs of a fresh environment that has the wheel, and sees the installed libraries."""
    folder = wheel.parent / "environment"
    venv.create(folder, with_pip=False, symlinks=os.name == "posix")
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    python = programs / "python"
    purelib = run(
        python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder
    )
    site = Path(purelib.stdout.strip())
    done = run(
        *(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps"),
        *("--no-index", "--disable-pip-version-check", "--no-compile", wheel),
        cwd=folder,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # A line of a path file that is no import only adds a folder: no editable install is followed.
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "libraries.pth").write_text("\n".join(sorted(libraries)) + "\n")
    return programs


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def test_the_wheel_holds_the_program_the_model_and_its_samples(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = next(n for n in names if n.endswith(".dist-info/METADATA"))
        text = archive.read(metadata).decode()
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    for path in (ROOT / "onnxcert").rglob("*.py"):
        assert path.relative_to(ROOT).as_posix() in names
    assert "onnxcert/py.typed" in names
    assert "onnxcert/converters/pytorch.py" in names
    assert 0 < sizes["onnxcert/bundled/street/model.onnx"] < 2_000_000
    assert "onnxcert/bundled/street/README.md" in names
    for kind in ("images", "labels"):
        samples = [n for n in names if n.startswith(f"onnxcert/bundled/street/samples/{kind}/")]
        assert len(samples) == 3
    assert not [n for n in names if n.startswith(("tests/", "models/", "converters/"))]
    assert "Requires-Dist: onnxruntime-gpu" in text
    required = [line for line in text.splitlines() if line.startswith("Requires-Dist: torch")]
    assert all("extra ==" in line for line in required)


def test_what_is_installed_is_what_runs(environment: Path, elsewhere: Path) -> None:
    code = "import onnxcert, onnxcert.converters; print(onnxcert.__file__)"
    done = run(environment / "python", "-c", code, cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(environment.parent)


def test_the_main_job_runs_away_from_the_checkout(environment: Path, elsewhere: Path) -> None:
    done = run(
        *(environment / "onnxcert", "certify", "street", "--json", "--out", "results"),
        *("--limit", "1", "--seed", "1"),
        cwd=elsewhere,
    )
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    check_object(result)
    assert Path(result["model"]["file"]).is_relative_to(environment.parent)
    assert (result["inputs"]["finished"], result["draws"]["n"]) == (1, 100)
    assert result["perturbation"]["sigma"] == 0.25
    assert result["certified"]["radius"] == pytest.approx(0.1686, abs=1e-4)
    assert 0 < result["certified"]["accuracy"] <= 1
    assert result["certified"]["abstain"] < 1
    out = elsewhere / "results"
    (record,) = (out / "inputs").glob("*.h5")
    labels = np.load(out / "labels" / f"{record.stem}.npy")
    with Image.open(out / "pictures" / f"{record.stem}.png") as picture:
        picture.load()
        assert picture.width > labels.shape[1]
    with Image.open(out / "labels" / f"{record.stem}.png") as picture:
        assert np.array_equal(np.asarray(picture), np.where(labels == -1, 255, labels))
    report = run(environment / "onnxcert", "report", "results", "--json", cwd=elsewhere)
    assert json.loads(report.stdout)["certified"] == result["certified"]


def test_the_model_is_found_by_name_as_a_module_as_well(environment: Path, elsewhere: Path) -> None:
    done = run(environment / "python", "-m", "onnxcert", "inspect", "street", cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    assert "nothing found" in done.stdout
    assert "trained_sigma" in done.stdout
