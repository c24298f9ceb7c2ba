"""How a model is to be shown the draws of one input, found out before any is counted."""

from __future__ import annotations

from dataclasses import dataclass

from onnxcert._typing import FloatArray, Segmenter
from onnxcert.certification import default_batch_size
from onnxcert.draws import Draws
from onnxcert.model.probe import LEAKS, OneDrawPerPass, leaks, probed
from onnxcert.model.segmenter import OnnxSegmenter


@dataclass(frozen=True)
class Rehearsal:
    """What came out of trying.

    Attributes:
        batch_size: draws per pass.
        one_draw_per_pass: batch mates matter, so each draw goes alone.
        warning: what the reader of the result must know, or nothing.
    """

    batch_size: int
    one_draw_per_pass: bool = False
    warning: str = ""

    def shown(self, model: Segmenter) -> Segmenter:
        """The model as draws are to be shown to it."""
        return OneDrawPerPass(model) if self.one_draw_per_pass else model


def rehearse(
    model: OnnxSegmenter,
    x: FloatArray,
    draws: Draws,
    *,
    batch_size: int | None = None,
    known: Rehearsal | None = None,
) -> Rehearsal:
    """Try a model on draws of `x` that are never counted.

    Args:
        batch_size: draws per pass, as asked for; None chooses.
        known: of the first input of this shape, which was tried at length; None for that one.

    Raises:
        ModelError: the model answers differently on the same input.
        ParameterError: the noise reached what must stay as it is.
    """
    if known is None:
        values = max(x.size, model.values(x.shape))
        batch_size = batch_size or default_batch_size(values)
        segment, warning = probed(model, x, draws, batch_size=batch_size)
        return Rehearsal(batch_size, isinstance(segment, OneDrawPerPass), warning)
    if not known.warning and leaks(model, x, draws, batch_size=known.batch_size):
        return Rehearsal(known.batch_size, True, LEAKS)
    return known
