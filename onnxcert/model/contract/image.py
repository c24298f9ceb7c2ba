"""The contract of an image model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self, final

import numpy as np

from onnxcert.data.images.bands import join_band_names
from onnxcert.errors import ContractError
from onnxcert.model.contract.base import (
    INTEGER_TYPES,
    LARGEST,
    Contract,
    check_names,
    check_natural,
    check_numbers,
    field_error,
)
from onnxcert.model.contract.modality import Modality

BANDS: Final = "BANDS"
_LONGEST_NAME: Final = 60
CHANNEL_ORDERS: Final = ("RGB", "BGR", "RGBA", "BGRA", "GRAY", BANDS)
NORMALISE: Final = ("after", "before")
# Different sides, to tell height, width and channels apart, and multiples of 32.
_TRIAL_SIZES: Final = ((96, 160), (256, 320))


@final
@dataclass(frozen=True)
class ImageContract(Contract):
    """Input and output of an image model.

    A pixel value `x` of the declared input unit, in [0, 1], becomes the network's input
    ``(low + x * (high - low) - mean) / std`` with ``(low, high) = value_range``; mean and std are
    per channel, in the network's channel order and in the unit of `value_range`. With `normalise`
    "before" they are in the declared unit: ``low + (x - mean) / std * (high - low)``.

    Attributes:
        channel_order: Channels of the input; GRAY is one grey channel, an alpha channel is always
            opaque, BANDS are those of the file, unchanged.
        bands: With BANDS, the name of each channel, in order; else empty.
        value_range: Values of 0 and 1 of the declared unit before normalisation.
        mean: Mean per channel; empty if the graph subtracts it.
        std: Standard deviation per channel; empty if the graph divides by it.
        normalise: Whether mean and std apply `after` or `before` the value range.
        size: The only (height, width) that the graph takes, or None if it is free.
        multiple: Height and width must be multiples of this.
        resize: The (height, width) to which the publisher resizes every image, or None.
    """

    modality: ClassVar[Modality] = Modality.IMAGE
    layouts: ClassVar[tuple[str, ...]] = ("NCHW", "NHWC")
    single_layouts: ClassVar[tuple[str, ...]] = ("CHW", "HWC", "HW", "C")
    ranks: ClassVar[tuple[int, ...]] = (1, 2, 3, 4)
    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float16", "float64", *INTEGER_TYPES)

    layout: str = "NCHW"
    output_layout: str = "NCHW"
    output_rank: int = 4
    channel_order: str = "RGB"
    bands: tuple[str, ...] = ()
    value_range: tuple[float, float] | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    normalise: str = "after"
    size: tuple[int, int] | None = None
    multiple: int | None = None
    resize: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        self.check_choices(channel_order=CHANNEL_ORDERS, normalise=NORMALISE)
        for name in ("value_range", "mean", "std"):
            values = getattr(self, name) or ()
            if not all(abs(value) < 1e30 for value in values):
                raise ContractError(
                    f"the contract's {name} must hold finite numbers, got {list(values)}."
                )
        if self.value_range is not None and self.value_range[0] >= self.value_range[1]:
            low, high = self.value_range
            raise ContractError(
                f"the value range must run from a smaller to a larger number, got {low:g},{high:g}."
            )
        self._refuse_band_names()
        self._refuse_numbers_of_other_channels()
        self._refuse_range_outside_type()
        if any(value < 1e-30 for value in self.std):
            raise ContractError(f"std must be positive, got {list(self.std)}.")
        super().__post_init__()

    def _refuse_band_names(self) -> None:
        """Raise ContractError if channels other than bands have names, or names are invalid."""
        if self.bands and self.channel_order != BANDS:
            raise ContractError(
                f"only channels of the order {BANDS} have names, got {len(self.bands)} for "
                f"{self.channel_order}; give either the names or the order."
            )
        for name in self.bands:
            if not (name.isprintable() and 0 < len(name) <= _LONGEST_NAME) or set(name) & set(",:"):
                raise ContractError(
                    f"a band's name must have 1 to {_LONGEST_NAME} printable characters, no comma "
                    f"and no colon, got {name!r}; rename it."
                )
        if len(set(self.bands)) < len(self.bands) or len(self.bands) > LARGEST:
            raise ContractError(
                f"there may be {LARGEST} bands at most, with different names, got "
                f"{join_band_names(self.bands)}; rename those that are equal."
            )

    def _refuse_numbers_of_other_channels(self) -> None:
        """Raise ContractError unless mean and std are one number, or one for each channel."""
        if self.channel_order == BANDS and not self.bands:
            return  # the number of channels is not known yet
        for name in ("mean", "std"):
            if len(getattr(self, name)) not in (0, 1, self.network_channels):
                raise ContractError(
                    f"{name} must hold one number, or one for each of the {self.network_channels} "
                    f"channels ({self.channels_are}), got {len(getattr(self, name))} numbers."
                )

    def _refuse_range_outside_type(self) -> None:
        """Raise ContractError unless an integer input can hold black, white and a grey between."""
        if self.dtype not in INTEGER_TYPES or self.value_range is None:
            return
        held = np.iinfo(np.dtype(self.dtype))
        low, high = self.value_range
        if low < held.min or high > held.max or high - low < 2:
            raise ContractError(
                f"the input is {self.dtype}, which holds whole numbers from {held.min} to "
                f"{held.max}, got the value range {low:g},{high:g}; pass --range "
                f"{held.min},{held.max}."
            )

    @property
    def channels_are(self) -> str:
        """The channel order, or the names of the bands, as text."""
        return join_band_names(self.bands) if self.bands else self.channel_order

    def override(self, source: str, **values: Any) -> Self:
        """Return a copy with `values` set.

        Names change the channel order to BANDS, and any other order removes the names.
        """
        if "bands" in values:
            values["bands"] = tuple(values["bands"])
        if values.get("bands") and self.channel_order != BANDS:
            values.setdefault("channel_order", BANDS)
        if self.bands and values.get("channel_order", BANDS) != BANDS:
            values.setdefault("bands", ())
        return super().override(source, **values)

    @property
    def network_channels(self) -> int:
        """Channels of the network's input; 0 while the number of bands is not known."""
        if self.channel_order == BANDS:
            return len(self.bands)
        return {"GRAY": 1, "RGBA": 4, "BGRA": 4}.get(self.channel_order, 3)

    @property
    def declared_channels(self) -> int:
        """Channels of the images that noise is added to: the bands, 1 for grey, else 3."""
        if self.channel_order == BANDS:
            return len(self.bands)
        return 1 if self.channel_order == "GRAY" else 3

    @property
    def usual_size(self) -> tuple[int, int] | None:
        """The (height, width) to which images are resized by default, or None."""
        return self.resize if self.size in (None, self.resize) else None

    @property
    def trial_grids(self) -> tuple[tuple[int, ...], ...]:
        """The only size that the graph takes, or sizes that most graphs take; [height, width]."""
        if self.size is not None:
            return (self.size,)
        step = self.multiple or 1
        usual = ((-(-h // step) * step, -(-w // step) * step) for h, w in _TRIAL_SIZES)
        return (*([self.resize] if self.resize else []), *usual)

    @classmethod
    def parse(cls, name: str, value: Any) -> Any:
        """Convert a JSON value to the type of the field `name`."""
        match name:
            case "value_range":
                low_high = check_numbers(name, value, "two numbers")
                if len(low_high) != 2:
                    raise field_error(name, "two numbers", value)
                return low_high
            case "mean" | "std":
                return check_numbers(name, value)
            case "bands":
                return check_names(name, value)
            case "multiple":
                return check_natural(name, value)
            case "size" | "resize":
                if not isinstance(value, list) or len(value) != 2:
                    raise field_error(name, "[height, width]", value)
                return check_natural(name, value[0]), check_natural(name, value[1])
            case _:
                return super().parse(name, value)
