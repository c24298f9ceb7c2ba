"""Names of the classes of a model."""

from __future__ import annotations

from onnxcert.errors import ParameterError
from onnxcert.model.segmenter import OnnxSegmenter


def resolve_class_names(
    segmenter: OnnxSegmenter, given: tuple[str, ...], grid: tuple[int, ...]
) -> tuple[str, ...]:
    """Return a name for each class, or for each label of a multi-label model.

    Args:
        segmenter: a model that has run once.
        given: names from the user; if empty, those of the contract, or numbers.
        grid: shape of its labels for one input; [L, ...] for a multi-label model.

    Raises:
        ParameterError: the number of names differs from the number of classes.
    """
    count = grid[0] if segmenter.contract.output_form == "multilabel" else segmenter.classes
    names = given or segmenter.contract.class_names
    if len(names) not in (0, count):
        raise ParameterError(
            f"the model has {count} classes, but {len(names)} class names were given; give one "
            "name for each class."
        )
    return names or tuple(f"class {c}" for c in range(count))
