"""Export of PyTorch modules on point clouds to ONNX files that onnxcert certifies without flags."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from onnxcert.errors import ModelError
from onnxcert.model.contract.points import PointContract

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
    trace_to_file,
)

if TYPE_CHECKING:
    import onnx
    import torch

INPUT: Final = "points"
OUTPUT: Final = "scores"


def export_points(
    module: torch.nn.Module,
    path: str | Path,
    *,
    points: int,
    class_names: Sequence[str],
    channels: str = "xyz",
    features: int = 0,
    categories: Sequence[tuple[str, Sequence[int]]] = (),
    category_input: str = "",
    frame: str = "unit-sphere",
    trained_sigma: float | None = None,
    trained_rotation: float | None = None,
    input_layout: str = "BCN",
    output_layout: str = "BNC",
    opset: int = 17,
    functions: Sequence[onnx.FunctionProto] = (),
) -> Path:
    """Export a part segmentation module to ONNX with its contract, and check the file.

    The batch axis of the file is dynamic, the number of points is fixed. Module and file are
    compared on shapes of which one has each point twice, as in a shape with fewer points than the
    model needs. Assignment through a mask (``d[mask] = e[mask]``), common in point sampling, is
    traced with the example's counts and fails the check: write ``torch.where`` or
    ``torch.minimum`` instead.

    Args:
        module: maps floats [B, c, points] (`input_layout` "BCN") or [B, points, c] ("BNC"), and
            with a `category_input` the one-hot category [B, G] as second argument, to scores
            [B, points, C] (`output_layout` "BNC") or [B, C, points] ("BCN"). It is exported in
            evaluation mode; its mode is restored afterwards.
        path: file to write; nothing is written unless every check passes.
        points: number of points of a shape.
        class_names: one name for each of the C classes.
        channels: meaning of the c channels: "xyz", "xyz+normals", "xyz+features" or
            "xyz+normals+features".
        features: number of additional features.
        categories: (name, classes) of each category, in the order of the one-hot input.
        category_input: name of the one-hot input in the file; empty if the module has none.
        frame: "unit-sphere" if shapes must be centred and scaled into it, otherwise "own".
        trained_sigma: sigma of the Gaussian noise in training, in the unit of the coordinates in
            their frame.
        trained_rotation: sigma of the rotation noise in training, in radians.
        input_layout: order of the input axes, see `module`.
        output_layout: order of the output axes, see `module`.
        opset: version of the ONNX operator set.
        functions: bodies of custom operators that layers emit in ``symbolic``; they are inlined
            into the file.

    Returns:
        The path written.

    Raises:
        ModelError: the module cannot be traced, its scores have another shape, its scores for a
            shape depend on the batch, or module and file disagree.
        ContractError: an argument is out of range or contradicts another one.
    """
    require_torch()
    import torch

    contract = PointContract(
        input=INPUT,
        layout=input_layout,
        output=OUTPUT,
        output_layout=output_layout,
        classes=len(class_names),
        class_names=tuple(class_names),
        channels=channels,
        features=features,
        points=points,
        frame=frame,
        categories=tuple((name, tuple(classes)) for name, classes in categories),
        category_input=category_input,
        trained_sigma=trained_sigma,
        trained_rotation=trained_rotation,
    )
    class_axis = 2 if output_layout == "BNC" else 1
    extra_inputs = (category_input,) if category_input else ()
    signature = Signature(
        inputs=(INPUT, *extra_inputs),
        output=OUTPUT,
        axes="[B, N, C]" if class_axis == 2 else "[B, C, N]",
        class_axis=class_axis,
        sample="shape",
    )
    shapes = _example_shapes(3, points, contract)
    if input_layout == "BNC":
        shapes = np.ascontiguousarray(shapes.transpose(0, 2, 1))
    inputs = [shapes]
    if category_input:
        inputs.append(np.eye(len(categories), dtype=np.float32)[np.arange(3) % len(categories)])
    with evaluation_mode(module), torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        scores = run_module(module, inputs, signature)
        _check_form(scores, points, len(class_names), signature)
        check_batch_invariance(module, inputs, scores, signature)

        draft = Path(folder) / "draft.onnx"
        trace_to_file(
            module,
            draft,
            [array[:2] for array in inputs],
            signature,
            axes={name: {0: "batch"} for name in (*signature.inputs, OUTPUT)},
            sizes={class_axis: len(class_names), 3 - class_axis: points},
            contract=contract.to_json(),
            opset=opset,
            functions=functions,
        )
        for batch in (1, 3):
            found = run_onnx(draft, [array[:batch] for array in inputs], signature)
            check_parity(found, scores[:batch], signature)
        return copy_file(draft, Path(path))


def _example_shapes(count: int, points: int, contract: PointContract) -> NDArray[np.float32]:
    """Return noisy spheres [count, c, points]; the last one has each of its points twice."""
    rng = np.random.default_rng(0)
    outward = rng.normal(size=(count, 3, points))
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    channels = [outward + rng.normal(0, 0.1, outward.shape)]
    if contract.has_normals:
        channels.append(outward)
    channels.append(rng.random((count, contract.features, points)))
    shapes = np.concatenate(channels, axis=1).astype(np.float32)
    shapes[-1, :, points // 2 :] = shapes[-1, :, : points - points // 2]
    return shapes


def _check_form(
    scores: NDArray[np.float32], points: int, classes: int, signature: Signature
) -> None:
    expected = (3, points, classes) if signature.class_axis == 2 else (3, classes, points)
    if scores.shape != expected:
        raise ModelError(
            f"the module must return scores {signature.axes} of shape {list(expected)} for "
            f"{points} points and {classes} class names, got {list(scores.shape)}."
        )
    check_finite(scores)
