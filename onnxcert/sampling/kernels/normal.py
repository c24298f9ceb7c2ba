"""Standard normals from Philox blocks, bit for bit those of `noise.cu`.

Box and Muller 1958: z = sqrt(-2 ln u) (cos t, sin t). u has 64 bits, so that |z| reaches
sqrt(130 ln 2) = 9.49, and so has the angle t. Logarithm, sine and cosine are power series in
float64, rounded after every operation, so that no result depends on the last bit of a library.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from onnxcert.sampling.kernels.philox import ELEMENTS, Key, Words, blocks

Floats = npt.NDArray[np.float64]

# ln(1 + f) = 2 artanh(s) with s = f / (2 + f), |s| < 0.1716: 2 / (2 k + 1) for k = 10 ... 1; the
# next term is below 2^-53 of the sum. Sine and cosine of (pi / 2) v, |v| <= 1/2, likewise.
_LOG: Final = tuple(2.0 / (2 * k + 1) for k in range(10, 0, -1))
_SINE: Final = tuple((-1) ** k / math.factorial(2 * k + 1) for k in range(8, 0, -1))
_COSINE: Final = tuple((-1) ** k / math.factorial(2 * k) for k in range(8, 0, -1))
_LN2: Final = float.fromhex("0x1.62e42fefa39efp-1")
_QUARTER_TURN: Final = float.fromhex("0x1.921fb54442d18p+0")
_SQRT_HALF: Final = np.uint64(0x3FE6A09E00000000)  # bits of a float64 just below it
_EXPONENT: Final = np.uint64(0xFFF0000000000000)
_SIGN: Final = np.uint64(1 << 63)
_QUARTERS: Final = np.uint64(1 << 62)


def standard_normals(key: Key, draws: npt.ArrayLike, count: int, domain: int = ELEMENTS) -> Floats:
    """Return normals 0 .. count - 1 of each draw: float64 [*draws.shape, count]."""
    block = blocks(key, draws, 0, -(-count // 2), domain)
    pairs = box_muller(*words(block))
    return np.stack(pairs, axis=-1).reshape(*block.shape[:-2], -1)[..., :count]


def words(block: Words) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Return blocks, uint32 [..., 4], as two 64-bit words; the first is the upper half."""
    wide = block.astype(np.uint64)
    first, second = ((wide[..., i] << np.uint64(32)) | wide[..., i + 1] for i in (0, 2))
    return first, second


def box_muller(a: npt.NDArray[np.uint64], b: npt.NDArray[np.uint64]) -> tuple[Floats, Floats]:
    """Return two independent standard normals from each pair of 64-bit words."""
    radius = np.sqrt(-2.0 * _log((a.astype(np.float64) + 0.5) * 2.0**-64))
    # The angle is (b + 1/2) 2^-64 turns: the nearest quarter turn, in the two upper bits of
    # `quarter`, and v quarter turns beside it, |v| <= 1/2.
    quarter = b + np.uint64(1 << 61)
    beside = (quarter & (_QUARTERS - np.uint64(1))).astype(np.int64) - np.int64(1 << 61)
    v = (beside.astype(np.float64) + 0.5) * 2.0**-62 * _QUARTER_TURN
    square = v * v
    sine = v + v * (square * _polynomial(_SINE, square))
    cosine = 1.0 + square * _polynomial(_COSINE, square)
    swap = (quarter & _QUARTERS) != 0
    first, second = np.where(swap, sine, cosine), np.where(swap, cosine, sine)
    return (
        radius * _signed(first, quarter + _QUARTERS),
        radius * _signed(second, quarter),
    )


def _log(u: Floats) -> Floats:
    """Return ln u for 0 < u <= 1."""
    bits = u.view(np.uint64)
    scale = (bits - _SQRT_HALF) & _EXPONENT
    f = (bits - scale).view(np.float64) - 1.0
    s = f / (2.0 + f)
    square = s * s
    whole = (scale.view(np.int64) >> 52).astype(np.float64) * _LN2
    series = 2.0 * s + s * (square * _polynomial(_LOG, square))
    return np.asarray(whole + series)


def _polynomial(coefficients: tuple[float, ...], x: Floats) -> Floats:
    """Return the polynomial's value at `x`; coefficients start with the highest power."""
    value: Any = coefficients[0]
    for coefficient in coefficients[1:]:
        value = value * x + coefficient
    return np.asarray(value)


def _signed(value: Floats, sign: npt.NDArray[np.uint64]) -> Floats:
    """Return `value`, negated where the upper bit of `sign` is set."""
    return (value.view(np.uint64) ^ (sign & _SIGN)).view(np.float64)
