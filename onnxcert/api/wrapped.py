"""A function or a PyTorch module as a model."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, Final, final

import numpy as np

from onnxcert._typing import FloatArray, IntArray, Perturbation
from onnxcert.api.arrays import to_numpy
from onnxcert.api.keyword_checks import check_keywords
from onnxcert.errors import ModelError, ParameterError
from onnxcert.sampling.backend import Backend
from onnxcert.sampling.protocol import Function, Segmenter

_SCORES: Final = ("logits", "out")  # where transformers and torchvision put their scores


@check_keywords()
def wrap(
    model: Callable[[Any], Any], *, classes: int | None = None, channels: int | None = 3
) -> WrappedModel:
    """Return a function or a PyTorch module as a model.

    It must depend on its input alone: no chance, and nothing kept from one call to the next. Trials
    before and after a count refuse most models that do not.

    Args:
        model: a function of a float32 NumPy batch [B, ...], or a `torch.nn.Module` in evaluation
            mode, which gets the batch as a tensor on its own device, without gradients. It returns
            labels, integers [B, *grid], or scores, floats [B, C, *grid], of which the highest
            counts (the first of equal ones). A component with a score that is not finite is an
            invalid prediction. Outputs ``logits`` and ``["out"]`` of a module are found.
        classes: number of classes C; None for the attribute `classes` of the model.
        channels: channels of its images: 3 for RGB in [0, 1], 1 for grey, or a number of bands.
            None: it takes any array of floats, in its own unit.

    Raises:
        ParameterError: the number of classes is unknown or below 2.
        ModelError: the module is in training mode.
    """
    classes = getattr(model, "classes", None) if classes is None else classes
    if classes is None:
        raise ParameterError("classes is needed; pass the number of classes of the model.")
    if isinstance(classes, bool) or not isinstance(classes, int) or classes < 2:
        raise ParameterError(f"classes must be a whole number from 2, got {classes!r}.")
    if channels is not None and channels < 1:
        raise ParameterError(f"channels must be at least 1, or None for any array, got {channels}.")
    if not callable(model):
        raise ParameterError(
            f"a model must be a function or a PyTorch module, got {type(model).__name__}."
        )
    return WrappedModel(model, classes, channels)


@final
class WrappedModel(Segmenter):
    """A function or a PyTorch module; see `wrap`.

    Attributes:
        channels: channels of its images; None for any array.
    """

    def __init__(self, model: Callable[[Any], Any], classes: int, channels: int | None) -> None:
        self._model, self._classes, self.channels = model, classes, channels
        self._scored = False  # known after the first pass
        self._torch: Any = _torch_of(model)
        self._refuse_training()

    def __repr__(self) -> str:
        return f"<model {self.name}, {self._classes} classes>"

    @property
    def name(self) -> str:
        """Name of the function or class."""
        return getattr(self._model, "__name__", type(self._model).__name__)

    @property
    def classes(self) -> int:
        return self._classes

    @property
    def mixes_draws(self) -> bool:
        return bool(getattr(self._model, "mixes_draws", False))

    @property
    def on_device(self) -> bool:
        parameter = self._parameter()
        return parameter is not None and parameter.device.type != "cpu"

    @property
    def scored(self) -> bool:
        return self._scored

    def __call__(self, batch: FloatArray, /) -> IntArray:
        self._refuse_training()
        return self._label(np.array(batch, order="C"))

    def bind(
        self, _x: FloatArray, _perturbation: Perturbation, backend: Backend, /
    ) -> tuple[Function, Backend]:
        self._refuse_training()
        return self._label, backend

    def scores(self, batch: FloatArray) -> FloatArray:
        output = self._run(np.array(batch, order="C"))
        return np.asarray(self._to_host(output), np.float32)

    def _label(self, batch: FloatArray) -> IntArray:
        output = self._run(batch)
        dtype = str(output.dtype).removeprefix("torch.")
        self._scored = "float" in dtype
        if not self._scored:
            if not dtype.startswith(("int", "uint")):
                raise ModelError(
                    f"a model must return integer labels or float scores, got {dtype}; convert "
                    "its output."
                )
            return self._check_labels(np.asarray(self._to_host(output)), batch)
        if output.ndim < 2 or output.shape[1] != self._classes:
            raise ModelError(
                f"scores must have the shape [{len(batch)}, {self._classes}, ...], one for each "
                f"class, got {list(output.shape)}; return them in this order, or pass the number "
                "of classes."
            )
        if self._torch is not None:
            labels = self._torch.where(
                self._torch.isfinite(output).all(dim=1), output.argmax(dim=1), self._classes
            )
            return np.asarray(self._to_host(labels))
        scores = np.asarray(output)
        found: IntArray = np.where(
            np.isfinite(scores).all(axis=1), scores.argmax(axis=1), self._classes
        )
        return found

    def _check_labels(self, labels: IntArray, batch: FloatArray) -> IntArray:
        """Raise ModelError unless the labels are classes; a vote for none would count for none."""
        if labels.ndim == batch.ndim and labels.shape[1:] == (self._classes, *batch.shape[2:]):
            raise ModelError(
                f"integers of the shape {list(labels.shape)} may be scores or labels; return float "
                "scores, or labels without the axis of classes."
            )
        if labels.size and not 0 <= (low := int(labels.min())) <= int(labels.max()) < self._classes:
            wrong = low if low < 0 else int(labels.max())
            raise ModelError(
                f"the labels must lie from 0 to {self._classes - 1} for {self._classes} classes, "
                f"got {wrong}; pass the right number of classes."
            )
        return labels

    def _run(self, batch: FloatArray) -> Any:
        """Return the output for a batch, which may be overwritten: an array or a tensor."""
        if self._torch is None:
            return to_numpy(self._model(batch))
        parameter = self._parameter()
        with self._torch.no_grad():
            tensor = self._torch.from_numpy(batch)  # the same memory
            if parameter is not None:
                tensor = tensor.to(device=parameter.device, dtype=parameter.dtype)
            output = self._model(tensor)
        for name in _SCORES:
            if hasattr(output, name):
                return getattr(output, name)
            if isinstance(output, Mapping) and name in output:
                return output[name]
        if not isinstance(output, self._torch.Tensor):
            raise ModelError(
                f"a module must return a tensor, or one called {' or '.join(_SCORES)}, got "
                f"{type(output).__name__}; wrap a function that returns the tensor."
            )
        return output

    def _to_host(self, output: Any) -> Any:
        if self._torch is None:
            return output
        output = output.detach().cpu()
        return (output.float() if output.is_floating_point() else output).numpy()

    def _parameter(self) -> Any:
        """Return the first floating parameter of a module, which shows its device and type."""
        if self._torch is None:
            return None
        every = self._model.parameters()  # type: ignore[attr-defined]
        return next((each for each in every if each.is_floating_point()), None)

    def _refuse_training(self) -> None:
        """Raise ModelError if a part of a module is in training mode."""
        if self._torch is None:
            return
        for name, part in self._model.named_modules():  # type: ignore[attr-defined]
            if part.training:
                where = f"its part {name}" if name else self.name
                raise ModelError(
                    f"{where} is in training mode, where a prediction depends on chance and on the "
                    "other inputs of its batch; call eval() first."
                )


def _torch_of(model: object) -> Any:
    """Return PyTorch if `model` is one of its modules, without importing it; else None."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and isinstance(model, torch.nn.Module) else None


def is_module(model: object) -> bool:
    """Return whether `model` is a PyTorch module."""
    return _torch_of(model) is not None
