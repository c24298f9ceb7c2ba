"""Options that select the inputs and labels and set how they are read."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import typer

from onnxcert.cli.options.base import with_options
from onnxcert.cli.options.parsing import look_up
from onnxcert.data import Listing, read_class_names, select
from onnxcert.data.datasets import READERS, apply_label_encoding
from onnxcert.data.points import CLOUD_READERS, Columns
from onnxcert.data.published import LABEL_MAPS
from onnxcert.errors import InputError, ParameterError
from onnxcert.model.adapter.base import Adapter
from onnxcert.model.adapter.points import PointAdapter
from onnxcert.model.bundled import samples

# Modality of the model's inputs -> (readers, name of the default reader).
DATASETS: Final = {"picture": (READERS, "folder"), "points": (CLOUD_READERS, "clouds")}

# Name -> (type, option).
OPTIONS: Final[dict[str, tuple[Any, Any]]] = {
    "labels": (
        str | None,
        typer.Option(
            None,
            "--labels",
            metavar="PATH",
            help="Ground truth: folder of label maps, or of files with one class per point, named "
            "like the inputs. For a classifier: a table.",
        ),
    ),
    "dataset": (
        str | None,
        typer.Option(
            None,
            "--dataset",
            help=f"Dataset layout: {', '.join(READERS)}; for point clouds "
            f"{', '.join(CLOUD_READERS)}.",
        ),
    ),
    "ignore_label": (
        int | None,
        typer.Option(
            None,
            "--ignore-label",
            metavar="INDEX",
            help="Label of pixels or points that are ignored in the metrics.",
        ),
    ),
    "palette": (
        Path | None,
        typer.Option(
            None,
            "--palette",
            metavar="FILE",
            help="Class colours of label images: a file with lines 'r g b name' or 'index r g b "
            "name'.",
        ),
    ),
    "label_map": (
        str | None,
        typer.Option(
            None,
            "--label-map",
            metavar="NAME|FILE",
            help="Map from label values to model classes: a file with lines 'from to', or one of "
            f"{', '.join(LABEL_MAPS)}.",
        ),
    ),
    "class_names": (
        Path | None,
        typer.Option(
            None,
            "--class-names",
            metavar="FILE",
            help="File with the class names in order, one per line.",
        ),
    ),
    "columns": (
        str | None,
        typer.Option(
            None,
            "--columns",
            metavar="NAMES",
            help="Columns of the point files, e.g. xyz,normals,label.",
        ),
    ),
    "category": (
        str | None,
        typer.Option(
            None, "--category", metavar="NAME", help="Category of all shapes, e.g. chair."
        ),
    ),
    "limit": (
        int | None,
        typer.Option(None, "--limit", help="Certify at most this number of inputs."),
    ),
    "every": (
        int | None,
        typer.Option(None, "--every", metavar="K", help="Certify only every K-th input."),
    ),
}


@dataclass(frozen=True)
class InputOptions:
    """Values of the input options."""

    values: dict[str, Any]

    def list_inputs(self, model: Path, inputs: Sequence[str], medium: str) -> Listing:
        """Return the given inputs, or the samples next to the model if none are given.

        Args:
            model: ONNX file.
            inputs: Files, folders and glob patterns.
            medium: Modality of the model: `picture` or `points`.
        """
        values = self.values
        listing = self._list(model, inputs, medium)
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
        listing = select(listing, limit=values["limit"], every=values["every"])
        if medium == "points":
            return self._apply_point_options(listing)
        for name in ("columns", "category"):
            if values[name] is not None:
                raise ParameterError(
                    f"--{name} is for point clouds, but the model takes images; leave it out."
                )
        return apply_label_encoding(
            listing,
            palette=values["palette"],
            label_map=values["label_map"],
            ignore_label=values["ignore_label"],
        )

    def _apply_point_options(self, listing: Listing) -> Listing:
        values = self.values
        for name in ("palette", "label_map"):
            if values[name] is not None:
                raise ParameterError(
                    f"--{name.replace('_', '-')} is for images, but the model takes points; "
                    "leave it out."
                )
        if values["columns"] is not None:
            Columns.parse(values["columns"])  # refuse invalid columns before the first input
        items = listing.items
        if values["category"] is not None:
            items = tuple(replace(item, category=values["category"]) for item in items)
        return replace(listing, items=items, columns=values["columns"])

    def _list(self, model: Path, inputs: Sequence[str], medium: str) -> Listing:
        readers, default = DATASETS[medium]
        reader = look_up(readers, self.values["dataset"] or default, "--dataset")
        if inputs:
            return reader.list(inputs, self.values["labels"])
        found = samples(model)
        if found is None:
            raise InputError(
                f"no inputs were given and {model} has no samples next to it; give input files or "
                "a folder of them."
            )
        folder, labels = found
        given = self.values["labels"] or (None if labels is None else str(labels))
        return readers[default].list([str(folder)], given)

    def check_category(self, entry: Adapter) -> None:
        """Raise ParameterError if --category is not a category of the model."""
        category = self.values["category"]
        if category is None or not isinstance(entry, PointAdapter) or not entry.contract.categories:
            return
        names = [name for name, _ in entry.contract.categories]
        if entry.category(category) not in names:
            raise ParameterError(f"--category must be one of {', '.join(names)}, got {category!r}.")

    def class_names(self, listing: Listing) -> tuple[str, ...]:
        """Return the class names of the option or of the dataset; empty if there are none."""
        path = self.values["class_names"]
        return tuple(read_class_names(path) if path else listing.class_names or ())

    def ignore_label(self, listing: Listing) -> int | None:
        """Return the ignored label of the option or of the dataset; None if there is none."""
        given: int | None = self.values["ignore_label"]
        return listing.ignore_label if given is None else given


with_input_options = with_options(OPTIONS, "input_options", InputOptions)
