"""Rotations of points: matrices and rotated channels."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from array_api_compat import array_namespace

from onnxcert._typing import Array, FloatArray, LevelArray
from onnxcert.errors import ParameterError

Vectors = npt.NDArray[np.float64]

# 1024 float32 steps at 1: smaller rotations are rounded away where the coordinates are largest.
SMALLEST_SIGMA = 2.0**-13
STEPS: Final = 14  # the grid's step is 2^-14 of the (rounded up) largest norm
_CLOSE: Final = 1e-12
# A point with normals has this many values; a real cloud has more points.
_FEW = 6


def exponential(v: Vectors) -> Vectors:
    """Compute exp([v]x) of each row: the right-handed rotation about v by |v|; [B, 3, 3].

    This is Rodrigues' formula with the unit quaternion (cos |v|/2, sin(|v|/2) v/|v|), which is
    accurate near the angle 0. Sine and cosine are computed one by one, because the last bit of
    NumPy's may depend on the length of the array.
    """
    angle = np.sqrt(v[:, 0] * v[:, 0] + v[:, 1] * v[:, 1] + v[:, 2] * v[:, 2])
    w = np.array([math.cos(a / 2) for a in angle.tolist()])
    s = np.array([math.sin(a / 2) / a if a > 0 else 0.5 for a in angle.tolist()])
    x, y, z = s * v[:, 0], s * v[:, 1], s * v[:, 2]
    matrices = np.empty((len(v), 3, 3))
    matrices[:, 0, 0] = 1 - 2 * (y * y + z * z)
    matrices[:, 1, 1] = 1 - 2 * (x * x + z * z)
    matrices[:, 2, 2] = 1 - 2 * (x * x + y * y)
    matrices[:, 0, 1] = 2 * (x * y - w * z)
    matrices[:, 1, 0] = 2 * (x * y + w * z)
    matrices[:, 0, 2] = 2 * (x * z + w * y)
    matrices[:, 2, 0] = 2 * (x * z - w * y)
    matrices[:, 1, 2] = 2 * (y * z - w * x)
    matrices[:, 2, 1] = 2 * (y * z + w * x)
    return matrices


class Cloud(NamedTuple):
    """Points to rotate, and the grid they are rounded to.

    Attributes:
        x: float32 [c, N].
        wide: the channels of `x` to rotate, float64 [3 vectors, N].
        step: of the grid, 2^-14 of the smallest power of two that no rotated vector exceeds.
    """

    x: Array
    wide: Array
    step: float


def prepare_cloud(x: Array, vectors: int) -> Cloud:
    """Prepare float32 `x` [c, N] to rotate its first `vectors` triples of channels.

    The step depends on the largest exact norm, which no rotation changes.

    Raises:
        ParameterError: `x` lacks the channels to rotate.
    """
    check_points(x, vectors)
    xp = array_namespace(x)
    wide = xp.astype(x[: 3 * vectors], xp.float64)
    triples = xp.reshape(wide, (vectors, 3, -1))
    squares = xp.reshape(xp.sum(triples * triples, axis=1), (-1,))
    largest = float(xp.max(squares)) if squares.shape[0] else 0.0
    power = 0  # 2^power is the smallest power of two that no norm exceeds
    if largest > 0.0:
        power = math.frexp(math.sqrt(largest))[1] - 2
        while 4.0**power < largest * (1.0 - _CLOSE):
            power += 1
        if 4.0**power < largest * (1.0 + _CLOSE):  # too close for rounded numbers: compare exactly
            near = xp.nonzero(squares >= largest * (1.0 - _CLOSE))[0]
            columns = xp.reshape(xp.permute_dims(triples, (0, 2, 1)), (-1, 3))
            exact = max(
                sum(Fraction(float(columns[int(i), k])) ** 2 for k in range(3)) for i in near
            )
            power += exact > Fraction(4) ** power
    return Cloud(x, wide, math.ldexp(1.0, power - STEPS))


def turn(
    x: Array | Cloud, matrices: Vectors, offsets: LevelArray, vectors: int, out: Array
) -> None:
    """Write `x`, rotated by each matrix and rounded down to the grid, into `out`.

    Before rounding, offsets[b] grid steps are added to each value of draw b. So the computed and
    the exact value are rounded to the same grid point, except with a small probability
    (docs/statistics.md, section 11). Products and sums are written out, because in a matrix product
    a row might depend on the others.

    Args:
        x: float32 [c, N], or its cloud.
        matrices: float64 [B, 3, 3].
        offsets: float64 [B], uniform in [0, 1).
        vectors: number of triples of channels to rotate.
        out: float32 [B, c, N].

    Raises:
        ParameterError: `x` lacks the channels to rotate.
    """
    cloud = x if isinstance(x, Cloud) else prepare_cloud(x, vectors)
    xp = array_namespace(cloud.x)
    m = xp.asarray((matrices / cloud.step)[..., None])
    u = xp.asarray(offsets[:, None])
    row, product = (
        xp.empty((len(matrices), *cloud.x.shape[1:]), dtype=xp.float64) for _ in range(2)
    )
    for first in range(0, 3 * vectors, 3):
        for i in range(3):
            xp.multiply(m[:, i, 0], cloud.wide[first], out=row)
            for j in (1, 2):
                xp.multiply(m[:, i, j], cloud.wide[first + j], out=product)
                xp.add(row, product, out=row)
            out[:, first + i] = xp.floor(row + u) * cloud.step
    out[:, 3 * vectors :] = cloud.x[3 * vectors :]


def rotation_law_error(sigma: float, values: int) -> float:
    """Bound the probability that a computed draw differs from the exact one in any of `values`.

    The mean error of a computed value is 2^-47 (1 + sigma) of the largest norm, and the grid's step
    is 2^-14 of it. The three normals and the offset add 2^-40.
    """
    return values * (1.0 + sigma) * 2.0**-33 + 2.0**-40


def check_parameters(sigma: float, vectors: int, largest: float) -> None:
    """Raise ParameterError unless sigma, in radians, and vectors are in range."""
    is_number = isinstance(sigma, int | float | np.floating) and not isinstance(sigma, bool)
    if not is_number or not SMALLEST_SIGMA <= sigma <= largest:
        raise ParameterError(
            f"sigma of a rotation must be a number of radians from {SMALLEST_SIGMA:.4g} (less is "
            f"rounded away in float32) to {largest:g}, got {sigma}."
        )
    if isinstance(vectors, bool) or vectors not in (1, 2):
        raise ParameterError(
            f"vectors must be 1 (coordinates) or 2 (coordinates and normals), got {vectors}."
        )


def check_points(x: FloatArray, vectors: int) -> None:
    """Raise ParameterError unless `x` [c, N] has the channels to rotate."""
    if x.ndim != 2 or x.shape[0] < 3 * vectors:
        raise ParameterError(
            f"rotation of the coordinates{' and normals' if vectors == 2 else ''} needs an input "
            f"[channels, points] with at least {3 * vectors} channels, got the shape "
            f"{list(x.shape)}."
        )
    if x.shape[1] <= _FEW < x.shape[0]:
        raise ParameterError(
            f"rotation needs an input [channels, points], but the shape {list(x.shape)} seems to "
            "be [points, channels]; transpose the input."
        )
