"""Write a trained parts network as an ONNX file with its contract inside."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

from onnxcert.model.contract import METADATA_KEY

from .catalogue import CATEGORIES, CLASS_NAMES
from .shapes import POINTS

INPUT: Final = "points"
OUTPUT: Final = "logits"
TRAINED_SIGMA: Final = 0.05  # the one to certify with unless asked for more; see the card
TRAINED_ROTATION: Final = 0.125


def write_model(network: nn.Module, path: Path, *, channels: str, noisy: bool) -> Path:
    """Export a trained network to `path`, and check the file against the network.

    Args:
        network: maps floats [B, 3 or 6, N] to logits [B, classes, N].
        path: ONNX file to write.
        channels: ``xyz`` or ``xyz+normals``.
        noisy: whether it was trained with noise.

    Raises:
        RuntimeError: the file's labels are not the network's.
    """
    network.eval()
    rows = 3 if channels == "xyz" else 6
    clouds = np.random.default_rng(0).normal(0, 0.4, (5, rows, POINTS)).astype(np.float32)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.from_numpy(clouds),),
            str(path),
            dynamo=False,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "batch"}, OUTPUT: {0: "batch"}},
            opset_version=17,
        )
        wanted = network(torch.from_numpy(clouds)).argmax(1).numpy()
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {METADATA_KEY: contract(channels, noisy=noisy)})
    onnx.save(model, path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for batch in (1, len(clouds)):
        found = session.run([OUTPUT], {INPUT: clouds[:batch]})[0].argmax(1)
        if np.mean(found != wanted[:batch]) > 1e-3:
            raise RuntimeError(f"{path} does not label as the network does at batch {batch}.")
    return path


def contract(channels: str, *, noisy: bool) -> str:
    """How to talk to the file, as it is kept in the file."""
    return json.dumps(
        {
            "version": 1,
            "medium": "points",
            "input": INPUT,
            "layout": "BCN",
            "channels": channels,
            "points": POINTS,
            "frame": "unit-sphere",
            "output": OUTPUT,
            "output_layout": "BCN",
            "output_rank": 3,
            "output_form": "logits",
            "classes": len(CLASS_NAMES),
            "class_names": list(CLASS_NAMES),
            "categories": [[name, list(parts)] for name, parts in CATEGORIES],
            "trained_sigma": TRAINED_SIGMA if noisy else None,
            "trained_rotation": TRAINED_ROTATION if noisy else None,
        }
    )
