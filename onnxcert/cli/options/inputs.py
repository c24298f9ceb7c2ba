"""Options that select the inputs and labels and set how they are read."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar, Final

import typer

from onnxcert.cli.options.base import ClassNames
from onnxcert.cli.options.parsing import look_up
from onnxcert.data import Listing, read_class_names, select
from onnxcert.data.datasets import READERS, apply_label_encoding
from onnxcert.data.labels.encoding import INDEX
from onnxcert.data.points import CLOUD_READERS, Columns
from onnxcert.data.published import LABEL_MAPS
from onnxcert.errors import InputError, ParameterError
from onnxcert.model.adapter.base import Adapter
from onnxcert.model.adapter.points import PointAdapter
from onnxcert.model.bundled import samples
from onnxcert.model.contract.modality import Modality
from onnxcert.model.graph.file import ModelFile

# Modality of the model's inputs -> (readers, name of the default reader).
DATASETS: Final = {
    Modality.IMAGE: (READERS, "folder"),
    Modality.POINTS: (CLOUD_READERS, "clouds"),
}


@dataclass(frozen=True)
class InputOptions:
    """With the model, these options define the inputs and their labels."""

    title: ClassVar = "Options of inputs and labels"

    labels: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="Ground truth: folder of label maps, or of files with one class per point, named "
            "like the inputs. For a classifier: a table.",
        ),
    ] = None
    dataset: Annotated[
        str | None,
        typer.Option(
            help=f"Dataset layout: {', '.join(READERS)}; for point clouds "
            f"{', '.join(CLOUD_READERS)}."
        ),
    ] = None
    ignore_label: Annotated[
        int | None,
        typer.Option(
            metavar="INDEX", help="Label of pixels or points that are ignored in the metrics."
        ),
    ] = None
    palette: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Class colours of label images: a file with lines 'r g b name' or 'index r g b "
            "name'.",
        ),
    ] = None
    label_map: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Map from label values to model classes: a file with lines 'from to', or one of "
            f"{', '.join(LABEL_MAPS)}.",
        ),
    ] = None
    class_names: ClassNames = None
    columns: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Columns of the point files, e.g. xyz,normals,label."),
    ] = None
    category: Annotated[
        str | None, typer.Option(metavar="NAME", help="Category of all shapes, e.g. chair.")
    ] = None
    limit: Annotated[int | None, typer.Option(help="Certify at most this number of inputs.")] = None
    every: Annotated[
        int | None, typer.Option(metavar="K", help="Certify only every K-th input.")
    ] = None

    def list_inputs(self, model: Path, inputs: Sequence[str], modality: Modality) -> Listing:
        """Return the given inputs, or the samples next to the model if none are given.

        Args:
            model: ONNX file.
            inputs: Files, folders and glob patterns.
            modality: Modality of the model.
        """
        listing = self._list(model, inputs, modality)
        if folders := listing.skipped_results:
            more = f" and {len(folders) - 1} more" if len(folders) > 1 else ""
            folder = f"folder{'s' if more else ''} {min(folders)}{more}"
            print(
                f"onnxcert: skipped the {folder}: results of onnxcert, not inputs", file=sys.stderr
            )
        if listing.skipped_links:
            plural = "s" if len(listing.skipped_links) > 1 else ""
            print(
                f"onnxcert: left out {len(listing.skipped_links)} link{plural} to inputs that are "
                f"listed already, such as {listing.skipped_links[0]}",
                file=sys.stderr,
            )
        listing = select(listing, limit=self.limit, every=self.every)
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
            ignore_label=self.ignore_label,
        )

    def _apply_point_options(self, listing: Listing) -> Listing:
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
        readers, default = DATASETS[modality]
        reader = look_up(readers, self.dataset or default, "--dataset")
        if inputs:
            return reader.list(inputs, self.labels)
        found = samples(model)
        if found is None:
            raise InputError(
                f"no inputs were given and {model} has no samples next to it; give input files or "
                "a folder of them."
            )
        folder, labels = found
        given = self.labels or (None if labels is None else str(labels))
        return readers[default].list([str(folder)], given)

    def check_category(self, entry: Adapter) -> None:
        """Raise ParameterError if --category is not a category of the model."""
        category = self.category
        if category is None or not isinstance(entry, PointAdapter) or not entry.contract.categories:
            return
        names = [name for name, _ in entry.contract.categories]
        if entry.category(category) not in names:
            raise ParameterError(f"--category must be one of {', '.join(names)}, got {category!r}.")

    def get_class_names(self, listing: Listing) -> tuple[str, ...]:
        """Return the class names of the option or of the dataset; empty if there are none."""
        return tuple(
            read_class_names(self.class_names) if self.class_names else listing.class_names or ()
        )

    def get_ignore_label(self, listing: Listing, file: ModelFile, modality: Modality) -> int | None:
        """Return the ignored label of the option, the dataset or the training; None without one.

        Raises:
            ParameterError: The labels may be one above the model's classes. A model that was
                trained with `reduce_zero_label` predicts 0 where its dataset stores 1, and only
                the user knows whether the given labels are already reduced.
        """
        given = listing.ignore_label if self.ignore_label is None else self.ignore_label
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
