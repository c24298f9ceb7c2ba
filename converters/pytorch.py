"""Export of PyTorch modules on images to ONNX files that onnxcert certifies without flags."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from onnxcert.errors import ModelError
from onnxcert.model.contract.image import ImageContract

from .tracing import (
    Signature,
    check_batch_invariance,
    check_finite,
    check_parity,
    copy_file,
    evaluation_mode,
    require_torch,
    run_module,
    run_onnx,
    scores_agree,
    trace_to_file,
)

if TYPE_CHECKING:
    import torch

INPUT: Final = "image"
OUTPUT: Final = "logits"
SIGNATURE: Final = Signature(
    inputs=(INPUT,), output=OUTPUT, axes="[B, C, H, W]", class_axis=1, sample="image"
)


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
    """Export a segmentation module to ONNX with its contract, and check the file.

    The file takes pixels in [0, 1]; the step ``(low + x * (high - low) - mean) / std`` with
    ``(low, high) = value_range`` becomes part of the graph, so the noise of certification has the
    unit of [0, 1] pixels. The batch axis is dynamic. Height and width are dynamic if module and
    trace agree at a second size, otherwise fixed to `example_size`.

    Args:
        module: maps floats [B, 3, H, W], normalised as above, to logits [B, C, H', W']. It is
            exported in evaluation mode; its mode is restored afterwards.
        path: file to write; nothing is written unless every check passes.
        example_size: (height, width) in pixels for tracing.
        class_names: one name for each of the C classes.
        trained_sigma: sigma of the noise in training, in the unit of [0, 1] pixels.
        value_range: values of black and white before normalisation.
        mean: one number or one per channel, in the unit of `value_range`; empty for 0.
        std: one number or one per channel, in the unit of `value_range`; empty for 1.
        opset: version of the ONNX operator set.

    Returns:
        The path written.

    Raises:
        ModelError: the module cannot be traced, its logits have another shape, its logits for an
            image depend on the batch, or module and file disagree.
    """
    require_torch()
    import torch

    contract = ImageContract(
        input=INPUT,
        value_range=(0.0, 1.0),
        output=OUTPUT,
        classes=len(class_names),
        class_names=tuple(class_names),
        trained_sigma=trained_sigma,
    )
    # Apply the checks of the contract, so that a std of 0 or four means are refused here.
    ImageContract(value_range=value_range, mean=tuple(mean), std=tuple(std))
    with evaluation_mode(module), torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        normalised = _with_normalisation(module, value_range, mean, std)
        images = _example_images(3, example_size)
        scores = run_module(normalised, [images], SIGNATURE)
        _check_form(scores, len(images), len(class_names))
        check_batch_invariance(normalised, [images], scores, SIGNATURE)

        draft = Path(folder) / "draft.onnx"
        second = (2 * example_size[0], 2 * example_size[1])
        _write(normalised, draft, example_size, contract, opset, free_size=True)
        if not _agrees_at(normalised, draft, second):
            contract = contract.override("the exporter", size=example_size)
            _write(normalised, draft, example_size, contract, opset, free_size=False)
        for batch in (1, len(images)):
            check_parity(run_onnx(draft, [images[:batch]], SIGNATURE), scores[:batch], SIGNATURE)
        return copy_file(draft, Path(path))


def _with_normalisation(
    module: torch.nn.Module,
    value_range: tuple[float, float],
    mean: Sequence[float],
    std: Sequence[float],
) -> torch.nn.Module:
    """Return `module` preceded by the normalisation from [0, 1]."""
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


def _example_images(count: int, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return noisy images [count, 3, H, W], with values beyond [0, 1] as in certification."""
    rng = np.random.default_rng(0)
    images = rng.random((count, 3, *size)) + rng.normal(0, 0.25, (count, 3, *size))
    return images.astype(np.float32)


def _check_form(scores: NDArray[np.float32], batch: int, classes: int) -> None:
    if scores.ndim != 4 or scores.shape[:2] != (batch, classes):
        raise ModelError(
            f"the module must return logits [B, C, H, W] of shape [{batch}, {classes}, H, W] for "
            f"{classes} class names, got {list(scores.shape)}."
        )
    check_finite(scores)


def _write(
    module: torch.nn.Module,
    path: Path,
    size: tuple[int, int],
    contract: ImageContract,
    opset: int,
    *,
    free_size: bool,
) -> None:
    """Trace the module at `size`, with height and width dynamic or fixed to it."""
    batch = {0: "batch"}
    spatial = {2: "height", 3: "width"} if free_size else {}
    # The output may have another resolution than the input, so its axes have other names.
    names = {2: "logits_height", 3: "logits_width"} if free_size else {}
    trace_to_file(
        module,
        path,
        [_example_images(2, size)],
        SIGNATURE,
        axes={INPUT: batch | spatial, OUTPUT: batch | names},
        # After a resize the exporter forgets the number of channels; `_check_form` has checked it.
        sizes={SIGNATURE.class_axis: len(contract.class_names)},
        contract=contract.to_json(),
        opset=opset,
    )


def _agrees_at(module: torch.nn.Module, path: Path, size: tuple[int, int]) -> bool:
    """Return whether module and file agree at `size`."""
    images = [_example_images(1, size)]
    try:
        found = run_onnx(path, images, SIGNATURE)
        return scores_agree(found, run_module(module, images, SIGNATURE), SIGNATURE.class_axis)
    except ModelError:
        return False
