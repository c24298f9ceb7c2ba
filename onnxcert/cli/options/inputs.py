"""Options that select the inputs and labels and set how they are read."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from onnxcert.cli.options.base import INPUTS, option
from onnxcert.cli.options.names import CLOUD_DATASETS, IMAGE_DATASETS, LABEL_MAPS
from onnxcert.cli.options.parsing import look_up, parse_ignored
from onnxcert.errors import InputError, ParameterError, suggest

if TYPE_CHECKING:
    from onnxcert.data import Listing
    from onnxcert.model.adapter.base import Adapter
    from onnxcert.model.contract.modality import Modality
    from onnxcert.model.graph.file import ModelFile

STANDARD_INPUT: Final = "-"


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

    def list_inputs(self, model: Path, inputs: Sequence[str], modality: Modality) -> Listing:
        """Return the given inputs, or the samples next to the model if none are given.

        Args:
            model: ONNX file.
            inputs: Files, folders and glob patterns.
            modality: Modality of the model.
        """
        from onnxcert.data import select
        from onnxcert.data.datasets import apply_label_encoding
        from onnxcert.model.contract.modality import Modality

        listing = self._list(model, inputs, modality)
        _print_left_out(listing)
        listing = select(listing, limit=self.limit, every=self.every)
        ignored = parse_ignored(self.ignore_label or ())
        listing = replace(listing, also_ignored=ignored[1:])
        if modality is Modality.POINTS:
            return self._apply_point_options(listing)
        for name in ("columns", "category"):
            if getattr(self, name) is not None:
                raise ParameterError(
                    f"--{name} is for point clouds, but the model takes images; leave it out."
                )
        return apply_label_encoding(
            listing,
            palette=self.palette,
            label_map=self.label_map,
            ignore_label=ignored[0] if ignored else None,
        )

    def _apply_point_options(self, listing: Listing) -> Listing:
        from onnxcert.data.points import Columns

        for name in ("palette", "label_map"):
            if getattr(self, name) is not None:
                raise ParameterError(
                    f"--{name.replace('_', '-')} is for images, but the model takes points; "
                    "leave it out."
                )
        if self.columns is not None:
            Columns.parse(self.columns)  # refuse invalid columns before the first input
        items = listing.items
        if self.category is not None:
            items = tuple(replace(item, category=self.category) for item in items)
        return replace(listing, items=items, columns=self.columns)

    def _list(self, model: Path, inputs: Sequence[str], modality: Modality) -> Listing:
        from onnxcert.data.datasets import READERS
        from onnxcert.data.label_pattern import apply_label_pattern
        from onnxcert.data.points import CLOUD_READERS
        from onnxcert.model.bundled import samples
        from onnxcert.model.contract.modality import Modality

        readers, default = (
            (READERS, "folder") if modality is Modality.IMAGE else (CLOUD_READERS, "clouds")
        )
        reader = look_up(readers, self.dataset or default, "--dataset")
        labels = self.labels
        if not inputs:
            found = samples(model)
            if found is None:
                raise InputError(
                    f"no inputs were given and {model} has no samples next to it; give input files "
                    "or a folder of them."
                )
            if self.dataset is not None and self.dataset != default:
                raise InputError(
                    f"--dataset {self.dataset} needs the path of the data set, but no inputs were "
                    "given; give the path after the model, or leave --dataset out for the sample "
                    "inputs."
                )
            inputs = [str(found[0])]
            if self.labels_pattern is None and labels is None and found[1] is not None:
                labels = str(found[1])
        if self.labels_pattern is None:
            return reader.list(inputs, labels)
        if reader is not readers[default]:
            raise ParameterError(
                f"--labels-pattern cannot be combined with --dataset {self.dataset}, which has its "
                "own labels; leave one of them out."
            )
        folder = None if labels is None else Path(labels)
        return apply_label_pattern(reader.list(inputs, None), self.labels_pattern, folder)

    def check_category(self, entry: Adapter) -> None:
        """Raise ParameterError if --category is not a category of the model."""
        from onnxcert.model.adapter.points import PointAdapter

        category = self.category
        if category is None or not isinstance(entry, PointAdapter) or not entry.contract.categories:
            return
        names = [name for name, _ in entry.contract.categories]
        if entry.category(category) not in names:
            raise ParameterError(
                f"--category must be one of {', '.join(names)}, got {category!r}"
                f"{suggest(category, names)}"
            )

    def get_class_names(self, listing: Listing) -> tuple[str, ...]:
        """Return the class names of the option or of the dataset; empty if there are none."""
        from onnxcert.data import read_class_names

        return tuple(
            read_class_names(self.class_names) if self.class_names else listing.class_names or ()
        )

    def get_ignore_label(self, listing: Listing, file: ModelFile, modality: Modality) -> int | None:
        """Return the ignored label of the option, the dataset or the training; None without one.

        Of several in the option, return the first; the others are in `Listing.also_ignored`.

        Raises:
            ParameterError: The labels may be one above the model's classes. A model that was
                trained with `reduce_zero_label` predicts 0 where its dataset stores 1, and only
                the user knows whether the given labels are already reduced.
        """
        from onnxcert.data import INDEX
        from onnxcert.model.contract.modality import Modality

        ignored = parse_ignored(self.ignore_label or ())
        given = ignored[0] if ignored else listing.ignore_label
        plain = listing.label_encoding == INDEX and any(
            item.label is not None and item.class_label is None for item in listing.items
        )
        if given is not None or modality is not Modality.IMAGE or not plain:
            return given
        sidecars = file.sidecars
        if sidecars.reduces_labels:
            raise ParameterError(
                f"{sidecars.reduces_labels} says that the model was trained on labels reduced by "
                "one, where 0 is not a class; pass --label-map ade20k for the labels of the "
                "dataset, or --ignore-label 255 for labels that are already reduced."
            )
        return sidecars.ignore_label


def _print_left_out(listing: Listing) -> None:
    """Print which result folders and links were left out."""
    if folders := listing.skipped_results:
        more = f" and {len(folders) - 1} more" if len(folders) > 1 else ""
        folder = f"folder{'s' if more else ''} {min(folders)}{more}"
        print(f"onnxcert: skipped the {folder}: results of onnxcert, not inputs", file=sys.stderr)
    if links := listing.skipped_links:
        plural = "s" if len(links) > 1 else ""
        print(
            f"onnxcert: left out {len(links)} link{plural} to inputs that are listed already, such "
            f"as {links[0]}",
            file=sys.stderr,
        )


def read_listed_inputs(inputs: Sequence[str]) -> list[str]:
    """Return `inputs` with the lines of standard input in place of `-`.

    Raises:
        InputError: Standard input has no lines, or cannot be read.
    """
    if STANDARD_INPUT not in inputs:
        return list(inputs)
    if inputs.count(STANDARD_INPUT) > 1:
        raise InputError("- stands for the list on standard input; give it only once.")
    try:
        lines = [] if sys.stdin is None else sys.stdin.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"the list of inputs on standard input cannot be read ({error}); give one path a line."
        ) from None
    listed = [line for line in lines if line.strip()]
    if not listed:
        raise InputError(
            "expected the list of inputs on standard input, one path a line, but it is empty; "
            "give paths, or leave - out."
        )
    place = list(inputs).index(STANDARD_INPUT)
    return [*inputs[:place], *listed, *inputs[place + 1 :]]
