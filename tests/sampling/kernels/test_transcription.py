"""The transcription gives what the graph on the CPU gives, on any array library."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import array_api_strict
import numpy as np
import onnx
import onnxruntime
import pytest
from array_api_compat import numpy as standard_numpy
from kernel_cases import KEY, Carrier, VotesCase, same_bits, votes_cases
from onnx import TensorProto, helper

from onnxcert.model.contract.image import ImageContract
from onnxcert.model.graph.nodes import Nodes
from onnxcert.model.graph.vote import channels_first, labels
from onnxcert.sampling.kernels import Channels, Transcription, standard_normals
from onnxcert.sampling.kernels.transcription import Interpolation

GRIDS = [((6, 7), (24, 28)), ((5, 9), (13, 17)), ((8, 9), (5, 9)), ((1, 9), (6, 5))]
GRIDS += [((16, 32), (128, 256)), ((7, 7), (100, 33)), ((4, 6), (4, 11)), ((45, 60), (180, 240))]


def ran(nodes: Nodes, values: np.ndarray[Any, Any], kind: int, rank: int) -> np.ndarray[Any, Any]:
    """What ONNX Runtime's CPU makes of `values`."""
    graph = helper.make_graph(
        nodes.nodes,
        "kernels",
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, values.shape)],
        [helper.make_tensor_value_info("out", kind, [None] * rank)],
        initializer=nodes.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    found = session.run(None, {"scores": values})[0]
    assert isinstance(found, np.ndarray)
    return found


def graph_labels(case: VotesCase) -> np.ndarray[Any, Any]:
    """Labels of the graph that onnxcert puts behind a network today."""
    values = case.scores(lambda array: array).values
    contract = ImageContract(
        output="scores",
        output_form="logits" if case.threshold is None else "logit",
        output_layout="NCHW",
        output_rank=4,
        threshold=case.threshold,
        classes=case.classes if case.threshold is None else 2,
    )
    nodes = Nodes("test")
    scores = channels_first(nodes, contract)
    if case.cells != case.grid:
        scores = nodes.resize(scores, nodes.constant(case.grid))
    labels(nodes, scores, contract, candidates=scores, output="out")
    return ran(nodes, values, TensorProto.UINT8, 3)


@pytest.mark.parametrize(("source", "grid"), GRIDS)
def test_interpolation_is_that_of_the_graph(source: tuple[int, int], grid: tuple[int, int]) -> None:
    """But for the last bit, where a processor has its own way; NaN and infinity included."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(1, 3, *source)).astype(np.float32)
    values[0, 2].ravel()[rng.integers(0, values[0, 2].size, 3)] = [np.nan, np.inf, -np.inf]
    nodes = Nodes("test")
    nodes.add("Identity", nodes.resize("scores", nodes.constant(grid)), output="out")
    expected = ran(nodes, values, TensorProto.FLOAT, 4)[0]
    with np.errstate(invalid="ignore"):
        found = [Interpolation(source, grid, standard_numpy)(plane) for plane in values[0]]
    for one, other in zip(found[:2], expected[:2], strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(np.isfinite(found[2]), np.isfinite(expected[2]))


PLAIN = [c for c in votes_cases() if c.dtype == "float32" and len(c.grid) == 2 and c.classes < 255]


@pytest.mark.parametrize("case", [c for c in PLAIN if c.layout == "first"], ids=str)
def test_labels_are_those_of_the_graph(case: VotesCase) -> None:
    """Votes withheld and ties included, wherever the best two scores differ by more than an ulp."""
    found = np.zeros((case.draws, *case.grid), dtype=np.uint8)
    scores = case.scores(lambda array: array)
    Transcription().labels(scores, found)
    expected = graph_labels(case)
    if case.content != "ties" or case.cells == case.grid:
        np.testing.assert_array_equal(found, expected)
    else:  # equal scores, interpolated in another order, are no longer equal
        assert np.mean(found == expected) > 0.9
    np.testing.assert_array_equal(found == 255, expected == 255)


@pytest.mark.slow
def test_what_is_counted_follows_from_the_labels() -> None:
    for case in votes_cases():
        counted = case.run(Transcription(), lambda a: a, lambda a: a)
        labels, none = counted["labels"], np.iinfo(case.counter).max
        invalid = int((labels == none).sum())
        assert counted["select_withheld"] == counted["match_withheld"] == 40 + invalid
        # The same counts from nothing, as sums of comparisons.
        rng = np.random.default_rng(4)
        classes = case.classes if case.threshold is None else 2
        votes = rng.integers(0, 9, (classes, *case.grid))
        hits, candidate = rng.integers(0, 9, case.grid), rng.integers(0, classes, case.grid)
        if case.content == "ties":
            candidate[:] = 0
        each = np.arange(classes).reshape(-1, *(1 for _ in labels.shape))
        np.testing.assert_array_equal(counted["votes"], votes + (labels == each).sum(axis=1))
        np.testing.assert_array_equal(counted["hits"], hits + (labels == candidate).sum(axis=0))
        missed = (labels != candidate).reshape(case.draws, -1).any(axis=1)
        np.testing.assert_array_equal(counted["missed"], missed)


@pytest.mark.slow
def test_some_case_has_draws_without_a_miss_and_some_with() -> None:
    seen = {
        (case.content, int(flag))
        for case in votes_cases()
        for flag in case.run(Transcription(), lambda a: a, lambda a: a)["missed"]
    }
    assert {flag for _, flag in seen} == {0, 1}


STRICT = [c for c in votes_cases() if c.dtype == "float32" and c.layout == "first"]


@pytest.mark.parametrize("case", STRICT, ids=str)
def test_votes_need_nothing_beyond_the_array_api(case: VotesCase) -> None:
    assert Carrier(Transcription(), array_api_strict.asarray, np.asarray).votes_agree(case)


@pytest.mark.parametrize("order", [None, (2, 1, 0), (0, 0, 1, 2)])
def test_noise_needs_nothing_beyond_the_array_api(order: tuple[int, ...] | None) -> None:
    xp, rng = array_api_strict, np.random.default_rng(1)
    x = rng.random((3, 5, 6), dtype=np.float32)
    count = len(order or range(3))
    affine = rng.normal(size=(2, count)).astype(np.float32)
    places = None if order is None else np.array(order, dtype=np.int32)
    expected = np.zeros((2, count, 5, 6), np.float32)
    out, sigma = xp.asarray(np.zeros_like(expected)), np.float32(0.3)
    Transcription().noise(x, sigma, KEY, 4, expected, Channels(places, affine))
    channels = Channels(None if places is None else xp.asarray(places), xp.asarray(affine))
    Transcription().noise(xp.asarray(x), sigma, KEY, 4, out, channels)
    assert same_bits(np.asarray(out), expected)


def test_noise_is_the_nearest_grid_point_of_the_exact_sum_and_then_normalised() -> None:
    """The grid point is found in fractions; every operation after it rounds on its own."""
    rng, sigma, step = np.random.default_rng(1), 0.3, 2.0**-16
    x = rng.random((3, 4, 5), dtype=np.float32)
    z = standard_normals(KEY, 9, x.size).reshape(x.shape)
    plain, fused = np.zeros((1, 3, 4, 5), np.float32), np.zeros((1, 4, 5, 3), np.float16)
    Transcription().noise(x, sigma, KEY, 9, plain)
    for value, noise, found in zip(x.flat, z.flat, plain.flat, strict=True):
        exact = (Fraction(float(value)) + Fraction(sigma) * Fraction(float(noise))) / Fraction(step)
        assert found == round(exact) * step
    affine = rng.normal(size=(2, 3)).astype(np.float32)
    channels = Channels(np.array([2, 1, 0], np.int32), affine)
    Transcription().noise(x, sigma, KEY, 9, fused.transpose(0, 3, 1, 2), channels)
    factor, offset = affine[:, :, None, None]
    expected = (plain[0][::-1] * factor + offset).astype(np.float16)
    np.testing.assert_array_equal(fused[0].transpose(2, 0, 1), expected)


def test_without_noise_the_input_is_written_as_it_is() -> None:
    x = np.random.default_rng(1).random((3, 4, 5), dtype=np.float32)
    out = np.zeros((2, 3, 4, 5), np.float32)
    Transcription().noise(x, 0.0, KEY, 9, out)
    np.testing.assert_array_equal(out, np.stack([x, x]))
