"""What runs at once, elsewhere or in parts: each of these let something wrong through, once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import numpy.typing as npt
import onnx
import pytest

import onnxcert
from onnxcert import Gaussian, OnnxSegmenter, ResultStore, Rule, Schedule
from onnxcert.data.datasets import READERS
from onnxcert.errors import ParameterError, StoreError
from onnxcert.model.adapter.resize import Fit
from onnxcert.model.network.averaging import VoteHead
from onnxcert.model.tuning.batch_invariance import is_batch_dependent
from onnxcert.model.tuning.batch_size import BatchSize
from onnxcert.model.tuning.execution_plan import ExecutionPlan
from onnxcert.results import merge
from onnxcert.run.progress import ProgressListener
from onnxcert.run.run import Run
from onnxcert.run.workers.worker import CountDraws, Worker, WorkerSetup
from onnxcert.sampling import Count, Part, count_part, sample
from onnxcert.sampling.draws import Draws, digest
from onnxcert.statistics.settings import Settings

Array = npt.NDArray[Any]
NOISE = Gaussian(0.2)


def noisy_picture(seed: int, height: int, width: int) -> Array:
    return np.random.default_rng(seed).random((3, height, width), dtype=np.float32)


def bright(batch: Array) -> Array:
    """1 where the first channel is above a half."""
    return (batch[:, 0] > 0.5).astype(np.uint8)


# -- callables that write into what they are shown -------------------------------------------------


def test_a_callable_that_overwrites_its_batch_does_not_change_the_input() -> None:
    """Rounding in place gives the same again, so nothing else shows that x is another one."""

    def in_place(batch: Array) -> Array:
        batch[:] = batch > 0.5
        return bright(batch)

    x = np.full((3, 6, 6), 0.51, dtype=np.float32)
    kept = x.copy()
    one, other = (
        onnxcert.certify(model, x, Gaussian(0.05), n=100, seed=1, classes=2)
        for model in (in_place, bright)
    )
    assert np.array_equal(x, kept)
    assert one.tally.draws == other.tally.draws
    assert np.array_equal(one.tally.hits, other.tally.hits)
    assert (one.labels == onnxcert.ABSTAIN).all()  # a step of 0.01 changes the class


def test_a_leak_is_found_in_a_callable_that_overwrites_its_batch() -> None:
    """The mean over the batch is 0 from the second time on."""

    def centred(batch: Array) -> Array:
        batch -= batch.mean(axis=0)
        return (batch[:, 0] > 0.0).astype(np.uint8)

    x = noisy_picture(0, 6, 6)
    certificate = onnxcert.certify(centred, x, NOISE, n=60, seed=1, classes=2, batch_size=6)
    assert any("one draw per pass" in note for note in certificate.notes)


@pytest.mark.parametrize("said", [-1, 0, 2.5, None, "2"])
def test_a_number_of_threads_that_is_none_is_refused_in_one_sentence(said: Any) -> None:
    class Odd:
        at_once = said

        def __call__(self, batch: Array) -> Array:
            return bright(batch)

    with pytest.raises(ParameterError, match="at_once of a model must be a whole number"):
        onnxcert.certify(Odd(), noisy_picture(0, 4, 4), NOISE, n=60, classes=2)


# -- several views ---------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 11, 19])
@pytest.mark.parametrize("side", [1, 48])
def test_probabilities_do_not_depend_on_how_many_inputs_are_in_the_pass(
    tmp_path: Path, classes: int, side: int
) -> None:
    """The runtime adds classes up in another order for one input than for several."""
    proto = graphs.conv(classes, contract={**graphs.UNIT_RANGE, "output_form": "logits"})
    segment = OnnxSegmenter.open(graphs.save(proto, tmp_path / "model.onnx"), threads=1)
    segment(noisy_picture(0, 8, 8)[None])
    ballot = VoteHead(segment.contract, probabilities=True, threads=1)
    rng = np.random.default_rng(classes)
    scores = rng.normal(0, 3, (6, classes, side, side)).astype(np.float32)
    alone = np.concatenate([ballot.probabilities(row[None]) for row in scores])
    for many in (2, 3, 6):
        batches = [scores[i : i + many] for i in range(0, 6, many)]
        assert np.array_equal(np.concatenate([*map(ballot.probabilities, batches)]), alone)


@pytest.mark.parametrize("fit", [Fit(scales=(0.5, 1.0)), Fit(flip=True, tile=(40, 40))])
def test_the_votes_of_several_views_do_not_depend_on_the_batch_size(
    tmp_path: Path, fit: Fit
) -> None:
    """A smooth model on a flat picture: many pixels lie on the edge between two classes."""
    weight = 1e-4 * np.random.default_rng(0).normal(size=(11, 3, 1, 1))
    proto = graphs.conv(11, weight=weight, contract={**graphs.UNIT_RANGE, "output_form": "logits"})
    segment = OnnxSegmenter.open(graphs.save(proto, tmp_path / "model.onnx"), fit=fit, threads=1)
    x = np.full((3, 64, 64), 0.5, dtype=np.float32)
    draws = Draws(NOISE, 1, digest(x))
    segment(x[None])
    parts = [
        count_part(segment, x, draws, range(13), classes=11, batch_size=size) for size in (1, 2, 6)
    ]
    assert all(np.array_equal(part.votes, parts[0].votes) for part in parts)


# -- leaks that only some inputs show --------------------------------------------------------------


def leaking_from_the_next_row(forwards: bool) -> onnx.ModelProto:
    """Of bright pictures every row takes something over from the row before or behind it.

    The last row, or the first, has no such neighbour and never shows it.
    """
    picked, pair = ("zero, less", "none, picked") if forwards else ("one, rows", "picked, none")
    weight = np.zeros((2, 3, 1, 1))
    weight[1] = 8 / 3
    return graphs.model(
        f"""({graphs.IMAGES} image) => (float[batch, 2, height, width] scores) {{
            shape = Shape(image)
            rows = Slice(shape, zero, one)
            less = Sub(rows, one)
            picked = Slice(image, {picked})
            first = Slice(image, zero, one)
            none = Sub(first, first)
            neighbour = Concat<axis = 0>({pair})
            mean = ReduceMean<axes = [1, 2, 3]>(image)
            is_bright = Greater(mean, half)
            leak = Where(is_bright, neighbour, nothing)
            leaks = Mul(leak, much)
            mixed = Add(image, leaks)
            scores = Conv(mixed, w, b)
        }}""",
        graphs.UNIT_RANGE,
        zero=[0],
        one=[1],
        half=0.5,
        nothing=0.0,
        much=-10.0,
        w=weight,
        b=[0.0, -4.0],
    )


@pytest.mark.parametrize("forwards", [True, False])
@pytest.mark.parametrize("batch_size", [2, 3, 8])
def test_the_small_probe_finds_a_leak_from_either_side(
    tmp_path: Path, forwards: bool, batch_size: int
) -> None:
    path = graphs.save(leaking_from_the_next_row(forwards), tmp_path / "model.onnx")
    segment = OnnxSegmenter.open(path, threads=1)
    for level in (0.1, 0.9):
        x = np.full((3, 8, 8), level, dtype=np.float32)
        found = is_batch_dependent(segment, x, Draws(NOISE, 1, digest(x)), batch_size=batch_size)
        assert found == (level > 0.5)


# -- workers ---------------------------------------------------------------------------------------


def test_passes_at_once_wait_until_the_first_has_shown_the_size_of_the_scores(
    tmp_path: Path,
) -> None:
    """The scores come out on a grid of half the size."""
    proto = graphs.threshold(
        tail="""
        scores = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(raw)
    """
    )
    for axis in proto.graph.output[0].type.tensor_type.shape.dim[2:]:
        axis.dim_param += "/2"
    path = graphs.save(proto, tmp_path / "model.onnx")
    model = OnnxSegmenter.open(path, threads=1)
    x = noisy_picture(1, 65, 65)
    draws = Draws(NOISE, 1, digest(x))
    model(x[None])
    alone = count_part(model, x, draws, range(40), classes=2)
    task = CountDraws(draws, range(40), 2, ExecutionPlan(BatchSize(2, "")))
    for seed in range(6):  # another order of threads each
        worker = Worker(WorkerSetup(model.reopen, None, "cpu", 8))
        part = worker.do(task, (noisy_picture(seed, 64, 64), None), (x, None)).value
        assert isinstance(part, Part), part
        assert np.array_equal(part.votes, alone.votes)


# -- parts that are not what they say --------------------------------------------------------------


def fresh(draws: Draws, classes: int = 2) -> Count:
    return Count(draws, n=40, n0=10, selection="pooled", classes=classes)


def test_a_part_with_gaps_between_its_draws_is_refused() -> None:
    """Its draws would be counted under other numbers, and again under their own."""
    x = noisy_picture(2, 4, 5)
    draws = Draws(NOISE, 1, digest(x))
    with pytest.raises(ParameterError, match="consecutive draws"):
        count_part(bright, x, draws, range(0, 20, 2), classes=2)
    part = count_part(bright, x, draws, range(5), classes=2)
    with pytest.raises(ParameterError):
        fresh(draws).absorb(replace(part, indices=range(0, 10, 2)))


def test_votes_for_other_classes_never_add_up() -> None:
    x = noisy_picture(2, 4, 5)
    draws = Draws(NOISE, 1, digest(x))
    for classes in (1, 3):
        count = fresh(draws)
        with pytest.raises(ParameterError, match="votes for 2 classes"):
            count.absorb(count_part(bright, x, draws, range(10), classes=classes))
        assert count.done == 0
        # Nothing of it has stayed behind.
        assert np.array_equal(
            sample(bright, x, count).hits, sample(bright, x, fresh(draws), batch_size=7).hits
        )


def test_hits_of_other_draws_than_a_part_says_never_add_up() -> None:
    x = noisy_picture(2, 4, 5)
    draws = Draws(NOISE, 1, digest(x))
    count = fresh(draws)
    count.absorb(count_part(bright, x, draws, range(10), classes=2))
    assert count.hits is not None
    candidate = np.array(count.hits.candidate)
    part = count_part(bright, x, draws, range(15, 20), classes=2, candidate=candidate)
    with pytest.raises(ParameterError, match="were expected"):
        count.absorb(replace(part, indices=range(10, 15)))
    assert count.done == 10


# -- merged ----------------------------------------------------------------------------------------

LOOKS = Rule(correction="bonferroni", schedule=Schedule(100, (50, 100)))


class Pictures:
    """Runs over one picture, called `a`, of one grey each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = graphs.save(graphs.threshold(), folder / "model.onnx")

    def certified(self, name: str, grey: int, *, stop_after: int | None = None) -> Path:
        from PIL import Image

        pictures = self.folder / f"{name}-pictures"
        pictures.mkdir()
        Image.fromarray(np.full((6, 7, 3), grey, dtype=np.uint8)).save(pictures / "a.png")
        run = Run(
            segmenter=OnnxSegmenter.open(self.model, threads=1),
            listing=READERS["folder"].list([str(pictures)], None),
            settings=Settings(perturbation=Gaussian(0.02), n=100, rule=LOOKS),
            store=ResultStore(self.folder / name),
            seed=5,
            batch_size=5,
            pictures=False,
        )
        if stop_after is None:
            run.execute(0)
            return run.store.folder

        class Stopper(ProgressListener):
            def advance(self, name: str, place: int, done: int) -> None:
                assert (name, place) == ("a", 1)
                run.stopping = done >= stop_after

        run.watcher = Stopper()
        with pytest.raises(KeyboardInterrupt):
            run.execute(0)
        return run.store.folder


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    return Pictures(tmp_path)


@pytest.mark.parametrize("greys", [(0, 255), (0, 10)], ids=["other class", "same class"])
def test_an_interrupted_part_goes_on_only_with_its_own_picture(
    pictures: Pictures, greys: tuple[int, int]
) -> None:
    """All votes agree in both, so that the hits at the looks tell nothing."""
    finished = pictures.certified("finished", greys[0])
    stopped = pictures.certified("stopped", greys[1], stop_after=60)
    assert ResultStore(stopped).read("a").tally.ended == "interrupted"
    with pytest.raises(StoreError, match="a has different results"):
        merge(pictures.folder / "out", [finished, stopped])
    assert not (pictures.folder / "out").exists()


@pytest.mark.parametrize("order", [1, -1])
def test_an_interrupted_part_goes_on_with_its_own_picture(pictures: Pictures, order: int) -> None:
    finished = pictures.certified("finished", 0)
    stopped = pictures.certified("stopped", 0, stop_after=60)
    merge(pictures.folder / "out", [finished, stopped][::order])
    assert ResultStore(pictures.folder / "out").read("a").tally.looks == (50, 100)


@pytest.mark.parametrize("tamper", [shutil.copy, shutil.move])
def test_a_record_under_another_name_is_refused_before_anything_is_written(
    pictures: Pictures, tamper: Callable[[Path, Path], object]
) -> None:
    folder = pictures.certified("whole", 0)
    tamper(folder / "inputs" / "a.h5", folder / "inputs" / "b.h5")
    with pytest.raises(StoreError, match=r"b in .* is the record of a"):
        merge(pictures.folder / "out", [folder])
    assert not (pictures.folder / "out").exists()


@pytest.mark.parametrize(
    ("edit", "refused"),
    [
        ({"shards": 10**12}, False),
        *(({"skipped": skipped}, True) for skipped in ([1], "abc")),
        ({"listed": [["a"]]}, True),
    ],
)
def test_an_edited_note_of_a_run_ends_in_no_traceback_and_no_endless_loop(
    pictures: Pictures, edit: dict[str, Any], refused: bool
) -> None:
    folder = pictures.certified("whole", 0)
    path = folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **edit}))
    if refused:
        with pytest.raises(StoreError, match=r"run\.json was not written by onnxcert"):
            merge(pictures.folder / "out", [folder])
        return
    assert merge(pictures.folder / "out", [folder]).names == ("a",)
