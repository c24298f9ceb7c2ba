"""Tracing of PyTorch modules to ONNX files, and checks that both agree, for every modality."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

import numpy as np
from numpy.typing import NDArray

from onnxcert.data.decoding import quiet
from onnxcert.errors import ModelError
from onnxcert.model.contract.base import METADATA_KEY

if TYPE_CHECKING:
    import onnx
    import torch

    Inputs = Sequence[NDArray[np.float32]]

# Runtimes sum in different orders, so scores may differ by this share of the largest one. Labels
# then differ only at ties, which are rarer than this share of all components.
SCORE_TOLERANCE: Final = 1e-3
LABEL_TOLERANCE: Final = 1e-3


@final
@dataclass(frozen=True)
class Signature:
    """Names of the graph's inputs and output, and words for messages.

    Attributes:
        inputs: names of the graph's inputs, in the order of the module's arguments.
        output: name of the graph's output.
        axes: axes of the output, e.g. ``[B, C, H, W]``.
        class_axis: index of the class axis.
        sample: word for one row of the batch, e.g. ``image``.
    """

    inputs: tuple[str, ...]
    output: str
    axes: str
    class_axis: int
    sample: str


def require_torch() -> None:
    """Raise `ModelError` unless PyTorch is installed."""
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError:
        raise ModelError(
            "the converter needs PyTorch, which is not installed; run pip install torch."
        ) from None


@contextmanager
def evaluation_mode(module: torch.nn.Module) -> Iterator[None]:
    """Put every layer into evaluation mode, and restore its mode afterwards."""
    before = [(layer, layer.training) for layer in module.modules()]
    try:
        module.eval()
        for name, layer in module.named_modules():
            if layer.training:
                raise ModelError(
                    f"layer {name or 'module'} ({type(layer).__name__}) stays in training mode "
                    "after eval(); a certificate needs a module whose output does not change."
                )
        yield
    finally:
        for layer, training in before:
            layer.training = training


def run_module(
    module: torch.nn.Module, inputs: Inputs, signature: Signature
) -> NDArray[np.float32]:
    """Return the module's scores; raise `ModelError` in place of any error of the module."""
    import torch

    try:
        scores = module(*_tensors(module, inputs))
    except Exception as error:
        shapes = " and ".join(str(list(array.shape)) for array in inputs)
        raise ModelError(
            f"the module does not accept floats {shapes} ({_first_line(error)})."
        ) from error
    if not isinstance(scores, torch.Tensor):
        raise ModelError(
            f"the module must return one tensor of logits {signature.axes}, got a "
            f"{type(scores).__name__}; wrap it in a module that returns only the logits."
        )
    return np.asarray(scores.cpu().float().numpy(), dtype=np.float32)


def check_finite(scores: NDArray[np.float32]) -> None:
    """Raise `ModelError` unless all scores are finite."""
    if not np.isfinite(scores).all():
        raise ModelError("the module returns scores that are not finite; check its weights.")


def check_batch_invariance(
    module: torch.nn.Module,
    inputs: Inputs,
    scores: NDArray[np.float32],
    signature: Signature,
) -> None:
    """Raise `ModelError` if the scores of the first row depend on other rows or on the call."""
    alone = run_module(module, [array[:1] for array in inputs], signature)
    if _relative_gap(alone, scores[:1]) > SCORE_TOLERANCE:
        raise ModelError(
            f"the module scores a {signature.sample} differently alone and in a batch, or from "
            f"call to call; a certificate needs one fixed prediction for each {signature.sample}."
        )


def trace_to_file(
    module: torch.nn.Module,
    path: Path,
    example: Inputs,
    signature: Signature,
    *,
    axes: Mapping[str, Mapping[int, str]],
    sizes: Mapping[int, int],
    contract: str,
    opset: int,
    functions: Sequence[onnx.FunctionProto] = (),
) -> None:
    """Trace the module on `example` and store the graph with its contract.

    Args:
        module: the module to trace, in evaluation mode.
        path: file to write.
        example: one array for each input, with a batch of two: a batch of one is a special case.
        signature: names of the graph's inputs and output.
        axes: names of the dynamic axes, by input or output.
        sizes: known sizes of output axes, which the exporter may forget.
        contract: JSON to store in the file.
        opset: version of the ONNX operator set.
        functions: bodies of the module's custom operators, inlined at each use.

    Raises:
        ModelError: PyTorch cannot trace it.
    """
    import onnx
    import torch
    from onnx.inliner import inline_local_functions
    from torch.jit._trace import TracerWarning

    # If an export fails, PyTorch prints the whole graph, by default to standard output.
    torch._C._jit_set_onnx_log_output_stream("stderr")
    with warnings.catch_warnings(), quiet():
        # The tracing exporter is chosen on purpose: it needs no extra dependency and keeps sizes
        # dynamic. The parity check finds what it cannot trace, so its warnings are not needed.
        for category in (DeprecationWarning, UserWarning, TracerWarning):
            warnings.filterwarnings("ignore", category=category)
        try:
            torch.onnx.export(
                module,
                _tensors(module, example),
                str(path),
                dynamo=False,
                input_names=list(signature.inputs),
                output_names=[signature.output],
                dynamic_axes={name: dict(free) for name, free in axes.items()},
                opset_version=opset,
                custom_opsets={function.domain: 1 for function in functions},
            )
        except Exception as error:
            raise ModelError(
                f"PyTorch cannot export the module to ONNX ({_first_line(error)})."
            ) from error
    model = onnx.load(path)
    if functions:
        model.functions.extend(functions)
        model = inline_local_functions(model)
    for axis, size in sizes.items():
        model.graph.output[0].type.tensor_type.shape.dim[axis].dim_value = size
    onnx.helper.set_model_props(model, {METADATA_KEY: contract})
    onnx.save(model, path)


def run_onnx(path: Path, inputs: Inputs, signature: Signature) -> NDArray[np.float32]:
    """Return the scores of ONNX Runtime."""
    from onnxcert.model.runtime.passes import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # a size that the graph does not support is expected here
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        taken = {argument.name for argument in session.get_inputs()}
        if missing := [name for name in signature.inputs if name not in taken]:
            raise ModelError(
                f"the module does not use its input {missing[0]!r}, so the file has no such "
                "input; export the module without it."
            )
        feed = dict(zip(signature.inputs, inputs, strict=True))
        return np.asarray(session.run([signature.output], feed)[0])
    except ModelError:
        raise
    except Exception as error:  # onnxruntime's exceptions have no public base
        raise ModelError(
            f"onnxruntime cannot run the exported file ({_first_line(error)})."
        ) from error


def scores_agree(
    found: NDArray[np.float32], expected: NDArray[np.float32], class_axis: int
) -> bool:
    """Return whether two runtimes give the same scores, and the same labels except at ties."""
    if found.shape != expected.shape or not _relative_gap(found, expected) <= SCORE_TOLERANCE:
        return False
    different = found.argmax(class_axis) != expected.argmax(class_axis)
    return bool(np.mean(different) <= LABEL_TOLERANCE)


def check_parity(
    found: NDArray[np.float32], expected: NDArray[np.float32], signature: Signature
) -> None:
    """Raise `ModelError` unless file and module agree."""
    if not scores_agree(found, expected, signature.class_axis):
        how = (
            f"shape {list(found.shape)} instead of {list(expected.shape)}"
            if found.shape != expected.shape
            else f"scores that differ by {_relative_gap(found, expected):.2g} of their range"
        )
        raise ModelError(
            f"the exported file does not agree with the module at batch size {len(found)} ({how}); "
            "the module does something that tracing cannot record."
        )


def copy_file(draft: Path, path: Path) -> Path:
    """Copy the checked file to `path`."""
    try:
        path.write_bytes(draft.read_bytes())
    except OSError as error:
        raise ModelError(f"cannot write {path} ({error.strerror}).") from None
    return path


def _tensors(module: torch.nn.Module, inputs: Inputs) -> tuple[torch.Tensor, ...]:
    """Return the arrays as tensors on the device of the module's weights."""
    import torch

    held = next(module.parameters(), next(module.buffers(), torch.zeros(())))
    return tuple(torch.from_numpy(array).to(held.device) for array in inputs)


def _relative_gap(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the largest difference of scores as a share of the largest score (at least 1)."""
    return float(np.abs(first - second).max() / max(1.0, float(np.abs(second).max())))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
