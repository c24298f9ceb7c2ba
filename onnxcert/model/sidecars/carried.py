"""Everything that a file and those beside it say about a model of pictures, but onnxcert's own.

What was said by a person comes first (flags, and the contract in the file), then the file's
metadata, then the files beside it, then the graph and what is assumed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np

from onnxcert.errors import ContractError
from onnxcert.model.contract import Contract
from onnxcert.model.graph import ModelFile
from onnxcert.model.pictures.contract import PictureContract
from onnxcert.model.sidecars import huggingface, mmdeploy, openvino, ultralytics
from onnxcert.model.sidecars.claim import Claim
from onnxcert.model.sidecars.reading import read_json

_EXPORTS: Final = "onnx"  # the folder in which the hub and optimum keep exports
#: What a pixel becomes before the network; one source says all of it, or none.
PIXELS: Final = ("value_range", "mean", "std", "normalise")
_LATE: Final = ("mean", "std")  # one number for each channel
_FLAGS: Final = {"pixels": "--range, --mean and --std", "channel_order": "--channel-order"}


@final
@dataclass(frozen=True)
class Carried:
    """The claims of all sources, those that come first in front."""

    claims: tuple[Claim, ...]
    ignored: tuple[str, ...] = ()

    @property
    def reduces_labels(self) -> str:
        """The source that says that label files are lowered by one, or nothing."""
        return next((c.source for c in self.claims if c.reduces_labels), "")

    @property
    def ignore_label(self) -> int | None:
        """The label that did not count in training."""
        return next((c.ignore_label for c in self.claims if c.ignore_label is not None), None)

    def refuse_task(self) -> None:
        """Raise ContractError where a source says that the model does another task."""
        for claim in self.claims:
            if claim.task:
                raise ContractError(
                    f"the model does not label pixels or pictures: {claim.task}; pass "
                    "--output-form if an output holds classes all the same, and name it with "
                    "--output."
                )


def carried(model: ModelFile) -> Carried:
    """What the metadata of `model` and the files beside it say.

    Raises:
        ContractError: a file that belongs to the model cannot be read, or two sources contradict
            each other about what no flag can settle.
    """
    said = model.metadata
    claims = [
        ultralytics.metadata(said),
        openvino.metadata(said),
        *_beside(model.path),
    ]
    found = tuple(claim for claim in claims if claim is not None)
    ignored = [note for claim in found for note in claim.ignored]
    return Carried(found, (*ignored, *openvino.unread(model.path)))


def _beside(model: Path) -> Iterable[Claim | None]:
    """Claims of the files beside the model, or one folder up from `onnx/`."""
    folder = model.parent
    parsers = {
        huggingface.PREPROCESSOR: huggingface.preprocessor,
        huggingface.CONFIG: huggingface.config,
    }
    above = folder.parent if folder.absolute().name == _EXPORTS else None
    for name, parse in parsers.items():
        said = read_json(folder / name, name)
        if said is None and above is not None:
            said = read_json(above / name, f"../{name}")
        if said is not None:
            yield parse(said)
    deploy = read_json(folder / mmdeploy.DEPLOY, mmdeploy.DEPLOY)
    about = None if deploy is None else mmdeploy.deploy(deploy, model.name)
    if about is not None:
        yield about
        pipeline = read_json(folder / mmdeploy.PIPELINE, mmdeploy.PIPELINE)
        if pipeline is not None:
            yield mmdeploy.pipeline(pipeline)


def unused(model: ModelFile, contract: Contract) -> tuple[str, ...]:
    """What metadata and files beside the model say and `contract` does not use, as sentences."""
    if not isinstance(contract, PictureContract):
        return ()
    notes = carried(model).ignored
    if contract.resize != contract.usual_size:
        wanted, takes = (
            "x".join(map(str, sides or ())) for sides in (contract.resize, contract.size)
        )
        source = contract.sources.get("resize", "")
        notes += (f"{source} resizes to {wanted}, but the graph takes {takes} alone",)
    return notes


@final
@dataclass(frozen=True)
class Proposal:
    """What sources say about what neither the user nor the contract in the file has said.

    Attributes:
        values: field -> (value, source).
    """

    values: Mapping[str, tuple[Any, str]]

    def early(self, contract: PictureContract) -> PictureContract:
        """`contract` with all that does not depend on the number of channels."""
        return self._filled(contract, [name for name in self.values if name not in _LATE])

    def late(self, contract: PictureContract) -> PictureContract:
        """`contract`, whose channels are known, with the rest."""
        return self._filled(contract, [name for name in _LATE if name in self.values])

    def _filled(self, contract: PictureContract, names: Iterable[str]) -> PictureContract:
        for name in names:
            value, source = self.values[name]
            try:
                contract = contract.override(source, **{name: value})
            except ContractError as error:
                raise ContractError(f"{source}: {error}") from None
        return contract


def proposed(written: Iterable[str], given: Mapping[str, Any], claims: Iterable[Claim]) -> Proposal:
    """What `claims` propose.

    Args:
        written: fields that the contract in the file tells.
        given: fields that the user gave.
        claims: those that come first in front.

    Raises:
        ContractError: two sources contradict each other, or the user says half of what a source
            says otherwise.
    """
    said = {*written, *given}
    if "bands" in said:
        said.add("channel_order")  # names of bands say what the channels are
    found: dict[str, tuple[Any, str]] = {}
    for claim in claims:
        pixels = {name: v for name, v in claim.fields.items() if name in PIXELS}
        if "value_range" in pixels:
            _propose_pixels(found, pixels, claim.source, written, given)
        for name, value in claim.fields.items():
            if name in PIXELS or name in said:
                continue
            earlier = found.setdefault(name, (value, claim.source))
            if earlier[0] != value and name != "class_names":
                raise _contradiction(name, earlier, (value, claim.source))
    return Proposal(found)


def _propose_pixels(
    found: dict[str, tuple[Any, str]],
    pixels: Mapping[str, Any],
    source: str,
    written: Iterable[str],
    given: Mapping[str, Any],
) -> None:
    """Add what a source says of pixels, unless somebody else has said so."""
    if set(PIXELS) & {*written} or set(PIXELS[1:]) & set(given):
        return
    if "value_range" in given:
        _refuse_half(pixels, source, given["value_range"])
    if "value_range" in found or "mean" in found:
        earlier: dict[str, Any] = {name: found[name][0] for name in PIXELS if name in found}
        earlier.setdefault("value_range", given.get("value_range"))
        if not _alike(earlier, pixels):
            told = found.get("value_range", found.get("mean", (None, "")))[1]
            raise _contradiction("pixels", (_shown(earlier), told), (_shown(pixels), source))
        return
    found |= {name: (value, source) for name, value in pixels.items() if name not in given}


def _refuse_half(pixels: Mapping[str, Any], source: str, value_range: Any) -> None:
    """Raise ContractError where a range was given that is not the one that mean and std of a source
    are for."""
    if tuple(value_range) == tuple(pixels["value_range"]):
        return
    if not pixels.get("mean") and not pixels.get("std"):
        return
    low, high = value_range
    raise ContractError(
        f"the range {low:g},{high:g} (given) is not the one of {source}, which says "
        f"{_shown(pixels)}; leave --range out, or pass --mean and --std as well (--mean 0 --std 1 "
        "for plain pixels)."
    )


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two ways to say it make the same number of every pixel."""
    try:
        return bool(np.allclose(_ends(one), _ends(other), rtol=1e-3, atol=1e-3))
    except ValueError:  # numbers of so many and of so many channels
        return False


def _ends(pixels: Mapping[str, Any]) -> np.ndarray:
    """What black and white become."""
    mean, std = (np.asarray(pixels.get(k) or (v,)) for k, v in (("mean", 0.0), ("std", 1.0)))
    return np.stack([(end - mean) / np.maximum(std, 1e-30) for end in pixels["value_range"]])


def _shown(pixels: Mapping[str, Any]) -> str:
    low, high = pixels["value_range"]
    mean, std = (
        ",".join(f"{v:.4g}" for v in pixels.get(name) or ()) or "none" for name in ("mean", "std")
    )
    return f"range {low:g},{high:g}, mean {mean}, std {std}"


def _contradiction(name: str, one: tuple[Any, str], other: tuple[Any, str]) -> ContractError:
    flag = _FLAGS.get(name)
    settle = f"pass {flag}, or correct one of them" if flag else "correct one of them"
    return ContractError(
        f"{one[1]} and {other[1]} contradict each other about {name.replace('_', ' ')}: {one[0]} "
        f"and {other[0]}; {settle}."
    )
