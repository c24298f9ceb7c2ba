"""Sheets of clouds: every panel there, equal bytes, legend of what occurs, wrong arrays refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from solids import chair

from onnxcert.errors import ParameterError, StoreError
from onnxcert.report.figures import maps, palette
from onnxcert.report.figures.axes import hatch, hit_rate_colours, radius_colours
from onnxcert.report.figures.figure import Panel
from onnxcert.report.figures.maps import RadiusMap
from onnxcert.report.figures.points.axes import Scene
from onnxcert.report.figures.points.rendering import FINE
from onnxcert.report.figures.points.rotation_diagram import Cone, draw_rotation_diagram
from onnxcert.statistics.certificate import ABSTAIN

pytestmark = pytest.mark.slow

CLOUD = chair(600)
N = len(CLOUD)
NAMES = ["seat", "back", "legs", "arms"]


def arguments(**changed: Any) -> dict[str, Any]:
    assert CLOUD.labels is not None
    rng = np.random.default_rng(0)
    return {
        "cloud": CLOUD,
        "truth": CLOUD.labels,
        "clean": CLOUD.labels,
        "certified": np.where(rng.random(N) < 0.2, ABSTAIN, CLOUD.labels),
        "hit_rate": rng.random(N),
        "class_names": NAMES,
        "colours": palette.colours(NAMES),
        "ignore_label": None,
        "tau": 0.75,
        "caption": "what is certified",
        "title": "chair-03: chair",
        **changed,
    }


def draw(path: Path, **changed: Any) -> None:
    given = arguments(**changed)
    cloud, words = given.pop("cloud"), {key: given.pop(key) for key in ("title", "caption")}
    scene, cone = Scene.of(cloud), given.pop("cone", None)
    middle = []
    if cone is not None:
        diagram = draw_rotation_diagram(cone, cloud, scene.size)
        middle.append(Panel("Certified rotations", diagram))
    maps.write_maps(path, maps.Maps(**given), scene, middle=middle, **words)


def sheet(path: Path, **changed: Any) -> np.ndarray:
    draw(path, **changed)
    with Image.open(path) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        return np.asarray(image)


def panels_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **changed: Any
) -> dict[str, np.ndarray]:
    """The panels that go on the sheet, by their heading."""
    kept: dict[str, np.ndarray] = {}

    def keep(_: Path, panels: list[Panel], *__: Any, **___: Any) -> None:
        kept.update({panel.heading: panel.pixels for panel in panels})

    monkeypatch.setattr(maps, "write_figure", keep)
    draw(tmp_path / "x.png", **changed)
    return kept


RADII = RadiusMap(np.where(np.arange(N) % 3, 0.1, np.nan), 0.2, (0.1,), "degrees")
CONE = Cone(0.1, whole=False)


def test_panels_come_in_the_order_of_the_picture_sheets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ["Ground truth", "Clean prediction", "Certified prediction"]
    assert list(panels_of(tmp_path, monkeypatch)) == [*first, "Hit rate"]
    assert list(panels_of(tmp_path, monkeypatch, truth=None)) == [*first[1:], "Hit rate"]
    everything = panels_of(tmp_path, monkeypatch, radii=RADII, cone=CONE)
    assert list(everything) == [*first, "Certified rotations", "Hit rate", "Certified radius"]
    assert len({panel.shape for panel in everything.values()}) == 1


def test_a_sheet_is_whole_small_and_the_same_each_time(tmp_path: Path) -> None:
    a, b = tmp_path / "a.png", tmp_path / "b.png"
    pixels = sheet(a, radii=RADII, cone=CONE)
    sheet(b, radii=RADII, cone=CONE)
    assert a.read_bytes() == b.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]
    assert 800 < pixels.shape[1] < 2600
    assert 500 < pixels.shape[0] < 1200
    assert a.stat().st_size < 1_000_000
    for edge in (pixels[:8], pixels[-8:], pixels[:, :8], pixels[:, -8:]):
        assert (edge == pixels[0, 0]).all()


def test_what_is_drawn_depends_on_each_argument(tmp_path: Path) -> None:
    base = sheet(tmp_path / "x.png", radii=RADII, cone=CONE)
    assert CLOUD.labels is not None
    for changed in (
        {"clean": np.zeros(N, int)},
        {"truth": np.zeros(N, int)},
        {"certified": CLOUD.labels},
        {"hit_rate": np.ones(N)},
        {"radii": RadiusMap(np.full(N, 0.15), 0.2)},
        {"cone": Cone(0.2, whole=False)},
        {"cone": Cone(math.pi, whole=True)},
        {"tau": 0.6},
        {"title": "other"},
        {"caption": "other"},
    ):
        other = sheet(tmp_path / "x.png", **{"radii": RADII, "cone": CONE, **changed})
        assert other.shape != base.shape or (other != base).any(), changed


def test_the_legend_names_what_occurs_and_nothing_else(tmp_path: Path) -> None:
    def drawn(names: list[str]) -> bytes:
        sheet(tmp_path / "x.png", class_names=names)
        return (tmp_path / "x.png").read_bytes()

    base = drawn(NAMES)
    assert drawn(["seat", "back", "legs", "no such part here"]) == base
    assert drawn(["seat", "back", "feet", "arms"]) != base


def test_unlabelled_points_are_hatched_in_the_truth_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert CLOUD.labels is not None
    truth = np.where(CLOUD.labels == 0, 9, CLOUD.labels)
    seen = panels_of(tmp_path, monkeypatch, truth=truth, ignore_label=9)
    plain = panels_of(tmp_path, monkeypatch)
    changed = (seen["Ground truth"] != plain["Ground truth"]).any(axis=2)
    tops = [0, Scene.of(CLOUD).views[0].visible.shape[0] // FINE + 1]
    for view, top in zip(Scene.of(CLOUD).views, tops, strict=True):
        hatched = (view.visible >= 0) & (CLOUD.labels[view.visible] == 0)
        high, wide = hatched.shape[0] // FINE, hatched.shape[1] // FINE
        share = hatched.reshape(high, FINE, wide, FINE).mean(axis=(1, 3))
        here = changed[top : top + high]
        assert here[share == 1].all()
        assert not here[share == 0].any()
    for heading in ("Clean prediction", "Certified prediction", "Hit rate"):
        np.testing.assert_array_equal(seen[heading], plain[heading])
    # Grey without hue, and no lighter than the stripes of the legend.
    hidden = seen["Ground truth"][changed].astype(int)
    assert np.median(np.ptp(hidden, axis=1)) == 0
    assert np.median(hidden.max(axis=1)) <= hatch((8, 8)).max()


def test_heat_maps_keep_the_hue_of_their_scale_and_radii_abstain_in_white(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rate in (0.0, 0.5, 1.0):
        panel = panels_of(tmp_path, monkeypatch, hit_rate=np.full(N, rate))["Hit rate"]
        assert has_shades_of(panel, hit_rate_colours()[round(rate * 255)])
    for radius, level in ((0.0, 0), (0.2, 255)):
        shown = RadiusMap(np.full(N, radius), 0.2)
        panel = panels_of(tmp_path, monkeypatch, radii=shown)["Certified radius"]
        assert has_shades_of(panel, radius_colours()[level])
    nothing = panels_of(tmp_path, monkeypatch, radii=RadiusMap(np.full(N, np.nan), 0.2))
    assert has_shades_of(nothing["Certified radius"], np.array(palette.ABSTAIN))


def has_shades_of(panel: np.ndarray, colour: np.ndarray) -> bool:
    """Whether the middle of the panel, where the chair is, is of one hue."""
    pixels = panel[60:-60, 40:-40].reshape(-1, 3).astype(float)
    shade = pixels @ colour / (colour.astype(float) @ colour)
    fits = np.abs(pixels - shade[:, None] * colour).max(axis=1) < 1.5
    return bool((fits & (shade > 0.5) & (shade <= 1.01)).mean() > 0.2)


def test_odd_values_are_drawn(tmp_path: Path) -> None:
    odd = np.full(N, np.nan)
    odd[0] = 7
    sheet(tmp_path / "x.png", hit_rate=odd, tau=0.5, title="a\udcff\nb", caption="")
    sheet(tmp_path / "x.png", clean=np.full(N, 99), certified=np.full(N, ABSTAIN), truth=None)


@pytest.mark.parametrize("wrong", ["truth", "clean", "certified", "hit_rate", "radii"])
def test_maps_of_another_cloud_are_refused(tmp_path: Path, wrong: str) -> None:
    other: Any = np.zeros(N + 1, int)
    changed = {wrong: RadiusMap(np.zeros(N + 1), 0.2) if wrong == "radii" else other}
    with pytest.raises(ParameterError, match="one input"):
        sheet(tmp_path / "x.png", **changed)
    assert list(tmp_path.iterdir()) == []


def test_a_sheet_is_replaced_or_kept(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        sheet(tmp_path / "missing" / "x.png")
