"""External data: weights of a model in separate files.

Small tensors are read into the graph, because some of them determine shapes. Large ones stay in
their files: the graph is edited without them, and ONNX Runtime maps them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import onnx
from onnx import external_data_helper

from onnxcert.errors import ModelError
from onnxcert.files.regular import UnsuitableFileError, check_regular_file

HELD: Final = 2**28  # bytes of external weights that are read into memory, smallest first

_BLOCK: Final = 2**22
# Elements of these types share a byte.
_BITS: Final = {"INT4": 4, "UINT4": 4, "FLOAT4E2M1": 4, "INT2": 2, "UINT2": 2}


def external_tensors(proto: onnx.ModelProto) -> list[onnx.TensorProto]:
    """Return the tensors of a model whose values are in another file."""
    tensors: Iterable[onnx.TensorProto] = external_data_helper._get_all_tensors(proto)
    return [tensor for tensor in tensors if external_data_helper.uses_external_data(tensor)]


def external_files(proto: onnx.ModelProto, path: Path) -> dict[str, Path]:
    """Return name in the model -> file, for the external files of the model at `path`, in order.

    Raises:
        ModelError: A file is missing, is not a regular file, or is outside the model's folder
            (in a Hugging Face cache: outside the same repository).
    """
    names = [_get_entries(tensor).get("location", "") for tensor in external_tensors(proto)]
    return {name: _resolve_file(name, path) for name in dict.fromkeys(names)}


def add_file(digest: Any, path: Path) -> None:
    """Update a digest with the content of a file, block by block."""
    block = memoryview(bytearray(_BLOCK))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(block):
            digest.update(block[:count])


def read_small(proto: onnx.ModelProto, files: dict[str, Path], sha256: str) -> None:
    """Read the smallest external weights into `proto`, up to `HELD` bytes in total.

    Tensors that stay outside get the absolute path of their file and the digest of the whole model,
    so that the graph alone identifies its weights.

    Args:
        proto: The model.
        files: The result of `external_files`.
        sha256: Digest of the model.

    Raises:
        ModelError: A file is too short or cannot be read.
    """
    left = HELD
    for length, tensor in sorted(
        ((_byte_length(tensor), tensor) for tensor in external_tensors(proto)),
        key=lambda pair: pair[0],
    ):
        entries = _get_entries(tensor)
        file, offset = files[entries["location"]], _read_number(tensor, "offset") or 0
        if offset + length > file.stat().st_size:
            raise ModelError(
                f"the weights {tensor.name!r} lie beyond the end of {file}, which is cut short; "
                "copy or export the model again."
            )
        left -= length
        if left >= 0:
            with file.open("rb") as opened:
                opened.seek(offset)
                tensor.raw_data = opened.read(length)
            tensor.data_location = onnx.TensorProto.DEFAULT
            del tensor.external_data[:]
        else:
            outside = {"location": str(file), "offset": offset, "length": length}
            _set_entries(tensor, {**outside, "checksum": sha256})


def for_runtime(proto: onnx.ModelProto) -> tuple[bytes, str]:
    """Return the serialized model for ONNX Runtime, and the folder of its external weights or "".

    ONNX Runtime reads no file outside that folder, so paths are written relative to it.

    Raises:
        ModelError: A file of weights is not on this machine.
    """
    outside = {_get_entries(tensor)["location"] for tensor in external_tensors(proto)}
    if not outside:
        return proto.SerializeToString(), ""
    for name in outside:
        if not Path(name).is_file():
            raise ModelError(
                f"the weights {name} are not on this machine, and weights beyond {HELD >> 20} MiB "
                "are not sent to workers; copy them to this path on each machine."
            )
    folder = os.path.commonpath([Path(name).parent for name in outside])
    model = onnx.ModelProto()
    model.CopyFrom(proto)
    for tensor in external_tensors(model):
        entries = _get_entries(tensor)
        _set_entries(tensor, {**entries, "location": os.path.relpath(entries["location"], folder)})
    return model.SerializeToString(), folder


def _resolve_file(name: str, path: Path) -> Path:
    """Return the file that the model at `path` calls `name`, with symbolic links resolved."""
    folder = path.parent
    try:
        file = (folder / name).resolve()
        inside = file.is_relative_to(folder.resolve())
        if not inside and _is_below(name):
            repository = _repository(path)
            inside = repository is not None and file.is_relative_to(repository)
    except (OSError, ValueError, RuntimeError):  # not a valid path, or links in a loop
        inside = False
    if not inside:
        raise ModelError(
            f"{path} names external data outside its own folder ({Path(name).name[:80]!r}), which "
            "is refused; put the file itself beside the model, or export it again."
        )
    try:
        if name.endswith("/"):
            raise UnsuitableFileError("its name is that of a folder")
        check_regular_file(file)
        file.open("rb").close()
    except OSError as error:
        raise ModelError(
            f"{path} keeps weights in {Path(name).name[:80]}, which cannot be read "
            f"({error.strerror or error}); put it beside the model."
        ) from None
    return file


def _is_below(name: str) -> bool:
    """Return whether a name, before links are resolved, is inside its folder."""
    below = Path(os.path.normpath(name))
    return not below.is_absolute() and ".." not in below.parts


def _repository(path: Path) -> Path | None:
    """Return the folder of `snapshots/` and `blobs/` that contains a path, or None.

    A Hugging Face cache stores files as blobs; a snapshot is a folder of links to them.
    """
    for parent in Path(os.path.normpath(Path.cwd() / path)).parents:
        if parent.name == "snapshots" and (parent.parent / "blobs").is_dir():
            return parent.parent.resolve()
    return None


def _get_entries(tensor: onnx.TensorProto) -> dict[str, str]:
    # Protobuf returns bytes if a string is not UTF-8.
    found = {os.fsdecode(entry.key): os.fsdecode(entry.value) for entry in tensor.external_data}
    return {"location": "", **found}


def _set_entries(tensor: onnx.TensorProto, entries: dict[str, Any]) -> None:
    del tensor.external_data[:]
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=str(value))


def _read_number(tensor: onnx.TensorProto, key: str) -> int | None:
    text = _get_entries(tensor).get(key)
    if text is None:
        return None
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number < 2**62:
        raise ModelError(
            f"the external weights {tensor.name!r} have the {key} {text[:40]!r} but a number of "
            "bytes was expected; export the model again."
        )
    return number


def _byte_length(tensor: onnx.TensorProto) -> int:
    """Return the bytes of a tensor: as stated, or computed from its shape and type."""
    stated = _read_number(tensor, "length")
    return tensor_bytes(tensor.data_type, tensor.dims) if stated is None else stated


def tensor_bytes(kind: int, dims: Iterable[int]) -> int:
    """Return the bytes of a tensor of an ONNX element type; 0 for types without a fixed size."""
    count = 1
    for length in dims:
        count *= max(0, length)
    try:
        name = onnx.TensorProto.DataType.Name(kind)
        bits = _BITS.get(name) or 8 * onnx.helper.tensor_dtype_to_np_dtype(kind).itemsize
    except (KeyError, ValueError):
        return 0
    return (count * bits + 7) // 8 if name != "STRING" else 0
