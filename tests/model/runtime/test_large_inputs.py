"""A large input is drawn and run in little memory, or refused with what it would need."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import pytest

from onnxcert import Gaussian
from onnxcert.errors import InputError
from onnxcert.model.network import network
from onnxcert.model.network.forward import Forward
from onnxcert.model.runtime import session
from onnxcert.model.runtime.machine import HostMemory, refuse_too_large
from onnxcert.model.tuning import batch_invariance as probe
from onnxcert.sampling.backend import in_memory
from onnxcert.sampling.draws import Draws, digest


@dataclass
class Some:
    """A machine with so many bytes free."""

    bytes: int

    def free(self) -> int:
        return self.bytes

    def held(self) -> int:
        return 0


def test_an_input_that_does_not_fit_is_refused_with_the_number() -> None:
    refuse_too_large(240_000_000, "a.png", Some(2**33))
    with pytest.raises(
        InputError, match=r"a\.png: .* at least 2\.7 GiB .*, but only 2\.0 GiB are free"
    ):
        refuse_too_large(240_000_000, "a.png", Some(2**31))


def test_a_picture_that_does_not_fit_is_skipped_before_it_is_read(
    tmp_path: Path, pictures: Path, onnxcert: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnxcert.model.runtime.machine._SMALL", 0)
    monkeypatch.setattr(HostMemory, "free", lambda _: 1000)
    model = graphs.save(graphs.threshold(), tmp_path / "model.onnx")
    outcome = onnxcert("certify", model, pictures, "--sigma", "0.2", "--out", tmp_path / "out")
    assert "of memory, but only 0.0 GiB are free" in outcome.refusal


def test_a_large_input_never_runs_beside_another(
    tmp_path: Path, pictures: Path, onnxcert: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (network, probe, session):
        monkeypatch.setattr(module, "LARGE_INPUT", 100)
    rows: list[int] = []
    arenas: set[bool] = set()
    usual = Forward._run

    def noted(self: Forward, output: str, batch: Any, entry: Any) -> Any:
        rows.append(len(batch))
        arenas.add(self.session.arena)
        return usual(self, output, batch, entry)

    monkeypatch.setattr(Forward, "_run", noted)
    model = graphs.save(graphs.threshold(), tmp_path / "model.onnx")
    command = ("certify", model, pictures, "--sigma", "0.2", "--n", "60", "--no-pictures")
    assert onnxcert(*command, "--batch-size", "1", "--out", tmp_path / "out").status == 0
    assert set(rows) == {1}
    assert arenas == {False}  # what a pass took is given back
    # Where more rows are asked for, they are tried first.
    assert onnxcert(*command, "--batch-size", "2", "--out", tmp_path / "two").status == 0
    assert 2 in rows


@pytest.mark.parametrize("smallest", [1.0, 1e-41])
def test_draws_are_the_same_bits_however_the_input_is_split(
    monkeypatch: pytest.MonkeyPatch, smallest: float
) -> None:
    x = np.random.default_rng(0).random((3, 40, 50), dtype=np.float32) * np.float32(smallest)
    draws = Draws(Gaussian(0.25), 5, digest(x))
    found = []
    for large in (10**9, 0):
        monkeypatch.setattr(in_memory, "_LARGE", large)
        out = np.empty((2, *x.shape), np.float32)
        draws.write(x, range(2), out)
        found.append(out)
    assert np.array_equal(found[0].view(np.uint32), found[1].view(np.uint32))
