"""Counting: every pass is a fresh draw, and the tally depends on nothing but the draws."""

from __future__ import annotations

import itertools
import tracemalloc
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples
from recording import Recording, assert_every_draw_has_its_own_noise, count_until, thirds
from refusals import one_sentence

from onnxcert.errors import ModelError, ParameterError
from onnxcert.perturbation import Gaussian
from onnxcert.sampling import Count, Hits, run_draws, sample
from onnxcert.sampling.draws import Draws, digest
from onnxcert.sampling.tally import Component, Element, Selection, Tally

SELECTIONS: tuple[Selection, ...] = ("pooled", "split")
X = np.random.default_rng(0).random((2, 4, 5), dtype=np.float32)
DRAWS = Draws(Gaussian(0.3), 11, digest(X))


def tally_of(
    model: Callable[[Any], Any],
    n: int,
    n0: int,
    selection: Selection,
    *,
    batch_size: int = 1,
    classes: int = 3,
    x: np.ndarray = X,
) -> Tally:
    draws = Draws(Gaussian(0.3), 11, digest(x))
    return sample(model, x, Count(draws, n, n0, selection, classes), batch_size=batch_size)


def assert_same(a: Tally, b: Tally) -> None:
    for name in ("candidate", "hits", "single"):
        left, right = getattr(a, name), getattr(b, name)
        assert np.asarray(left).dtype == np.asarray(right).dtype
        np.testing.assert_array_equal(left, right)
    for name in ("n", "n0", "selection", "classes", "nonfinite", "draws", "unit"):
        assert getattr(a, name) == getattr(b, name)


def recount(votes: np.ndarray, n0: int, selection: Selection, classes: int) -> tuple[Any, Any, int]:
    """Candidate, hits and withheld votes, one vote at a time."""
    passes = votes.reshape(len(votes), -1).tolist()
    candidates, hits = [], []
    for component in zip(*passes, strict=True):
        first = Counter(v for v in component[:n0] if 0 <= v < classes)
        best = max(range(classes), key=lambda c: (first[c], -c))
        tested = component if selection == "pooled" else component[n0:]
        candidates.append(best)
        hits.append(sum(v == best for v in tested))
    invalid = sum(not 0 <= v < classes for one in passes for v in one)
    shape = votes.shape[1:]
    return np.reshape(candidates, shape), np.reshape(hits, shape), invalid


# -- what the model is shown -------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 4, 7, 200])
@pytest.mark.parametrize("selection", SELECTIONS)
def test_every_pass_sees_noise_of_its_own_in_the_declared_unit(
    batch_size: int, selection: Selection
) -> None:
    x = np.random.default_rng(1).random((3, 10, 12), dtype=np.float32)
    model = Recording()
    tally_of(model, 150, 30, selection, batch_size=batch_size, x=x)
    assert all(len(batch) <= batch_size for batch in model.batches)
    assert_every_draw_has_its_own_noise(model.inputs, x, sigma=0.3)


def test_draw_0_is_noisy() -> None:
    model = Recording()
    tally = tally_of(model, 5, 2, "pooled")
    assert np.mean(model.inputs[0] == X) < 0.05
    np.testing.assert_array_equal(tally.single, model.labels[0])


@pytest.mark.parametrize(("selection", "total"), [("pooled", 40), ("split", 47)])
@pytest.mark.parametrize("batch_size", [1, 3, 7, 8, 100])
def test_exactly_n_passes_pooled_and_n0_more_split(
    selection: Selection, total: int, batch_size: int
) -> None:
    model = Recording()
    tally_of(model, 40, 7, selection, batch_size=batch_size)
    assert len(model.inputs) == total


def test_the_passes_are_the_draws_0_1_2_in_order() -> None:
    model = Recording()
    tally_of(model, 12, 5, "split", batch_size=4)
    expected = np.empty((17, *X.shape), np.float32)
    DRAWS.write(X, range(17), expected)
    np.testing.assert_array_equal(model.inputs, expected)


def test_a_model_that_spoils_its_input_spoils_no_other_draw() -> None:
    def spoil(batch: np.ndarray) -> np.ndarray:
        labels = thirds(batch)
        batch[...] = np.nan
        return labels

    assert_same(
        tally_of(spoil, 30, 9, "pooled", batch_size=4),
        tally_of(thirds, 30, 9, "pooled", batch_size=4),
    )


# -- what is counted ---------------------------------------------------------------------------


@given(
    n=st.integers(1, 40),
    n0=st.integers(1, 40),
    selection=st.sampled_from(SELECTIONS),
    batch_size=st.integers(1, 50),
    classes=st.integers(1, 4),
    seed=st.integers(0, 2**63 - 1),
)
@examples(80)
def test_hits_are_a_recount_of_the_votes_one_by_one(
    n: int, n0: int, selection: Selection, batch_size: int, classes: int, seed: int
) -> None:
    if selection == "pooled":
        n0 = min(n0, n)
    model = Recording()
    draws = Draws(Gaussian(0.5), seed, digest(X))
    count = Count(draws, n, n0, selection, classes)
    tally = sample(model, X, count, batch_size=batch_size)
    candidate, hits, invalid = recount(model.labels, n0, selection, classes)
    np.testing.assert_array_equal(tally.candidate, candidate)
    np.testing.assert_array_equal(tally.hits, hits)
    np.testing.assert_array_equal(tally.single, model.labels[0])
    assert tally.nonfinite == invalid
    assert (tally.n, tally.n0, tally.selection) == (n, n0, selection)


@given(
    n=st.integers(1, 60),
    n0=st.integers(1, 60),
    selection=st.sampled_from(SELECTIONS),
    sizes=st.lists(st.integers(1, 130), min_size=1, max_size=4),
)
@examples(60)
def test_the_tally_does_not_depend_on_the_batch_size(
    n: int, n0: int, selection: Selection, sizes: list[int]
) -> None:
    if selection == "pooled":
        n0 = min(n0, n)
    one = tally_of(thirds, n, n0, selection)
    for size in sizes:
        assert_same(tally_of(thirds, n, n0, selection, batch_size=size), one)


@pytest.mark.slow
@given(
    selection=st.sampled_from(SELECTIONS),
    cuts=st.lists(st.integers(0, 60), max_size=6),
    sizes=st.lists(st.integers(1, 20), min_size=1, max_size=7),
    order=st.randoms(use_true_random=False),
)
@examples(60)
def test_parts_counted_apart_add_up_in_any_order(
    selection: Selection, cuts: list[int], sizes: list[int], order: Any
) -> None:
    n, n0 = 50, 10
    whole = tally_of(thirds, n, n0, selection)
    first, last = (0, n) if selection == "pooled" else (n0, n0 + n)
    bounds = sorted({first, last, *(min(max(c, first), last) for c in cuts)})
    parts = []
    for k, (a, b) in enumerate(itertools.pairwise(bounds)):
        part = Hits.empty(DRAWS, whole.candidate, n)
        done = a
        for labels in run_draws(thirds, X, DRAWS, range(a, b), sizes[k % len(sizes)]):
            part.add(labels, range(done, done + len(labels)))
            done += len(labels)
        parts.append(part)
    order.shuffle(parts)
    # As a tree: some parts are merged with each other before they meet the rest.
    while len(parts) > 1:
        part = parts.pop()
        order.choice(parts).merge(part)
    np.testing.assert_array_equal(parts[0].hits, whole.hits)
    counted = sorted(i for r in parts[0].counted for i in r)
    assert counted == list(range(first, last))


def test_draws_in_which_all_agree_add_up_over_parts() -> None:
    labels = (np.random.default_rng(4).random((50, 3)) < 0.2).astype(np.uint8)
    parts = [Hits.empty(DRAWS, np.zeros(3, np.uint8), 50) for _ in range(3)]
    for part, draws in zip(parts, (range(20), range(20, 31), range(31, 50)), strict=True):
        part.add(labels[draws.start : draws.stop], draws)
    parts[1].merge(parts[2])
    parts[0].merge(parts[1])
    assert parts[0].joint == int((labels == 0).all(axis=1).sum()) > 0


@pytest.mark.slow
@given(
    selection=st.sampled_from(SELECTIONS),
    stops=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 9)), max_size=6),
)
@examples(60)
def test_a_count_that_was_stopped_goes_on_as_if_it_had_not(
    selection: Selection, stops: list[tuple[int, int]]
) -> None:
    n, n0 = 40, 13
    count = Count(DRAWS, n, n0, selection, 3)
    model = Recording()
    for batches, size in stops:
        count_until(model, X, count, size, batches)
    tally = sample(model, X, count, batch_size=6)
    assert_same(tally, tally_of(thirds, n, n0, selection))
    # Nothing was run twice but what was never counted.
    assert sample(model, X, count).hits is tally.hits


def test_a_count_cannot_become_a_tally_before_it_is_complete() -> None:
    count = Count(DRAWS, 10, 4, "pooled", 3)
    with pytest.raises(ParameterError, match="10 counted draws were expected, got 0"):
        count.tally()
    count.add(thirds(np.stack([X] * 4)))
    with pytest.raises(ParameterError, match="10 counted draws were expected, got 4"):
        count.tally()
    with pytest.raises(ParameterError, match="draws 4 to 10"):
        count.add(thirds(np.stack([X] * 7)))


# -- what must not be added up -----------------------------------------------------------------


def part(draws: Draws, indices: range, candidate: np.ndarray) -> Hits:
    hits = Hits.empty(draws, candidate, 100)
    hits.add(np.zeros((len(indices), *candidate.shape), np.uint8), indices)
    return hits


@pytest.mark.parametrize(
    "other",
    [
        Draws(Gaussian(0.3), 12, DRAWS.digest),
        Draws(Gaussian(0.3), 11, digest(X + 1)),
        Draws(Gaussian(0.3), 11, DRAWS.digest, "cupy-philox4x32-10"),
        Draws(Gaussian(0.25), 11, DRAWS.digest),
        DRAWS.warm_up_draws(),
    ],
    ids=["seed", "input", "generator", "perturbation", "rehearsal"],
)
def test_counts_of_other_draws_are_not_added(other: Draws) -> None:
    candidate = np.zeros((2, 3), np.uint8)
    hits = part(DRAWS, range(5), candidate)
    with pytest.raises(ParameterError, match="same draws"):
        hits.merge(part(other, range(5, 9), candidate))
    assert hits.hits.tolist() == [[5] * 3] * 2
    assert hits.counted == (range(5),)


def test_counts_for_other_candidates_are_not_added() -> None:
    candidate = np.zeros((2, 3), np.uint8)
    hits = part(DRAWS, range(5), candidate)
    other = candidate.copy()
    other[1, 2] = 1
    for wrong in (other, np.zeros((3, 2), np.uint8), np.zeros((2, 4), np.uint8)):
        with pytest.raises(ParameterError, match="same candidates"):
            hits.merge(part(DRAWS, range(5, 9), wrong))
    # The same classes in a wider type are the same candidates.
    hits.merge(part(DRAWS, range(5, 9), candidate.astype(np.int64)))
    assert hits.hits.tolist() == [[9] * 3] * 2


@given(
    held=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 5)), min_size=1, max_size=6),
    new=st.tuples(st.integers(0, 30), st.integers(1, 8)),
)
def test_no_draw_is_counted_twice(held: list[tuple[int, int]], new: tuple[int, int]) -> None:
    candidate = np.zeros(2, np.uint8)
    hits = Hits.empty(DRAWS, candidate, 100)
    drawn: set[int] = set()
    for start, length in [*held, new]:
        indices = range(start, start + length)
        labels = np.zeros((length, 2), np.uint8)
        if drawn.isdisjoint(indices):
            hits.add(labels, indices)
            drawn.update(indices)
        else:
            with pytest.raises(ParameterError, match="counted already"):
                hits.add(labels, indices)
            with pytest.raises(ParameterError, match="counted already"):
                hits.merge(part(DRAWS, indices, candidate))
        assert hits.hits.tolist() == [len(drawn)] * 2
        assert {i for r in hits.counted for i in r} == drawn


# -- values that are no votes, and counters that must not overflow -----------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.int32, np.int64])
def test_a_value_that_is_no_class_is_no_vote(dtype: type[np.integer[Any]]) -> None:
    def model(batch: np.ndarray) -> np.ndarray:
        labels = np.full((len(batch), 4), 1, dtype)
        labels[:, 1] = 3
        labels[:, 2] = np.iinfo(dtype).max
        labels[:, 3] = np.iinfo(dtype).min  # 0, a class, where there is no sign
        return labels

    tally = tally_of(model, 20, 5, "split", batch_size=3)
    signed = np.iinfo(dtype).min < 0
    assert tally.hits.tolist() == [20, 0, 0, 0 if signed else 20]
    assert tally.nonfinite == 25 * (3 if signed else 2)
    assert tally.candidate.tolist() == [1, 0, 0, 0]


def test_minus_one_is_not_the_last_class_of_an_unsigned_type() -> None:
    """Candidates are unsigned. A label of -1 compared as uint8 would be a vote for class 255."""
    values = iter([255] * 3 + [-1] * 7)

    def model(batch: np.ndarray) -> np.ndarray:
        return np.array([[next(values)] for _ in batch], np.int16)

    tally = tally_of(model, 10, 3, "pooled", classes=256)
    assert tally.candidate.tolist() == [255]
    assert tally.hits.tolist() == [3]
    assert tally.nonfinite == 7


@pytest.mark.parametrize(
    ("classes", "label", "dtype"),
    [(255, 254, np.uint8), (256, 255, np.uint8), (300, 255, np.uint8), (300, 299, np.uint16)],
)
def test_many_classes_do_not_overflow(classes: int, label: int, dtype: Any) -> None:
    tally = tally_of(
        lambda b: np.full((len(b), 2), label, dtype), 12, 5, "pooled", classes=classes, batch_size=5
    )
    assert tally.candidate.tolist() == [label] * 2
    assert tally.hits.tolist() == [12] * 2
    assert tally.nonfinite == 0


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize(
    ("n", "n0", "batch_size"),
    [
        (255, 255, 255),
        (256, 10, 256),
        (256, 256, 256),
        (300, 280, 1),
        (300, 10, 257),
        (600, 300, 300),
        (1000, 10, 255),
    ],
)
def test_more_than_255_votes_are_counted(
    n: int, n0: int, batch_size: int, selection: Selection
) -> None:
    x = np.zeros(1, np.float32)
    tally = tally_of(
        lambda b: np.ones((len(b), 1), np.uint8), n, n0, selection, batch_size=batch_size, x=x
    )
    assert tally.hits.tolist() == [n]


@pytest.mark.parametrize(("n0", "batch_size"), [(10, 1000), (65_900, 65_700)])
def test_more_than_65535_votes_are_counted(
    n0: int, batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Draws, "writer", lambda *_: lambda *_: None)  # nobody looks at the noise
    x = np.zeros(1, np.float32)
    tally = tally_of(
        lambda b: np.ones((len(b), 1), np.uint8), 66_000, n0, "pooled", batch_size=batch_size, x=x
    )
    assert tally.hits.tolist() == [66_000]


@pytest.mark.parametrize("grid", [(), (1,), (7,), (2, 3), (2, 3, 4)])
def test_components_form_a_grid_of_any_dimension(grid: tuple[int, ...]) -> None:
    for selection in SELECTIONS:
        tally = tally_of(
            lambda b: np.ones((len(b), *grid), np.uint8), 9, 3, selection, batch_size=2
        )
        assert np.shape(tally.hits) == np.shape(tally.candidate) == np.shape(tally.single) == grid
        assert np.all(tally.hits == 9)
        assert np.all(tally.candidate == 1)


def peak(n: int, shape: tuple[int, ...]) -> int:
    x = np.zeros(shape, np.float32)
    answer = np.zeros((1, *shape[1:]), np.uint8)
    count = Count(Draws(Gaussian(0.3), 11, digest(x)), n, 10, "pooled", 2)
    tracemalloc.start()
    try:
        sample(lambda _: answer, x, count)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_memory_is_flat_in_n() -> None:
    peak(10, (1, 2, 2))  # imports and caches
    few, many = peak(300, (3, 192, 192)), peak(1200, (3, 192, 192))
    # Keeping the labels alone would cost 33 MB more, keeping the samples 400 MB.
    assert many < 1.1 * few


@pytest.mark.slow
def test_memory_is_flat_in_n_to_the_last_byte() -> None:
    peak(10, (1, 2, 2))
    assert peak(2000, (1, 2, 2)) < peak(300, (1, 2, 2)) + 20_000


# -- models that are none ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "complaint"),
    [
        (lambda b: b[:, 0], "integer labels"),
        (lambda b: b[:, 0] > 0.5, "integer labels"),
        (lambda b: np.zeros((len(b) + 1, 4), int), "each of the"),
        (lambda _: np.zeros((0, 4), int), "each of the"),
        (lambda _: np.zeros((4, 5), int), "each of the"),
        (lambda b: np.zeros((len(b), 0), int), "each of the"),
        (lambda _: np.zeros((), int), "each of the"),
    ],
    ids=["floats", "bools", "more rows", "no rows", "no batch axis", "no components", "scalar"],
)
def test_an_answer_that_is_not_labels_is_refused(model: Any, complaint: str) -> None:
    with one_sentence(ModelError, match=complaint):
        tally_of(model, 12, 3, "pooled", batch_size=3)


@pytest.mark.parametrize("change_at", [1, 2, 5, 11])
@pytest.mark.parametrize("grid", [(4, 6), (5, 4), (20,), (4, 5, 1), (1, 5)])
def test_a_grid_that_changes_is_refused(change_at: int, grid: tuple[int, ...]) -> None:
    calls = 0

    def model(batch: np.ndarray) -> np.ndarray:
        nonlocal calls
        calls += 1
        return np.zeros((len(batch), *(grid if calls > change_at else (4, 5))), np.uint8)

    with pytest.raises(ModelError, match="same components in every pass"):
        tally_of(model, 12, 3, "pooled")


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_without_rows_is_refused(batch_size: int) -> None:
    with pytest.raises(ParameterError, match="batch size"):
        tally_of(thirds, 10, 5, "pooled", batch_size=batch_size)


@pytest.mark.parametrize(
    ("n", "n0", "selection"), [(0, 1, "split"), (5, 0, "pooled"), (5, 6, "pooled"), (5, 2, "both")]
)
def test_impossible_numbers_of_draws_are_refused(n: int, n0: int, selection: Any) -> None:
    with pytest.raises(ParameterError):
        Count(DRAWS, n, n0, selection, 3)


# -- weaknesses --------------------------------------------------------------------------------


def test_hits_refuse_more_labels_than_draws_claimed() -> None:
    hits = Hits.empty(DRAWS, np.zeros(2, np.uint8), 10)
    with pytest.raises((ParameterError, ModelError)):
        hits.add(np.zeros((5, 2), np.uint8), range(3))


def test_hits_refuse_labels_of_another_grid() -> None:
    hits = Hits.empty(DRAWS, np.zeros((2, 3), np.uint8), 10)
    with pytest.raises((ParameterError, ModelError)):
        hits.add(np.zeros((5, 1, 1), np.uint8), range(5))


def test_merged_counters_do_not_overflow() -> None:
    candidate = np.zeros(1, np.uint8)
    a, b = (Hits.empty(DRAWS, candidate, 200) for _ in range(2))
    a.add(np.zeros((200, 1), np.uint8), range(200))
    b.add(np.zeros((200, 1), np.uint8), range(200, 400))
    a.merge(b)
    assert a.hits.tolist() == [400]


def test_a_batch_across_the_end_of_selection_is_refused_at_once() -> None:
    count = Count(DRAWS, 10, 4, "pooled", 3)
    with pytest.raises(ParameterError):
        count.add(np.zeros((5, 2), np.uint8))


def test_a_count_does_not_go_on_with_another_input() -> None:
    count = Count(DRAWS, 10, 4, "pooled", 3)
    with pytest.raises(ParameterError):
        sample(thirds, X + np.float32(0.5), count)


@pytest.mark.parametrize("element", [*Element][:-1])
@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize("detail", ["", "scores averaged over the scales 0.5, 1"])
def test_what_gets_a_certificate_is_read_back_from_its_words(
    element: Element, multilabel: bool, detail: str
) -> None:
    component = Component(element, multilabel, detail)
    assert Component.parse(str(component)) == component
    assert component.is_input_element == (str(component).startswith(("pixels", "points")))
    assert element.is_whole == (element.value.startswith("the whole "))


@pytest.mark.parametrize("kind", ["of the callable's labels", "synthetic components, many", ""])
def test_other_words_are_kept(kind: str) -> None:
    assert Component.parse(kind).element is Element.OTHER
    assert str(Component.parse(kind)) == kind
