"""Inputs in files and folders, with labels of the same stem in a folder of their own."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, NoReturn, final

from onnxcert.errors import InputError
from onnxcert.inputs import class_table
from onnxcert.inputs import labels as label_maps
from onnxcert.inputs.listing import Item, Listing, absolute, ends, name_items, normal
from onnxcert.inputs.patterns import matches
from onnxcert.inputs.pictures import image
from onnxcert.inputs.result_folders import ResultFolders
from onnxcert.regular import irregular

Stems = Mapping[tuple[str, ...], list[Path]]  # parts of a path below a folder, without suffix


@final
@dataclass(frozen=True)
class Files:
    """The files that one kind of input and its labels come in, and their names in messages.

    Attributes:
        one: an input, such as ``picture``; `many`: several.
        suffixes: of inputs, in lower case; `formats`: the same in words.
        label: the labels of one input, such as ``label map``.
        label_suffixes: of its file; `label_formats`: the same in words.
        tables: suffixes of a file that gives each input one class.
        apart: what else to do where inputs and labels cannot be told apart; may be empty.
    """

    one: str
    many: str
    suffixes: tuple[str, ...]
    formats: str
    label: str
    label_suffixes: tuple[str, ...]
    label_formats: str
    tables: tuple[str, ...]
    apart: str = ""


PICTURES: Final = Files(
    one="picture",
    many="pictures",
    suffixes=image.SUFFIXES,
    formats="PNG, JPEG, BMP, TIFF, WebP, .npy or .npz",
    label="label map",
    label_suffixes=label_maps.SUFFIXES,
    label_formats=".png, .bmp, .tif or .npy",
    tables=class_table.SUFFIXES,
    apart=", or, where each folder holds one class, pass --dataset imagefolder without --labels",
)


@final
class Folder:
    """Any pictures: files, folders and patterns.

    A folder stands for the pictures in it, sorted; only where it has none, for those in its
    subfolders. A pattern (``*``, ``?``, ``[...]``, ``**``) stands for what it matches. Hidden
    files are skipped. A file named outright is listed whatever its suffix, so that its failure
    is reported with the run.

    `labels` is a folder that holds, for each picture, one PNG, BMP, TIFF or `.npy` file of the
    same stem, at its top or in subfolders called like those of the picture; or one such file, for
    one picture; or, for a classifier, a table of lines ``picture,class`` (.csv, .tsv, .txt).
    """

    name: ClassVar[str] = "folder"

    @staticmethod
    def list(arguments: Sequence[str], labels: str | None) -> Listing:
        """List the pictures that `arguments` name, with their labels; see `Reader.list`."""
        return list_items(arguments, labels, PICTURES)


def list_items(arguments: Sequence[str], labels: str | None, kind: Files) -> Listing:
    """The inputs that `arguments` name, with their labels; see `Folder` and `Reader.list`."""
    if not arguments:
        raise InputError(f"expected a {kind.one} or a folder, but nothing was named: name one.")
    root = None if labels is None else Path(labels)
    found: dict[Path, Path] = {}
    left_out: list[str] = []
    results = ResultFolders()
    for argument in arguments:
        with listing_errors(argument):
            for path in _expand(argument, root, kind, left_out, results):
                # What is named twice, by a file and by its folder, is one input.
                found.setdefault(absolute(path), path)
    paths = _once(found, {absolute(Path(argument)) for argument in arguments}, left_out)
    if not paths:
        raise InputError(
            f"{arguments[0]}: expected {kind.many}, but there are only results that onnxcert wrote "
            f"to {results.skipped[0]}: name a folder with the {kind.many}."
        )
    names = name_items(paths)
    maps: Sequence[Path | None] = [None] * len(paths)
    if root is not None and root.is_file() and root.suffix.lower() in kind.tables:
        table = class_table.read_class_table(root)
        told = class_table.classes_in(table, paths, source=root)
        items = [
            Item(name, path, root, one) for name, path, one in zip(names, paths, told, strict=True)
        ]
        return Listing(tuple(items), left_out=tuple(left_out))
    if labels is not None:
        with listing_errors(labels):
            maps = _labels(Path(labels), paths, kind, results)
    items = [Item(*one) for one in zip(names, paths, maps, strict=True)]
    return Listing(tuple(items), left_out=tuple(left_out))


def _once(found: Mapping[Path, Path], named: Set[Path], left_out: list[str]) -> tuple[Path, ...]:
    """Return the paths of `found`, each file once.

    Other links to the same file are added to `left_out`, unless the user `named` them.
    """
    # Prefer the file itself to links to it.
    ranked = sorted(found, key=lambda whole: whole.is_symlink())
    first: dict[str, Path] = {}
    for whole in ranked:
        first.setdefault(os.path.realpath(whole), whole)
    kept = {*first.values(), *named}
    left_out += [str(path) for whole, path in found.items() if whole not in kept]
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
    kind: Files,
    left_out: list[str],
    results: ResultFolders,
) -> list[Path]:
    path, before = Path(argument), results.times
    if path.is_file():
        return results.without([path], path.parent)
    if path.is_dir():
        named, inputs = "a folder", _inputs(path, kind, results, path)
    elif glob.has_magic(argument):
        named, inputs = "a pattern", []
        top = next(one for one in path.parents if not glob.has_magic(str(one)))
        for match in map(Path, matches(argument, left_out)):
            if match.is_dir():
                inputs += _inputs(match, kind, results, top)
            elif match.suffix.lower() in kind.suffixes:
                inputs += results.without([match], top)
    else:
        raise InputError(
            f"{argument}: expected a {kind.one}, a folder of them or a pattern, "
            f"but {_found(path)}: check the path."
        )
    if not inputs and results.times == before:
        raise InputError(
            f"{argument}: expected {named} with {kind.formats} {kind.many}, "
            "but there is none: check the path."
        )
    # Files of labels in a folder below the inputs are no inputs, whatever their suffix.
    return [path for path in inputs if not _within(path, labels)] or inputs


def _inputs(folder: Path, kind: Files, results: ResultFolders, named: Path) -> list[Path]:
    """Return the inputs in `folder`, which is `named` or lies below it."""
    for deep in (False, True):
        found = files(folder, kind.suffixes, deep=deep, results=results)
        inputs = results.without(found, named)
        if inputs:
            return inputs
    return []


def files(
    folder: Path, suffixes: tuple[str, ...], *, deep: bool, results: ResultFolders | None = None
) -> list[Path]:
    """Files in `folder`, and with `deep` below it, with one of the suffixes; sorted, none hidden.

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
            if deep and not name.startswith(".") and not results.met(absolute(Path(top, name)))
        ]
        found += (
            Path(top, name)
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in suffixes
        )
    return sorted(found)


def _found(path: Path) -> str:
    """Describe what is at a path that is neither a file nor a folder."""
    return (
        f"it is {irregular(path.stat().st_mode)}"
        if path.exists()
        else ("there is no such file or folder")
    )


def _within(path: Path, folder: Path | None) -> bool:
    return folder is not None and absolute(folder) in absolute(path).parents


def _labels(root: Path, inputs: Sequence[Path], kind: Files, results: ResultFolders) -> list[Path]:
    """The labels of each input, from the folder or the single file `root`."""
    if root.is_file():
        if len(inputs) != 1:
            raise InputError(
                f"{root}: expected a folder of {kind.label}s for {len(inputs)} {kind.many}, "
                "but it is one file: name the folder."
            )
        return [root]
    if not root.is_dir():
        raise InputError(
            f"{root}: expected a {kind.label}, a folder of them or a table of classes, "
            f"but {_found(root)}: check the path."
        )
    by_stem: dict[tuple[str, ...], list[Path]] = {}
    for path in files(root, kind.label_suffixes, deep=True, results=results):
        by_stem.setdefault(path.relative_to(root).with_suffix("").parts, []).append(path)
    # File systems differ in the Unicode normalisation of names.
    by_form: dict[tuple[str, ...], list[Path]] = {}
    for parts, options in by_stem.items():
        by_form.setdefault(normal(parts), []).extend(options)
    used: dict[Path, Path] = {}
    for one in inputs:
        label = _label(root, by_stem, by_form, one, kind)
        if label in used or label.resolve() == one.resolve():
            other = f"{one} and {used[label]}" if label in used else f"as the {kind.one} as well"
            raise InputError(
                f"{label}: expected the {kind.label} of one {kind.one}, but it would serve "
                f"{other}: keep {kind.many} and {kind.label}s of equal names in folders of their "
                f"own{kind.apart}."
            )
        used[label] = one
    return list(used)


def _label(root: Path, by_stem: Stems, by_form: Stems, one: Path, kind: Files) -> Path:
    # The longest part of the input's path that the labels share, so that cam1/x and cam2/x
    # find theirs whether named by folder, by file or by pattern.
    parts = absolute(one).with_suffix("").parts
    options = next((by_stem[end] for end in ends(parts) if end in by_stem), [])
    if not options:
        options = next((by_form[end] for end in ends(normal(parts)) if end in by_form), [])
    if len(options) == 1:
        return options[0]
    came = "both " + " and ".join(map(str, options)) if options else f"none in {root}"
    raise InputError(
        f"{one}: expected one {kind.label} called {parts[-1]}{kind.label_formats}, "
        f"but there is {came}: add or remove {kind.label}s, or leave --labels out."
    )
