"""Functions and PyTorch modules as models: scores, labels, evaluation mode, memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

import onnxcert as oc
from onnxcert.errors import ModelError, OnnxcertError, ParameterError

Array = npt.NDArray[Any]


def halves(height: int = 6, width: int = 8) -> Array:
    """A dark and a bright half."""
    image = np.full((3, height, width), 0.1, np.float32)
    image[:, :, width // 2 :] = 0.9
    return image


def label(batch: Array) -> Array:
    return np.asarray(batch.mean(axis=1) > 0.5, np.int64)


def score(batch: Array) -> Array:
    bright = batch.mean(axis=1)
    return np.stack([1 - bright, bright], axis=1)


class Module(torch.nn.Module):
    """Bright pixels are class 1."""

    def __init__(self, *, wrapped: str = "") -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.inside = torch.nn.Dropout(0.5)
        self.wrapped = wrapped
        self.seen: list[tuple[int, bool]] = []

    def forward(self, batch: Any) -> Any:
        self.seen.append((batch.data_ptr(), torch.is_grad_enabled()))
        bright = batch.mean(dim=1) * self.weight
        scores = self.inside(torch.stack([1 - bright, bright], dim=1))
        return {self.wrapped: scores} if self.wrapped else scores


@pytest.mark.parametrize(
    "model",
    [label, score, Module().eval(), Module(wrapped="out").eval(), Module(wrapped="logits").eval()],
    ids=["labels", "scores", "module", "out", "logits"],
)
def test_labels_and_scores_give_the_same_certificate(model: Any) -> None:
    certificate = oc.certify(oc.wrap(model, classes=2), halves(), sigma=0.1, seed=5, n=60)
    expected = oc.certify(oc.wrap(label, classes=2), halves(), sigma=0.1, seed=5, n=60)
    np.testing.assert_array_equal(certificate.tally.hits, expected.tally.hits)
    np.testing.assert_array_equal(certificate.labels, label(halves()[None])[0])
    assert "(pixels)" in certificate.statement()
    assert "pixel values in [0, 1]" in certificate.statement()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("as_torch", [False, True], ids=["numpy", "torch"])
def test_a_score_that_is_not_finite_is_no_vote(bad: float, as_torch: bool) -> None:
    def broken(batch: Array) -> Array:
        scores = score(batch)
        scores[:, 0, 0, 0] = bad
        return scores

    class Broken(torch.nn.Module):
        def forward(self, batch: Any) -> Any:
            return torch.from_numpy(broken(batch.numpy()))

    model = oc.wrap(Broken().eval() if as_torch else broken, classes=2)
    certificate = oc.certify(model, halves(), sigma=0.1, n=60)
    assert certificate.labels[0, 0] == oc.ABSTAIN
    assert certificate.abstained == 1
    assert certificate.tally.nonfinite == 60


def test_a_module_in_training_mode_is_refused_also_later() -> None:
    module = Module()
    with pytest.raises(ModelError, match=r"training mode.*call eval"):
        oc.wrap(module, classes=2)
    module.eval()
    model = oc.wrap(module, classes=2)
    module.inside.train()
    with pytest.raises(ModelError, match="inside is in training mode"):
        oc.certify(model, halves(), sigma=0.1, n=60)


def test_a_module_gets_the_memory_of_the_draws_without_gradients() -> None:
    module = Module().eval()
    batch = np.zeros((2, 3, 4, 4), np.float32)
    function, _ = oc.wrap(module, classes=2).bind(batch[0], oc.Gaussian(0.1), None)  # type: ignore[arg-type]
    function(batch)
    assert module.seen == [(batch.ctypes.data, False)]


def test_a_module_can_be_certified_as_it_is() -> None:
    certificate = oc.certify(Module().eval(), halves(), sigma=0.1, n=60, classes=2)
    assert certificate.abstained == 0


def test_a_function_of_any_array_takes_it_as_it_is() -> None:
    def far(batch: Array) -> Array:
        return np.asarray(batch[:, 0] > 100.0, np.int64)

    points = np.array([[90.0, 120.0, 300.0], [0, 0, 0], [0, 0, 0]], np.float32)
    model = oc.wrap(far, classes=2, channels=None)
    found = oc.certify(model, points, sigma=0.5, n=60, unit="metres")
    assert found.labels.tolist() == [0, 1, 1]
    assert "(metres)" in found.statement()


def test_a_model_of_one_channel_gets_it_in_grey() -> None:
    shapes: list[tuple[int, ...]] = []

    def look(batch: Array) -> Array:
        shapes.append(batch.shape[1:])
        return np.asarray(batch[:, 0] > 0.5, np.int64)

    model = oc.wrap(look, classes=2, channels=1)
    for image in (halves(), halves()[0], (255 * halves()[0]).astype(np.uint8)):
        found = oc.certify(model, image, sigma=0.1, n=60)
        np.testing.assert_array_equal(found.labels, halves()[0] > 0.5)
    assert set(shapes) == {(1, 6, 8)}


@pytest.mark.parametrize(
    ("model", "words", "match"),
    [
        (label, {}, "classes is needed"),
        (label, {"classes": 1}, "from 2"),
        (label, {"classes": True}, "a whole number, got True"),
        (label, {"classes": 2, "channels": 0}, "channels must be"),
        (3, {"classes": 2}, "function or a PyTorch module"),
    ],
)
def test_what_is_no_model_is_refused(model: Any, words: dict[str, Any], match: str) -> None:
    with pytest.raises(ParameterError, match=match):
        oc.wrap(model, **words)


@pytest.mark.parametrize(
    ("output", "match"),
    [
        (lambda batch: batch, r"\[1, 2, \.\.\.\]"),
        (lambda batch: batch[:, 0] > 0.5, "labels or float scores, got bool"),
        (lambda _: ["a"], "numbers"),
    ],
    ids=["three classes", "bool", "text"],
)
def test_an_output_that_is_no_prediction_is_refused(output: Any, match: str) -> None:
    with pytest.raises(OnnxcertError, match=match):
        oc.certify(oc.wrap(output, classes=2), halves(), sigma=0.1)


def test_a_module_that_returns_no_tensor_is_refused() -> None:
    class Pair(torch.nn.Module):
        def forward(self, batch: Any) -> Any:
            return batch, batch

    with pytest.raises(ModelError, match="must return a tensor"):
        oc.certify(oc.wrap(Pair().eval(), classes=2), halves(), sigma=0.1)


class Hysteresis:
    """Keeps the class of the call before where a value is near the threshold, as a video model."""

    classes = 2

    def __init__(self, dead: float) -> None:
        self.dead = dead
        self.last: Any = None

    def __call__(self, batch: Any) -> Any:
        value = batch[:, 0]
        last = (value > 0.5).astype(int) if self.last is None else self.last
        found = np.where(abs(value - 0.5) > self.dead, (value > 0.5).astype(int), last)
        self.last = found[-1:]
        return found


@pytest.mark.parametrize("dead", [0.05, 0.12, 0.15])
@pytest.mark.parametrize("wrapped", [True, False])
def test_a_function_that_keeps_state_is_refused(dead: float, wrapped: bool) -> None:
    image = np.full((3, 8, 16), 0.5, np.float32)
    for seed in range(5):
        model = oc.wrap(Hysteresis(dead), classes=2) if wrapped else Hysteresis(dead)
        with pytest.raises(ModelError, match="for the same input"):
            oc.certify(model, image, sigma=0.1, n=100, seed=seed)


def test_state_that_shows_after_the_count_only_is_found() -> None:
    """It answers as a function for 60 calls, and then otherwise."""
    calls = 0

    def tired(batch: Any) -> Any:
        nonlocal calls
        calls += len(batch)
        return (batch[:, 0] > (0.4 if calls < 100 else 0.6)).astype(int)

    with pytest.raises(ModelError, match="keeps state"):
        oc.certify(oc.wrap(tired, classes=2), np.full((3, 4, 4), 0.5), sigma=0.25, n=200, seed=1)


def test_labels_that_are_no_class_are_refused() -> None:
    for labels in (lambda b: (b[:, 0] > 0.5) * 7, lambda b: (b[:, 0] > 0.5).astype(int) - 3):
        with pytest.raises(ModelError, match="must lie from 0 to 1 for 2 classes"):
            oc.certify(oc.wrap(labels, classes=2), halves(), sigma=0.25, n=100)
        with pytest.raises(ModelError, match="must lie from 0 to 1 for 2 classes"):
            oc.certify(labels, halves(), sigma=0.25, n=100, classes=2)


def test_integers_with_an_axis_of_classes_are_neither_scores_nor_labels() -> None:
    def one_hot(batch: Any) -> Any:
        first = (batch[:, 0] > 0.5).astype(int)
        return np.stack([1 - first, first], axis=1)

    with pytest.raises(ModelError, match="may be scores or labels"):
        oc.certify(oc.wrap(one_hot, classes=2), halves(), sigma=0.25, n=100)


def test_a_module_gets_the_type_of_its_first_floating_parameter() -> None:
    class Counting(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.count = torch.nn.Parameter(torch.zeros(1, dtype=torch.int64), requires_grad=False)
            self.scale = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))

        def forward(self, x: Any) -> Any:
            assert x.dtype == torch.float64
            score = (x[:, :1] - 0.5) * self.scale
            return torch.cat([-score, score], dim=1)

    image = np.full((3, 8, 8), 0.9, np.float32)
    found = oc.certify(oc.wrap(Counting().eval(), classes=2), image, sigma=0.1, n=100, seed=1)
    assert (found.labels == 1).all()
