"""Philox4x32-10, the counter-based generator of the GPU's noise, in NumPy.

Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3": a bijection of 128
bits for each 64-bit key, so that a number depends on its position alone. Two positions of one key
have different counters; two keys are different bijections.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint32]
Key = tuple[int, int]

GENERATOR: Final = "philox4x32-10-boxmuller64-grid"
ROUNDS: Final = 10
# Domains: noise on the elements of an input, normals by number, offsets of a dithered grid.
ELEMENTS, NORMALS, OFFSETS = 0, 1, 2

_MULTIPLIERS: Final = (0xD2511F53, 0xCD9E8D57)
_WEYL: Final = (0x9E3779B9, 0xBB67AE85)
_WORD: Final = 0xFFFFFFFF


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
