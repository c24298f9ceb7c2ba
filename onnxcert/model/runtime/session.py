"""ONNX Runtime sessions, on exactly the requested device."""

from __future__ import annotations

import ctypes
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import onnx

from onnxcert.errors import DeviceError, ModelError
from onnxcert.model.graph.external_data import for_runtime
from onnxcert.model.runtime.machine import available_cores
from onnxcert.model.runtime.pass_memory import PassMemory
from onnxcert.model.runtime.passes import EndableSession, explain_refusal, onnxruntime
from onnxcert.sampling.backend import NUMPY, Backend, cuda_backend

_CPU = "CPUExecutionProvider"
_CUDA = "CUDAExecutionProvider"
_ON_GPU = {"cuda": _CUDA, "tensorrt": "TensorrtExecutionProvider"}
_FATAL_ONLY = 4
_WEIGHTS = "session.model_external_initializers_file_folder_path"
_MOST_AT_ONCE = 8
LARGE_INPUT: Final = 2**23  # values; a colour image of 1024x2048 is somewhat smaller


@dataclass(frozen=True)
class Session:
    """An open session.

    Attributes:
        runtime: the `onnxruntime.InferenceSession`.
        provider: execution provider that the session really uses.
        device: `cpu`, `cuda:i` or `tensorrt:i`.
        threads: threads on the CPU, of all concurrent passes together.
        note: why `auto` does not fully use an available GPU, else empty.
        version: version of ONNX Runtime.
        passes: largest number of concurrent passes, one per thread.
        backend: draws noise and counts votes where the model runs.
        memory: refuses passes that need more memory than is free; None on a GPU.
        arena: whether it keeps the memory of a pass for the next one; see `keeps_memory`.
    """

    runtime: Any
    provider: str
    device: str
    threads: int
    note: str = ""
    version: str = onnxruntime.__version__
    passes: int = 1
    backend: Backend = NUMPY
    memory: PassMemory | None = None
    arena: bool = True

    @property
    def at_once(self) -> int:
        """Number of concurrent passes for arrays like those last checked."""
        return self.passes if self.memory is None else self.memory.at_once(self.passes)

    def check(self, feeds: Mapping[str, Any]) -> None:
        """Raise ModelError if a pass over these arrays does not fit into memory."""
        if self.memory is not None:
            self.memory.check(feeds)


def parse_device(device: str) -> tuple[str, int]:
    """Parse `auto|cpu|cuda[:i]|tensorrt[:i]` into (kind, index)."""
    kind, _, index = device.partition(":")
    if kind in ("auto", "cpu") and not index and ":" not in device:
        return kind, 0
    if kind in _ON_GPU and (index.isdecimal() or device == kind):
        return kind, int(index or 0)
    raise DeviceError(
        f"the device must be auto, cpu, cuda, cuda:0, tensorrt or tensorrt:0, got {device!r}."
    )


def passes_at_once(threads: int, values: int) -> int:
    """Return the number of concurrent passes on the CPU for inputs of `values` values.

    Several passes use the cores better than several threads in one pass, which wait for each other
    after every operator (`docs/speed.md`). The passes share the threads, but each needs its own
    memory, so there are at most a few, and very large inputs run one by one.
    """
    return 1 if values > LARGE_INPUT else min(threads, _MOST_AT_ONCE)


def keeps_memory(values: int | None) -> bool:
    """Return whether a session on the CPU keeps the memory of a pass for the next one.

    That saves time for small inputs. For large ones it would keep up to twice the memory of the
    largest pass until the session is closed.
    """
    return values is None or values <= LARGE_INPUT


def open_session(
    proto: onnx.ModelProto, *, device: str = "auto", threads: int = 0, values: int | None = None
) -> Session:
    """Open a session for `proto`.

    Args:
        proto: the model.
        device: `auto` (a GPU if it really runs the model, else the CPU), `cpu`, `cuda`, `cuda:1`,
            `tensorrt`, `tensorrt:1`.
        threads: threads on the CPU; 0 for all available cores.
        values: network values of one input, if several passes may run concurrently.

    Raises:
        DeviceError: CUDA or TensorRT was requested but the session does not use it (ONNX Runtime
            itself would silently fall back to the CPU), or noise cannot be drawn there.
        ModelError: ONNX Runtime cannot load the model, or the model needs more memory than is free.
    """
    kind, index = parse_device(device)
    if threads < 0:
        raise DeviceError(f"threads must be 0 (all cores) or more, got {threads}.")
    threads = threads or available_cores()
    note = ""
    if kind in _ON_GPU or (kind == "auto" and _gpu_present()):
        found, reason = _on_gpu(proto, kind, index, threads)
        if found is not None:
            return found
        if kind in _ON_GPU:
            raise DeviceError(
                f"{device} was requested but ONNX Runtime cannot run the model there ({reason}); "
                "install onnxcert[cuda13], or [cuda12], and a driver, or use --device cpu."
            )
        note = f"a GPU is present but ONNX Runtime cannot use it ({reason}); running on the CPU"
    passes = 1 if values is None else passes_at_once(threads, values)
    memory = PassMemory(proto)  # before the session is made, which computes all constants
    arena = keeps_memory(values)
    runtime = _create(proto, [_CPU], threads // passes, arena=arena)
    return Session(runtime, _CPU, "cpu", threads, note, passes=passes, memory=memory, arena=arena)


def _on_gpu(
    proto: onnx.ModelProto, kind: str, index: int, threads: int
) -> tuple[Session | None, str]:
    """Return (session, "") on the requested provider, or (None, reason).

    Noise and votes are on the GPU, too. Only `auto` may use the CPU for them, with a note. The
    guarantee is the same, because every count stores the name of its generator.
    """
    by_name = kind in _ON_GPU
    kind = kind if by_name else "cuda"
    if _ON_GPU[kind] not in onnxruntime.get_available_providers():
        return None, f"this onnxruntime is built without {_ON_GPU[kind]}"
    if not _gpu_present():
        return None, "no NVIDIA driver or device was found"
    if hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()  # CUDA libraries installed as Python packages
    backend: Backend = NUMPY
    stream, note = 0, ""
    try:
        device = cuda_backend(index)
        backend, stream = device, device.of.stream
    except DeviceError as error:
        if by_name:
            raise
        note = f"{str(error).rstrip('.')}; until then noise is drawn on the CPU"
    try:
        runtime = _create(proto, gpu_providers(proto, kind, index, stream), threads)
    except ModelError as error:
        return None, str(error).rstrip(".")
    if runtime.get_providers()[0] != _ON_GPU[kind]:
        libraries = "CUDA or cuDNN" if kind == "cuda" else "TensorRT, CUDA or cuDNN"
        return None, f"{_ON_GPU[kind]} did not load; {libraries} libraries may be missing"
    return Session(runtime, _ON_GPU[kind], f"{kind}:{index}", threads, note, backend=backend), ""


def visible_gpus() -> list[str]:
    """Return the visible GPUs, each as `CUDA_VISIBLE_DEVICES` names it."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    count = _gpu_count()
    return [name.strip() for name in named[:count]] if named[0] else list(map(str, range(count)))


def _gpu_present() -> bool:
    """Return whether the NVIDIA driver works and has a device."""
    return _gpu_count() > 0


def _gpu_count() -> int:
    """Return the number of devices that the NVIDIA driver gives this process."""
    for name in ("libcuda.so.1", "nvcuda.dll"):
        try:
            driver = ctypes.CDLL(name)
        except OSError:
            continue
        count = ctypes.c_int(0)
        if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0:
            return max(0, count.value)
        return 0
    return 0


def _create(
    proto: onnx.ModelProto, providers: list[Any], threads: int, *, arena: bool = True
) -> Any:
    options = onnxruntime.SessionOptions()
    options.enable_cpu_mem_arena = arena
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL_ONLY
    # Spinning threads take cores from other processes on a shared machine.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # It merges slices into one Split, which holds the scores of all classes a second time.
    disabled = ["GatherSliceToSplitFusion"]
    try:
        model, weights = for_runtime(proto)
        if weights:
            options.add_session_config_entry(_WEIGHTS, weights)
            disabled.append("ConstantFolding")  # it copies mapped weights into memory, twice
        return EndableSession(
            model,
            sess_options=options,
            providers=providers,
            disabled_optimizers=disabled,
        )
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(explain_refusal(error)) from None


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
