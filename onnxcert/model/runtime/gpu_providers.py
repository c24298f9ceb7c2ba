"""Options of ONNX Runtime's execution providers for NVIDIA GPUs."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import onnx


def gpu_providers(proto: onnx.ModelProto, kind: str, index: int, stream: int) -> list[Any]:
    """Return the execution providers by priority, each with its options.

    TensorRT leaves the operators that it does not support to CUDA on the same GPU, and both leave
    some (mostly of shapes) to the CPU. ONNX Runtime documents this; it is not a fallback of the
    whole model.

    Args:
        proto: the model.
        kind: `cuda` or `tensorrt`.
        index: number of the GPU.
        stream: pointer to the stream for all passes; 0 lets each session create its own.
    """
    shared = {"device_id": str(index)}
    if stream:
        shared["user_compute_stream"] = str(stream)
    # A fixed rule in every process and for every size. The default benchmarks the algorithms and
    # may choose another one, with other rounding, the next time.
    cuda = ("CUDAExecutionProvider", {**shared, "cudnn_conv_algo_search": "HEURISTIC"})
    if kind == "cuda":
        return [cuda, "CPUExecutionProvider"]
    engines = engine_folder(proto)
    engines.mkdir(parents=True, exist_ok=True)
    cached = {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(engines)}
    tensorrt = ("TensorrtExecutionProvider", {**shared, **cached})
    return [tensorrt, cuda, "CPUExecutionProvider"]


def engine_folder(proto: onnx.ModelProto) -> Path:
    """Return the cache folder of TensorRT engines for this model; building one takes minutes.

    The folder name is a hash of all bytes of the model. ONNX Runtime names an engine after the
    graph alone, and would reuse it for another network of the same architecture.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    content = hashlib.sha256(proto.SerializeToString(deterministic=True)).hexdigest()
    return Path(cache) / "onnxcert" / "tensorrt" / content[:32]
