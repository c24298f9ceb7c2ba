"""Farthest point sampling: well spread points, chosen one after the other.

The exported graph holds it as one ONNX `Loop`. Tracing would unroll it to 512 times a dozen nodes,
which ONNX Runtime takes half a minute to load. So the loop is written here in ONNX's text syntax
(`FARTHEST_POINTS`); the exporter inlines it where its name is used.
"""

from __future__ import annotations

from typing import Any, Final

import onnx
import torch
from torch import Tensor

DOMAIN: Final = "onnxcert.points"

# Squares are added in the same fixed order as in PyTorch below, x + y + z: a difference of one
# rounding could make another point the farthest, and change all later ones.
_FUNCTION: Final = """
<domain: "onnxcert.points", opset_import: ["" : 17]>
FarthestPoints <count> (points) => (chosen, distances) {
    steps = Constant <value_int: int = @count> ()
    always = Constant <value = bool {1}> ()
    zero = Constant <value = int64 {0}> ()
    one = Constant <value = int64[1] {1}> ()
    large = Constant <value = float {3.4028235e38}> ()
    x3, y3, z3 = Split <axis = 1> (points)
    x = Squeeze (x3, one)
    y = Squeeze (y3, one)
    z = Squeeze (z3, one)
    shape = Shape (x)
    batch = Shape <start = 0, end = 1> (points)
    column = Concat <axis = 0> (batch, one)
    nearest0 = Expand (large, shape)
    farthest0 = Expand (zero, column)
    nearest, farthest, chosen3, distances_first = Loop (steps, always, nearest0, farthest0) <
        body = step (int64 i, bool go, float[B, N] near, int64[B, 1] far)
            => (bool on, float[B, N] nearer, int64[B, 1] next, int64[B, 1] taken, float[B, N] d) {
            on = Identity (go)
            taken = Identity (far)
            xc = GatherElements <axis = 1> (x, far)
            yc = GatherElements <axis = 1> (y, far)
            zc = GatherElements <axis = 1> (z, far)
            dx = Sub (x, xc)
            dy = Sub (y, yc)
            dz = Sub (z, zc)
            xx = Mul (dx, dx)
            yy = Mul (dy, dy)
            zz = Mul (dz, dz)
            xy = Add (xx, yy)
            d = Add (xy, zz)
            nearer = Min (near, d)
            next = ArgMax <axis = 1, keepdims = 1> (nearer)
        }
    >
    last = Constant <value = int64[1] {2}> ()
    chosen_first = Squeeze (chosen3, last)
    chosen = Transpose <perm = [1, 0]> (chosen_first)
    distances = Transpose <perm = [1, 0, 2]> (distances_first)
}
"""
FARTHEST_POINTS: Final[onnx.FunctionProto] = onnx.parser.parse_function(_FUNCTION)


def farthest_points(points: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Choose point 0, then `count` - 1 times the point farthest from all points chosen so far.

    Ties go to the first point, so the choice depends on `points` alone, and each row of the batch
    is independent of the others to the bit. Once every distinct point is chosen, point 0 repeats.
    Sampling the chosen points again gives a prefix of the same sequence. Squared distances are
    sums of squared differences, never ``|a|^2 + |b|^2 - 2 a b``: the rounding of matrix products
    depends on the batch, and on GPUs they may round to 10 bits.

    Eldar et al., The farthest point strategy for progressive image sampling, 1997.

    Args:
        points: coordinates; floats [B, 3, N].
        count: number of points to choose.

    Returns:
        The chosen indices, int64 [B, count], and the squared distances of all points from each of
        them, floats [B, count, N].
    """
    chosen, distances = _FarthestPoints.apply(points, count)  # type: ignore[no-untyped-call]
    return chosen, distances


class _FarthestPoints(torch.autograd.Function):
    """Farthest point sampling without a gradient: no weight acts before the coordinates."""

    @staticmethod
    def forward(context: Any, points: Tensor, count: int) -> tuple[Tensor, Tensor]:  # noqa: ARG004
        x, y, z = points.unbind(1)
        nearest = torch.full_like(x, torch.finfo(torch.float32).max)
        farthest = torch.zeros((len(points), 1), dtype=torch.int64, device=points.device)
        chosen, distances = [], []
        for _ in range(count):
            dx, dy, dz = (plane - plane.gather(1, farthest) for plane in (x, y, z))
            distance = dx * dx + dy * dy + dz * dz
            chosen.append(farthest)
            distances.append(distance)
            nearest = torch.minimum(nearest, distance)
            farthest = nearest.argmax(1, keepdim=True)
        return torch.cat(chosen, 1), torch.stack(distances, 1)

    @staticmethod
    def symbolic(graph: Any, points: Any, count: int) -> Any:
        chosen, distances = graph.op(f"{DOMAIN}::FarthestPoints", points, count_i=count, outputs=2)
        kind = points.type()
        chosen.setType(kind.with_dtype(torch.int64).with_sizes([None, count]))
        many = kind.sizes()[2] if kind.sizes() else None
        distances.setType(kind.with_sizes([None, count, many]))
        return chosen, distances
