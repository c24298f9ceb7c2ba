"""Maps of one input and the figure of them: labels, hit rate and certified radius."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from onnxcert._typing import BoolArray, IntArray, LevelArray
from onnxcert.errors import ParameterError
from onnxcert.report.figures.axes import ByteArray
from onnxcert.report.figures.figure import Panel, write_figure
from onnxcert.report.figures.legend import hit_rate_scale, legend_entries, radius_scale


@dataclass(frozen=True, eq=False)
class RadiusMap:
    """Largest certified radius of each component.

    Attributes:
        radius: largest certified radius, NaN where it abstains; float64 [*grid].
        largest: largest radius that the number of draws allows; the end of the scale.
        requested: radius of each requested tau, marked on the scale.
        unit: unit of the radii, as text.

    Raises:
        ParameterError: a radius is negative or beyond `largest`.
    """

    radius: LevelArray
    largest: float
    requested: tuple[float, ...] = ()
    unit: str = ""

    def __post_init__(self) -> None:
        known = self.radius[~np.isnan(self.radius)]
        if known.size and not 0 <= known.min() <= known.max() <= self.largest:
            raise ParameterError(
                f"expected certified radii from 0 to {self.largest:g}, but they run from "
                f"{known.min():g} to {known.max():g}: pass the largest possible radius."
            )


@dataclass(frozen=True, eq=False, kw_only=True)
class Maps:
    """Values of the components of one input; the grid is [H, W] of an image, [N] of a cloud.

    Attributes:
        truth: ground truth, integers [*grid], or None if unknown.
        clean: prediction without noise, integers [*grid].
        certified: certified prediction, integers [*grid]; ABSTAIN is drawn white.
        hit_rate: share of the votes for the candidate class, [*grid], in [0, 1].
        class_names: names by index; a class without a name is called by its number.
        colours: uint8 [classes, 3], from `palette`.
        ignore_label: ground-truth value of unlabelled components, which are hatched, or None.
        tau: required hit rate, marked on the scale.
        radii: certified radius of each component, if several radii were certified.
    """

    truth: IntArray | None
    clean: IntArray
    certified: IntArray
    hit_rate: npt.NDArray[np.floating[Any]]
    class_names: Sequence[str]
    colours: ByteArray
    ignore_label: int | None
    tau: float
    radii: RadiusMap | None = None

    @property
    def labels(self) -> list[tuple[str, IntArray, BoolArray | None]]:
        """Return (heading, labels, mask of ignored components or None) of each map of labels."""
        maps: list[tuple[str, IntArray, BoolArray | None]] = [
            ("Clean prediction", self.clean, None),
            ("Certified prediction", self.certified, None),
        ]
        if self.truth is not None:
            ignored = (self.truth < 0) | (self.truth >= len(self.colours))
            if self.ignore_label is not None:
                ignored |= self.truth == self.ignore_label
            maps.insert(0, ("Ground truth", self.truth, ignored))
        return maps


class Canvas(Protocol):
    """What turns the maps of one input into the pixels of a panel, uint8 [h, w, 3]."""

    @property
    def grid(self) -> tuple[int, ...]:
        """Shape of the maps."""
        ...

    def paint_labels(
        self, labels: IntArray, colours: ByteArray, ignored: BoolArray | None = None
    ) -> ByteArray:
        """Colour each component by its class: white for abstention, hatched if ignored."""
        ...

    def paint_hit_rate(self, hit_rate: npt.NDArray[np.floating[Any]]) -> ByteArray:
        """Colour each component by its hit rate."""
        ...

    def paint_radius(self, radius: npt.NDArray[np.floating[Any]], largest: float) -> ByteArray:
        """Colour each component by its radius, from 0 to `largest`; white where it is NaN."""
        ...


def write_maps(
    path: Path,
    maps: Maps,
    canvas: Canvas,
    *,
    title: str,
    caption: str,
    first: Sequence[Panel] = (),
    middle: Sequence[Panel] = (),
) -> None:
    """Write one PNG with all panels, a legend and a caption; equal arguments give equal bytes.

    Args:
        path: PNG to write; replaced atomically if it exists.
        maps: the maps.
        canvas: paints them.
        title: title of the figure.
        caption: the guarantee; wrapped, with its line breaks kept.
        first: panels before the labels.
        middle: panels between the labels and the hit rate.

    Raises:
        ParameterError: a map has another shape than the input.
        StoreError: `path` cannot be written.
    """
    labels, radii = maps.labels, maps.radii
    shapes = [each.shape for _, each, _ in labels] + [maps.hit_rate.shape]
    shapes += [] if radii is None else [radii.radius.shape]
    if any(shape != canvas.grid for shape in shapes):
        raise ParameterError(
            f"expected maps of the shape of the input, {canvas.grid}, but their shapes are "
            f"{', '.join(map(str, shapes))}: pass the maps of one input."
        )
    panels = [*first]
    panels += [
        Panel(name, canvas.paint_labels(each, maps.colours, ignored))
        for name, each, ignored in labels
    ]
    panels += [
        *middle,
        Panel("Hit rate", canvas.paint_hit_rate(maps.hit_rate), hit_rate_scale(maps.tau)),
    ]
    if radii is not None:
        pixels = canvas.paint_radius(radii.radius, radii.largest)
        scale = radius_scale(radii.largest, radii.requested, radii.unit)
        panels.append(Panel("Certified radius", pixels, scale))
    entries = legend_entries([each[1:] for each in labels], maps.class_names, maps.colours)
    write_figure(path, panels, entries, title=title, caption=caption)
