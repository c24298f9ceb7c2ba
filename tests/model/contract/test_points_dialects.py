"""One function of points in every dialect: the same labels, hits and certificate on the same x.

The function is NumPy in float64, the graphs compute in float32; no decision is closer than
`MARGIN`, far above what float32 loses, so that labels can be compared exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from pointgraphs import BINARY, CATEGORIES, Dialect, Network, Reference, opened

from onnxcert import Certificate, Gaussian, OnnxSegmenter, certify
from onnxcert._typing import FloatArray
from onnxcert.perturbation import OnChannels
from onnxcert.sampling.draws import Draws, digest

MARGIN = 2e-6
POINTS = 80


def dialects() -> Iterator[Dialect]:
    plain = Dialect()
    channels = ("xyz", "xyz+normals", "xyz+features", "xyz+normals+features")
    layouts = ("BCN", "BNC")
    for what, layout, out in product(channels, layouts, layouts):
        yield replace(plain, channels=what, layout=layout, output_layout=out)
        yield replace(plain, channels=what, layout=layout, output_layout=out, told=True)
    for what, layout, dtype in product(channels[:2], layouts, ("float16", "float64")):
        yield replace(plain, channels=what, layout=layout, dtype=dtype)
    for layout, batch, points in product(layouts, (None, 1, 4), (None, POINTS)):
        yield replace(plain, layout=layout, output_layout=layout, batch=batch, points=points)
    forms = ("logits", "probabilities", "log-probabilities", "multilabel", "labels")
    for form, out, told in product(forms, layouts, (False, True)):
        yield replace(plain, form=form, output_layout=out, told=told)
        yield replace(plain, form=form, output_layout=out, layout="BNC", named=False, told=told)
    for form, batch in product(("labels", "sigmoid", "logit"), (None, 4)):
        yield replace(plain, form=form, rank=2, batch=batch)
        yield replace(plain, form=form, rank=2, layout="BNC", points=POINTS, batch=batch)
    for form, out in product(("sigmoid", "logit"), layouts):
        yield replace(plain, form=form, output_layout=out)
    for form, layout, batch in product(("logits", "probabilities"), layouts, (None, 1, 4)):
        yield replace(plain, form=form, rank=2, task="classification", layout=layout, batch=batch)
    for kind, layout, batch, told in product(
        ("BK", "B1K", "BK1"), layouts, (None, 1, 4), (False, True)
    ):
        yield replace(plain, category=kind, layout=layout, batch=batch, told=told)
    for kind in ("BK", "B1K"):
        yield replace(plain, category=kind, free=True)
        yield replace(plain, category=kind, task="classification", rank=2)
        yield replace(plain, category=kind, channels="xyz+normals", dtype="float16")


def network_of(dialect: Dialect, *, ordered: float = 0.0) -> Network:
    classes = 1 if dialect.form in ("sigmoid", "logit") else 5
    categories = len(CATEGORIES) if dialect.category else 0
    return Network(dialect.values, classes, categories, ordered, seed=2)


def rows(dialect: Dialect, *, category: int | None = None, seed: int = 5) -> FloatArray:
    """A shape [c, N] as a model of this dialect gets it."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 0.5, (dialect.values, POINTS)).astype(np.float32)
    if category is not None:
        x = np.concatenate([x, np.full((1, POINTS), category, np.float32)])
    return x


def draws_of(x: FloatArray, n: int, sigma: float = 0.1) -> FloatArray:
    noisy = np.empty((n, *x.shape), np.float32)
    Draws(OnChannels(Gaussian(sigma), 0, 3), 1, digest(x)).write(x, range(n), noisy)
    return noisy


def certified(segment: OnnxSegmenter | Reference, x: FloatArray) -> Certificate:
    noise = OnChannels(Gaussian(0.1), 0, 3, "the coordinates")
    return certify(segment, x, noise, n=50, n0=8, seed=5, batch_size=6)


def agree(segmenter: OnnxSegmenter, reference: Reference, x: FloatArray) -> None:
    """Assert equal labels draw by draw, and an equal certificate."""
    noisy = draws_of(x, 7)
    assert np.array_equal(segmenter(noisy), reference(noisy))
    found, wanted = certified(segmenter, x), certified(reference, x)
    assert reference.margin > MARGIN, "too close to call in float32; take another seed"
    assert np.array_equal(found.tally.candidate, wanted.tally.candidate)
    assert np.array_equal(found.tally.hits, wanted.tally.hits)
    assert np.array_equal(found.labels, wanted.labels)
    assert found.tally.nonfinite == 0


def test_there_are_many_different_dialects() -> None:
    assert len({str(dialect) for dialect in dialects()}) > 100


@pytest.mark.parametrize("dialect", sorted(set(dialects()), key=str), ids=str)
def test_the_same_labels_and_certificate_in_every_dialect(dialect: Dialect, tmp_path: Path) -> None:
    network = network_of(dialect)
    segmenter = opened(network, tmp_path, dialect)
    x = rows(dialect, category=1 if dialect.category else None)
    assert segmenter.contract.channels == dialect.channels
    assert segmenter.contract.declared_channels == len(x)
    agree(segmenter, Reference(network, dialect, CATEGORIES), x)
    assert segmenter.classes == (2 if dialect.form in BINARY else 5)


def test_the_certificates_say_something(tmp_path: Path) -> None:
    # In every dialect the same tally: enough that one of them is of use.
    dialect = Dialect()
    certificate = certified(opened(network_of(dialect), tmp_path, dialect), rows(dialect))
    assert 0.1 < certificate.abstained / certificate.labels.size < 0.8
    assert len(set(certificate.labels)) > 2
