"""Input files and folders, with label files of the same stem in a separate folder."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn, final

from onnxcert.data.images import image
from onnxcert.data.labels import mask as label_maps
from onnxcert.data.labels.classes import SUFFIXES as CLASS_TABLES
from onnxcert.data.labels.classes import ClassLabel, match_classes, read_class_table
from onnxcert.data.listing import Item, Listing
from onnxcert.data.paths import (
    absolute,
    expand_pattern,
    iterate_ends,
    name_items,
    normalise_unicode,
)
from onnxcert.data.result_folders import ResultFolders
from onnxcert.errors import InputError
from onnxcert.files.regular import describe_irregular

Stems = Mapping[tuple[str, ...], list[Path]]  # parts of a path below a folder, without suffix


@final
@dataclass(frozen=True)
class InputKind:
    """One kind of input: file formats of inputs and labels, and their names in messages.

    Attributes:
        singular: name of an input, such as ``picture``.
        plural: its plural.
        suffixes: file suffixes of inputs, in lower case.
        formats: the same as text.
        label: name of the labels of one input, such as ``label map``.
        label_suffixes: file suffixes of labels.
        label_formats: the same as text.
        tables: suffixes of a table with one class for each input.
        ambiguity_hint: further advice if a file could be input or label; may be empty.
    """

    singular: str
    plural: str
    suffixes: tuple[str, ...]
    formats: str
    label: str
    label_suffixes: tuple[str, ...]
    label_formats: str
    tables: tuple[str, ...]
    ambiguity_hint: str = ""


IMAGES: Final = InputKind(
    singular="picture",
    plural="pictures",
    suffixes=image.SUFFIXES,
    formats="PNG, JPEG, BMP, TIFF, WebP, .npy or .npz",
    label="label map",
    label_suffixes=label_maps.SUFFIXES,
    label_formats=".png, .bmp, .tif or .npy",
    tables=CLASS_TABLES,
    ambiguity_hint=(
        ", or, where each folder holds one class, pass --dataset imagefolder without --labels"
    ),
)


def list_images(arguments: Sequence[str], labels: str | None) -> Listing:
    """List images from files, folders and glob patterns.

    A folder stands for its images, sorted; if it has none, for those in its subfolders. A pattern
    (``*``, ``?``, ``[...]``, ``**``) stands for its matches. Hidden files are skipped. A file given
    by name is listed whatever its suffix, so that a failure to read it is reported with the run.

    `labels` is one of: a folder with one PNG, BMP, TIFF or `.npy` file of the same stem for each
    image, at its top or in the same subfolders as the images; one such file, for a single image;
    or, for a classifier, a table of lines ``picture,class`` (.csv, .tsv, .txt).
    """
    return list_items(arguments, labels, IMAGES)


def list_items(arguments: Sequence[str], labels: str | None, kind: InputKind) -> Listing:
    """List the inputs that `arguments` name, with their labels; see `list_images`."""
    if not arguments:
        raise InputError(f"expected a {kind.singular} or a folder, but none was given: give one.")
    root = None if labels is None else Path(labels)
    found: dict[Path, Path] = {}
    skipped_links: list[str] = []
    results = ResultFolders()
    for argument in arguments:
        with listing_errors(argument):
            for path in _expand(argument, root, kind, skipped_links, results):
                # A file given twice, by its name and by its folder, is one input.
                found.setdefault(absolute(path), path)
    paths = _deduplicate(found, {absolute(Path(argument)) for argument in arguments}, skipped_links)
    if not paths:
        raise InputError(
            f"{arguments[0]}: expected {kind.plural}, but there are only results that onnxcert "
            f"wrote to {results.skipped[0]}: name a folder with the {kind.plural}."
        )
    names = name_items(paths)
    maps: Sequence[Path | None] = [None] * len(paths)
    classes: Sequence[ClassLabel | None] = [None] * len(paths)
    if root is not None and root.is_file() and root.suffix.lower() in kind.tables:
        maps = [root] * len(paths)
        classes = match_classes(read_class_table(root), paths, source=root)
    elif root is not None:
        with listing_errors(str(labels)):
            maps = _match_labels(root, paths, kind, results)
    return Listing(
        tuple(map(Item, names, paths, maps, classes)),
        skipped_links=tuple(skipped_links),
        skipped_results=tuple(results.skipped),
    )


def _deduplicate(
    found: Mapping[Path, Path], named: Set[Path], skipped_links: list[str]
) -> tuple[Path, ...]:
    """Return the paths of `found`, each file once.

    Other links to the same file are added to `skipped_links`, unless they are in `named`.
    """
    # Prefer the file itself to links to it.
    ranked = sorted(found, key=lambda whole: whole.is_symlink())
    first: dict[str, Path] = {}
    for whole in ranked:
        first.setdefault(os.path.realpath(whole), whole)
    kept = {*first.values(), *named}
    skipped_links += [str(path) for whole, path in found.items() if whole not in kept]
    return tuple(path for whole, path in found.items() if whole in kept)


@contextmanager
def listing_errors(named: str) -> Iterator[None]:
    """Turn an OSError about a file or folder that the user named into an InputError."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{named}: expected a file or folder that can be read, but the system says "
            f"{(error.strerror or str(error)).lower()!r}: check its name and permissions."
        ) from error


def _expand(
    argument: str,
    labels: Path | None,
    kind: InputKind,
    skipped_links: list[str],
    results: ResultFolders,
) -> list[Path]:
    path, before = Path(argument), results.encounters
    if path.is_file():
        return results.exclude_written([path], path.parent)
    if path.is_dir():
        named, inputs = "a folder", _list_inputs(path, kind, results, path)
    elif glob.has_magic(argument):
        named, inputs = "a pattern", []
        top = next(one for one in path.parents if not glob.has_magic(str(one)))
        for match in map(Path, expand_pattern(argument, skipped_links)):
            if match.is_dir():
                inputs += _list_inputs(match, kind, results, top)
            elif match.suffix.lower() in kind.suffixes:
                inputs += results.exclude_written([match], top)
    else:
        raise InputError(
            f"{argument}: expected a {kind.singular}, a folder of them or a pattern, "
            f"but {_describe_path(path)}: check the path."
        )
    if not inputs and results.encounters == before:
        raise InputError(
            f"{argument}: expected {named} with {kind.formats} {kind.plural}, "
            "but there is none: check the path."
        )
    # Label files in a folder below the inputs are not inputs, whatever their suffix.
    return [path for path in inputs if not _is_within(path, labels)] or inputs


def _list_inputs(folder: Path, kind: InputKind, results: ResultFolders, named: Path) -> list[Path]:
    """Return the inputs in `folder`, which is `named` or lies below it."""
    for deep in (False, True):
        found = list_files(folder, kind.suffixes, deep=deep, results=results)
        inputs = results.exclude_written(found, named)
        if inputs:
            return inputs
    return []


def list_files(
    folder: Path, suffixes: tuple[str, ...], *, deep: bool, results: ResultFolders | None = None
) -> list[Path]:
    """Return the visible files in `folder`, and with `deep` below it, that have a suffix, sorted.

    Result folders below `folder` are skipped and noted in `results`.

    Raises:
        OSError: a folder cannot be read.
    """

    def fail(error: OSError) -> NoReturn:
        raise error

    results = results or ResultFolders()
    found: list[Path] = []
    for top, folders, names in os.walk(folder, onerror=fail):
        folders[:] = [
            name
            for name in folders
            if deep and not name.startswith(".") and not results.check(absolute(Path(top, name)))
        ]
        found += (
            Path(top, name)
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in suffixes
        )
    return sorted(found)


def _describe_path(path: Path) -> str:
    """Describe what is at a path that is neither a file nor a folder."""
    return (
        f"it is {describe_irregular(path.stat().st_mode)}"
        if path.exists()
        else "there is no such file or folder"
    )


def _is_within(path: Path, folder: Path | None) -> bool:
    return folder is not None and absolute(folder) in absolute(path).parents


def _match_labels(
    root: Path, inputs: Sequence[Path], kind: InputKind, results: ResultFolders
) -> list[Path]:
    """Return the label file of each input, from the folder or single file `root`."""
    if root.is_file():
        if len(inputs) != 1:
            raise InputError(
                f"{root}: expected a folder of {kind.label}s for {len(inputs)} {kind.plural}, "
                "but it is one file: name the folder."
            )
        return [root]
    if not root.is_dir():
        raise InputError(
            f"{root}: expected a {kind.label}, a folder of them or a table of classes, "
            f"but {_describe_path(root)}: check the path."
        )
    by_stem: dict[tuple[str, ...], list[Path]] = {}
    for path in list_files(root, kind.label_suffixes, deep=True, results=results):
        by_stem.setdefault(path.relative_to(root).with_suffix("").parts, []).append(path)
    # File systems differ in the Unicode normalisation of names.
    by_form: dict[tuple[str, ...], list[Path]] = {}
    for parts, options in by_stem.items():
        by_form.setdefault(normalise_unicode(parts), []).extend(options)
    used: dict[Path, Path] = {}
    for one in inputs:
        label = _match_label(root, by_stem, by_form, one, kind)
        if label in used or label.resolve() == one.resolve():
            other = f"{one} and {used[label]}" if label in used else f"as the {kind.singular}, too"
            raise InputError(
                f"{label}: expected the {kind.label} of one {kind.singular}, but it would serve "
                f"{other}: keep {kind.plural} and {kind.label}s of equal names in folders of their "
                f"own{kind.ambiguity_hint}."
            )
        used[label] = one
    return list(used)


def _match_label(root: Path, by_stem: Stems, by_form: Stems, one: Path, kind: InputKind) -> Path:
    # Match the longest end of the input's path, so that cam1/x and cam2/x find their labels
    # whether they are given by folder, file or pattern.
    parts = absolute(one).with_suffix("").parts
    options = next((by_stem[end] for end in iterate_ends(parts) if end in by_stem), [])
    if not options:
        options = next(
            (by_form[end] for end in iterate_ends(normalise_unicode(parts)) if end in by_form), []
        )
    if len(options) == 1:
        return options[0]
    found = "both " + " and ".join(map(str, options)) if options else f"none in {root}"
    raise InputError(
        f"{one}: expected one {kind.label} called {parts[-1]}{kind.label_formats}, "
        f"but there is {found}: add or remove {kind.label}s, or leave --labels out."
    )
