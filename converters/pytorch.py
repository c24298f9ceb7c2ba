"""From a PyTorch module to an ONNX file that onnxcert can certify without a flag."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from onnxcert.errors import ModelError
from onnxcert.model.pictures.contract import PictureContract

from .tracing import (
    Signature,
    agrees,
    check_company,
    check_finite,
    check_parity,
    evaluated,
    keep,
    require_torch,
    run,
    scores_of,
    write,
)

if TYPE_CHECKING:
    import torch

INPUT: Final = "image"
OUTPUT: Final = "logits"
SIGNATURE: Final = Signature(
    inputs=(INPUT,), output=OUTPUT, axes="[B, C, H, W]", class_axis=1, sample="picture"
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
    require_torch()
    import torch

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
    with evaluated(module), torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        whole = _with_normalisation(module, value_range, mean, std)
        pictures = _pictures(3, example_size)
        scores = scores_of(whole, [pictures], SIGNATURE)
        _check_form(scores, len(pictures), len(class_names))
        check_company(whole, [pictures], scores, SIGNATURE)

        draft = Path(folder) / "draft.onnx"
        second = (2 * example_size[0], 2 * example_size[1])
        _write(whole, draft, example_size, contract, opset, free_size=True)
        if not _follows(whole, draft, second):
            contract = contract.override("the exporter", size=example_size)
            _write(whole, draft, example_size, contract, opset, free_size=False)
        for batch in (1, len(pictures)):
            check_parity(run(draft, [pictures[:batch]], SIGNATURE), scores[:batch], SIGNATURE)
        return keep(draft, Path(path))


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


def _check_form(scores: NDArray[np.float32], batch: int, classes: int) -> None:
    if scores.ndim != 4 or scores.shape[:2] != (batch, classes):
        raise ModelError(
            f"the module must return logits [B, C, H, W], here [{batch}, {classes}, H, W] for "
            f"{classes} class names, got {list(scores.shape)}."
        )
    check_finite(scores)


def _write(
    module: torch.nn.Module,
    path: Path,
    size: tuple[int, int],
    contract: PictureContract,
    opset: int,
    *,
    free_size: bool,
) -> None:
    """Trace the module at `size`, with height and width free or fixed to it."""
    batch = {0: "batch"}
    spatial = {2: "height", 3: "width"} if free_size else {}
    # The output may have a resolution of its own, so its axes get names of their own.
    shown = {2: "logits_height", 3: "logits_width"} if free_size else {}
    write(
        module,
        path,
        [_pictures(2, size)],
        SIGNATURE,
        axes={INPUT: batch | spatial, OUTPUT: batch | shown},
        # Behind a resize the exporter forgets how many channels there are; the form is checked.
        sizes={SIGNATURE.class_axis: len(contract.class_names)},
        contract=contract.to_json(),
        opset=opset,
    )


def _follows(module: torch.nn.Module, path: Path, size: tuple[int, int]) -> bool:
    """Whether module and file agree at another size too."""
    pictures = [_pictures(1, size)]
    try:
        found = run(path, pictures, SIGNATURE)
        return agrees(found, scores_of(module, pictures, SIGNATURE), SIGNATURE.class_axis)
    except ModelError:
        return False
