"""Standard normals from Philox blocks, bit for bit those of `noise.cu`.

Box and Muller 1958: z = sqrt(-2 ln u) (cos t, sin t). Of the 64 bits of a pair, 40 make u, so that
|z| reaches sqrt(82 ln 2) = 7.54, and 24 the angle. Logarithm, sine and cosine are polynomials in
float32 with an explicit rounding after every operation: no library's last bit is involved.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from onnxcert.kernels.philox import ELEMENTS, Key, Words, blocks

Floats = npt.NDArray[np.float32]

# Minimax fits: (-2 ln(1 + f) + 2 f) / f^2 with -2 at the end for the term in f, sine and cosine of
# (pi / 2) v in v^2, highest power first. -2 ln 2, divided by 2^23, is what a step of the exponent
# weighs.
_LOG = (
    *("0x1.9cf956p-3", "-0x1.4b606cp-2", "0x1.61242ap-2", "-0x1.97b166p-2"),
    *("0x1.ff6928p-2", "-0x1.5558f4p-1", "0x1.00006cp+0", "-0x1p+1"),
)
_SINE = ("-0x1.2d9bb8p-8", "0x1.465ec6p-4", "-0x1.4abbbap-1", "0x1.921fb6p+0")
_COSINE = ("-0x1.4e844ap-6", "0x1.03b090p-2", "-0x1.3bd39cp+0", "0x1p+0")
_EXPONENT = np.float32(float.fromhex("-0x1.62e430p-23"))


def standard_normals(key: Key, draws: npt.ArrayLike, count: int, domain: int = ELEMENTS) -> Floats:
    """Normals 0 .. count - 1 of each draw: float32 [*draws.shape, count]."""
    block = blocks(key, draws, 0, -(-count // 4), domain)
    pairs = box_muller(block[..., ::2], block[..., 1::2])
    return np.stack(pairs, axis=-1).reshape(*block.shape[:-2], -1)[..., :count]


def box_muller(a: Words, b: Words) -> tuple[Floats, Floats]:
    """Two independent standard normals from each two words, float32."""
    low = fused((b & np.uint32(0xFF)).astype(np.float32), np.float32(2**-40), np.float32(2**-41))
    u = fused(a.astype(np.float32), np.float32(2**-32), low)
    radius = np.sqrt(_minus_two_log(u))
    quarter = b + np.uint32(0x20000000)
    mantissa = (quarter >> np.uint32(7)) | np.uint32(0x3F800001)
    v = mantissa.view(np.float32) - np.float32(1.5)
    square = v * v
    sine, cosine = _polynomial(_SINE, square) * v, _polynomial(_COSINE, square)
    swap = (quarter & np.uint32(0x40000000)) != 0
    first, second = np.where(swap, sine, cosine), np.where(swap, cosine, sine)
    return (
        radius * _signed(first, quarter + np.uint32(0x40000000)),
        radius * _signed(second, quarter),
    )


def fused(a: npt.ArrayLike, b: npt.ArrayLike, c: npt.ArrayLike) -> Floats:
    """a * b + c, rounded once.

    The product of two float32 is exact in float64. Its sum with c is rounded to odd there (the
    last bit set where anything was lost), and then to float32: no rounding is made twice (Boldo,
    Melquiond 2008, "Emulation of FMA and correctly rounded sums").
    """
    a, b, c = (np.asarray(v, dtype=np.float32).astype(np.float64) for v in (a, b, c))
    product = a * b
    total = np.asarray(product + c)
    back = total - product
    lost = (product - (total - back)) + (c - back)
    bits = total.view(np.int64).copy()
    towards = np.where((lost > 0) == (total > 0), 1, -1)
    bits += np.where((lost != 0) & (bits & 1 == 0), towards, 0)
    return bits.view(np.float64).astype(np.float32)


def _minus_two_log(u: Floats) -> Floats:
    bits = u.view(np.uint32)
    scale = (bits - np.uint32(0x3F3504F3)) & np.uint32(0xFF800000)
    f = (bits - scale).view(np.float32) - np.float32(1)
    whole = scale.view(np.int32).astype(np.float32) * _EXPONENT
    return fused(_polynomial(_LOG, f), f, whole)


def _polynomial(coefficients: tuple[str, ...], x: Floats) -> Floats:
    first, *others = (np.float32(float.fromhex(text)) for text in coefficients)
    value = np.full_like(x, first)
    for coefficient in others:
        value = fused(value, x, coefficient)
    return value


def _signed(value: Floats, sign: Words) -> Floats:
    """`value`, negated where the upper bit of `sign` is set."""
    return (value.view(np.uint32) ^ (sign & np.uint32(0x80000000))).view(np.float32)
