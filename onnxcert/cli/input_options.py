"""The options that say which inputs and labels are meant, and how to read them."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import typer

from onnxcert.cli.options import with_options
from onnxcert.cli.parsing import named
from onnxcert.errors import InputError, ParameterError
from onnxcert.inputs import LABEL_MAPS, READERS, Listing, read_class_names, select, with_coding
from onnxcert.inputs.clouds import CLOUD_READERS, Columns
from onnxcert.inputs.result_folders import ResultsSkipped
from onnxcert.model.bundled import samples
from onnxcert.model.entry import Entry
from onnxcert.model.points.entry import PointEntry

# What a model's inputs are -> (readers, the one taken if none is named).
DATASETS: Final = {"picture": (READERS, "folder"), "points": (CLOUD_READERS, "clouds")}

# Name -> (type, option).
OPTIONS: Final[dict[str, tuple[Any, Any]]] = {
    "labels": (
        str | None,
        typer.Option(
            None,
            "--labels",
            metavar="PATH",
            help="Labels: a folder of label maps, or of files of a class for each point, with the "
            "inputs' names; for a classifier a table.",
        ),
    ),
    "dataset": (
        str | None,
        typer.Option(
            None,
            "--dataset",
            help=f"Layout of the inputs: {', '.join(READERS)}; of point clouds "
            f"{', '.join(CLOUD_READERS)}.",
        ),
    ),
    "ignore_label": (
        int | None,
        typer.Option(
            None,
            "--ignore-label",
            metavar="INDEX",
            help="Label of pixels or points that do not count.",
        ),
    ),
    "palette": (
        Path | None,
        typer.Option(
            None,
            "--palette",
            metavar="FILE",
            help="Labels are colours: lines 'r g b name' or 'index r g b name' say which.",
        ),
    ),
    "label_map": (
        str | None,
        typer.Option(
            None,
            "--label-map",
            metavar="NAME|FILE",
            help="Labels are other numbers than the model's classes: lines 'from to' say which, or "
            f"{', '.join(LABEL_MAPS)}.",
        ),
    ),
    "class_names": (
        Path | None,
        typer.Option(
            None, "--class-names", metavar="FILE", help="Class names, one a line, in order."
        ),
    ),
    "columns": (
        str | None,
        typer.Option(
            None,
            "--columns",
            metavar="NAMES",
            help="What the columns of point files are, e.g. xyz,normals,label.",
        ),
    ),
    "category": (
        str | None,
        typer.Option(
            None, "--category", metavar="NAME", help="What all the shapes are, e.g. chair."
        ),
    ),
    "limit": (
        int | None,
        typer.Option(None, "--limit", help="Certify the first so many inputs."),
    ),
    "every": (int | None, typer.Option(None, "--every", help="Take every K-th input.")),
}


@dataclass(frozen=True)
class Chosen:
    """What the options said."""

    values: dict[str, Any]

    def listing(self, model: Path, inputs: Sequence[str], medium: str) -> Listing:
        """What to certify: the inputs named, or the samples beside the model.

        Args:
            model: the ONNX file. inputs: files, folders, patterns.
            medium: what the model takes: `picture` or `points`.
        """
        said = self.values
        with _skipped_results_said():
            listing = self._listed(model, inputs, medium)
        if listing.left_out:
            many = "s" if len(listing.left_out) > 1 else ""
            print(
                f"onnxcert: left out {len(listing.left_out)} link{many} to what is listed already, "
                f"such as {listing.left_out[0]}",
                file=sys.stderr,
            )
        listing = select(listing, limit=said["limit"], every=said["every"])
        if medium == "points":
            return self._of_points(listing)
        for name in ("columns", "category"):
            if said[name] is not None:
                raise ParameterError(
                    f"--{name} is for point clouds, but the model takes pictures; leave it out."
                )
        return with_coding(
            listing,
            palette=said["palette"],
            label_map=said["label_map"],
            ignore_label=said["ignore_label"],
        )

    def _of_points(self, listing: Listing) -> Listing:
        said = self.values
        for name in ("palette", "label_map"):
            if said[name] is not None:
                raise ParameterError(
                    f"--{name.replace('_', '-')} is for pictures, but the model takes points; "
                    "leave it out."
                )
        if said["columns"] is not None:
            Columns.parse(said["columns"])  # refused now, and not with the first input
        items = listing.items
        if said["category"] is not None:
            items = tuple(replace(item, category=said["category"]) for item in items)
        return replace(listing, items=items, columns=said["columns"])

    def _listed(self, model: Path, inputs: Sequence[str], medium: str) -> Listing:
        readers, usual = DATASETS[medium]
        reader = named(readers, self.values["dataset"] or usual, "--dataset")
        if inputs:
            return reader.list(inputs, self.values["labels"])
        beside = samples(model)
        if beside is None:
            raise InputError(
                f"no inputs were named and {model} has no samples beside it; name inputs, or a "
                "folder of them."
            )
        folder, labels = beside
        given = self.values["labels"] or (None if labels is None else str(labels))
        return readers[usual].list([str(folder)], given)

    def check_category(self, entry: Entry) -> None:
        """Raise ParameterError if --category names none of those that the model knows."""
        told = self.values["category"]
        if told is None or not isinstance(entry, PointEntry) or not entry.contract.categories:
            return
        names = [name for name, _ in entry.contract.categories]
        if entry.category(told) not in names:
            raise ParameterError(f"--category must be one of {', '.join(names)}, got {told!r}.")

    def names(self, listing: Listing) -> tuple[str, ...]:
        """Class names of the inputs' labels, where anything tells them."""
        path = self.values["class_names"]
        return tuple(read_class_names(path) if path else listing.class_names or ())

    def ignored(self, listing: Listing) -> int | None:
        """The label that does not count."""
        said: int | None = self.values["ignore_label"]
        return listing.ignore_label if said is None else said


@contextmanager
def _skipped_results_said() -> Iterator[None]:
    """Print on standard error which folders the block skipped because they hold results."""
    folders: list[Path] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always", ResultsSkipped)
        shown = warnings.showwarning

        def show(message: Warning | str, *about: Any) -> None:
            if isinstance(message, ResultsSkipped):
                folders.append(message.folder)
            else:
                shown(message, *about)

        warnings.showwarning = show  # type: ignore[assignment]
        yield
    if folders:
        more = f" and {len(folders) - 1} more" if len(folders) > 1 else ""
        folder = f"folder{'s' if more else ''} {min(folders)}{more}"
        print(f"onnxcert: skipped the {folder}, which onnxcert wrote results to", file=sys.stderr)


with_input_options = with_options(OPTIONS, "chosen", Chosen)
