"""The picture at the ends of a certificate: changed by -R and by +R, as far as it is covered."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from onnxcert._typing import FloatArray, Perturbation
from onnxcert.perturbation import Blur, WhiteBalance
from onnxcert.perturbation.semantic import ImageChange
from onnxcert.report.figures.axes import ImageCanvas
from onnxcert.report.figures.figure import Panel
from onnxcert.statistics.guarantee import format_radius

# Warmer: more red and less blue, by equal stops of L2 norm 1.
_WARMER: Final = (math.sqrt(0.5), 0.0, -math.sqrt(0.5))


def attacked_panels(
    perturbation: Perturbation, image: FloatArray, radius: float, canvas: ImageCanvas
) -> list[Panel]:
    """Return the picture changed down and up by the radius; of a blur up only, else none.

    Values beyond [0, 1] are drawn as 0 and 1.

    Args:
        perturbation: the noise; only a change of whole images has such panels.
        image: float32 [3, H, W], RGB in [0, 1].
        radius: certified radius, in the unit of the perturbation.
        canvas: paints the panels.
    """
    if not isinstance(perturbation, ImageChange):
        return []
    parts, panels = perturbation.split(image.astype(np.float64)), []
    for sign in ("+",) if isinstance(perturbation, Blur) else ("-", "+"):
        size = -radius if sign == "-" else radius
        several = isinstance(perturbation, WhiteBalance)
        t = [size * share for share in (_WARMER if several else (1.0,))]
        changed = np.clip(perturbation.transform(parts, t), 0.0, 1.0).astype(np.float32)
        heading = f"{sign}{format_radius(perturbation, radius)}"
        panels.append(Panel(heading, canvas.paint_image(changed)))
    return panels
