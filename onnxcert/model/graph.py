"""Read an ONNX file into memory, with the digest that identifies it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from onnxcert.atomic import write_atomically
from onnxcert.errors import ModelError
from onnxcert.model.contract import METADATA_KEY, Contract

OLDEST_OPSET = 13  # the first in which every operator that onnxcert appends has its present form


@dataclass(frozen=True)
class ModelFile:
    """An ONNX model read from `path`.

    Attributes:
        proto: the graph, weights included, at opset 13 or later.
        sha256: digest of the file, and of the files of external data it names, in order.
        opset: of the default domain, as in the file.
    """

    path: Path
    proto: onnx.ModelProto
    sha256: str
    opset: int

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def metadata(self) -> dict[str, str]:
        return {entry.key: entry.value for entry in self.proto.metadata_props}


def read_model(path: str | Path) -> ModelFile:
    """Read the ONNX model at `path`.

    Raises:
        ModelError: no such file, not an ONNX model, missing external data, or an opset that
            cannot be brought to 13.
    """
    path = Path(path)
    if path.is_dir():
        raise ModelError(f"{path} is a folder; name the ONNX file in it.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"the model {path} cannot be read ({error.strerror}); name an ONNX file, or a bundled "
            "model such as street or parts."
        ) from None
    try:
        proto = onnx.load_model_from_string(content)
    except (DecodeError, ValueError):
        proto = onnx.ModelProto()
    if not proto.HasField("graph") or not proto.graph.node:
        raise ModelError(f"{path} is not an ONNX model, or is cut short; export it again.")
    sha256 = hashlib.sha256(content)
    for external in _external_files(proto, path):
        try:
            sha256.update(external.read_bytes())
        except OSError as error:
            raise ModelError(
                f"{path} keeps weights in {external.name}, which cannot be read "
                f"({error.strerror}); put it beside the model."
            ) from None
    try:
        onnx.load_external_data_for_model(proto, str(path.parent))
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise ModelError(f"the external data of {path} cannot be read ({_line(error)}).") from None
    opset = max((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), default=1)
    return ModelFile(path, _modern(proto, opset, path), sha256.hexdigest(), opset)


def write_contract(model: ModelFile, contract: Contract, path: Path) -> None:
    """Store `contract` in a copy of the model at `path`, in place of one it may have.

    Raises:
        ModelError: the model is too large for one file, or would be replaced itself.
        StoreError: the copy cannot be written.
    """
    if path.exists() and path.samefile(model.path):
        raise ModelError(f"{path} is the model itself; name another file to write the copy to.")
    if path.exists() and not path.is_file():  # such as a device, which a file would replace
        raise ModelError(f"{path} is no file; name a new one to write the copy to.")
    copy = onnx.ModelProto()
    copy.CopyFrom(model.proto)
    entries = {**model.metadata, METADATA_KEY: contract.to_json()}
    onnx.helper.set_model_props(copy, entries)
    try:
        content = copy.SerializeToString()
    except ValueError as error:
        raise ModelError(f"the copy {path} cannot be written ({_line(error)}).") from None
    write_atomically(path, lambda temporary: temporary.write_bytes(content))


def _external_files(proto: onnx.ModelProto, path: Path) -> list[Path]:
    names: list[str] = []
    for tensor in onnx.external_data_helper._get_all_tensors(proto):
        if onnx.external_data_helper.uses_external_data(tensor):
            location = next((e.value for e in tensor.external_data if e.key == "location"), "")
            if location not in names:
                names.append(location)
    folder = path.parent.resolve()
    files = [folder / name for name in names]
    for file in files:
        try:
            inside = file.resolve().is_relative_to(folder)
        except (OSError, ValueError):  # no path at all, such as one with a NUL
            inside = False
        if not inside:
            raise ModelError(
                f"{path} names external data outside its own folder ({file.name!r}), which is "
                "refused; export it again."
            )
    return files


def _modern(proto: onnx.ModelProto, opset: int, path: Path) -> onnx.ModelProto:
    """`proto` at opset 13 or later."""
    if opset >= OLDEST_OPSET:
        return proto
    try:
        return onnx.version_converter.convert_version(proto, OLDEST_OPSET)
    except Exception as error:
        raise ModelError(
            f"{path} has opset {opset} and cannot be brought to opset {OLDEST_OPSET} "
            f"({_line(error)}); export it with opset {OLDEST_OPSET} or later."
        ) from None


def _line(error: Exception) -> str:
    """First line of an error's message, without a closing full stop."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(". ")[:200]
