"""The curve's files: numbers that can be checked, a picture that is the same each time."""

from __future__ import annotations

import csv
import subprocess
import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from onnxcert.errors import StoreError
from onnxcert.metrics.scores import Curve
from onnxcert.report.figures.curve import COLUMNS, write_curve
from onnxcert.report.figures.plotting import BestEffort

UNIT = "pixel values in [0, 1] at native resolution"
CURVE = Curve(np.array([0.05, 0.1, 0.2]), np.array([80, 60, 30]), np.array([63, 50, 20]), 100, 90)
UNLABELLED = Curve(CURVE.radii, CURVE.certified, np.zeros(3, np.int64), 100, 0)


def written(folder: Path, curve: Curve = CURVE, **changed: Any) -> list[dict[str, str]]:
    arguments: dict[str, Any] = {"unit": UNIT, "taus": {0.75: 0.1}, "caption": "Guarantee."}
    nothing_missing = BestEffort()
    write_curve(folder, curve, **{**arguments, "figures": nothing_missing, **changed})
    assert not nothing_missing.missing
    with (folder / "curve.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def picture(folder: Path) -> np.ndarray:
    with Image.open(folder / "curve.png") as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def test_the_table_holds_shares_and_counts(tmp_path: Path) -> None:
    rows = written(tmp_path)
    assert tuple(rows[0]) == COLUMNS
    assert [list(row.values()) for row in rows] == [
        ["0.05", "0.800000", "0.700000", "80", "63", "100", "90"],
        ["0.1", "0.600000", "0.555556", "60", "50", "100", "90"],
        ["0.2", "0.300000", "0.222222", "30", "20", "100", "90"],
    ]
    rows = written(tmp_path, UNLABELLED)
    assert {(row["certified_accuracy"], row["correct"], row["labelled"]) for row in rows} == {
        ("", "", "0")
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curve.csv", "curve.png"]


@given(
    radii=st.lists(st.floats(0, 1e3), unique=True, max_size=8)
    | st.lists(st.integers(0, 9), unique=True, max_size=8).map(
        # So close to each other that some are one number in print.
        lambda steps: [0.3 + 2e-10 * step for step in steps]
    ),
    seed=st.integers(0, 99),
)
def test_a_printed_radius_is_never_too_large_and_its_row_says_who_reaches_it(
    tmp_path_factory: pytest.TempPathFactory, radii: list[float], seed: int
) -> None:
    from onnxcert.report.figures import curve as module

    ascending = np.array(sorted(radii))
    reached = np.random.default_rng(seed).integers(0, len(radii) + 1, 50)
    certified = np.array([(reached > j).sum() for j in range(len(radii))], np.int64)
    path = tmp_path_factory.mktemp("curve") / "x.csv"
    module._write_table(path, Curve(ascending, certified, certified, 50, 50))
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    printed = [Fraction(row["radius"]) for row in rows]
    assert all(a < b for a, b in pairwise(printed))
    of_each = np.concatenate([[-1.0], ascending])[reached]
    for at, row in zip(printed, rows, strict=True):
        exact = min(r for r in map(Fraction, ascending.tolist()) if r >= at)
        assert exact - at <= exact / 10**8
        assert int(row["certified"]) == sum(Fraction(r) >= at for r in of_each.tolist())
    if radii:
        assert printed[0] <= ascending[0]
        assert printed[-1] <= ascending[-1]


@pytest.mark.slow
def test_equal_arguments_give_equal_bytes_whatever_a_user_has_set(tmp_path: Path) -> None:
    import matplotlib as mpl

    written(tmp_path)
    before = (tmp_path / "curve.png").read_bytes()
    with mpl.rc_context({"font.size": 20, "axes.facecolor": "red", "savefig.dpi": 30}):
        written(tmp_path)
    assert (tmp_path / "curve.png").read_bytes() == before
    assert b"Software" not in before
    for changed in ({"unit": "m"}, {"taus": {0.75: 0.12}}, {"caption": "x"}, {"taus": {}}):
        written(tmp_path, **changed)
        assert (tmp_path / "curve.png").read_bytes() != before
    written(tmp_path, UNLABELLED)
    assert (tmp_path / "curve.png").read_bytes() != before


def test_the_line_runs_as_high_as_the_share_up_to_and_with_the_radius(tmp_path: Path) -> None:
    # Certified shares .8 up to .05, .6 up to .1, .3 up to .2 and none beyond.
    written(tmp_path, UNLABELLED, taus={})
    pixels = picture(tmp_path)
    blue = (np.abs(pixels - [0x1B, 0x6C, 0xA8]).sum(axis=2) < 40) & (
        np.arange(len(pixels))[:, None] > 60  # below the legend
    )
    columns = np.flatnonzero(blue.any(axis=0))
    left, right = columns[0] + 1, columns[-1] - 1

    def height(radius: float) -> float:
        return float(np.flatnonzero(blue[:, round(left + (right - left) * radius / 0.2)]).mean())

    heights = [height(r) for r in (0.0, 0.025, 0.047, 0.053, 0.097, 0.103, 0.15, 0.195)]
    top, bottom = heights[0], heights[-1]
    shares = [0.8 - 0.5 * (h - top) / (bottom - top) for h in heights]
    assert shares == pytest.approx([0.8, 0.8, 0.8, 0.6, 0.6, 0.3, 0.3, 0.3], abs=0.01)


@pytest.mark.parametrize(
    ("curve", "taus"),
    [
        (Curve(np.array([]), np.array([], int), np.array([], int), 7, 0), {0.75: 0.2}),
        (Curve(np.array([0.0]), np.array([3]), np.array([3]), 7, 7), {}),
        (Curve(np.array([0.2]), np.array([0]), np.array([0]), 7, 0), {0.75: 0.2}),
        (CURVE, {0.5 + k / 250: k / 500 for k in range(100)}),
    ],
)
def test_nothing_certified_and_many_tau_are_drawn(
    tmp_path: Path, curve: Curve, taus: dict[float, float]
) -> None:
    assert len(written(tmp_path, curve, taus=taus)) == len(curve.radii)
    assert picture(tmp_path).shape[1] == 1125


def test_text_is_taken_as_it_is_and_makes_the_picture_higher(tmp_path: Path) -> None:
    written(tmp_path)
    base = picture(tmp_path).shape
    written(tmp_path, caption="With probability 1. " * 60)
    assert picture(tmp_path).shape[0] > base[0]
    # Dollars, letters the font lacks, bytes that are no text; warnings are errors here.
    written(tmp_path, unit="$x$ 中", caption="$a_{ $ 中 \udcff\n\n")
    written(tmp_path, caption="")


def test_a_file_is_replaced_in_one_step_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.figure import Figure

    written(tmp_path)
    before = (tmp_path / "curve.png").read_bytes()

    def fail(_figure: Figure, file: Path, **_: object) -> None:
        Path(file).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", fail)
    figures = BestEffort()
    written(tmp_path, caption="other", figures=figures)
    assert "No space left" in figures.sentence()
    assert (tmp_path / "curve.png").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curve.csv", "curve.png"]
    with pytest.raises(StoreError):
        written(tmp_path / "missing")


@pytest.mark.slow
def test_no_window_system_is_touched_and_matplotlib_comes_late(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
import numpy as np
from onnxcert.metrics.scores import Curve
from onnxcert.report.figures.plotting import BestEffort
from onnxcert.report.figures.curve import write_curve
assert "matplotlib" not in sys.modules
curve = Curve(np.array([.1]), np.array([1]), np.array([1]), 2, 2)
figures = BestEffort()
write_curve(Path({str(tmp_path)!r}), curve, unit="m", taus={{}}, caption="", figures=figures)
assert "matplotlib.figure" in sys.modules
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
