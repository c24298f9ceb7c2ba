"""Pictures: every size and number of classes, nothing cut off, abstention white."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from onnxcert.data import read_labels
from onnxcert.errors import ParameterError, StoreError
from onnxcert.report.figures import axes as panels
from onnxcert.report.figures import images as pictures
from onnxcert.report.figures import legend, palette
from onnxcert.report.figures import text as lettering
from onnxcert.report.figures.figure import Panel
from onnxcert.report.figures.maps import Maps, write_maps
from onnxcert.statistics.certificate import ABSTAIN

WHITE = np.array(palette.ABSTAIN)
CAPTION = (
    "certified radius 0.169 (L2, pixels in [0, 1]) - sigma 0.25, tau 0.75, alpha 0.001, n 100, "
    "N 40960, holm"
)


def sheet(
    path: Path, *, size: tuple[int, int] = (20, 30), classes: int = 5, **changed: Any
) -> np.ndarray:
    """Draw made-up arrays, with some of them changed, and read the sheet back."""
    rng = np.random.default_rng(2)
    truth = rng.integers(0, classes, size)
    certified = np.where(rng.random(size) < 0.3, ABSTAIN, truth)
    truth[:2] = 255
    arguments: dict[str, Any] = {
        "image": rng.random((3, *size), dtype=np.float32),
        "truth": truth,
        "clean": np.where(truth == 255, 0, truth),
        "certified": certified,
        "hit_rate": rng.random(size),
        "class_names": [f"name {i}" for i in range(classes)],
        "colours": palette.colours(classes),
        "ignore_label": 255,
        "tau": 0.75,
        "caption": CAPTION,
        "title": "picture.png",
    }
    arguments.update(changed)
    words = {key: arguments.pop(key) for key in ("caption", "title")}
    canvas = panels.ImageCanvas(size)
    first = [Panel("Picture", canvas.paint_image(arguments.pop("image")))]
    write_maps(path, Maps(**arguments), canvas, first=first, **words)
    with Image.open(path) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        return np.asarray(image)


@pytest.mark.parametrize(
    ("classes", "labelled"), [(2, False), (11, True), (150, True), (150, False)]
)
@pytest.mark.parametrize(
    "size", [(1, 1), (8, 8), (180, 240), (900, 60), (40, 2400), (3000, 2), (1100, 1300)]
)
def test_every_size_and_number_of_classes_is_drawn(
    tmp_path: Path, size: tuple[int, int], classes: int, labelled: bool
) -> None:
    path = tmp_path / "x.png"
    changed = {} if labelled else {"truth": None}
    pixels = sheet(path, size=size, classes=classes, **changed)
    assert 500 < pixels.shape[1] < 2700
    assert pixels.shape[0] < 3000
    # Nothing touches the margin, so nothing is cut off.
    for edge in (pixels[:8], pixels[-8:], pixels[:, :8], pixels[:, -8:]):
        assert (edge == pixels[0, 0]).all()
    assert (pixels[0, 0] != WHITE).any()


@pytest.mark.parametrize(
    ("size", "panel"),
    [
        ((8, 8), (240, 240)),
        ((160, 256), (160, 256)),
        ((100, 150), (200, 300)),
        ((2160, 3840), (450, 800)),
        ((4800, 1200), (1200, 300)),
        ((5, 9000), (1, 800)),
    ],
)
def test_small_pictures_grow_by_whole_factors_and_large_ones_shrink(
    size: tuple[int, int], panel: tuple[int, int]
) -> None:
    assert panels.panel_size(*size) == panel


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_a_panel_is_never_wider_or_higher_than_fits(height: int, width: int) -> None:
    high, wide = panels.panel_size(height, width)
    assert 1 <= high <= 1200
    assert 1 <= wide <= 800
    if high > height:
        assert high % height == wide % width == 0
        assert high // height == wide // width


def test_equal_arguments_give_equal_bytes(tmp_path: Path) -> None:
    a, b = tmp_path / "a.png", tmp_path / "b.png"
    sheet(a)
    sheet(b)
    assert a.read_bytes() == b.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_abstention_is_white_and_nothing_else_is(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    size = (20, 24)
    dark = np.zeros((3, *size), np.float32)
    sure = np.zeros(size, int)
    area = 200 * 240  # the panel of such a picture

    def white(certified: np.ndarray) -> int:
        pixels = sheet(path, size=size, image=dark, certified=certified)
        return int((pixels == WHITE).all(axis=2).sum())

    assert white(sure) == 0
    # What is beyond the panel is the swatch in the legend.
    assert area < white(np.full(size, ABSTAIN)) <= area + 400
    half = sure.copy()
    half[:10] = ABSTAIN
    assert area / 2 < white(half) <= area / 2 + 400


@pytest.mark.slow
def test_each_pixel_of_a_panel_has_the_colour_of_its_class(tmp_path: Path) -> None:
    size = (2, 3)
    colours = palette.colours(4)
    certified = np.array([[0, 1, 2], [3, ABSTAIN, 1]])
    pixels = sheet(
        tmp_path / "x.png", size=size, classes=4, certified=certified, colours=colours, truth=None
    )
    table = np.vstack([colours, WHITE])
    painted = table[np.where(certified < 0, 4, certified)].repeat(80, 0).repeat(80, 1)
    high, wide = painted.shape[:2]
    corner = (pixels == painted[0, 0]).all(axis=2)[: 1 - high, : 1 - wide]
    found = [
        (y, x)
        for y, x in np.argwhere(corner).tolist()
        if (pixels[y : y + high, x : x + wide] == painted).all()
    ]
    assert len(found) == 1


def test_unlabelled_pixels_are_hatched_in_the_truth_only(tmp_path: Path) -> None:
    def grey(truth: np.ndarray) -> int:
        pixels = sheet(tmp_path / "x.png", size=(20, 24), truth=truth, caption="", title="")
        return sum(int((pixels == stripe).all(axis=2).sum()) for stripe in palette.IGNORED)

    # Lettering may hit the grey of a stripe in a few pixels of its smooth edges.
    assert grey(np.zeros((20, 24), int)) < 50
    assert 200 * 240 <= grey(np.full((20, 24), 255)) < 200 * 240 + 500


def test_the_legend_names_what_occurs_and_nothing_else(tmp_path: Path) -> None:
    size = (20, 30)
    used = np.zeros(size, int)
    used[5:] = 3

    def drawn(names: list[str], *, abstain: bool = False) -> bytes:
        certified = np.where(np.eye(*size, dtype=bool), ABSTAIN, used) if abstain else used
        sheet(
            tmp_path / "x.png",
            size=size,
            class_names=names,
            truth=used,
            clean=used,
            certified=certified,
        )
        return (tmp_path / "x.png").read_bytes()

    names = ["sky", "road", "car", "tree", "pole"]
    base = drawn(names)
    assert drawn(["sky", "x", "x", "tree", "x"]) == base
    assert drawn(["x", "road", "car", "tree", "pole"]) != base
    assert drawn(["sky", "road", "car", "x", "pole"]) != base

    swatch = (14, 20)
    entries = legend.legend_entries([(used, None)], names[:1], palette.colours(5))
    assert [name for name, _ in entries] == ["sky", "class 3"]
    for (_, pixels), colour in zip(entries, palette.colours(5)[[0, 3]], strict=True):
        assert pixels.shape == (*swatch, 3)
        assert (pixels == colour).all()
    ignored = np.zeros(size, bool)
    ignored[:5] = True
    everything = [(used, ignored), (np.full(size, ABSTAIN), None)]
    entries = legend.legend_entries(everything, names, palette.colours(5))
    assert [name for name, _ in entries] == ["tree", "abstain", "ignored"]


WORDS = st.text(
    st.characters(exclude_categories=["Cs"], max_codepoint=0x24F), min_size=1, max_size=120
)


@given(st.lists(WORDS, max_size=12), st.integers(40, 600))
def test_wrapping_loses_no_letter_and_no_line_is_too_wide(words: list[str], width: int) -> None:
    text = " ".join(words)
    font = lettering.load_font(13, bold=False)
    lines = lettering.wrap_text(text, font, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(font.getlength(line) <= width for line in lines)


def test_a_long_caption_or_title_makes_the_sheet_higher(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    base = sheet(path).shape
    longer: list[dict[str, Any]] = [
        {"caption": f"{CAPTION} " * 5},
        {"caption": f"{CAPTION}\n{CAPTION}"},
        {"title": "name_" * 60 + ".png"},
    ]
    for changed in longer:
        higher = sheet(path, **changed).shape
        assert higher[0] > base[0]
        assert higher[1] == base[1]


def test_odd_names_and_values_are_drawn(tmp_path: Path) -> None:
    rate = np.full((20, 30), np.nan)
    rate[0] = 7.0
    sheet(
        tmp_path / "x.png",
        title="a\udcff\nb",
        caption="",
        class_names=["x" * 5000, "", "\n", "中", "Straße"],
        hit_rate=rate,
        tau=1.0,
    )
    sheet(tmp_path / "x.png", tau=0.0, ignore_label=None)


def test_the_heat_map_follows_the_hit_rate(tmp_path: Path) -> None:
    rate = np.linspace(0, 1, 30)[None].repeat(20, 0)
    shown = {tuple(c) for row in sheet(tmp_path / "x.png", hit_rate=rate) for c in row.tolist()}
    # The ends of viridis.
    assert {(68, 1, 84), (253, 231, 36)} <= shown
    heat = panels.ImageCanvas((20, 30)).paint_hit_rate(rate).astype(int).sum(axis=2)
    assert (np.diff(heat[:, ::8]) > 0).all()  # a pixel of the image is 8 wide


@pytest.mark.parametrize("wrong", ["truth", "clean", "certified", "hit_rate"])
def test_maps_of_another_size_are_refused(tmp_path: Path, wrong: str) -> None:
    changed: dict[str, Any] = {wrong: np.zeros((30, 20), int)}
    with pytest.raises(ParameterError, match="one input"):
        sheet(tmp_path / "x.png", **changed)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_is_replaced_in_one_step_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.png"
    sheet(path)
    before = path.read_bytes()

    def fail(_image: Image.Image, file: Path, *_: object, **__: object) -> None:
        Path(file).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(StoreError, match="No space left"):
        sheet(path, title="other")
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["x.png"]
    with pytest.raises(StoreError):
        sheet(tmp_path / "missing" / "x.png")


@pytest.mark.parametrize("classes", [1, 2, 11, 255, 256, 300])
def test_written_labels_are_read_back(tmp_path: Path, classes: int) -> None:
    path = tmp_path / "x.png"
    labels = np.random.default_rng(0).integers(-1, classes, (40, 30)).astype(np.int16)
    labels[0, :3] = [ABSTAIN, 0, classes - 1]
    path.write_bytes(pictures.label_png(labels, palette.colours(classes)))
    abstain = 255 if classes <= 255 else 65535
    back = read_labels(path, size=(40, 30), classes=classes, ignore_label=abstain)
    np.testing.assert_array_equal(np.where(back == abstain, ABSTAIN, back), labels)
    if classes <= 255:
        with Image.open(path) as image:
            shown = np.asarray(image.convert("RGB"))
        assert (shown[labels == ABSTAIN] == WHITE).all()
        known = labels >= 0
        np.testing.assert_array_equal(shown[known], palette.colours(classes)[labels[known]])
    assert [one.name for one in tmp_path.iterdir()] == ["x.png"]


NAMES = ["sky", "building", "road", "pavement", "tree", "car", "pedestrian", "sign", "pole"]


@pytest.mark.parametrize("classes", [1, 2, 11, 19, 150, 256])
@pytest.mark.parametrize("named", [False, True])
def test_colours_differ_from_one_another_and_from_what_has_a_meaning(
    classes: int, named: bool
) -> None:
    names = (NAMES + [f"other {i}" for i in range(classes)])[:classes]
    colours = palette.colours(names if named else classes)
    assert colours.shape == (classes, 3)
    assert colours.dtype == np.uint8
    meaning = np.array([palette.ABSTAIN, (0, 0, 0), *palette.IGNORED])
    points = palette._to_lab(np.vstack([colours, meaning]).astype(int))
    distance = np.linalg.norm(points[:classes, None] - points[None], axis=-1)
    distance[np.arange(classes), np.arange(classes)] = np.inf
    assert distance.min() > (16 if classes <= 20 else 9)
    np.testing.assert_array_equal(palette.colours(names if named else classes), colours)


def test_well_known_names_have_their_colour_wherever_they_stand() -> None:
    first = palette.colours(["sky", "road", "thing"])
    last = palette.colours(["other", "Road", "SKY"])
    np.testing.assert_array_equal(first[:2], last[[2, 1]])
    again = palette.colours(["pavement", "sidewalk", "traffic_sign", "sign", "sky", "sky "])
    assert len({tuple(colour) for colour in again.tolist()}) == 6
    assert palette.colours(0).shape == (0, 3)
    assert palette.colours(5000).shape == (5000, 3)
