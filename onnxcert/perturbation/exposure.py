"""Change of exposure: a factor of the linear light behind an sRGB image (docs/semantic.md)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Final, final

from array_api_compat import array_namespace

from onnxcert._typing import Array
from onnxcert.perturbation.semantic import MOST_STOPS, ImageChange, Parts

# The curve of IEC 61966-2-1 with exact constants: at this junction the line is the tangent of the
# power law, and `SLOPE` makes them meet. The standard's rounded constants leave a jump of 2.3e-9
# in linear light, at which encoding would not be the inverse of decoding.
EXPONENT: Final = 2.4
OFFSET: Final = 0.055
JUNCTION: Final = OFFSET / (EXPONENT - 1)
SLOPE: Final = JUNCTION / ((JUNCTION + OFFSET) / (1 + OFFSET)) ** EXPONENT


@final
@dataclass(frozen=True)
class Exposure(ImageChange):
    """Exposure changed by t stops, t ~ N(0, sigma^2): encode(2^t decode(x)).

    If P(f_i = c) > tau >= 1/2, the class c keeps the majority when the exposure has first been
    changed by any d stops with |d| <= sigma * Phi^-1(tau), up or down.

    Args:
        sigma: standard deviation in stops.

    Raises:
        ParameterError: sigma is out of range.

    >>> round(Exposure(0.5).radius(0.75), 4)
    0.3372
    """

    name: ClassVar[str] = "exposure"
    norm: ClassVar[str] = "exposure"
    unit: ClassVar[str] = "stops"
    largest: ClassVar[float] = MOST_STOPS
    usual: ClassVar[float] = 0.5
    sigma: float

    def split(self, x: Array) -> Parts:
        """Return both branches of encode(decode(x)): the power law plus OFFSET, and the line.

        So 2^t multiplies the line by 2^t and the power law by 2^(t / EXPONENT), and no power of a
        whole array is computed in a draw.
        """
        xp = array_namespace(x)
        dark = x <= JUNCTION
        power = xp.where(dark, (1 + OFFSET) * (x / SLOPE) ** (1 / EXPONENT), x + OFFSET)
        line = xp.where(dark, x, SLOPE * ((x + OFFSET) / (1 + OFFSET)) ** EXPONENT)
        return power, line

    def transform(self, parts: Parts, t: list[float]) -> Array:
        power, line = parts
        xp = array_namespace(power)
        dark = line * 2.0 ** t[0]
        return xp.where(dark > JUNCTION, power * 2.0 ** (t[0] / EXPONENT) - OFFSET, dark)

    def mean_error(self, shape: tuple[int, ...]) -> float:  # noqa: ARG002
        b = self.sigma * math.log(2.0) / EXPONENT
        return math.exp(b * b / 2) * (12 + 18 * b + 10 * b * b)
