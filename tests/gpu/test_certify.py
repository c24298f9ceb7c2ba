"""A complete run on a device, from the command line and as a library."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import graphs
import h5py
import numpy as np
import pytest
import zoo

from onnxcert import Gaussian, ResultStore, certify
from onnxcert.sampling import Count, count_part, sample
from onnxcert.sampling.backend import DeviceBackend
from onnxcert.sampling.draws import Draws, digest
from onnxcert.sampling.kernels import GENERATOR
from onnxcert.statistics.rule import Rule, Schedule
from onnxcert.statistics.settings import Settings

X = zoo.picture(8, 12, seed=5)
RUNTIME = {"provider": "CUDAExecutionProvider", "onnxruntime": "1.0"}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return graphs.save(graphs.conv(3, contract=graphs.UNIT_RANGE), tmp_path / "model.onnx")


def tallies(folder: Path) -> dict[str, Any]:
    found = {}
    for path in sorted((folder / "inputs").glob("*.h5")):
        with h5py.File(path) as file:
            file.visititems(
                lambda name, item, of=path.stem: (
                    found.update({f"{of}/{name}": item[()]})
                    if name.split("/")[-1] in ("hits", "candidate", "single")
                    else None
                )
            )
    assert len(found) >= 6
    return found


def run(onnxcert: Any, model: Path, pictures: Path, out: Path, *more: object) -> Any:
    done = onnxcert(
        *("certify", model, pictures, "--n", 60, "--seed", 3, "--out", out, "--json"),
        *("--device", "cuda", "--sigma", 0.2, *more),
    )
    assert done.status == 0, done.err
    return done


@pytest.mark.slow
def test_a_run_does_not_depend_on_its_batches(
    onnxcert: Any, device: str, model: Path, pictures: Path, tmp_path: Path
) -> None:
    del device
    run(onnxcert, model, pictures, tmp_path / "one", "--batch-size", 1)
    run(onnxcert, model, pictures, tmp_path / "many", "--batch-size", 7)
    a, b = tallies(tmp_path / "one"), tallies(tmp_path / "many")
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])


def test_a_run_is_of_its_own_generator_and_verifies(
    onnxcert: Any, device: str, model: Path, pictures: Path, tmp_path: Path
) -> None:
    del device
    out = tmp_path / "out"
    run(onnxcert, model, pictures, out)
    with ResultStore(out).open("p0") as record:
        assert record.tally.draws.generator == GENERATOR
        assert record.provenance.environment["device"] == "cuda:0"
    assert onnxcert("verify", out).status == 0
    other = onnxcert("certify", model, pictures, "--n", 60, "--seed", 3, "--out", out,
                     "--sigma", 0.2, "--device", "cpu")  # fmt: skip
    assert "generator" in other.refusal


def test_looks_and_a_library_call(backend: DeviceBackend, opened: Any, model: Path) -> None:
    segmenter = opened(model)
    certificate = certify(
        segmenter,
        X,
        Gaussian(0.2),
        n=80,
        rule=Rule(correction="bonferroni", schedule=Schedule(80, (50, 80))),
        seed=1,
        batch_size=3,
    )
    tally = certificate.tally
    assert tally.draws.generator == GENERATOR
    assert tally.looks[0] == 50
    assert backend.of.name in ("cupy", "transcribed")


@pytest.mark.parametrize("selection", ["pooled", "split"])
@pytest.mark.parametrize("at", [3, 9, 30])
def test_a_kept_count_goes_on_where_it_was(
    backend: DeviceBackend, opened: Any, model: Path, tmp_path: Path, selection: Any, at: int
) -> None:
    segmenter = opened(model)
    segmenter(X[None])
    draws = Draws(Gaussian(0.2), 5, digest(X), backend.generator)
    store = ResultStore(tmp_path / "store")
    with store.exclusive():
        pass

    def fresh() -> Count:
        return Count(draws, 40, 9, selection, 3, backend=backend)

    class Killed(Exception):
        pass

    def kill(count: Count) -> None:
        if count.done >= at:
            store.checkpoint("x", count, RUNTIME)
            raise Killed

    with pytest.raises(Killed):
        sample(segmenter, X, fresh(), batch_size=3, on_batch=kill)
    kept = store.resume(fresh(), "x", RUNTIME)
    assert kept.done >= at
    assert kept.backend is backend
    gone_on = sample(segmenter, X, kept, batch_size=4)
    whole = sample(segmenter, X, fresh(), batch_size=5)
    np.testing.assert_array_equal(gone_on.hits, whole.hits)
    np.testing.assert_array_equal(gone_on.candidate, whole.candidate)
    assert gone_on.joint == whole.joint


def test_parts_counted_apart_add_up(backend: DeviceBackend, opened: Any, model: Path) -> None:
    """A worker that has not seen the model before counts the same."""
    draws = Draws(Gaussian(0.2), 5, digest(X), backend.generator)
    whole = Count(draws, 40, 9, "pooled", 3, backend=backend)
    segmenter = opened(model)
    segmenter(X[None])
    sample(segmenter, X, whole, batch_size=6)
    driver = Settings(perturbation=Gaussian(0.2), n=40, n0=9).count(draws, 3, X[0].size)
    for stop in (4, 9, 25, 40):
        candidate = None if driver.hits is None else driver.hits.candidate
        driver.absorb(
            count_part(
                *(opened(model), X, draws, range(driver.done, stop)),
                classes=3,
                candidate=candidate,
                batch_size=5,
                backend=backend,
            )
        )
    np.testing.assert_array_equal(driver.tally().hits, whole.tally().hits)


@pytest.fixture
def little_garbage() -> Iterator[None]:
    """Collecting garbage looks only at what is made from now on."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.slow
@pytest.mark.usefixtures("little_garbage")
def test_memory_is_flat_in_n(backend: DeviceBackend, opened: Any, model: Path) -> None:
    x = zoo.picture(60, 80, seed=1)
    segmenter = opened(model)
    segmenter(x[None])
    peaks = []
    for n in (20, 20, 200):  # the first warms up
        draws = Draws(Gaussian(0.2), n, digest(x), backend.generator)
        if backend.of.place[0] == "cuda":
            backend.xp.get_default_memory_pool().free_all_blocks()
        tracemalloc.start()
        count = Count(draws, n, 9, "pooled", 3, backend=backend)
        sample(segmenter, x, count, batch_size=2, on_batch=lambda _: gc.collect() and None)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        if backend.of.place[0] == "cuda":
            peak += backend.xp.get_default_memory_pool().total_bytes()
        peaks.append(peak)
    assert peaks[2] <= 1.05 * peaks[1]
