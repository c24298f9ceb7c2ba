"""Averages over several passes with fixed orders of the points.

Networks that sample points (PointNet++, from its first point on) give slightly different scores
when the order of the points changes; published evaluations average a few passes with random order.
Here the orders depend only on the number of points, so that the average is one function of the
shape, at x as at x + d.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np

from onnxcert._typing import IntArray
from onnxcert.model.graph.nodes import Nodes

_SEED: Final = 20_210_718


@lru_cache(maxsize=8)
def orders(passes: int, points: int) -> IntArray:
    """Return the order of the points in each pass, int64 [passes, points]; first their own."""
    bits = np.random.PCG64(_SEED).random_raw((passes - 1) * points).reshape(passes - 1, points)
    shuffled = np.argsort(bits, axis=1, kind="stable")
    found: IntArray = np.concatenate([np.arange(points)[None], shuffled]).astype(np.int64)
    found.setflags(write=False)
    return found


def repeat_in_orders(nodes: Nodes, points: str, order: str) -> str:
    """Add nodes that repeat points [B, c, N] in orders [K, N]: [B * K, c, N], grouped by row."""
    many = nodes.add("Gather", points, order, axis=2)  # [B, c, K, N]
    many = nodes.add("Transpose", many, perm=[0, 2, 1, 3])
    shape = nodes.add("Concat", nodes.constant([-1]), nodes.axes(points, 1, 3), axis=0)
    return nodes.add("Reshape", many, shape)


def restore_order(nodes: Nodes, scores: str, inverse: str, passes: int) -> str:
    """Add nodes that average scores [B * K, C, N] over the passes, in the points' own order."""
    shape = nodes.add("Concat", nodes.constant([-1, passes]), nodes.axes(scores, 1, 3), axis=0)
    apart = nodes.add("Reshape", scores, shape)
    total = ""
    for k in range(passes):
        one = nodes.add("Gather", apart, nodes.constant(k), axis=1)
        own = nodes.add("Gather", one, nodes.add("Gather", inverse, nodes.constant(k)), axis=2)
        total = nodes.add("Add", total, own) if total else own
    return nodes.add("Mul", total, nodes.constant(1.0 / passes, np.float32))
