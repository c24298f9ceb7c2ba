"""Figure of a certified image: image, ground truth, predictions, hit rate, certified radius."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from onnxcert._typing import BoolArray, FloatArray, IntArray, LevelArray
from onnxcert.errors import ParameterError
from onnxcert.report.figures import palette
from onnxcert.report.figures.axes import (
    ByteArray,
    hit_rate_panel,
    ignored_mask,
    image_panel,
    paint,
    panel_size,
    radius_panel,
    resize_nearest,
)
from onnxcert.report.figures.figure import Panel, save_png, write_figure
from onnxcert.report.figures.legend import hit_rate_scale, legend_entries, radius_scale

_COLOURS: Final = ("red", "green", "blue")


def composite(bands: FloatArray, names: Sequence[str]) -> tuple[FloatArray, str]:
    """Return (RGB float32 [3, H, W], description).

    The composite shows the bands named red, green and blue; otherwise the first three bands; with
    fewer than three bands, the first one in grey.

    Args:
        bands: float32 [C, H, W] in [0, 1].
        names: one name for each band.
    """
    called = [name.strip().casefold() for name in names]
    if all(colour in called for colour in _COLOURS):
        shown = [called.index(colour) for colour in _COLOURS]
        return np.ascontiguousarray(bands[shown]), "Bands red, green, blue"
    if len(bands) < 3:
        return np.ascontiguousarray(bands[[0, 0, 0]]), "Channel 0 in grey"
    return np.ascontiguousarray(bands[:3]), "Channels 0, 1, 2 as RGB"


@dataclass(frozen=True, eq=False)
class RadiusMap:
    """Largest certified radius of each component.

    Attributes:
        radius: largest certified radius, NaN where it abstains; float64 [H, W].
        largest: largest radius that the number of draws allows; the end of the scale.
        asked: radius of each requested tau, marked on the scale.
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


def draw(
    path: Path,
    *,
    image: FloatArray,
    truth: IntArray | None,
    clean: IntArray,
    certified: IntArray,
    hit_rate: npt.NDArray[np.floating[Any]],
    class_names: Sequence[str],
    colours: ByteArray,
    ignore_label: int | None,
    tau: float,
    caption: str,
    title: str,
    radii: RadiusMap | None = None,
    heading: str = "Picture",
) -> None:
    """Write one PNG with all panels side by side, a legend and a caption.

    Small images are enlarged by whole factors, large ones are reduced. Panels that would make
    the figure too wide start a new row. Equal arguments give equal bytes.

    Args:
        path: PNG to write; replaced atomically if it exists.
        image: float32 [3, H, W], RGB in [0, 1].
        truth: ground truth, integers [H, W], or None if unknown.
        clean: prediction without noise, integers [H, W].
        certified: certified prediction, integers [H, W]; ABSTAIN is drawn white.
        hit_rate: share of the votes for the candidate class, [H, W], in [0, 1].
        class_names: names by index; a class without a name is called by its number.
        colours: uint8 [classes, 3], from `palette.colours`.
        ignore_label: ground-truth value of unlabelled pixels, which are hatched, or None.
        tau: required hit rate, marked on the scale.
        caption: the guarantee; wrapped, with its line breaks kept.
        title: title of the figure.
        radii: certified radius of each component, if several radii were certified.
        heading: heading of the image panel.

    Raises:
        ParameterError: the arrays differ in size.
        StoreError: `path` cannot be written.
    """
    height, width = image.shape[1:]
    maps = [clean, certified, hit_rate, *([] if truth is None else [truth])]
    if radii is not None:
        maps.append(radii.radius)
    if any(one.shape != (height, width) for one in maps):
        raise ParameterError(
            f"expected maps of the size of the image, {height} x {width}, but their shapes are "
            f"{', '.join(str(one.shape) for one in maps)}: pass the maps of one image."
        )
    size = panel_size(height, width)
    painted: list[tuple[str, IntArray, BoolArray | None]] = [
        ("Clean prediction", clean, None),
        ("Certified prediction", certified, None),
    ]
    if truth is not None:
        painted.insert(0, ("Ground truth", truth, ignored_mask(truth, len(colours), ignore_label)))
    panels = [Panel(heading, image_panel(image, size))]
    for name, labels, hidden in painted:
        small = None if hidden is None else resize_nearest(hidden, size)
        panels.append(Panel(name, paint(resize_nearest(labels, size), colours, small)))
    panels.append(Panel("Hit rate", hit_rate_panel(hit_rate, size), hit_rate_scale(tau)))
    if radii is not None:
        pixels = radius_panel(radii.radius, radii.largest, size)
        scale = radius_scale(radii.largest, radii.requested, radii.unit)
        panels.append(Panel("Certified radius", pixels, scale))

    entries = legend_entries(
        [(labels, ignored) for _, labels, ignored in painted], class_names, colours
    )
    write_figure(path, panels, entries, title=title, caption=caption)


def label_png(labels: IntArray, colours: ByteArray) -> bytes:
    """Return the labels as an index PNG whose values are the class indices.

    Up to 255 classes: 8 bits with the palette `colours`, 255 for abstention. More classes:
    greyscale of 16 bits, 65535 for abstention.

    Args:
        labels: integers [H, W]; a value that is no class counts as abstention.
        colours: uint8 [classes, 3], one for each class of the model.
    """
    from PIL import Image

    classes = len(colours)
    known = (labels >= 0) & (labels < classes)
    written = BytesIO()
    if classes > 255:
        save_png(written, Image.fromarray(np.where(known, labels, 65535).astype(np.uint16)))
        return written.getvalue()
    image = Image.fromarray(np.where(known, labels, 255).astype(np.uint8))
    table = np.zeros((256, 3), np.uint8)
    table[:classes] = colours
    table[255] = palette.ABSTAIN
    image.putpalette(table.tobytes())
    save_png(written, image)
    return written.getvalue()
