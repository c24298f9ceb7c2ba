"""The leak check where passes of other sizes may round otherwise: batch mates give way to
copies of the draw that is checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import graphs
import leaky
import numpy as np
import pytest

from onnxcert import Gaussian, certify
from onnxcert.sampling import run_draws
from onnxcert.sampling.backend import DeviceBackend
from onnxcert.sampling.draws import Draws, digest
from onnxcert.sampling.leak_check import BatchLeak, LeakCheck

NOISE = Gaussian(0.25)
CHECK = LeakCheck(picked=(1, 4, 9, 13, 14))


def declared(*, dark: bool) -> np.ndarray:
    return np.ascontiguousarray(
        np.moveaxis(leaky.picture(dark=dark, seed=1), -1, 0) / np.float32(255), dtype=np.float32
    )


def counted(segmenter: Any, x: np.ndarray, check: LeakCheck | None) -> list[np.ndarray]:
    backend = segmenter.backend
    draws = Draws(NOISE, 5, digest(x), backend.generator)
    found = run_draws(segmenter, x, draws, range(16), 5, backend, check)
    return [backend.host(backend.labels(answer)) for answer in found]


def test_a_leak_is_found_among_counted_draws(opened: Any, tmp_path: Path) -> None:
    segmenter = opened(graphs.save(leaky.of_dark_pictures(), tmp_path / "model.onnx"))
    counted(segmenter, declared(dark=False), CHECK)
    with pytest.raises(BatchLeak):
        counted(segmenter, declared(dark=True), CHECK)


def test_a_draw_that_is_checked_has_as_many_rows_as_its_batch(
    opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = opened(graphs.save(graphs.threshold(), tmp_path / "model.onnx"))
    x = declared(dark=False)
    plain = counted(segmenter, x, None)
    seen: list[np.ndarray] = []
    bind = type(segmenter).bind

    def recording(self: Any, x: np.ndarray, perturbation: Any, backend: Any) -> Any:
        segment, backend = bind(self, x, perturbation, backend)

        def recorded(batch: Any) -> Any:
            seen.append(np.array(backend.host(batch)))
            return segment(batch)

        return recorded, backend

    monkeypatch.setattr(type(segmenter), "bind", recording)
    checked = counted(segmenter, x, CHECK)
    for a, b in zip(plain, checked, strict=True):
        np.testing.assert_array_equal(a, b)
    assert [len(batch) for batch in seen] == [5, 5, 5, 5, 5, 5, 5, 5, 1]
    alike = [(batch == batch[:1]).all() for batch in seen[:-1]]
    # Of draws 0 to 4 the second and the fifth, of 5 to 9 the last, of 10 to 14 the last two.
    assert alike == [False, True, True, False, True, False, True, True]
    for batch, of, row in ((1, 0, 1), (2, 0, 4), (4, 3, 4), (6, 5, 3), (7, 5, 4)):
        np.testing.assert_array_equal(seen[batch][0], seen[of][row])


def test_certify_on_a_device(backend: DeviceBackend, opened: Any, tmp_path: Path) -> None:
    del backend
    asked: dict[str, Any] = {"n": 100, "seed": 2}
    sound = opened(graphs.save(graphs.threshold(), tmp_path / "model.onnx"))
    x = declared(dark=False)
    statement = certify(sound, x, NOISE, batch_size=5, **asked).statement()
    # A tenth of 20 passes, and what that leaves.
    assert "leak check 2 draws (which miss a leak with probability 0.69)]" in statement
    unsound = opened(graphs.save(leaky.of_dark_pictures(), tmp_path / "leaky.onnx"))
    dark = declared(dark=True)
    batched = certify(unsound, dark, NOISE, batch_size=5, **asked)
    alone = certify(unsound, dark, NOISE, batch_size=1, **asked)
    np.testing.assert_array_equal(batched.tally.hits, alone.tally.hits)
    assert batched.tally.leak_check == "one draw a pass"
