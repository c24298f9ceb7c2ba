"""Collect settings of an image model that other programs wrote, in its metadata and beside it.

Precedence: flags, then the contract that onnxcert wrote into the file, then metadata of other
programs, then files beside the model, then the graph, then defaults.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np

from onnxcert.errors import ContractError
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.sidecars.beside import read_beside
from onnxcert.model.sidecars.metadata import read_metadata
from onnxcert.model.sidecars.source import SourceSettings

#: The fields of normalisation; all are taken from the same source.
PIXELS: Final = ("value_range", "mean", "std", "normalise")
_LATE: Final = ("mean", "std")  # one number for each channel
_FLAGS: Final = {"pixels": "--range, --mean and --std", "channel_order": "--channel-order"}


@final
@dataclass(frozen=True)
class AllSettings:
    """The settings of all sources, in order of precedence.

    Attributes:
        sources: Settings of each source.
        ignored: Notes on settings that are not used.
    """

    sources: tuple[SourceSettings, ...]
    ignored: tuple[str, ...] = ()

    @property
    def reduces_labels(self) -> str:
        """The source that says that label files are lowered by one, or an empty string."""
        return next((c.source for c in self.sources if c.reduces_labels), "")

    @property
    def ignore_label(self) -> int | None:
        """The label that was ignored in training, or None."""
        return next((c.ignore_label for c in self.sources if c.ignore_label is not None), None)

    def list_unused(self, contract: ImageContract) -> tuple[str, ...]:
        """Return notes on settings that `contract` does not use."""
        if contract.resize == contract.usual_size:
            return self.ignored
        wanted, takes = (
            "x".join(map(str, sides or ())) for sides in (contract.resize, contract.size)
        )
        source = contract.sources.get("resize", "")
        return (
            *self.ignored,
            f"{source} resizes to {wanted}, but the graph takes only {takes}",
        )

    def refuse_task(self) -> None:
        """Raise ContractError if a source says that the model does another task."""
        for settings in self.sources:
            if settings.task:
                raise ContractError(
                    f"the model does not label pixels or images: {settings.task}; if an output "
                    "holds classes nevertheless, pass --output-form and name it with --output."
                )


def read_sidecars(model: Path, metadata: Mapping[str, str]) -> AllSettings:
    """Read the settings in a model's metadata, and in the files beside it.

    Raises:
        ContractError: A file that belongs to the model cannot be read.
    """
    sources = (*read_metadata(metadata), *read_beside(model))
    found = tuple(settings for settings in sources if settings is not None)
    ignored = [note for settings in found for note in settings.ignored]
    return AllSettings(found, (*ignored, *_list_unread(model)))


def _list_unread(model: Path) -> tuple[str, ...]:
    """Return a note for each OpenVINO file beside a model; it describes another model file."""
    files = (model.with_suffix(".xml"), model.with_name("model.yml"))
    return tuple(
        f"{file.name} beside it is not read: it describes OpenVINO's own format of the model"
        for file in files
        if file.is_file()
    )


@final
@dataclass(frozen=True)
class Proposal:
    """Values for fields that neither the user nor the contract in the file gives.

    Attributes:
        values: Field -> (value, source).
    """

    values: Mapping[str, tuple[Any, str]]

    def early(self, contract: ImageContract) -> ImageContract:
        """Return `contract` with the values that do not depend on the number of channels."""
        return self._fill(contract, [name for name in self.values if name not in _LATE])

    def late(self, contract: ImageContract) -> ImageContract:
        """Return `contract`, whose channels are known, with the values for each channel."""
        return self._fill(contract, [name for name in _LATE if name in self.values])

    def _fill(self, contract: ImageContract, names: Iterable[str]) -> ImageContract:
        for name in names:
            value, source = self.values[name]
            try:
                contract = contract.override(source, **{name: value})
            except ContractError as error:
                raise ContractError(f"{source}: {error}") from None
        return contract


def merge_settings(
    written: Iterable[str], given: Mapping[str, Any], sources: Iterable[SourceSettings]
) -> Proposal:
    """Merge the settings of all sources.

    Args:
        written: Fields that the contract in the file gives.
        given: Fields that the user gave.
        sources: Settings of each source, in order of precedence.

    Raises:
        ContractError: Two sources contradict each other, or a range from the user does not fit the
            mean and std of a source.
    """
    known = {*written, *given}
    if "bands" in known:
        known.add("channel_order")  # names of bands define the channels
    found: dict[str, tuple[Any, str]] = {}
    for settings in sources:
        pixels = {name: v for name, v in settings.fields.items() if name in PIXELS}
        if "value_range" in pixels:
            _propose_pixels(found, pixels, settings.source, written, given)
        for name, value in settings.fields.items():
            if name in PIXELS or name in known:
                continue
            earlier = found.setdefault(name, (value, settings.source))
            if earlier[0] != value and name != "class_names":
                raise _contradiction_error(name, earlier, (value, settings.source))
    return Proposal(found)


def _propose_pixels(
    found: dict[str, tuple[Any, str]],
    pixels: Mapping[str, Any],
    source: str,
    written: Iterable[str],
    given: Mapping[str, Any],
) -> None:
    """Add the normalisation of a source, unless a source of higher precedence gives one."""
    if set(PIXELS) & {*written} or set(PIXELS[1:]) & set(given):
        return
    if "value_range" in given:
        _refuse_half(pixels, source, given["value_range"])
    if "value_range" in found or "mean" in found:
        earlier: dict[str, Any] = {name: found[name][0] for name in PIXELS if name in found}
        earlier.setdefault("value_range", given.get("value_range"))
        if not _are_equal(earlier, pixels):
            first = found.get("value_range", found.get("mean", (None, "")))[1]
            raise _contradiction_error(
                "pixels", (_describe(earlier), first), (_describe(pixels), source)
            )
        return
    found |= {name: (value, source) for name, value in pixels.items() if name not in given}


def _refuse_half(pixels: Mapping[str, Any], source: str, value_range: Any) -> None:
    """Raise ContractError if the user's range does not fit the mean and std of a source."""
    if tuple(value_range) == tuple(pixels["value_range"]):
        return
    if not pixels.get("mean") and not pixels.get("std"):
        return
    low, high = value_range
    raise ContractError(
        f"the range {low:g},{high:g} (given) contradicts {source}, which says {_describe(pixels)}; "
        "leave out --range, or pass --mean and --std as well (--mean 0 --std 1 for plain pixels)."
    )


def _are_equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two normalisations map every pixel to the same value."""
    try:
        return bool(np.allclose(_normalise_ends(one), _normalise_ends(other), rtol=1e-3, atol=1e-3))
    except ValueError:  # different numbers of channels
        return False


def _normalise_ends(pixels: Mapping[str, Any]) -> np.ndarray:
    """Return the normalised values of black and white."""
    mean, std = (np.asarray(pixels.get(k) or (v,)) for k, v in (("mean", 0.0), ("std", 1.0)))
    return np.stack([(end - mean) / np.maximum(std, 1e-30) for end in pixels["value_range"]])


def _describe(pixels: Mapping[str, Any]) -> str:
    low, high = pixels["value_range"]
    mean, std = (
        ",".join(f"{v:.4g}" for v in pixels.get(name) or ()) or "none" for name in ("mean", "std")
    )
    return f"range {low:g},{high:g}, mean {mean}, std {std}"


def _contradiction_error(name: str, one: tuple[Any, str], other: tuple[Any, str]) -> ContractError:
    flag = _FLAGS.get(name)
    settle = f"pass {flag}, or correct one of them" if flag else "correct one of them"
    return ContractError(
        f"{one[1]} and {other[1]} contradict each other about {name.replace('_', ' ')}: {one[0]} "
        f"and {other[0]}; {settle}."
    )
