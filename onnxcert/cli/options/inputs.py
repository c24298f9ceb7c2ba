"""Options that select the inputs and labels and set how they are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from onnxcert.cli.options.base import INPUTS, option
from onnxcert.cli.options.names import CLOUD_DATASETS, IMAGE_DATASETS, LABEL_MAPS

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class InputOptions:
    """With the model, these options define the inputs and their labels."""

    title: ClassVar = INPUTS

    labels: str | None = option(
        "Ground truth: folder of label maps, or of files with one class per point, named like the "
        "inputs. For a classifier: a table.",
        "PATH",
    )
    labels_pattern: str | None = option(
        "Name of the label file of an input, e.g. '{stem}_mask.png': in the folder of --labels, or "
        "without --labels beside the input.",
        "PATTERN",
    )
    ignore_label: list[str] | None = option(
        "Label of pixels or points that are ignored in the metrics. For several labels, repeat the "
        "option or separate them by commas.",
        "INDEX",
    )
    dataset: str | None = option(
        f"Dataset layout: {', '.join(IMAGE_DATASETS)}; for point clouds "
        f"{', '.join(CLOUD_DATASETS)}.",
        "NAME",
        choices=(*IMAGE_DATASETS, *CLOUD_DATASETS),
    )
    palette: Path | None = option(
        "Class colours of label images: a file with lines 'r g b name' or 'index r g b name'.",
        "FILE",
    )
    label_map: str | None = option(
        "Map from label values to model classes: a file with lines 'from to', or one of "
        f"{', '.join(LABEL_MAPS)}.",
        "NAME|FILE",
        choices=LABEL_MAPS,
    )
    class_names: Path | None = option("File with the class names in order, one per line.", "FILE")
    columns: str | None = option("Columns of the point files, e.g. xyz,normals,label.", "NAMES")
    category: str | None = option("Category of all shapes, e.g. chair.", "NAME")
    limit: int | None = option("Certify at most this number of inputs.")
    every: int | None = option("Certify only every K-th input.", "K")
