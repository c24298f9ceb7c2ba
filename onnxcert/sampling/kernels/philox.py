"""Philox4x32-10, the counter-based generator of the GPU's noise, in NumPy.

Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3": a bijection of 128
bits for each 64-bit key, so that a number depends on its position alone. Two positions of one key
have different counters; two keys are different bijections.

Normals are those of `noise.cu`, bit for bit: Box and Muller 1958, z = sqrt(-2 ln u) (cos t, sin t).
u has 64 bits, so that |z| reaches sqrt(130 ln 2) = 9.49, and so has the angle t. Logarithm, sine
and cosine are power series in float64, rounded after every operation, so that no result depends on
the last bit of a library.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
import numpy.typing as npt

from onnxcert._typing import Array
from onnxcert.sampling.kernels.interface import Channels, Kernels, Key

Words = npt.NDArray[np.uint32]
Floats = npt.NDArray[np.float64]

GENERATOR: Final = "philox4x32-10-boxmuller64-grid"
ROUNDS: Final = 10
# Domains: noise on the elements of an input, normals by number, offsets of a dithered grid.
ELEMENTS, NORMALS, OFFSETS = 0, 1, 2

_MULTIPLIERS: Final = (0xD2511F53, 0xCD9E8D57)
_WEYL: Final = (0x9E3779B9, 0xBB67AE85)
_WORD: Final = 0xFFFFFFFF
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


def stream_key(seed: int, digest: str) -> Key:
    """Return the key of all draws of one input: 64 bits of a hash of the seed and the digest."""
    of = b"onnxcert philox" + seed.to_bytes(8, "little") + bytes.fromhex(digest)
    sha = hashlib.sha256(of).digest()
    return int.from_bytes(sha[:4], "little"), int.from_bytes(sha[4:8], "little")


def philox4x32(counter: npt.ArrayLike, key: Key) -> Words:
    """Return the blocks at these counters: uint32 [..., 4] to uint32 [..., 4]."""
    c0, c1, c2, c3 = np.moveaxis(np.asarray(counter, dtype=np.uint64), -1, 0)
    k0, k1 = key
    for _ in range(ROUNDS):
        p0, p1 = c0 * np.uint64(_MULTIPLIERS[0]), c2 * np.uint64(_MULTIPLIERS[1])
        c0, c2 = _high(p1) ^ c1 ^ np.uint64(k0), _high(p0) ^ c3 ^ np.uint64(k1)
        c1, c3 = _low(p1), _low(p0)
        k0, k1 = (k0 + _WEYL[0]) & _WORD, (k1 + _WEYL[1]) & _WORD
    return np.stack([c0, c1, c2, c3], axis=-1).astype(np.uint32)


def blocks(key: Key, draws: npt.ArrayLike, start: int, stop: int, domain: int = ELEMENTS) -> Words:
    """Return blocks q = start .. stop - 1 of each draw: uint32 [*draws.shape, stop - start, 4].

    The counter is (q, draw), both 64 bits; the domain is in the upper 4 bits of q.
    """
    draw = np.asarray(draws, dtype=np.uint64)[..., None]
    q = np.arange(start, stop, dtype=np.uint64)
    q = np.broadcast_to(q, np.broadcast_shapes(draw.shape, q.shape))
    counter = np.empty((*q.shape, 4), dtype=np.uint32)
    counter[..., 0], counter[..., 1] = _low(q), _high(q) | np.uint64(domain << 28)
    counter[..., 2], counter[..., 3] = _low(draw), _high(draw)
    return philox4x32(counter, key)


def _low(word: npt.NDArray[np.uint64]) -> Any:
    return word & np.uint64(_WORD)


def _high(word: npt.NDArray[np.uint64]) -> Any:
    return word >> np.uint64(32)


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


@final
@dataclass(frozen=True)
class PhiloxNoise:
    """Noise of consecutive draws of one input; see `onnxcert._typing.Noise`.

    Args:
        kernels: kernels of the device.
        key: key of the seed and the input, by `stream_key`.
        indices: the draws, in steps of 1.
        channels: the network's channels, if the noise is written as its input.
    """

    kernels: Kernels
    key: Key
    indices: range
    channels: Channels | None = None

    def __len__(self) -> int:
        return len(self.indices)

    def add_normal(self, x: Array, sigma: float, out: Array) -> None:
        self.kernels.noise(x, sigma, self.key, self.indices.start, out, self.channels)

    def normals(self, count: int) -> Floats:
        """See `Noise.normals`; they share no block with those of `add_normal`."""
        draws = np.array(self.indices, dtype=np.uint64)
        return standard_normals(self.key, draws, count, NORMALS)

    def offsets(self) -> Floats:
        first, _ = words(blocks(self.key, np.array(self.indices, dtype=np.uint64), 0, 1, OFFSETS))
        return (first[..., 0] >> np.uint64(11)).astype(np.float64) * 2.0**-53
