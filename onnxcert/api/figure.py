"""The figure of one certificate, drawn by the code that draws the figures of runs."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxcert._typing import IntArray
from onnxcert.data.points import PointCloud
from onnxcert.errors import InputError
from onnxcert.files.atomic import write_atomically
from onnxcert.report.export.files import draw_record
from onnxcert.report.export.points import draw_cloud_record
from onnxcert.report.figures.images import composite
from onnxcert.report.figures.plotting import load_matplotlib

if TYPE_CHECKING:
    from PIL import Image

    from onnxcert.api.certificate import InputCertificate


def draw_certificate(
    certificate: InputCertificate,
    path: str | PathLike[str] | None,
    *,
    truth: IntArray | None,
    ignore_label: int | None,
) -> Image.Image:
    """Return the figure; see `onnxcert.api.certificate.InputCertificate.plot`.

    A multi-label model has one figure for each label; they are stacked.
    """
    from PIL import Image

    source = certificate.source
    record = certificate.record(truth, ignore_label=ignore_label)
    common: dict[str, Any] = {
        "truth": truth,
        "class_names": source.class_names,
        "ignore_label": ignore_label,
    }
    with TemporaryDirectory() as name:
        folder = Path(name)
        load_matplotlib(folder)
        if isinstance(source.prepared, PointCloud):
            draw_cloud_record(folder, record, cloud=source.prepared, **common)
        else:
            image, heading = _as_picture(source.prepared, record.provenance.contract)
            draw_record(folder, record, image=image, heading=heading, **common)
        drawn = [Image.open(file) for file in sorted(folder.glob("pictures/**/*.png"))]
        for sheet in drawn:
            sheet.load()
    figure = Image.new("RGB", (max(s.width for s in drawn), sum(s.height for s in drawn)), "white")
    top = 0
    for sheet in drawn:
        figure.paste(sheet, (0, top))
        top += sheet.height
    if path is not None:
        write_atomically(Path(path), lambda file: figure.save(file, "PNG", compress_level=4))
    return figure


def _as_picture(prepared: Any, contract: Any) -> tuple[Any, str]:
    """Return (RGB image [3, H, W], heading of its panel).

    Raises:
        InputError: `prepared` is no image.
    """
    is_image = isinstance(prepared, np.ndarray) and prepared.ndim == 3
    if not is_image or not 0.0 <= float(prepared.min()) <= float(prepared.max()) <= 1.0:
        raise InputError(
            "a figure needs an image with values in [0, 1], or a point cloud; certify one of them."
        )
    bands = tuple(contract.get("bands", ()))
    if bands:
        return composite(prepared, bands)
    if len(prepared) == 1:
        return prepared.repeat(3, axis=0), ""
    if len(prepared) != 3:
        return composite(prepared, tuple(f"band {i}" for i in range(len(prepared))))
    return prepared, ""
