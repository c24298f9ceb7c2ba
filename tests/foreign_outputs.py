"""Random files whose answers come in any form that exporters write, each with its right labels.

The function is a 1 x 1 convolution, so that the right label of a pixel is known from its colour
alone, in NumPy. The file gives its answer in some order of axes, with a batch axis or without one,
as scores, probabilities or class indices of some element type, and says more or less about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from graphs import KINDS, Graph

Array = npt.NDArray[Any]

BATCHED: Final = ("NCHW", "NHWC", "NHW")
SINGLE: Final = ("CHW", "HWC", "HW")
# Orders that nobody can tell apart from others by their lengths alone, or that no reader expects.
ODD: Final = ("NCWH", "NWHC", "CNHW", "HWNC", "CWH", "WHC", "WH", "NWH", "HCW")
SIZES: Final = ((8, 12), (16, 16), (5, 5), (4, 6), (12, 12), (9, 7), (3, 3))
FLOATS: Final = ("float32", "float16", "float64")
WHOLE: Final = ("int64", "int32", "uint8")


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """One file.

    Attributes:
        axes: of the answer; without C there is one channel.
        form: `logits`, `probabilities`, `sigmoid`, `logit`, `labels`, or `bool`.
        kind: element type of the answer.
        classes: channels of scores, 1 to 5; of class indices how many there are.
        size: height and width.
        rows: 1 or 2 where the input's batch is fixed; None where it is free.
        said: of the answer's axes: `fixed`, `named`, `unnamed` or `nothing`.
        free: whether the input's height and width are free.
        baked: whether the input's rows are baked into a Reshape.
        loose: whether the batch axis is taken off with every other axis of length one.
        boxes: whether there is a further output, of boxes.
    """

    axes: str
    form: str
    kind: str
    classes: int
    size: tuple[int, int]
    rows: int | None
    said: str
    free: bool
    baked: bool
    loose: bool
    boxes: bool
    seed: int

    @classmethod
    def random(cls, seed: int) -> Foreign:
        rng = np.random.default_rng(seed)

        def one_of(*choices: Any) -> Any:
            return choices[rng.integers(len(choices))]

        axes = one_of(*BATCHED, *SINGLE, *BATCHED, *SINGLE, one_of(*ODD))
        classes = int(rng.integers(1, 6))
        if "C" not in axes:
            form = one_of("sigmoid", "logit", "labels", "bool")
        elif classes == 1:
            form = one_of("sigmoid", "logit", "bool")
        else:
            form = one_of("logits", "logits", "probabilities", "labels")
        classes = max(2, classes) if form == "labels" else classes
        classes = 1 if form in ("sigmoid", "logit", "bool") else classes
        kind = {"labels": one_of(*WHOLE), "bool": "bool"}.get(form, one_of(*FLOATS))
        single = "N" not in axes
        rows = one_of(1, None) if single else one_of(1, None, 2)
        return cls(
            axes=axes,
            form=form,
            kind=kind,
            classes=classes,
            size=one_of(*SIZES),
            rows=rows,
            said=one_of("fixed", "named", "unnamed", "nothing"),
            free=bool(rng.integers(2)),
            baked=bool(rng.integers(4) == 0),
            loose=bool(single and rng.integers(4) == 0),
            boxes=bool(rng.integers(4) == 0),
            seed=seed,
        )

    @property
    def weight(self) -> Array:
        """[channels of scores, 3, 1, 1]; scores lie far apart."""
        rng = np.random.default_rng(self.seed + 1)
        return rng.normal(0, 8, (self.classes, 3, 1, 1)).astype(np.float32)

    @property
    def bias(self) -> Array:
        bias: Array = -self.weight.sum(axis=(1, 2, 3)) / 2
        return bias.astype(np.float32)

    @property
    def given(self) -> dict[str, Any]:
        """What a user knows beside the range of values."""
        form = "labels" if self.form == "bool" else self.form
        classes = {"labels": self.classes, "bool": 2}.get(self.form)
        given: dict[str, Any] = {"output_form": form, "output": "answer"}
        return given | ({} if classes is None else {"classes": classes})

    def right(self, pixels: Array) -> tuple[Array, Array]:
        """Labels [B, H, W] of pixels [B, 3, H, W], and where rounding cannot turn them."""
        scores = np.einsum("kc,bchw->bkhw", self.weight[:, :, 0, 0], pixels)
        scores = scores + self.bias[:, None, None]
        if self.classes == 1:
            return (scores[:, 0] > 0).astype(np.int64), np.abs(scores[:, 0]) > 0.05
        best = np.sort(scores, axis=1)
        return scores.argmax(axis=1), best[:, -1] - best[:, -2] > 0.05

    @property
    def plain(self) -> bool:
        """Whether the form is one that must be answered: nothing about it can be read otherwise."""
        if self.axes in ODD or (self.rows == 2 and (self.baked and self.said != "fixed")):
            return False
        if self.free and (self.baked or self.said in ("unnamed", "nothing")):
            return False  # a trial of another size than the baked one fails, or asks for the layout
        sides = {*self.size, self.classes} if "C" in self.axes else {*self.size}
        if len(sides) == 1 and "C" in self.axes:
            return False  # height, width and channels are as long as each other
        return not (self.form == "labels" and "C" in self.axes and self.classes == 1)

    def proto(self) -> onnx.ModelProto:
        """The file."""
        g = Graph()
        height, width = self.size
        image = "image"
        if self.baked:
            image = g.add("Reshape", image, g.constant([self.rows or 1, 3, height, width]))
        value = g.add(
            "Conv", image, g.constant(self.weight, np.float32), g.constant(self.bias, np.float32)
        )
        if self.boxes:
            pooled = g.add("GlobalAveragePool", value)
            wide = g.add("Expand", pooled, g.constant([1, self.classes, 3, 4]))
            g.add("Flatten", wide, output="boxes", axis=1)
        value = self._formed(g, value)
        lengths: dict[str, Any] = {"N": 1, "C": 1, "H": height, "W": width}
        lengths["C"] = self.classes if self.form in ("logits", "probabilities") else 1
        order = "NCHW"
        if self.loose:
            kept = "".join(axis for axis in order if axis != "N" and lengths[axis] != 1)
            if set(kept) == set(self.axes):
                value = g.add("Squeeze", value)
                order = kept
        for axis in order:
            if axis not in self.axes:
                value = g.add("Squeeze", value, g.constant([order.index(axis)]))
                order = order.replace(axis, "")
        if order != self.axes:
            value = g.add("Transpose", value, perm=[order.index(axis) for axis in self.axes])
        g.add("Identity", value, output="answer")
        names = {"N": "batch", "C": "classes", "H": "height", "W": "width"}
        rows: Any = self.rows or "batch"
        sides: list[Any] = ["height", "width"] if self.free else list(self.size)
        lengths["N"] = rows
        said: list[Any] | None = [lengths[axis] for axis in self.axes]
        if self.free:
            said = [names[a] if a in "HW" else lengths[a] for a in self.axes]
        if self.said == "named":
            said = [names[axis] for axis in self.axes]
        elif self.said == "unnamed":
            said = [None] * len(self.axes)
        elif self.said == "nothing":
            said = None
        outputs = {"answer": (self.kind, said)}
        if self.boxes:
            outputs["boxes"] = ("float32", [rows, None])
        return g.model({"image": ("float32", [rows, 3, *sides])}, outputs)

    def _formed(self, g: Graph, value: str) -> str:
        """From scores [B, C, h, w] to the form and the element type of the answer."""
        match self.form:
            case "probabilities":
                value = g.add("Softmax", value, axis=1)
            case "sigmoid":
                value = g.add("Sigmoid", value)
            case "labels":
                value = g.add("ArgMax", value, axis=1, keepdims=1)
            case "bool":
                value = g.add("Greater", value, g.constant(0.0, np.float32))
        if self.kind not in ("float32", "bool"):
            value = g.add("Cast", value, to=KINDS[self.kind])
        return value
