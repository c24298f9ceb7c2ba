"""Parts of the category alone, the mean of several passes, and scores that are not finite."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from graphs import Graph, save
from pointgraphs import CATEGORIES, Dialect, Network, Reference, linear, opened

from onnxcert import Gaussian, OnnxSegmenter, certify
from onnxcert._typing import FloatArray
from onnxcert.errors import ModelError, OnnxcertError
from onnxcert.model.adapter.point_orders import orders
from onnxcert.perturbation import OnChannels

PLAIN = Dialect()
ASKING = replace(PLAIN, category="BK")
POINTS, MARGIN = 60, 2e-6


def shape(category: int | None = None, *, values: int = 3, seed: int = 5) -> FloatArray:
    x = np.random.default_rng(seed).normal(0, 0.5, (values, POINTS)).astype(np.float32)
    if category is None:
        return x
    return np.concatenate([x, np.full((1, POINTS), category, np.float32)])


def noisy(x: FloatArray, n: int = 9) -> FloatArray:
    """Copies of x with noise on the coordinates."""
    batch = np.repeat(x[None], n, axis=0)
    batch[:, :3] += np.random.default_rng(1).normal(0, 0.2, batch[:, :3].shape)
    return batch


def noise() -> OnChannels:
    return OnChannels(Gaussian(0.1), 0, 3, "the coordinates")


def clear(reference: Reference, category: int | None) -> FloatArray:
    """A shape on which no decision is close: what float32 loses changes none."""
    for seed in range(5, 40):
        x, reference.margin = shape(category, values=reference.dialect.values, seed=seed), np.inf
        reference(noisy(x))
        certify(reference, x, noise(), n=50, seed=5)
        if reference.margin > MARGIN:
            return x
    raise AssertionError("every shape is too close to call in float32")


# -- the parts of the category -------------------------------------------------------------------


@pytest.mark.parametrize("category", range(3))
@pytest.mark.parametrize("dialect", [PLAIN, ASKING, replace(ASKING, form="probabilities")], ids=str)
def test_restricted_is_the_largest_of_the_categorys_scores(
    dialect: Dialect, category: int, tmp_path: Path
) -> None:
    network = Network(3, 5, 3 if dialect.category else 0, seed=2)
    segmenter = opened(network, tmp_path, dialect, restricted=True, categories=CATEGORIES)
    reference = Reference(network, dialect, CATEGORIES, restricted=True)
    x = noisy(clear(reference, category))
    answer = reference(x)
    assert np.array_equal(segmenter(x), answer)
    allowed = CATEGORIES[category][1]
    assert set(np.unique(answer)) <= set(allowed)
    # Some points preferred another category's part, so that the restriction is seen to act.
    free = Reference(network, dialect, CATEGORIES)(x)
    assert not np.isin(free, allowed).all()


@pytest.mark.parametrize("passes", [1, 2])
def test_each_row_of_a_batch_has_its_own_category(passes: int, tmp_path: Path) -> None:
    network = Network(3, 5, 3, seed=2)
    segmenter = opened(network, tmp_path, ASKING, restricted=True, passes=passes)
    mixed = np.stack([shape(i % 3) for i in range(7)])
    wanted = Reference(network, ASKING, CATEGORIES, restricted=True)(mixed)
    assert np.array_equal(segmenter(mixed), wanted)
    assert len({row.tobytes() for row in wanted}) == 3
    for i, row in enumerate(mixed):
        assert np.array_equal(segmenter(row[None])[0], wanted[i])


def test_a_model_that_does_not_tell_its_classes_can_be_restricted(tmp_path: Path) -> None:
    network = Network(3, 5, 3, seed=2)
    proto = ASKING.proto(network, CATEGORIES)
    axes = proto.graph.output[0].type.tensor_type.shape.dim
    axes[1].dim_param = "classes"
    path = save(proto, tmp_path / "model.onnx")
    given = {**ASKING.given(CATEGORIES), "restricted": True, "output_layout": "BCN"}
    segmenter = OnnxSegmenter.open(path, threads=1, **given)
    x = noisy(shape(2))
    wanted = Reference(network, ASKING, CATEGORIES, restricted=True)(x)
    assert np.array_equal(segmenter(x), wanted)
    assert segmenter.classes == 5


def test_class_indices_cannot_be_restricted(tmp_path: Path) -> None:
    dialect = replace(PLAIN, form="labels")
    with pytest.raises(OnnxcertError, match="restrict"):
        opened(Network(3, 5, seed=2), tmp_path, dialect, restricted=True, categories=CATEGORIES)


# -- no vote -------------------------------------------------------------------------------------


def poisoned(value: float, part: int, **contract: Any) -> onnx.ModelProto:
    """Five scores of a point; that of `part` is `value` where x exceeds 1/2."""
    g = Graph()
    weight = np.random.default_rng(3).normal(size=(5, 3))
    raw = g.add("MatMul", g.constant(weight, np.float32), "cloud")
    first = g.add("Slice", "cloud", *(g.constant([k]) for k in (0, 1, 1)))
    hot = g.add("Greater", first, g.constant(0.5, np.float32))
    bad = np.zeros((5, 1))
    bad[part] = value
    added = g.add("Where", hot, g.constant(bad, np.float32), g.constant(0.0, np.float32))
    g.add("Add", raw, added, output="parts")
    return g.model(
        {"cloud": ("float32", ["batch", 3, "n"])},
        {"parts": ("float32", ["batch", 5, "n"])},
        contract={"medium": "points", **contract},
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", [0, 3])
@pytest.mark.parametrize("passes", [1, 3])
def test_a_point_with_any_score_that_is_not_finite_has_no_vote(
    tmp_path: Path, value: float, part: int, passes: int
) -> None:
    # Chairs have the parts 0 and 1: a score that is not finite counts where it is ruled out too.
    fields = {"categories": [[n, list(p)] for n, p in CATEGORIES], "restricted": True}
    path = save(poisoned(value, part, passes=passes, **fields), tmp_path / "model.onnx")
    sound = save(poisoned(0.0, part, passes=passes, **fields), tmp_path / "sound.onnx")
    x = shape(0)[None]
    hot = x[0, 0] > 0.5
    assert 3 < hot.sum() < POINTS - 3
    labels = OnnxSegmenter.open(path, threads=1)(x)[0]
    assert (labels[hot] == 255).all()
    assert np.array_equal(labels[~hot], OnnxSegmenter.open(sound, threads=1)(x)[0][~hot])


# -- several passes ------------------------------------------------------------------------------


def test_orders_are_a_function_of_the_number_of_points_alone() -> None:
    assert (orders(4, 50) == orders(4, 50)).all()
    assert (orders(4, 50)[0] == np.arange(50)).all()
    for order in orders(4, 50):
        assert sorted(order) == list(range(50))
    assert len({order.tobytes() for order in orders(4, 50)}) == 4
    # A stored result depends on them: another version of NumPy must not change them.
    assert orders(2, 8)[1].tolist() == [3, 2, 4, 5, 7, 0, 1, 6]


@pytest.mark.slow
@pytest.mark.parametrize("restricted", [False, True])
@pytest.mark.parametrize(
    "dialect",
    [
        PLAIN,
        replace(PLAIN, layout="BNC", form="probabilities"),
        ASKING,
        replace(PLAIN, layout="BNC", category="B1K", form="log-probabilities"),
        replace(PLAIN, category="BK1"),
        replace(PLAIN, channels="xyz+normals", dtype="float16", category="BK"),
    ],
    ids=str,
)
def test_several_passes_are_the_mean_over_the_fixed_orders(
    dialect: Dialect, restricted: bool, tmp_path: Path
) -> None:
    network = Network(dialect.values, 5, 3 if dialect.category else 0, ordered=0.4, seed=2)
    segmenter = opened(
        network, tmp_path, dialect, passes=3, restricted=restricted, categories=CATEGORIES
    )
    asked = dialect.category or restricted
    three = orders(3, POINTS)
    reference = Reference(network, dialect, CATEGORIES, restricted=restricted, orders=three)
    x = clear(reference, 1 if asked else None)
    batch = noisy(x)
    wanted = reference(batch)
    assert np.array_equal(segmenter(batch), wanted)
    once = Reference(network, dialect, CATEGORIES, restricted=restricted)(batch)
    assert not np.array_equal(once, wanted), "one pass says the same, so nothing was tested"
    found = certify(segmenter, x, noise(), n=50, seed=5, batch_size=7)
    same = certify(reference, x, noise(), n=50, seed=5, batch_size=4)
    assert np.array_equal(found.tally.hits, same.tally.hits)
    assert np.array_equal(found.labels, same.labels)


def test_for_a_permutation_equivariant_model_several_passes_change_nothing(tmp_path: Path) -> None:
    network = Network(3, 5, seed=2)
    once = opened(network, tmp_path / "once")
    thrice = opened(network, tmp_path / "thrice", passes=3)
    x = noisy(shape(), 40)
    assert np.array_equal(once(x), thrice(x))


def test_passes_of_a_form_that_has_one_channel(tmp_path: Path) -> None:
    dialect = replace(PLAIN, form="sigmoid")
    network = Network(3, 1, ordered=0.4, seed=2)
    segmenter = opened(network, tmp_path, dialect, passes=3)
    reference = Reference(network, dialect, orders=orders(3, POINTS))
    x = noisy(shape())
    assert np.array_equal(segmenter(x), reference(x))
    many = replace(PLAIN, form="multilabel")
    network = Network(3, 5, ordered=0.4, seed=2)
    segmenter = opened(network, tmp_path, many, passes=3)
    reference = Reference(network, many, orders=orders(3, POINTS))
    assert np.array_equal(segmenter(x), reference(x))


@pytest.mark.parametrize("batch", [1, 2])
def test_passes_of_a_model_whose_batch_is_declared_fixed(batch: int, tmp_path: Path) -> None:
    dialect = replace(ASKING, batch=batch)
    network = Network(3, 5, 3, ordered=0.4, seed=2)
    segmenter = opened(network, tmp_path, dialect, passes=3)
    reference = Reference(network, dialect, CATEGORIES, orders=orders(3, POINTS))
    x = noisy(shape(2))
    assert np.array_equal(segmenter(x), reference(x))


# -- the way in ----------------------------------------------------------------------------------


def test_batch_size_and_position_do_not_matter(tmp_path: Path) -> None:
    network = Network(3, 5, 3, ordered=0.4, seed=2)
    segmenter = opened(network, tmp_path, ASKING, passes=2, restricted=True)
    x = shape(1)
    tallies = [
        certify(segmenter, x, noise(), n=50, seed=3, batch_size=size).tally for size in (1, 7, 50)
    ]
    for tally in tallies:
        assert np.array_equal(tally.hits, tallies[0].hits)
        assert np.array_equal(tally.candidate, tallies[0].candidate)
    assert (tallies[0].hits < 50).any()


@pytest.mark.parametrize(
    "last",
    [[0.5] * POINTS, [3.0] * POINTS, [-1.0] * POINTS, [0.0] * (POINTS - 1) + [1.0]],
    ids=["no number", "too large", "below zero", "two"],
)
def test_a_last_row_that_is_no_category_is_refused(last: list[float], tmp_path: Path) -> None:
    segmenter = opened(Network(3, 5, 3, seed=2), tmp_path, ASKING)
    x = shape(0)
    x[-1] = last
    with pytest.raises(OnnxcertError, match="categor"):
        certify(segmenter, x, noise(), n=50, seed=1)


def test_noise_on_the_category_is_refused(tmp_path: Path) -> None:
    segmenter = opened(Network(3, 5, 3, seed=2), tmp_path, ASKING)
    with pytest.raises(OnnxcertError, match="category"):
        certify(segmenter, shape(0), Gaussian(0.1), n=50, seed=1)


def test_another_number_of_points_than_the_model_labels_is_refused(tmp_path: Path) -> None:
    path = save(linear(np.eye(3)), tmp_path / "model.onnx")
    segmenter = OnnxSegmenter.open(path, threads=1, output_layout="BNC")
    with pytest.raises(ModelError, match="point"):
        segmenter(shape()[None])
