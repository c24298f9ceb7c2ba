"""How many draws go into one pass: never more than memory allows, at little cost, and no matter."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import numpy.typing as npt
import pytest
import zoo
from hypothesis import given
from hypothesis import strategies as st

import onnxcert
from onnxcert import Gaussian, OnnxSegmenter
from onnxcert.errors import ModelError
from onnxcert.model.runtime.machine import HostMemory
from onnxcert.model.tuning.batch_size import tune_batch_size
from onnxcert.model.tuning.execution_plan import ExecutionPlan, make_plan
from onnxcert.sampling import as_segmenter
from onnxcert.sampling.draws import Draws, digest

X = np.full((3, 6, 5), 0.5, np.float32)
DRAWS = Draws(Gaussian(0.25), 3, digest(X))
GIB = 2**30


@dataclass
class Timed:
    """A model whose passes take just so long on its own clock, and so much memory."""

    per_pass: float = 0.001
    per_draw: float = 0.001
    per_extra: float = 0.0  # more for each draw of a batch, as where a cache overflows
    limit: int = 10**9
    now: float = 0.0
    seen: list[int] = field(default_factory=list)

    def __call__(self, batch: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if len(batch) > self.limit:
            raise ModelError("no more than that.")
        self.seen.append(len(batch))
        self.now += self.per_pass + len(batch) * (self.per_draw + len(batch) * self.per_extra)
        return (batch[:, 0] > 0.5).astype(np.uint8)

    def clock(self) -> float:
        return self.now

    def chosen(self, **options: Any) -> Any:
        asked: dict[str, Any] = {"each": 1000, "inputs": 1000, "memory": Plenty(), **options}
        return tune_batch_size(as_segmenter(self), X, DRAWS, clock=self.clock, **asked)


class Plenty:
    """All the memory one may want."""

    def free(self) -> int | None:
        return 2**50

    def held(self) -> int | None:
        return 0


@dataclass
class Growing:
    """Memory that passes fill: so much for each draw of the largest one so far."""

    model: Timed
    total: int
    weights: int
    a_draw: int

    def held(self) -> int | None:
        return self.weights + self.a_draw * max(self.model.seen, default=1)

    def free(self) -> int | None:
        return self.total - (self.held() or 0)


def test_where_a_pass_itself_costs_most_batches_are_large() -> None:
    assert Timed(per_pass=0.01, per_draw=1e-5).chosen().draws >= 64


def test_where_a_draw_costs_the_same_however_many_there_are_they_are_run_alone() -> None:
    assert Timed(per_pass=0.0).chosen().draws == 1


def test_the_batch_is_the_one_whose_draws_are_the_cheapest() -> None:
    model = Timed(per_pass=0.016, per_draw=1e-4, per_extra=1e-3)  # 0.016 / b + 0.001 b: best at 4
    assert model.chosen().draws == 4


def test_one_draw_a_pass_is_taken_where_it_costs_five_per_cent_or_less() -> None:
    """Beside what a batch costs that must be checked: 31 of 100 draws again, 310 of 1000."""
    assert Timed(per_pass=5e-5).chosen().draws == 1  # 5 % more than the best there could be
    assert Timed(per_pass=2e-4).chosen().draws > 1
    assert Timed(per_pass=2e-4).chosen(checked=310).draws == 1
    assert Timed(per_pass=1e-3).chosen(checked=310).draws > 1
    for each in (10, 100):
        assert Timed(per_pass=1.0).chosen(each=each, checked=each).draws == 1


@given(
    st.integers(1, 2000),
    st.integers(1, 50),
    st.floats(1e-6, 0.3),
    st.floats(1e-6, 0.3),
)
def test_trying_costs_at_most_a_few_per_cent_of_the_draws_to_come(
    each: int, inputs: int, per_pass: float, per_draw: float
) -> None:
    model = Timed(per_pass, per_draw)
    chosen = model.chosen(each=each, inputs=inputs)
    assert sum(model.seen) <= 0.03 * each * inputs
    assert 1 <= chosen.draws <= max(1, each // 4)


@given(st.integers(0, 2000), st.integers(1, 500), st.integers(1, 4000))
def test_memory_is_never_exceeded_and_half_of_what_is_free_stays_so(
    weights: int, a_draw: int, room: int
) -> None:
    model = Timed(per_pass=0.1, per_draw=1e-6)
    memory = Growing(model, weights + a_draw + room, weights, a_draw)
    chosen = model.chosen(memory=memory)
    free = memory.total - weights - a_draw  # after the first pass, which there is anyway
    largest = max(model.seen)
    assert chosen.draws <= largest
    assert (largest - 1) * a_draw <= free
    assert largest == 1 or (largest - largest // 2) * a_draw <= 0.5 * (
        free - (largest // 2 - 1) * a_draw
    )


def test_where_nobody_says_how_much_memory_there_is_batches_stay_small() -> None:
    @dataclass
    class Silent:
        def free(self) -> int | None:
            return None

        def held(self) -> int | None:
            return None

    large = np.zeros((3, 1000, 1000), np.float32)
    model = Timed(per_pass=0.1, per_draw=1e-6)
    draws = Draws(Gaussian(0.25), 3, digest(large))
    options: dict[str, Any] = {"each": 1000, "inputs": 1000, "clock": model.clock}
    assert tune_batch_size(as_segmenter(model), large, draws, memory=Silent(), **options).draws == 1
    assert model.chosen(memory=Silent()).draws > 8


def test_a_pass_that_takes_long_is_not_made_longer() -> None:
    model = Timed(per_pass=0.9, per_draw=0.2)
    assert model.chosen().draws == 1
    assert set(model.seen) == {1}


def test_a_model_that_fails_on_more_gets_what_it_takes() -> None:
    assert Timed(per_pass=0.1, per_draw=1e-5, limit=5).chosen().draws == 4


def test_no_draw_that_is_counted_is_tried() -> None:
    rows: list[bytes] = []

    def recording(batch: npt.NDArray[Any]) -> npt.NDArray[Any]:
        rows.extend(row.tobytes() for row in batch)
        return (batch[:, 0] > 0.5).astype(np.uint8)

    tune_batch_size(as_segmenter(recording), X, DRAWS, each=400, inputs=10)
    counted = np.empty((400, *X.shape), np.float32)
    DRAWS.write(X, range(400), counted)
    assert rows
    assert not set(rows) & {row.tobytes() for row in counted}


@pytest.mark.parametrize("rows", [1, 4])
def test_a_model_of_a_fixed_batch_gets_just_that(tmp_path: Path, rows: int) -> None:
    proto = zoo.Dialect(batch=rows, baked=True, size=(8, 6)).proto(zoo.Conv3.random(3))
    path = graphs.save(proto, tmp_path / "model.onnx")
    segment = OnnxSegmenter.open(path, threads=1, value_range=(0.0, 1.0))
    x = zoo.picture(8, 6)
    segment(x[None])
    draws = Draws(Gaussian(0.3), 0, digest(x))
    assert segment.rows == rows
    assert tune_batch_size(segment, x, draws, each=1000, inputs=1000).draws == rows


def test_the_tally_is_the_same_whatever_is_chosen(tmp_path: Path) -> None:
    path = graphs.save(graphs.conv(contract=graphs.UNIT_RANGE), tmp_path / "model.onnx")
    x = np.random.default_rng(2).uniform(0, 1, (3, 10, 10)).astype(np.float32)
    certified = [
        onnxcert.certify(path, x, Gaussian(0.3), n=300, seed=4, batch_size=size, threads=1)
        for size in (None, 1, 7)
    ]
    for other in certified[1:]:
        assert np.array_equal(certified[0].tally.hits, other.tally.hits)
        assert np.array_equal(certified[0].tally.candidate, other.tally.candidate)


# -- the memory of this machine --------------------------------------------------------------


def system(root: Path, files: dict[str, str]) -> HostMemory:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return HostMemory(root)


PROC = {"proc/meminfo": f"MemTotal: 999 kB\nMemAvailable: {8 * 2**20} kB\n"}


def test_memory_is_what_the_system_can_give(tmp_path: Path) -> None:
    assert system(tmp_path, PROC).free() == 8 * GIB


def test_a_control_group_leaves_less(tmp_path: Path) -> None:
    job = "sys/fs/cgroup/slurm/job"
    files = {
        **PROC,
        "proc/self/cgroup": "0::/slurm/job\n",
        f"{job}/memory.max": "max\n",
        f"{job}/memory.current": f"{GIB}\n",
        f"{job}/memory.stat": "anon 5\n",
        "sys/fs/cgroup/slurm/memory.max": f"{4 * GIB}\n",
        "sys/fs/cgroup/slurm/memory.current": f"{3 * GIB}\n",
        "sys/fs/cgroup/slurm/memory.stat": f"anon 5\ninactive_file {GIB}\n",
    }
    # The group above counts, and pages of files that can be dropped are not taken.
    assert system(tmp_path, files).free() == 2 * GIB


def test_a_control_group_of_the_first_version_counts(tmp_path: Path) -> None:
    group = "sys/fs/cgroup/memory/box"
    files = {
        **PROC,
        "proc/self/cgroup": "5:cpu:/box\n4:memory:/box\n",
        f"{group}/memory.limit_in_bytes": f"{2 * GIB}\n",
        f"{group}/memory.usage_in_bytes": f"{GIB}\n",
        f"{group}/memory.stat": "total_inactive_file 0\n",
    }
    assert system(tmp_path, files).free() == GIB


def test_a_group_that_is_full_leaves_nothing_and_a_silent_system_says_nothing(
    tmp_path: Path,
) -> None:
    assert HostMemory(tmp_path).free() is None
    assert HostMemory(tmp_path).held() is None
    files = {
        "sys/fs/cgroup/memory.max": "10\n",
        "sys/fs/cgroup/memory.current": "20\n",
        "sys/fs/cgroup/memory.stat": "",
        "proc/self/cgroup": "0::/\n",
    }
    assert system(tmp_path, files).free() == 0


# -- every input of a shape ------------------------------------------------------------------


def inputs(count: int) -> list[tuple[npt.NDArray[np.float32], Draws]]:
    rng = np.random.default_rng(0)
    pictures = [rng.uniform(0, 1, X.shape).astype(np.float32) for _ in range(count)]
    return [(x, Draws(Gaussian(0.25), 3, digest(x))) for x in pictures]


def test_what_an_input_costs_to_try_does_not_grow_with_the_batch() -> None:
    spent = []
    for size in (8, 64):
        model = Timed()
        options: dict[str, Any] = {"each": 100, "batch_size": size}
        (first, others), *rest = inputs(5)
        plan = make_plan(as_segmenter(model), first, others, inputs=1, known=None, **options)
        assert max(model.seen) == size  # the graph is tried at the size that is run
        model.seen.clear()
        for x, draws in rest:
            make_plan(as_segmenter(model), x, draws, inputs=5, known=plan, **options)
        spent.append(sum(model.seen) / len(rest))
    assert spent[0] == spent[1] <= 16


class Gated:
    """Leaks the mean of the batch into each row, but only for bright inputs."""

    def __call__(self, batch: npt.NDArray[Any]) -> npt.NDArray[Any]:
        shift = batch.mean() - 0.5 if batch.mean() > 0.7 else 0.0
        return (batch[:, 0] + 40 * shift > 0.7 + 40 * 0.3).astype(np.uint8)


@pytest.mark.parametrize("size", [2, 8, 64])
def test_once_batch_mates_leak_every_input_runs_one_draw_per_pass(size: int) -> None:
    found: list[bool] = []
    known: ExecutionPlan | None = None
    for level in (0.3, 0.8, 0.3, 0.8):
        x = np.full((3, 6, 5), level, np.float32)
        draws = Draws(Gaussian(0.25), 3, digest(x))
        options: dict[str, Any] = {"known": known, "leaky": any(found)}
        plan = make_plan(
            as_segmenter(Gated()), x, draws, each=100, inputs=4, batch_size=size, **options
        )
        known = known or plan
        found.append(plan.one_draw_per_pass)
        assert bool(plan.warning) is found[-1]
        assert (plan.batch.draws == 1) is found[-1]
    assert found == [False, True, True, True]


def test_passes_that_run_at_once_are_not_taken_for_fast_ones() -> None:
    """Their answers come in bunches, and between two of a bunch there is next to no time."""

    class Slow:
        at_once = 3

        def __call__(self, batch: npt.NDArray[Any]) -> npt.NDArray[Any]:
            time.sleep(0.012 * len(batch))
            return (batch[:, 0] > 0.5).astype(np.uint8)

    found = tune_batch_size(as_segmenter(Slow()), X, DRAWS, each=1000, inputs=4, memory=Plenty())
    milliseconds = float(found.why.split(" ms per draw")[0])
    assert milliseconds >= 0.9 * 12 / 3
