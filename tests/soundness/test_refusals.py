"""Ways in which a certificate could once be made to say more than was tested."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import pytest
from drawing import write_picture

from onnxcert import certify
from onnxcert.errors import ContractError, ModelError, ParameterError
from onnxcert.model.segmenter import OnnxSegmenter
from onnxcert.model.tuning.batch_invariance import is_batch_dependent
from onnxcert.perturbation import Gaussian
from onnxcert.results import ResultStore
from onnxcert.sampling import Count, Hits, as_segmenter
from onnxcert.sampling.draws import Draws, digest
from onnxcert.statistics import Family
from onnxcert.statistics.correction import CORRECTIONS

X = np.full((3, 6, 5), 0.5, dtype=np.float32)


class Buffered:
    """Answers with a view of one buffer that it fills again and again."""

    def __init__(self, *, random: bool = False) -> None:
        self.buffer = np.zeros((64, 6, 5), dtype=np.uint8)
        self.rng = np.random.default_rng(0) if random else None

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        answer = self.buffer[: len(batch)]
        answer[:] = batch.mean(axis=1) > 0.5
        if self.rng is not None:
            answer[:] = self.rng.integers(0, 2, answer.shape)
        return answer


@pytest.mark.parametrize("batch_size", [1, 2, 8, 50])
def test_a_model_that_reuses_its_buffer_is_counted_like_any_other(batch_size: int) -> None:
    asked: dict[str, Any] = {"classes": 2, "seed": 3, "batch_size": batch_size}
    buffered = certify(Buffered(), X, Gaussian(0.3), **asked)
    fresh = certify(lambda b: (b.mean(axis=1) > 0.5).astype(np.uint8), X, Gaussian(0.3), **asked)
    np.testing.assert_array_equal(buffered.tally.hits, fresh.tally.hits)
    assert not buffered.notes or "one draw per pass" not in " ".join(buffered.notes)


def test_a_random_model_that_reuses_its_buffer_is_refused() -> None:
    with pytest.raises(ModelError, match="different outputs"):
        certify(Buffered(random=True), X, Gaussian(0.3), classes=2)


def test_a_leak_that_only_some_inputs_show_is_seen_for_those() -> None:
    def gate(batch: np.ndarray) -> np.ndarray:
        own = (batch.mean(axis=1) > 0.5).astype(np.uint8)
        dark = batch.mean() < 0.3
        return np.broadcast_to(own[:1], own.shape).copy() if dark else own

    for level, leaking in ((0.1, True), (0.9, False)):
        x = np.full((3, 6, 5), level, dtype=np.float32)
        x[:, 0] = 0.5  # something to disagree about
        draws = Draws(Gaussian(0.25), 1, digest(x))
        assert is_batch_dependent(as_segmenter(gate), x, draws, batch_size=8) is leaking


def test_noise_that_float32_rounds_away_backs_nothing() -> None:
    with pytest.raises(ParameterError, match="too small for an input"):
        certify(lambda b: (b[:, 0] >= 0.5).astype(int), X, Gaussian(1e-9), classes=2)


def test_a_level_that_is_not_computed_is_refused() -> None:
    with pytest.raises(ParameterError, match="raise alpha"):
        Family(1024, 0.75, 1e-300, CORRECTIONS["holm"], "pooled")


def test_a_unit_that_nobody_said_is_not_printed() -> None:
    answer = certify(lambda b: np.zeros((len(b), 4), int), X, Gaussian(0.3), classes=2)
    assert "pixel" not in answer.statement()


def test_classes_do_not_turn_no_vote_into_a_class(tmp_path: Path) -> None:
    model = graphs.save(graphs.conv(contract=graphs.UNIT_RANGE), tmp_path / "model.onnx")
    with pytest.raises(ContractError, match="300 classes but the output 'scores' has 3"):
        certify(model, X, Gaussian(0.3), classes=300)
    with pytest.raises(ParameterError, match="got 300"):
        certify(OnnxSegmenter.open(model), X, Gaussian(0.3), classes=300)


def test_the_numbers_of_a_statement_are_the_numbers_that_were_tested() -> None:
    answer = certify(
        lambda b: np.zeros((len(b), 4), int),
        X,
        Gaussian(0.123456789),
        classes=2,
        alpha=0.00100000049,
        tau=0.75000000001,
    )
    for number in ("0.00100000049", "0.123456789", "0.75000000001"):
        assert number in answer.statement()


# -- folders -----------------------------------------------------------------------------------


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    graphs.save(graphs.conv(contract=graphs.UNIT_RANGE), tmp_path / "model.onnx")
    for folder, names in (("a", "pqr"), ("b", "stu")):
        (tmp_path / folder).mkdir()
        for i, name in enumerate(names):
            write_picture(tmp_path / folder / f"{name}.png", seed=i + 10 * (folder == "b"))
    return tmp_path


QUICK = ("--sigma", "0.2", "--threads", "1", "--no-pictures", "--json")


@pytest.mark.usefixtures("bench")
def test_alpha_is_shared_by_the_inputs_it_was_shared_by_and_no_others(
    onnxcert: Any,
) -> None:
    shared = ("--alpha-scope", "dataset", "--alpha", "0.05", "--out", "o")
    assert onnxcert("certify", "model.onnx", "a", *QUICK, *shared).status == 0
    other = onnxcert("certify", "model.onnx", "b", *QUICK, *shared)
    assert "dataset" in other.refusal
    shutil.copy("o/inputs/p.h5", "o/inputs/v.h5")
    assert onnxcert("report", "o").status == 2


@pytest.mark.usefixtures("bench")
def test_a_record_of_another_run_is_not_taken_for_one_of_this(onnxcert: Any) -> None:
    weak = ("--tau", "0.5", "--alpha", "0.9")
    assert onnxcert("certify", "model.onnx", "a", *QUICK, *weak, "--out", "weak").status == 0
    assert onnxcert("certify", "model.onnx", "a", *QUICK, "--out", "o").status == 0
    shutil.copy("weak/inputs/p.h5", "o/inputs/p.h5")
    planted = onnxcert("certify", "model.onnx", "a", *QUICK, "--out", "o")
    assert "p in o was not made by this run" in planted.refusal
    assert onnxcert("report", "o").status == 2


@pytest.mark.usefixtures("bench")
def test_an_edited_run_does_not_make_weak_records_strong(onnxcert: Any) -> None:
    weak = onnxcert(
        *("certify", "model.onnx", "a", *QUICK, "--alpha", "0.9", "--limit", "2", "--out", "o")
    )
    assert weak.status == 0
    run = json.loads(Path("o/run.json").read_text())
    run["parameters"]["alpha"] = 0.001
    Path("o/run.json").write_text(json.dumps(run))
    assert onnxcert("certify", "model.onnx", "a", *QUICK, "--out", "o").status == 2


def test_a_count_of_another_model_is_not_gone_on_with(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    draws = Draws(Gaussian(0.2), 1, "ab" * 32)

    def fresh() -> Count:
        return Count(draws, 100, 10, "pooled", 2)

    begun = fresh()
    begun.done = 10
    begun.single = np.zeros((2, 2), np.uint8)
    begun.hits = Hits.empty(draws, np.zeros((2, 2), np.uint8), 100)
    runtime = {"provider": "CPUExecutionProvider", "asked": "of model A"}
    with store.exclusive():
        store.checkpoint("p", begun, runtime)
    assert store.resume(fresh(), "p", runtime).done == 10
    assert store.resume(fresh(), "p", {**runtime, "asked": "of model B"}).done == 0


def test_a_threshold_of_many_labels_is_not_guessed(tmp_path: Path) -> None:
    path = graphs.save(graphs.conv(contract=graphs.UNIT_RANGE), tmp_path / "model.onnx")
    with pytest.raises(ContractError, match=r"--threshold 0 .* --threshold 0\.5"):
        OnnxSegmenter.open(path, output_form="multilabel")
    assert OnnxSegmenter.open(path, output_form="multilabel", threshold=0.0).contract.binary
