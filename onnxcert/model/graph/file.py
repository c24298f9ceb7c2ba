"""Read an ONNX file into memory, with its SHA-256 digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from onnxcert.errors import ContractError, ModelError
from onnxcert.files.atomic import write_atomically
from onnxcert.files.regular import describe_irregular, read_regular_file
from onnxcert.model.contract.base import METADATA_KEY, Contract, read_contract
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.contract.points import PointContract
from onnxcert.model.graph.checks import refuse_untraceable
from onnxcert.model.graph.external_data import (
    add_file,
    external_files,
    external_tensors,
    read_small,
)
from onnxcert.model.sidecars.settings import AllSettings, read_sidecars

OLDEST_OPSET = 13  # the first with the present form of every operator that onnxcert appends
_LARGEST = 2**31 - 1  # bytes that protobuf reads


@dataclass(frozen=True)
class ModelFile:
    """An ONNX model read from `path`.

    Attributes:
        path: The file.
        proto: The graph at opset 13 or later, with its weights except large external ones
            (`onnxcert.model.graph.external_data`).
        sha256: Digest of the file and its external data files, in order.
        opset: Opset of the default domain in the file.
    """

    path: Path
    proto: onnx.ModelProto
    sha256: str
    opset: int

    @property
    def name(self) -> str:
        return self.path.name

    @cached_property
    def metadata(self) -> dict[str, str]:
        return {entry.key: entry.value for entry in self.proto.metadata_props}

    @cached_property
    def written(self) -> Contract | None:
        """The contract in the file, or None.

        Raises:
            ContractError: It is not valid.
        """
        text = self.metadata.get(METADATA_KEY)
        if text is None:
            return None
        try:
            return read_contract(text, (ImageContract, PointContract), source="the file's metadata")
        except ContractError as error:
            raise ContractError(f"{self.path}: {error}") from None

    @cached_property
    def sidecars(self) -> AllSettings:
        """The settings that other programs wrote into the file and beside it.

        Raises:
            ContractError: A file that belongs to the model cannot be read.
        """
        return read_sidecars(self.path, self.metadata)

    def list_unused(self, contract: Contract) -> tuple[str, ...]:
        """Return notes on settings of other programs that `contract` does not use."""
        return self.sidecars.list_unused(contract) if isinstance(contract, ImageContract) else ()


def read_model(path: str | Path) -> ModelFile:
    """Read the ONNX model at `path`.

    Raises:
        ModelError: The file does not exist or is not an ONNX model, external data are missing, or
            the opset cannot be converted to 13.
    """
    path = Path(path)
    content = _read_content(path)
    try:
        proto = onnx.load_model_from_string(content)
    except (DecodeError, ValueError):
        proto = onnx.ModelProto()
    if not proto.HasField("graph") or not proto.graph.node:
        raise ModelError(f"{path} is not an ONNX model, or is truncated; export it again.")
    refuse_untraceable(proto, path)
    sha256 = hashlib.sha256(content)
    del content
    files = external_files(proto, path)
    try:
        for file in files.values():
            add_file(sha256, file)
        read_small(proto, files, sha256.hexdigest())
    except OSError as error:
        raise ModelError(
            f"the external data of {path} cannot be read ({_first_line(error)}); copy or export it "
            "again."
        ) from None
    opset = max((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), default=0)
    if opset < 1:
        raise ModelError(f"{path} has opset {opset} but 1 or more was expected; export it again.")
    return ModelFile(path, _convert_opset(proto, opset, path), sha256.hexdigest(), opset)


def write_contract(model: ModelFile, contract: Contract, path: Path) -> None:
    """Write a copy of the model with `contract` to `path`; an earlier contract is replaced.

    Raises:
        ModelError: The model is too large for one file, or the copy would replace the model.
        StoreError: The copy cannot be written.
    """
    stored = onnx.load_model_from_string(_read_content(model.path))
    weights = external_files(stored, model.path)
    if path.exists() and any(path.samefile(file) for file in (model.path, *weights.values())):
        raise ModelError(
            f"{path} is the model itself or its weights; name another file to write the copy to."
        )
    if path.exists() and not path.is_file():  # such as a device, which the copy would replace
        raise ModelError(f"{path} is not a regular file; name a new file to write the copy to.")
    copy = onnx.ModelProto()
    copy.CopyFrom(model.proto)
    if external_tensors(model.proto):
        if path.parent.resolve() != model.path.parent.resolve():
            raise ModelError(
                f"the large weights of {model.path} stay in files beside it, so the copy must be "
                f"in the same folder; write it to {model.path.parent}."
            )
        copy = stored  # its paths of the weights are relative to that folder
    entries = {**model.metadata, METADATA_KEY: contract.to_json()}
    onnx.helper.set_model_props(copy, entries)
    try:
        content = copy.SerializeToString()
    except ValueError as error:
        raise ModelError(f"the copy {path} cannot be written ({_first_line(error)}).") from None
    write_atomically(path, lambda temporary: temporary.write_bytes(content))


def _read_content(path: Path) -> bytes:
    """Return the content of a model file.

    Raises:
        ModelError: The file cannot be read, or is not a regular file of at most 2 GiB.
    """
    if path.is_dir():
        raise ModelError(f"{path} is a folder; name the ONNX file in it.")
    try:
        kind = path.stat()
        if describe_irregular(kind.st_mode):
            raise ModelError(f"{path} is not a regular file; name an ONNX file on disk.")
        if kind.st_size > _LARGEST:
            raise ModelError(
                f"{path} has {kind.st_size / 2**30:.1f} GiB but an ONNX file can have 2; export "
                "the model with its weights as external data."
            )
        return read_regular_file(path, limit=_LARGEST)
    except (OSError, ValueError) as error:  # ValueError: not a valid path
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelError(
            f"the model {path} cannot be read ({reason}); name an ONNX file, or a bundled model "
            "such as street or parts."
        ) from None


def _convert_opset(proto: onnx.ModelProto, opset: int, path: Path) -> onnx.ModelProto:
    """Return `proto`, converted to opset 13 if it is older."""
    if opset >= OLDEST_OPSET:
        return proto
    try:
        return onnx.version_converter.convert_version(proto, OLDEST_OPSET)
    except Exception as error:
        raise ModelError(
            f"{path} has opset {opset} and cannot be converted to opset {OLDEST_OPSET} "
            f"({_first_line(error)}); export it with opset {OLDEST_OPSET} or later."
        ) from None


def _first_line(error: Exception) -> str:
    """Return the first line of an error message, without the final full stop."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(". ")[:200]
