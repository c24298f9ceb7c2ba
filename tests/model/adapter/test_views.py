"""Scales, mirror images, tiles, sizes and padding, against the same written out in NumPy."""

from __future__ import annotations

import itertools
import tracemalloc
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import pytest
import zoo
from classifier import THREE, ClassifierDialect
from fits import CONV, CPU, Array, agree, agree_where, expected, noisy, opened, probability
from zoo import Conv3, Dialect, upsampled

from onnxcert import Gaussian, OnnxSegmenter, certify
from onnxcert.errors import ModelError, ParameterError
from onnxcert.model.adapter.resize import Fit

TWO = Conv3.random(2, seed=11)

VIEWS = {
    "scales": {"scales": (0.5, 0.75, 1.0)},
    "a larger scale": {"scales": (1.5, 1.0)},
    "one scale": {"scales": (0.5,)},
    "flip": {"flip": True},
    "flip at half size": {"flip": True, "scale": 0.5},
    "flip at a size": {"flip": True, "size": (12, 9)},
    "tiles": {"tile": (8, 6)},
    "tiles that touch": {"tile": (5, 7), "overlap": (0, 0)},
    "tiles one pixel apart": {"tile": (4, 5), "overlap": (3, 1)},
    "wide tiles": {"tile": (6, 64)},
    "tiles of one pixel": {"tile": (1, 1), "overlap": (0, 0)},
    "tiles at half size": {"tile": (4, 5), "scale": 0.5},
    "flipped tiles": {"tile": (8, 6), "flip": True},
    "tiles at scales": {"tile": (7, 6), "scales": (0.5, 1.0, 1.5)},
    "resized": {"size": (8, 6)},
    "resized to a row": {"size": (3, 16)},
    "half size": {"scale": 0.5},
    "another scale": {"scale": 0.6},
    "twice the size": {"scale": 2.0},
    "padded": {"pad_to": 4},
    "padded far": {"pad_to": 32},
    "half size, padded": {"scale": 0.5, "pad_to": 4},
    "everything": {"tile": (8, 8), "overlap": (3, 2), "scales": (0.5, 0.8, 1.0), "flip": True},
}
SIZES = [(16, 12), (17, 13), (9, 31), (5, 4), (1, 1)]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("views", VIEWS.values(), ids=VIEWS)
def test_the_answer_is_that_of_the_protocol(
    views: dict[str, Any], size: tuple[int, int], tmp_path: Path
) -> None:
    fit = Fit(**views)
    batch = noisy(*size)
    agree(opened(Dialect().proto(CONV), tmp_path, fit)(batch), expected(CONV, batch, fit))


@pytest.mark.parametrize("pad_to", [1, 4])
@pytest.mark.parametrize("stride", [2, 4])
@pytest.mark.parametrize("views", ["scales", "flipped tiles", "resized", "half size", "everything"])
def test_low_resolution_scores_and_padding(
    views: str, stride: int, pad_to: int, tmp_path: Path
) -> None:
    fit = Fit(**VIEWS[views], pad_to=pad_to)
    batch = noisy(17, 13)
    function = Conv3.random(4, seed=54, stride=stride)
    agree(opened(Dialect().proto(function), tmp_path, fit)(batch), expected(function, batch, fit))


@pytest.mark.parametrize("views", ["scales", "flip", "tiles", "everything"])
@pytest.mark.parametrize("shift", [0.0, 1.25])
@pytest.mark.parametrize("form", ["sigmoid", "logit"])
def test_one_channel_is_held_against_its_threshold(
    form: str, shift: float, views: str, tmp_path: Path
) -> None:
    fit = Fit(**VIEWS[views])
    logit = form == "logit"
    dialect = Dialect(form=form, logit_shift=shift if logit else 0.0)
    said = {**dialect.given(TWO), **({} if logit else {"threshold": 0.5 + shift / 10})}
    batch = noisy(17, 13)
    scores = expected(TWO, batch, fit, form, shift if logit else 0.0)[:, 0]
    threshold = shift if logit else 0.5 + shift / 10
    if logit and views not in ("tiles",):
        threshold = 1 / (1 + np.exp(-shift))
    labels = opened(dialect.proto(TWO), tmp_path, fit, **said)(batch)
    agree_where(labels, scores > threshold, np.abs(scores - threshold))
    assert 0 < labels.mean() < 1


@pytest.mark.parametrize("views", ["scales", "tiles", "everything"])
@pytest.mark.parametrize("form", ["probabilities", "multilabel"])
def test_probabilities_are_averaged_as_they_are(form: str, views: str, tmp_path: Path) -> None:
    fit = Fit(**VIEWS[views])
    dialect = Dialect(form=form)
    batch = noisy(17, 13)
    scores = expected(CONV, batch, fit, form)
    labels = opened(dialect.proto(CONV), tmp_path, fit, **dialect.given(CONV))(batch)
    if form == "probabilities":
        agree(labels, scores)
    else:
        agree_where(labels, scores > 0.5, np.abs(scores - 0.5))


def test_probabilities_and_not_logits_are_averaged(tmp_path: Path) -> None:
    """A view that is very sure outvotes the others in logits, not in probabilities."""
    batch = noisy(30, 30)
    labels = opened(Dialect().proto(CONV), tmp_path, Fit(flip=True))(batch)
    mirrored = CONV.scores(batch[..., ::-1])[..., ::-1]
    logits = (CONV.scores(batch) + mirrored).argmax(axis=1)
    assert (labels != logits).mean() > 0.02
    agree(labels, expected(CONV, batch, Fit(flip=True)))


# -- what has no answer ---------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "views", [{"flip": True}, {"tile": (6, 6), "flip": True}, {"tile": (6, 6)}]
)
def test_one_view_that_is_not_finite_withholds_the_vote(
    views: dict[str, Any], value: float, tmp_path: Path
) -> None:
    """Class 2 of hot pixels is not finite in every view, class 0 elsewhere: no vote just there."""
    batch = np.clip(noisy(13, 11), 0, 0.8)
    batch[:, 0, 4, 7] = batch[:, 0, 12, 0] = 0.95
    proto = graphs.poisoned(value, level=0.9, channels=[2])
    labels = opened(proto, tmp_path, Fit(**views))(batch)
    hot = batch[:, 0] > 0.9
    assert hot.sum() == 6
    np.testing.assert_array_equal(labels == 255, hot)


def test_a_score_that_is_not_finite_at_one_scale_alone_withholds_the_vote(tmp_path: Path) -> None:
    """One bright pixel of eight exceeds the level at full size only."""
    batch = np.full((1, 3, 16, 16), 0.2, np.float32)
    batch[0, :, 8, 8] = 1.0
    proto = graphs.poisoned(-np.inf, level=0.9, channels=[1])
    assert (opened(proto, tmp_path, Fit(scale=0.5))(batch) == 255).sum() == 0
    labels = opened(proto, tmp_path, Fit(scales=(0.5, 1.0)))(batch)
    assert list(zip(*np.nonzero(labels == 255), strict=True)) == [(0, 8, 8)]


# -- batches, and models that take one size ------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "baked", "fit"),
    [
        *((rows, True, Fit(tile=(8, 6), flip=True)) for rows in (1, 4)),
        *((2, False, Fit(**VIEWS[views])) for views in ("scales", "flip", "everything")),
    ],
    ids=str,
)
def test_a_fixed_batch_changes_nothing(rows: int, baked: bool, fit: Fit, tmp_path: Path) -> None:
    dialect = Dialect(batch=rows, baked=baked, size=(8, 6) if baked else None)
    free = opened(Dialect().proto(CONV), tmp_path / "free", fit)
    fixed = opened(dialect.proto(CONV), tmp_path / "fixed", fit)
    picture = zoo.picture(17, 13, seed=5)
    options: dict[str, Any] = {"n": 48, "n0": 7, "seed": 2}
    wanted = certify(free, picture, Gaussian(0.1), batch_size=5, **options)
    for batch_size in (1, 3):
        found = certify(fixed, picture, Gaussian(0.1), batch_size=batch_size, **options)
        assert np.array_equal(found.tally.hits, wanted.tally.hits)
    assert fixed.session.runtime.get_inputs()[0].shape[0] == (rows if baked else "batch")


def test_a_fixed_size_takes_tiles_of_it_at_every_scale(tmp_path: Path) -> None:
    fit = Fit(tile=(8, 6), scales=(0.75, 1.0, 1.5))
    batch = noisy(17, 13)
    segmenter = opened(Dialect(size=(8, 6)).proto(CONV), tmp_path, fit)
    agree(segmenter(batch), expected(CONV, batch, fit))


def test_a_fixed_size_refuses_other_views(tmp_path: Path) -> None:
    proto = Dialect(size=(8, 6)).proto(CONV)
    for fit in (Fit(scales=(0.5, 1.0)), Fit(tile=(8, 6)), Fit(tile=(8, 8))):
        with pytest.raises(ModelError, match="8x6 pixels only, got") as error:
            opened(proto, tmp_path, fit)(noisy(7, 9))
        assert ("pass --tile model" in str(error.value)) == (fit.tile != (8, 6))
        assert ("--pad-to for images smaller than a tile" in str(error.value)) == fit.averages


def test_pictures_smaller_than_a_tile_of_a_fixed_size_are_padded_to_it(tmp_path: Path) -> None:
    fit = Fit(tile=(8, 8), pad_to=8)
    batch = noisy(5, 20)
    segmenter = opened(Dialect(size=(8, 8)).proto(CONV), tmp_path, fit)
    agree(segmenter(batch), expected(CONV, batch, fit))


@pytest.mark.slow
@pytest.mark.parametrize(
    "views", ["scales", "flip", "tiles", "tiles one pixel apart", "half size, padded", "everything"]
)
def test_votes_are_the_same_in_any_batch(views: str, tmp_path: Path) -> None:
    segmenter = opened(Dialect().proto(CONV), tmp_path, Fit(**VIEWS[views]))
    options: dict[str, Any] = {"n": 48, "n0": 5, "seed": 8}
    picture = zoo.picture(17, 13)
    first, second = (
        certify(segmenter, picture, Gaussian(0.2), batch_size=b, **options).tally for b in (1, 7)
    )
    assert np.array_equal(first.hits, second.hits)
    assert np.array_equal(first.candidate, second.candidate)
    assert 0 < first.hits.mean() < 48


def test_draws_that_act_on_each_other_are_still_found(tmp_path: Path) -> None:
    segmenter = opened(graphs.batch_mates_leak(), tmp_path, Fit(flip=True, tile=(6, 6)))
    found = certify(segmenter, zoo.picture(12, 10), Gaussian(0.3), n=60, n0=5, batch_size=4, seed=1)
    assert any("depends on the other draws" in note for note in found.notes)


# -- bands ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "views",
    [{"tile": (32, 32)}, {"tile": (32, 48), "flip": True}, {"tile": (16, 16), "scales": (0.5, 1)}],
    ids=str,
)
def test_a_tall_picture_is_voted_on_in_bands(
    views: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never more than a few tiles' rows of scores wait for their vote."""
    segmenter = opened(Dialect().proto(CONV), tmp_path, Fit(**views))
    batch = noisy(400, 50, 1)
    segmenter(batch)
    assert segmenter._averaging is not None
    ballot = segmenter._averaging._head
    heights: list[int] = []
    labels = ballot.labels

    def watched(scores: Array) -> Array:
        heights.append(scores.shape[2])
        return labels(scores)

    monkeypatch.setattr(ballot, "labels", watched)
    agree(segmenter(batch), expected(CONV, batch, Fit(**views)))
    assert sum(heights) == 400
    assert max(heights) <= 64


# -- classifiers -----------------------------------------------------------------------------------


def test_a_classifier_averages_probabilities_over_scales_and_mirror_images(
    tmp_path: Path,
) -> None:
    fit = Fit(scales=(0.5, 1.0), flip=True)
    segmenter = opened(ClassifierDialect().proto(THREE), tmp_path, fit)
    batch = noisy(17, 13, 40)
    views = [
        upsampled(pixels, *size)
        for size in ((8, 6), (17, 13))
        for pixels in (batch, batch[..., ::-1])
    ]
    mean = np.mean([probability("logits", THREE.scores(view)) for view in views], axis=0)
    np.testing.assert_allclose(segmenter.scores(batch), mean, atol=1e-5)
    assert np.array_equal(segmenter(batch)[:, 0], mean.argmax(axis=1))
    assert str(segmenter.component).startswith("the whole picture, scores averaged over")


# -- what is refused, and what is said -----------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"scales": (0.5, 0.0)}, "above 0"),
        ({"scales": (1.0, 17.0)}, "at most 16"),
        ({"scales": (0.5, 0.5)}, "each once"),
        ({"scales": tuple(i / 10 for i in range(1, 10))}, "at most 8"),
        ({"scales": (0.5, 1.0), "scale": 0.5}, "exclude one scale"),
        ({"scales": (0.5, 1.0), "size": (8, 8)}, "exclude one scale"),
        ({"tile": (0, 8)}, "tile must be"),
        ({"tile": (8, 8), "overlap": (8, 0)}, "less than their size"),
        ({"tile": (8, 8), "overlap": (0, -1)}, "0 or more"),
        ({"overlap": (1, 1)}, "pass --tile too"),
        ({"flip": True, "grid": "model"}, "leave it out"),
        ({"tile": (8, 8), "grid": "model"}, "leave it out"),
        ({"scales": (0.5, 1.0), "grid": "model"}, "leave it out"),
    ],
)
def test_views_that_are_none_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words) as error:
        Fit(**values)
    assert str(error.value).count(". ") == 0


@pytest.mark.parametrize("views", ["scales", "flip", "tiles"])
def test_class_indices_have_no_mean(views: str, tmp_path: Path) -> None:
    dialect = Dialect(form="labels")
    with pytest.raises(ParameterError, match="class indices, which cannot be averaged"):
        opened(dialect.proto(CONV), tmp_path, Fit(**VIEWS[views]), **dialect.given(CONV))


def test_a_classifier_takes_no_tiles(tmp_path: Path) -> None:
    proto = ClassifierDialect().proto(THREE)
    with pytest.raises(ParameterError, match="tiles cannot be used"):
        opened(proto, tmp_path, Fit(tile=(8, 8)))


def test_without_views_nothing_is_said_of_them() -> None:
    assert Fit().as_dict() == {"scale": 1.0, "size": None, "pad_to": 1, "grid": "native"}
    assert Fit().averaged == ""


def test_what_differs_is_another_function(tmp_path: Path) -> None:
    said = [Fit(**views).as_dict() for views in VIEWS.values()]
    assert all(a != b for a, b in itertools.combinations(said, 2))
    segmenter = opened(Dialect().proto(CONV), tmp_path, Fit(**VIEWS["everything"]))
    certificate = certify(segmenter, zoo.picture(9, 9), Gaussian(0.2), n=60, seed=1)
    words = "the scales 0.5, 0.8, 1; mirror images; tiles of 8x8 that overlap by 3x2"
    assert words in certificate.statement()
    assert words in segmenter.entry.description


# -- large pictures --------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_large_picture_is_answered_in_tiles_with_little_memory(tmp_path: Path) -> None:
    """Where a pixel's scores depend on it alone, tiles change nothing; and all scores of the
    picture, 128 MiB of them, are never there at once."""
    centres = np.linspace(0, 1, 8)
    path = graphs.save(graphs.quantiser(centres, contract=graphs.UNIT_RANGE), tmp_path / "m.onnx")
    picture = zoo.picture(2048, 2048)[None]
    segmenter = OnnxSegmenter.open(path, fit=Fit(tile=(256, 300), overlap=(20, 16)), **CPU)
    segmenter(picture[:, :, :300, :300])
    tracemalloc.start()
    labels = segmenter(picture)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(labels, OnnxSegmenter.open(path, **CPU)(picture))
    assert peak < 64 * 2**20
