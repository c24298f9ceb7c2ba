"""What other programs write about a model, in the form that they publish."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import onnx

MEAN: Final = [0.485, 0.456, 0.406]
STD: Final = [0.229, 0.224, 0.225]
NAMES: Final = ("wall", "road", "sky", "tree")

SEGFORMER: Final[dict[str, Any]] = {
    "do_normalize": True,
    "do_reduce_labels": False,
    "do_rescale": True,
    "do_resize": False,
    "image_mean": MEAN,
    "image_processor_type": "SegformerImageProcessor",
    "image_std": STD,
    "resample": 2,
    "rescale_factor": 0.00392156862745098,
    "size": {"height": 512, "width": 512},
}
CONFIG: Final[dict[str, Any]] = {
    "architectures": ["SegformerForSemanticSegmentation"],
    "id2label": {str(i): name for i, name in enumerate(NAMES)},
    "label2id": {name: i for i, name in enumerate(NAMES)},
    "model_type": "segformer",
    "semantic_loss_ignore_index": 255,
}
ULTRALYTICS: Final = {
    "description": "Ultralytics YOLO26n-sem model",
    "author": "Ultralytics",
    "version": "8.4.190",
    "stride": "2",
    "task": "semantic",
    "batch": "1",
    "imgsz": "[12, 16]",
    "names": str(dict(enumerate(NAMES))),
    "args": "{'batch': 1, 'half': False, 'dynamic': True, 'simplify': False}",
    "channels": "3",
}
OPENVINO: Final = {
    "model_info model_type": "Segmentation",
    "model_info mean_values": "123.675 116.28 103.53",
    "model_info scale_values": "58.395 57.12 57.375",
    "model_info reverse_input_channels": "False",
}
DEPLOY: Final[dict[str, Any]] = {
    "version": "1.3.1",
    "task": "Segmentor",
    "models": [{"name": "encoderdecoder", "net": "model.onnx", "backend": "onnxruntime"}],
    "customs": [],
}


def pipeline(**normalise: Any) -> dict[str, Any]:
    """`pipeline.json` of MMDeploy, with other values of its step Normalize."""
    steps = [
        {"type": "LoadImageFromFile"},
        {
            "type": "Normalize",
            "mean": [123.675, 116.28, 103.53],
            "std": [58.395, 57.12, 57.375],
            "to_rgb": True,
            **normalise,
        },
        {"type": "ImageToTensor", "keys": ["img"]},
        {"type": "Collect", "keys": ["img"], "meta_keys": ["ori_shape"]},
    ]
    tasks = [
        {"type": "Task", "module": "Transform", "name": "Preprocess", "transforms": steps},
        {"type": "Task", "module": "Net", "name": "encoderdecoder", "input_map": {"img": "input"}},
    ]
    return {"pipeline": {"input": ["img"], "output": ["post_output"], "tasks": tasks}}


def write(
    folder: Path,
    proto: onnx.ModelProto,
    files: Mapping[str, Any] | None = None,
    metadata: Mapping[str, str] | None = None,
    *,
    name: str = "model.onnx",
) -> Path:
    """The model with metadata of its own and files beside it; texts are written as they are."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    for file, content in (files or {}).items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / file).write_text(text, encoding="utf-8")
    for key, value in (metadata or {}).items():
        entry = proto.metadata_props.add()
        entry.key, entry.value = key, value
    path.write_bytes(proto.SerializeToString())
    return path
