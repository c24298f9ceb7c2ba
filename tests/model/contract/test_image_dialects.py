"""One function in every dialect: the same labels on the same draws, and the same certificate.

The function is NumPy in float64; graphs compute in float32. Seeds are such that no decision is
closer than `MARGIN`, far above what float32 loses and far below what a wrong contract changes, so
that labels can be compared exactly. Where the network's input is coarser (float16, integers) the
reference rounds likewise, written out in `zoo.Dialect.network_values`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path

import graphs
import numpy as np
import pytest
import zoo
from zoo import Conv3, Dialect, Reference

from onnxcert import Certificate, Gaussian, OnnxSegmenter, certify
from onnxcert.sampling.draws import Draws, digest

MARGIN = 3e-5
SIGMA = 0.1
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
CAFFE = {"mean": (104.0, 117.0, 123.0), "std": (1.0, 1.0, 1.0)}
SMALL = {"mean": (0.3, 0.1, -0.2), "std": (1.0, 0.7, 1.3)}
ODD = (-0.7, 3.1)

PICTURE = zoo.picture(8, 6, seed=5)


def dialects() -> Iterator[Dialect]:
    """Every combination that makes sense, by theme: what can interfere is crossed."""
    plain = Dialect()
    layouts = [
        {"layout": layout, "output_layout": out}
        for layout, out in product(("NCHW", "NHWC"), ("NCHW", "NHWC"))
    ]
    orders = ("RGB", "BGR", "RGBA", "BGRA")

    # Axes, channels and types.
    for axes, order, dtype in product(layouts, orders, ("float32", "float16")):
        yield replace(plain, **axes, order=order, dtype=dtype)
    for layout, order in product(("NCHW", "NHWC"), ("RGB", "BGR")):
        yield replace(plain, layout=layout, order=order, dtype="uint8", value_range=(0, 255))
        yield replace(plain, layout=layout, order=order, dtype="int8", value_range=(-128, 127))
    yield replace(plain, dtype="uint8", value_range=(16, 235))
    yield replace(plain, dtype="int8", value_range=(0, 127))

    # Ranges, with the mean and the standard deviation before or after them.
    for order, value_range in product(("RGB", "BGR"), ((0, 255), (-1, 1), ODD)):
        yield replace(plain, order=order, value_range=value_range)
        yield replace(plain, order=order, value_range=value_range, normalise="before", **IMAGENET)
        of_range = CAFFE if value_range == (0, 255) else SMALL
        yield replace(plain, order=order, value_range=value_range, **of_range)
    for order in ("RGB", "BGR"):
        yield replace(plain, order=order, **IMAGENET)
        yield replace(plain, order=order, dtype="float16", **IMAGENET)
        yield replace(plain, order=order, dtype="float16", value_range=(0, 255))
        yield replace(plain, order=order, dtype="float64", **IMAGENET)
        yield replace(plain, order=order, layout="NHWC", value_range=(0, 255), **CAFFE)
    yield replace(plain, mean=(0.5,), std=(0.5,))
    yield replace(plain, value_range=(0, 255), mean=(127.5,), std=(127.5,), layout="NHWC")

    # What comes out.
    for axes in layouts:
        for form in ("probabilities", "multilabel"):
            yield replace(plain, form=form, **axes)
        for answer_type in ("int64", "int32", "uint8", "float32"):
            yield replace(plain, form="labels", answer_type=answer_type, **axes)
    for answer_type, layout in product(("int64", "uint8", "float32"), ("NCHW", "NHWC")):
        labels = {"form": "labels", "answer_type": answer_type, "answer_rank": 3}
        yield replace(plain, layout=layout, **labels)
    for form, rank, layout in product(("sigmoid", "logit"), (3, 4), ("NCHW", "NHWC")):
        yield replace(plain, form=form, answer_rank=rank, output_layout=layout, layout=layout)
    yield replace(plain, form="logit", logit_shift=0.4196)
    yield replace(plain, form="logit", logit_shift=-2.5, layout="NHWC", output_layout="NHWC")

    # Which batches and sizes the graph takes.
    for axes, batch, size in product((layouts[0], layouts[3]), (None, 1, 4), (None, (8, 6))):
        yield replace(plain, **axes, batch=batch, size=size)
    for batch, form in product((1, 4), ("logits", "probabilities", "multilabel", "labels")):
        yield replace(plain, batch=batch, baked=True, size=(8, 6), form=form)
    for batch, rank in product((1, 4), (3, 4)):
        binary = {"form": "sigmoid", "answer_rank": rank}
        yield replace(plain, batch=batch, baked=True, size=(8, 6), **binary)
        yield replace(plain, batch=batch, size=(8, 6), **binary)
    yield replace(plain, batch=4, baked=True, size=(8, 6), dtype="uint8", value_range=(0, 255))

    # Further inputs.
    for feed, batch in product(("scalar", "vector", "rows"), (None, 1, 4)):
        yield replace(plain, feed=feed, batch=batch)
        yield replace(plain, feed=feed, batch=batch, layout="NHWC", dtype="float16")

    # Versions of the format; more of them in test_traps.py.
    for opset, ir in ((13, 4), (13, 7), (18, 8), (21, 10)):
        yield replace(plain, opset=opset, ir=ir, value_range=(0, 255))


def coarse_dialects() -> Iterator[Dialect]:
    """Scores and label maps at half the resolution."""
    for out, form, batch in product(("NCHW", "NHWC"), ("logits", "multilabel"), (None, 1, 4)):
        yield Dialect(output_layout=out, form=form, batch=batch, value_range=(0, 255))
    for rank, batch in product((3, 4), (None, 1)):
        yield Dialect(form="labels", answer_type="int64", answer_rank=rank, batch=batch)
    yield Dialect(form="logits", batch=4, baked=True, size=(8, 6))
    yield Dialect(
        form="logits",
        layout="NHWC",
        output_layout="NHWC",
        size=(8, 6),
        dtype="uint8",
        value_range=(0, 255),
    )
    for form, batch in product(("sigmoid", "probabilities"), (None, 4)):
        yield Dialect(form=form, batch=batch, size=(8, 6))


BINARY = ("sigmoid", "logit")


@cache
def function(classes: int, stride: int = 1, channels: int = 3) -> Conv3:
    seed = {(1, 3): 58, (2, 3): 55, (1, 1): 62}[stride, channels]
    return Conv3.random(classes, channels, seed=seed, stride=stride)


def spoken_by(dialect: Dialect, stride: int = 1) -> Conv3:
    return function(2 if dialect.form in BINARY else 4, stride)


def test_there_are_hundreds_of_different_dialects() -> None:
    names = [str(dialect) for dialect in dialects()]
    assert len(set(names)) > 150


@pytest.mark.parametrize("dialect", sorted(set(dialects()), key=str), ids=str)
def test_the_same_labels_and_certificate_in_every_dialect(dialect: Dialect, tmp_path: Path) -> None:
    agree(dialect, spoken_by(dialect), PICTURE, tmp_path)


@pytest.mark.parametrize("dialect", sorted(set(coarse_dialects()), key=str), ids=str)
def test_low_resolution_answers_are_brought_to_the_pictures_size(
    dialect: Dialect, tmp_path: Path
) -> None:
    agree(dialect, spoken_by(dialect, stride=2), PICTURE, tmp_path)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_a_grey_model_sees_the_picture_in_grey(layout: str, dtype: str, tmp_path: Path) -> None:
    dialect = Dialect(layout=layout, order="GRAY", dtype=dtype, value_range=(0, 255))
    conv = function(4, channels=1)
    grey = opened(dialect, conv, tmp_path).to_array(PICTURE)
    red, green, blue = PICTURE.astype(np.float64)
    assert np.allclose(grey, [0.299 * red + 0.587 * green + 0.114 * blue], atol=1e-6)
    agree(dialect, conv, grey, tmp_path, declared=PICTURE)


def test_integer_dialects_agree_where_float_does_not(tmp_path: Path) -> None:
    # Noise beyond black and white is cut off before an integer model sees it, as storing would do.
    byte = Dialect(dtype="uint8", value_range=(0, 255))
    signed = Dialect(dtype="int8", value_range=(-128, 127))
    exact = Dialect()
    noisy = draws_of(PICTURE, 24)
    labels = [opened(d, function(4), tmp_path)(noisy) for d in (byte, signed, exact)]
    assert np.array_equal(labels[0], labels[1])
    assert not np.array_equal(labels[0], labels[2])


def agree(
    dialect: Dialect,
    conv: Conv3,
    pixels: np.ndarray,
    folder: Path,
    declared: np.ndarray | None = None,
) -> None:
    """Assert equal labels draw by draw, and an equal certificate."""
    segmenter = opened(dialect, conv, folder)
    reference = Reference(conv, dialect)
    noisy = draws_of(pixels, 7)
    assert np.array_equal(segmenter(noisy), reference(noisy))

    found = certified(segmenter, pixels if declared is None else declared)
    wanted = certified(reference, pixels)
    assert reference.margin > MARGIN, "too close to call in float32; take another seed"
    assert np.array_equal(found.tally.candidate, wanted.tally.candidate)
    assert np.array_equal(found.tally.hits, wanted.tally.hits)
    assert np.array_equal(found.labels, wanted.labels)
    assert found.tally.nonfinite == 0
    assert 0 < wanted.abstained < wanted.labels.size, (
        "a certificate that says nothing tests nothing"
    )


def opened(dialect: Dialect, conv: Conv3, folder: Path) -> OnnxSegmenter:
    path = graphs.save(dialect.proto(conv), folder / "model.onnx")
    return OnnxSegmenter.open(path, device="cpu", threads=1, **dialect.given(conv))


def draws_of(pixels: np.ndarray, n: int) -> np.ndarray:
    noisy = np.empty((n, *pixels.shape), np.float32)
    Draws(Gaussian(SIGMA), 1, digest(pixels)).write(pixels, range(n), noisy)
    return noisy


def certified(segment: OnnxSegmenter | Reference, pixels: np.ndarray) -> Certificate:
    return certify(segment, pixels, Gaussian(SIGMA), n=48, n0=8, seed=5, batch_size=6)
