"""How ONNX Runtime's providers for NVIDIA GPUs are asked to run a model."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import onnx


def gpu_providers(proto: onnx.ModelProto, kind: str, index: int, stream: int) -> list[Any]:
    """Providers in the order in which they may take nodes, each with its options.

    TensorRT leaves the operators that it does not know to CUDA on the same GPU, and both leave some
    (most of them of shapes) to the CPU. That is how ONNX Runtime documents them, and no fall-back:
    all nodes are run, on the device where they can be.

    Args:
        proto: the model.
        kind: `cuda` or `tensorrt`.
        index: of the GPU.
        stream: pointer to the stream that all passes run on; 0 lets each session make its own.
    """
    shared = {"device_id": str(index)}
    if stream:
        shared["user_compute_stream"] = str(stream)
    # By the same rules in every process and for every size; the default measures, and may choose
    # another algorithm, with other roundings, the next time.
    cuda = ("CUDAExecutionProvider", {**shared, "cudnn_conv_algo_search": "HEURISTIC"})
    if kind == "cuda":
        return [cuda, "CPUExecutionProvider"]
    engines = engine_folder(proto)
    engines.mkdir(parents=True, exist_ok=True)
    cached = {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(engines)}
    tensorrt = ("TensorrtExecutionProvider", {**shared, **cached})
    return [tensorrt, cuda, "CPUExecutionProvider"]


def engine_folder(proto: onnx.ModelProto) -> Path:
    """Where engines that TensorRT built for this model are kept; building one takes minutes.

    A folder for each model, by all of its bytes: ONNX Runtime names an engine after the graph
    alone, and would give one network's weights to another of the same architecture.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    content = hashlib.sha256(proto.SerializeToString(deterministic=True)).hexdigest()
    return Path(cache) / "onnxcert" / "tensorrt" / content[:32]
