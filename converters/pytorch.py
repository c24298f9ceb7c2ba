"""From a PyTorch module to an ONNX file that onnxcert can certify without a flag."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from onnxcert.errors import ModelError
from onnxcert.model.contract import METADATA_KEY
from onnxcert.model.pictures.contract import PictureContract

if TYPE_CHECKING:
    import torch

INPUT: Final = "image"
OUTPUT: Final = "logits"

# Two runtimes add in different orders: scores may differ by this share of the largest one. Labels
# may then differ only on ties, which are rarer than this share of all pixels.
SCORE_TOLERANCE: Final = 1e-3
LABEL_TOLERANCE: Final = 1e-3


def export(
    module: torch.nn.Module,
    path: str | Path,
    *,
    example_size: tuple[int, int],
    class_names: Sequence[str],
    trained_sigma: float | None = None,
    value_range: tuple[float, float] = (0.0, 1.0),
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
    opset: int = 17,
) -> Path:
    """Export a segmentation module to ONNX, with its contract inside, and check the file.

    The file takes pixels in [0, 1]; the step ``(low + x * (high - low) - mean) / std`` with
    ``(low, high) = value_range`` becomes part of the graph, so certification noise is in the one
    unit that users see. The batch axis is free; height and width are free where the module and its
    trace follow a second size, and fixed to `example_size` where not.

    Args:
        module: maps floats [B, 3, H, W], normalised as above, to logits [B, C, H', W']. It is
            exported in evaluation mode and left in the mode it came in.
        path: file to write; nothing is written unless every check passes.
        example_size: (height, width) in pixels that the module is traced at.
        class_names: one name for each of the C classes.
        trained_sigma: noise the module was trained with, in the unit of [0, 1] pixels.
        value_range: what pixel values 0 and 1 become before normalising.
        mean, std: one number, or one a channel, in the unit of `value_range`; empty for none.
        opset: version of the ONNX operator set.

    Returns:
        The path written.

    Raises:
        ModelError: the module cannot be traced, does not give logits [B, C, H', W'], treats a
            picture differently in company, or the file does not agree with it.
    """
    try:
        import torch
    except ModuleNotFoundError:
        raise ModelError(
            "the converter needs PyTorch, which is not installed; pip install torch."
        ) from None

    contract = PictureContract(
        input=INPUT,
        value_range=(0.0, 1.0),
        output=OUTPUT,
        classes=len(class_names),
        class_names=tuple(class_names),
        trained_sigma=trained_sigma,
    )
    # The contract's own rules, so that a std of 0 or four means are refused here and not later.
    PictureContract(value_range=value_range, mean=tuple(mean), std=tuple(std))
    path = Path(path)
    with _evaluated(module), torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        whole = _with_normalisation(module, value_range, mean, std)
        pictures = _pictures(3, example_size)
        scores = _scores(whole, pictures)
        _check_form(scores, len(pictures), len(class_names))
        _check_company(whole, pictures, scores)

        draft = Path(folder) / "draft.onnx"
        second = (2 * example_size[0], 2 * example_size[1])
        _write(whole, draft, example_size, contract, opset, free_size=True)
        if not _follows(whole, draft, second):
            contract = contract.override("the exporter", size=example_size)
            _write(whole, draft, example_size, contract, opset, free_size=False)
        for batch in (1, len(pictures)):
            _check_parity(_run(draft, pictures[:batch]), scores[:batch])
        try:
            path.write_bytes(draft.read_bytes())
        except OSError as error:
            raise ModelError(f"cannot write {path} ({error.strerror}).") from None
    return path


@contextmanager
def _evaluated(module: torch.nn.Module) -> Iterator[None]:
    """Put every layer into evaluation mode, and back into its own mode afterwards."""
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


def _with_normalisation(
    module: torch.nn.Module,
    value_range: tuple[float, float],
    mean: Sequence[float],
    std: Sequence[float],
) -> torch.nn.Module:
    """`module` behind the step from [0, 1] to what it was trained on."""
    import torch

    parameter = next(module.parameters(), torch.zeros(()))

    def channels(values: Sequence[float], default: float) -> torch.Tensor:
        filled = list(values) or [default]
        return torch.tensor(filled, dtype=torch.float64, device=parameter.device).view(1, -1, 1, 1)

    low, high = value_range
    deviation = channels(std, 1.0)

    class Normalised(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module
            self.scale = torch.nn.Buffer(((high - low) / deviation).float())
            self.offset = torch.nn.Buffer(((low - channels(mean, 0.0)) / deviation).float())

        def forward(self, image: torch.Tensor) -> Any:
            return self.module(image * self.scale + self.offset)

    return Normalised().eval()


def _pictures(count: int, size: tuple[int, int]) -> NDArray[np.float32]:
    """Noise beyond both ends of [0, 1], as certification will send it; [count, 3, H, W]."""
    rng = np.random.default_rng(0)
    pictures = rng.random((count, 3, *size)) + rng.normal(0, 0.25, (count, 3, *size))
    return pictures.astype(np.float32)


def _scores(module: torch.nn.Module, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """What PyTorch says, or a ModelError in place of whatever the module raises."""
    import torch

    device = next(module.buffers()).device
    try:
        scores = module(torch.from_numpy(pictures).to(device))
    except Exception as error:
        raise ModelError(
            f"the module does not take floats {list(pictures.shape)} ({_first_line(error)})."
        ) from error
    if not isinstance(scores, torch.Tensor):
        raise ModelError(
            f"the module must return one tensor of logits [B, C, H, W], got a "
            f"{type(scores).__name__}; wrap it in a module that picks the logits."
        )
    return np.asarray(scores.cpu().float().numpy(), dtype=np.float32)


def _check_form(scores: NDArray[np.float32], batch: int, classes: int) -> None:
    if scores.ndim != 4 or scores.shape[:2] != (batch, classes):
        raise ModelError(
            f"the module must return logits [B, C, H, W], here [{batch}, {classes}, H, W] for "
            f"{classes} class names, got {list(scores.shape)}."
        )
    if not np.isfinite(scores).all():
        raise ModelError("the module returns scores that are not finite; check its weights.")


def _check_company(
    module: torch.nn.Module, pictures: NDArray[np.float32], scores: NDArray[np.float32]
) -> None:
    if _gap(_scores(module, pictures[:1]), scores[:1]) > SCORE_TOLERANCE:
        raise ModelError(
            "the module scores a picture differently alone and among others, or from call to call; "
            "a certificate needs one fixed answer for each picture."
        )


def _write(
    module: torch.nn.Module,
    path: Path,
    size: tuple[int, int],
    contract: PictureContract,
    opset: int,
    *,
    free_size: bool,
) -> None:
    """Trace the module at `size` and store the graph with its contract."""
    import onnx
    import torch
    from torch.jit._trace import TracerWarning

    axes = {0: "batch"}
    spatial = {2: "height", 3: "width"} if free_size else {}
    # The output may have a resolution of its own, so its axes get names of their own.
    shown = {2: "logits_height", 3: "logits_width"} if free_size else {}
    example = torch.from_numpy(_pictures(2, size)).to(next(module.buffers()).device)
    with warnings.catch_warnings():
        # The tracing exporter is chosen on purpose: its graph has no extra dependency and keeps
        # sizes free. What it cannot trace is found by the parity check, not by its warnings.
        for category in (DeprecationWarning, UserWarning, TracerWarning):
            warnings.filterwarnings("ignore", category=category)
        try:
            torch.onnx.export(
                module,
                (example,),
                str(path),
                dynamo=False,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_axes={INPUT: axes | spatial, OUTPUT: axes | shown},
                opset_version=opset,
            )
        except Exception as error:
            raise ModelError(
                f"PyTorch cannot export the module to ONNX ({_first_line(error)})."
            ) from error
    model = onnx.load(path)
    # Behind a resize the exporter forgets how many channels there are; the check above knows.
    scored = model.graph.output[0].type.tensor_type.shape.dim[1]
    scored.dim_value = len(contract.class_names)
    onnx.helper.set_model_props(model, {METADATA_KEY: contract.to_json()})
    onnx.save(model, path)


def _follows(module: torch.nn.Module, path: Path, size: tuple[int, int]) -> bool:
    """Whether module and file agree at another size too."""
    pictures = _pictures(1, size)
    try:
        return _agrees(_run(path, pictures), _scores(module, pictures))
    except ModelError:
        return False


def _run(path: Path, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """What onnxruntime says."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # a size that the graph does not follow is no news here
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        return np.asarray(session.run([OUTPUT], {INPUT: pictures})[0])
    except Exception as error:  # onnxruntime's exceptions have no public base
        raise ModelError(
            f"onnxruntime cannot run the exported file ({_first_line(error)})."
        ) from error


def _gap(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Largest difference of scores as a share of the largest score (at least 1)."""
    return float(np.abs(first - second).max() / max(1.0, float(np.abs(second).max())))


def _agrees(found: NDArray[np.float32], expected: NDArray[np.float32]) -> bool:
    if found.shape != expected.shape or not _gap(found, expected) <= SCORE_TOLERANCE:
        return False
    return bool(np.mean(found.argmax(1) != expected.argmax(1)) <= LABEL_TOLERANCE)


def _check_parity(found: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    if not _agrees(found, expected):
        how = (
            f"shape {list(found.shape)} instead of {list(expected.shape)}"
            if found.shape != expected.shape
            else f"scores that differ by {_gap(found, expected):.2g} of their range"
        )
        raise ModelError(
            f"the exported file does not agree with the module at batch size {len(found)} ({how}); "
            "the module does something that tracing cannot record."
        )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
