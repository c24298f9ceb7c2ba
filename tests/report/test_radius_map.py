"""The heat map of radii: every certified pixel in the colour of its radius, no other white."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from onnxcert import Gaussian
from onnxcert.errors import ParameterError
from onnxcert.report.export import files
from onnxcert.report.figures import axes as panels
from onnxcert.report.figures import figure as sheet
from onnxcert.report.figures import legend as scale
from onnxcert.report.figures import palette
from onnxcert.report.figures.maps import Canvas, Maps, RadiusMap, write_maps
from onnxcert.results import Record
from onnxcert.results.record import Provenance
from onnxcert.sampling.draws import Draws
from onnxcert.sampling.tally import Tally
from onnxcert.statistics import decide
from onnxcert.statistics.certificate import ABSTAIN
from onnxcert.statistics.rule import Rule

WHITE = np.array(palette.ABSTAIN)
UNIT = "pixel values in [0, 1] at native resolution"


def drawn(path: Path, radii: RadiusMap | None, **changed: Any) -> np.ndarray:
    """A sheet of black panels but for the heat maps, read back."""
    size = (20, 24) if radii is None else radii.radius.shape
    zeros = np.zeros(size, int)
    arguments: dict[str, Any] = {
        "image": np.zeros((3, *size), np.float32),
        "truth": None,
        "clean": zeros,
        "certified": zeros,
        "hit_rate": np.zeros(size),
        "class_names": ["name"],
        "colours": palette.colours(1),
        "ignore_label": None,
        "tau": 0.75,
        "caption": "caption",
        "title": "title",
        "radii": radii,
    }
    arguments.update(changed)
    words = {key: arguments.pop(key) for key in ("caption", "title")}
    image = arguments.pop("image")
    canvas = panels.ImageCanvas(image.shape[1:])
    first = [sheet.Panel("Picture", canvas.paint_image(image))]
    write_maps(path, Maps(**arguments), canvas, first=first, **words)
    with Image.open(path) as image:
        return np.asarray(image)


def lightness(colours: np.ndarray) -> np.ndarray:
    return palette._to_lab(colours.astype(int))[:, 0]


def test_radii_run_evenly_from_light_to_dark_and_none_looks_like_abstention() -> None:
    table = panels.radius_colours()
    steps = -np.diff(lightness(table)[::15])
    assert (steps > 0).all()
    assert steps.max() < 1.4 * steps.mean()
    assert steps.min() > 0.6 * steps.mean()
    assert np.linalg.norm(palette._to_lab(table.astype(int)) - [100, 0, 0], axis=1).min() > 30


def test_the_two_heat_maps_go_different_ways() -> None:
    # A bright pixel is a high hit rate and a small radius; hardly a colour is in both.
    rate, radius = panels.hit_rate_colours(), panels.radius_colours()
    assert (np.diff(lightness(rate)[::15]) > 0).all()
    apart = np.linalg.norm(
        palette._to_lab(rate.astype(int))[:, None] - palette._to_lab(radius.astype(int))[None],
        axis=-1,
    )
    assert (apart.min(axis=0) > 10).mean() > 0.9


@pytest.mark.parametrize("largest", [0.2473, 1.0, 55.0])
def test_each_pixel_has_the_colour_of_its_radius_and_abstention_is_white(largest: float) -> None:
    rng = np.random.default_rng(0)
    share = rng.random((9, 7))
    share[:2] = [[0.0] * 7, [1.0] * 7]
    abstains = rng.random((9, 7)) < 0.4
    abstains[:2] = False
    shown = panels.colour_radius(np.where(abstains, np.nan, share * largest), largest)
    assert ((shown == WHITE).all(axis=2) == abstains).all()
    table = panels.radius_colours()
    np.testing.assert_array_equal(
        shown[~abstains], table[np.rint(share[~abstains] * 255).astype(int)]
    )
    np.testing.assert_array_equal(shown[0], np.tile(table[0], (7, 1)))
    np.testing.assert_array_equal(shown[1], np.tile(table[-1], (7, 1)))


def test_a_shrunk_map_shows_only_radii_that_some_pixel_has() -> None:
    rng = np.random.default_rng(1)
    steps = np.array([np.nan, 0.1, 0.2, 0.4])
    canvas = panels.ImageCanvas((1100, 1300))
    shown = canvas.paint_radius(steps[rng.integers(0, 4, canvas.grid)], 0.4)
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) == 4
    sure = canvas.paint_labels(np.zeros(canvas.grid, int), palette.colours(1))
    assert sure.shape == shown.shape


@pytest.mark.slow
def test_the_panel_stands_on_the_sheet_pixel_by_pixel(tmp_path: Path) -> None:
    radius = np.array([[np.nan, 0.0, 0.1], [0.2, 0.15, np.nan]])
    pixels = drawn(tmp_path / "x.png", RadiusMap(radius, 0.2, (0.1,), UNIT))
    panel = panels.ImageCanvas((2, 3)).paint_radius(radius, 0.2)
    seen = np.lib.stride_tricks.sliding_window_view(pixels, (1, 240, 3))[:, :, 0]
    rows, columns = np.nonzero((seen[..., 0, :, :] == panel[0]).all(axis=(-1, -2)))
    found = [
        (y, x)
        for y, x in zip(rows.tolist(), columns.tolist(), strict=True)
        if (pixels[y : y + 160, x : x + 240] == panel).all()
    ]
    assert len(found) == 1
    # Below it lies its scale, from the first colour to the last.
    y, x = found[0]
    below = pixels[y + 160 : y + 200, x - 1 : x + 241]
    table = panels.radius_colours()
    assert any((row[0] == table[0]).all() and (row[-1] == table[-1]).all() for row in below)


def test_without_radii_the_sheet_has_no_such_panel(tmp_path: Path) -> None:
    a, b = tmp_path / "a.png", tmp_path / "b.png"
    narrow = drawn(a, None)
    wide = drawn(b, RadiusMap(np.full((20, 24), np.nan), 0.2, (), UNIT))
    assert wide.shape[1] > narrow.shape[1] + 200
    dark = panels.radius_colours()[-1]
    assert not (narrow == dark).all(axis=2).any()
    assert (wide == dark).all(axis=2).any()
    assert (wide == WHITE).all(axis=2).sum() == 200 * 240


def test_equal_maps_give_equal_bytes_and_another_scale_others(tmp_path: Path) -> None:
    radius = np.full((20, 24), 0.1)
    a, b, c, d = (tmp_path / f"{name}.png" for name in "abcd")
    drawn(a, RadiusMap(radius, 0.2, (0.1,), UNIT))
    drawn(b, RadiusMap(radius, 0.2, (0.1,), UNIT))
    drawn(c, RadiusMap(radius, 0.25, (0.1,), UNIT))
    drawn(d, RadiusMap(radius, 0.2, (0.15,), UNIT))
    assert a.read_bytes() == b.read_bytes()
    assert len({path.read_bytes() for path in (a, c, d)}) == 3


@pytest.mark.parametrize("wrong", [-0.1, 0.21, np.inf])
def test_a_radius_off_the_scale_is_refused(wrong: float) -> None:
    with pytest.raises(ParameterError, match=r"from 0 to 0\.2"):
        RadiusMap(np.array([[0.1, wrong]]), 0.2)
    RadiusMap(np.array([[0.0, 0.2, np.nan]]), 0.2)


def test_a_map_of_another_size_is_refused(tmp_path: Path) -> None:
    radii = RadiusMap(np.zeros((3, 4)), 0.2)
    with pytest.raises(ParameterError, match="one input"):
        drawn(tmp_path / "x.png", radii, clean=np.zeros((4, 3), int))
    assert list(tmp_path.iterdir()) == []


@given(st.floats(1e-30, 1e30))
def test_ticks_are_few_round_even_and_on_the_scale(largest: float) -> None:
    ticks = scale.round_numbers(largest)
    assert 1 <= len(ticks) <= 6
    assert ticks[0] > 0
    assert ticks[-1] < largest
    step = ticks[0]
    assert ticks == pytest.approx([step * (i + 1) for i in range(len(ticks))])
    assert ticks[-1] + step >= largest * (1 - 1e-6)
    assert float(f"{step:e}".split("e")[0]) in (1.0, 2.0, 5.0)


@given(st.floats(1e-6, 1e6), st.lists(st.just(0.0) | st.floats(1e-12, 1.2), max_size=4))
def test_no_number_on_the_scale_is_more_than_is_certified(
    largest: float, shares: list[float]
) -> None:
    requested = tuple(share * largest for share in shares)
    ticks = scale.radius_scale(largest, requested, UNIT).ticks
    for tick in ticks:
        assert 0 <= tick.at <= 1
        # Ticks at round numbers are exact; the others are rounded down.
        assert float(tick.text) <= tick.at * largest * (1 + 1e-11)
        assert float(tick.text) == pytest.approx(tick.at * largest, rel=2e-3, abs=0)
    assert [tick.at * largest for tick in ticks if tick.strong] == pytest.approx(
        [radius for radius in requested if radius <= largest]
    )
    assert {0.0, 1.0} <= {tick.at for tick in ticks}


def test_numbers_on_a_scale_do_not_touch() -> None:
    def ink(ticks: tuple[scale.Tick, ...]) -> np.ndarray:
        block = scale.draw_scale(scale.Scale(panels.radius_colours(), ticks), 240, 1.0)
        # Numbers stand below the bar and the tick marks.
        text = np.asarray(block)[18:]
        return (text != text[-1, -1]).any(axis=(0, 2))

    strong, near, far = (
        scale.Tick(0.5, "0.1686", True),
        scale.Tick(0.52, "0.18"),
        scale.Tick(0, "0"),
    )
    np.testing.assert_array_equal(ink((strong, near)), ink((strong,)))
    np.testing.assert_array_equal(ink((strong, far)), ink((strong,)) | ink((far,)))
    assert (ink((strong, far)) != ink((strong,))).any()


def test_a_scale_of_zero_length_is_drawn(tmp_path: Path) -> None:
    radius = np.array([[0.0, np.nan]])
    drawn(tmp_path / "x.png", RadiusMap(radius, 0.0, (0.0,), UNIT))


@pytest.mark.parametrize("size", [(40, 60), (180, 240), (900, 60), (512, 1024)])
@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("classes", [3, 150])
def test_no_band_of_a_sheet_is_blank(
    tmp_path: Path, size: tuple[int, int], labelled: bool, mapped: bool, classes: int
) -> None:
    labels = np.arange(size[0] * size[1]).reshape(size) % classes
    pixels = drawn(
        tmp_path / "x.png",
        RadiusMap(np.full(size, 0.1), 0.2, (0.1,), UNIT) if mapped else None,
        image=np.zeros((3, *size), np.float32),
        clean=labels,
        certified=labels,
        truth=labels if labelled else None,
        hit_rate=np.zeros(size),
        class_names=[f"name {i}" for i in range(classes)],
        colours=palette.colours(classes),
        caption="The guarantee in one sentence. " * 20,
    )
    blank = (pixels == pixels[0, 0]).all(axis=(1, 2))[20:-20]
    longest = max(len(list(run)) for empty, run in itertools.groupby(blank) if empty)
    assert longest < 30 * max(1.0, pixels.shape[1] / 1500)


def test_the_legend_stands_in_an_empty_cell_and_not_below(tmp_path: Path) -> None:
    # Five wide panels: three and two. Of the cell left over no legend of few names needs all.
    size = (200, 700)

    def height(classes: int) -> int:
        labels = np.arange(size[0] * size[1]).reshape(size) % classes
        return drawn(
            tmp_path / "x.png",
            None,
            image=np.zeros((3, *size), np.float32),
            clean=labels,
            certified=labels,
            truth=labels,
            hit_rate=np.zeros(size),
            colours=palette.colours(classes),
        ).shape[0]

    assert height(1) == height(20) < height(150)


def test_text_has_room_on_the_narrowest_sheet(tmp_path: Path) -> None:
    panel = sheet.Panel("One", np.zeros((4, 4, 3), np.uint8))
    entries = [("name", np.zeros((14, 20, 3), np.uint8))]
    path = tmp_path / "x.png"
    sheet.write_figure(path, [panel], entries, title="", caption="word " * 24)
    with Image.open(path) as image:
        short, width = image.height, image.width
    sheet.write_figure(path, [panel], entries, title="", caption="word")
    with Image.open(path) as image:
        assert (image.height, image.width) == (short, width)


def made(rule: Rule, hits: np.ndarray) -> Record:
    rng = np.random.default_rng(3)
    candidate = rng.integers(0, 3, hits.shape)
    tally = Tally(
        candidate=candidate,
        hits=hits,
        single=candidate,
        n=100,
        n0=10,
        selection="pooled",
        classes=3,
        nonfinite=0,
        draws=Draws(Gaussian(0.25), 0, "0" * 64),
        unit=UNIT,
    )
    provenance = Provenance({"name": "m"}, {}, {"name": "x"}, {}, {}, "2026-01-01T00:00:00+00:00")
    return Record.of(
        "x", decide(tally, rule), clean=candidate, nonrobust=None, provenance=provenance
    )


def seen_by_draw(
    folder: Path, record: Record, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = []

    def draw(path: Path, maps: Maps, canvas: Canvas, **words: Any) -> None:
        calls.append({**vars(maps), **words})
        write_maps(path, maps, canvas, **words)

    monkeypatch.setattr(files, "write_maps", draw)
    files.draw_record(
        folder,
        record,
        image=np.zeros((3, *size), np.float32),
        truth=None,
        class_names=["a", "b", "c"],
        ignore_label=None,
    )
    return calls


HITS = np.random.default_rng(5).integers(55, 101, (12, 14))


@pytest.mark.parametrize(
    "rule",
    [
        Rule(radius_map=True, correction="bonferroni"),
        Rule(radius_map=True, correction="bonferroni", tau=0.8, floor=0.6),
        Rule(tau=0.75, more_taus=(0.6, 0.9), correction="bonferroni"),
        Rule(tau=0.75, more_taus=(0.6, 0.8)),
    ],
)
@pytest.mark.parametrize("size", [(12, 14), (24, 28)])
def test_a_record_shows_the_radius_of_its_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rule: Rule, size: tuple[int, int]
) -> None:
    record = made(rule, HITS)
    certificate = record.certificate()
    (call,) = seen_by_draw(tmp_path, record, monkeypatch, size)
    radii = call["radii"]
    np.testing.assert_array_equal(radii.radius, panels.resize_nearest(certificate.radii, size))
    assert radii.largest == certificate.level_radii[-1]
    assert radii.unit == UNIT
    assert radii.requested == tuple(sorted(certificate.radius_at(tau) for tau in rule.taus))
    # What is certified at the first tau is just what has its radius or more.
    sure = call["certified"] != ABSTAIN
    np.testing.assert_array_equal(sure, radii.radius >= certificate.radius)
    assert 0 < sure.sum() < sure.size
    assert (tmp_path / "pictures" / "x.png").exists()


def test_the_scale_ends_where_unanimous_votes_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = Rule(radius_map=True, correction="bonferroni")
    ends = set()
    for hits in (HITS, np.full(HITS.shape, 100), np.full(HITS.shape, 30)):
        (call,) = seen_by_draw(tmp_path, made(rule, hits), monkeypatch, HITS.shape)
        ends.add(call["radii"].largest)
        if (hits == 100).all():
            assert (call["radii"].radius == call["radii"].largest).all()
    assert len(ends) == 1


def test_one_radius_for_all_needs_no_map_and_hits_are_shares_of_the_draws_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = made(Rule(), HITS)
    (call,) = seen_by_draw(tmp_path, record, monkeypatch, HITS.shape)
    assert call["radii"] is None
    np.testing.assert_allclose(call["hit_rate"], HITS / 100)
    # Under looks n is the number of draws of the last look taken.
    more = replace(record, tally=replace(record.tally, n=200))
    (call,) = seen_by_draw(tmp_path, more, monkeypatch, HITS.shape)
    np.testing.assert_allclose(call["hit_rate"], HITS / 200)


def test_each_label_of_a_multi_label_record_has_its_own_map(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hits = np.random.default_rng(6).integers(55, 101, (3, 12, 14))
    record = made(Rule(radius_map=True, correction="bonferroni"), hits)
    calls = seen_by_draw(tmp_path, record, monkeypatch, (12, 14))
    assert len(calls) == 3
    for i, call in enumerate(calls):
        np.testing.assert_array_equal(call["radii"].radius, record.certificate().radii[i])
