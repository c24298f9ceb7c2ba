"""Pictures in files and folders, with labels of the same stem in a folder of their own."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, NoReturn, final

from onnxcert.errors import InputError
from onnxcert.inputs import class_table, image
from onnxcert.inputs import labels as label_maps
from onnxcert.inputs.listing import Item, Listing, absolute, name_items


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
        if not arguments:
            raise InputError("expected a picture or a folder, but nothing was named: name one.")
        root = None if labels is None else Path(labels)
        found: dict[Path, Path] = {}
        for argument in arguments:
            with listing_errors(argument):
                for path in _expand(argument, root):
                    # A picture named twice, by a file and by its folder, is one picture.
                    found.setdefault(absolute(path), path)
        paths = tuple(found.values())
        names = name_items(paths)
        maps: Sequence[Path | None] = [None] * len(paths)
        if root is not None and root.is_file() and root.suffix.lower() in class_table.SUFFIXES:
            table = class_table.read_class_table(root)
            told = [class_table.class_in(table, path, source=root) for path in paths]
            return Listing(
                tuple(
                    Item(name, path, root, one)
                    for name, path, one in zip(names, paths, told, strict=True)
                )
            )
        if labels is not None:
            with listing_errors(labels):
                maps = _labels(Path(labels), paths)
        return Listing(tuple(Item(*one) for one in zip(names, paths, maps, strict=True)))


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


def _expand(argument: str, labels: Path | None) -> list[Path]:
    path = Path(argument)
    if path.is_file():
        return [path]
    if path.is_dir():
        kind, pictures = "a folder", _pictures(path)
    elif glob.has_magic(argument):
        kind, pictures = "a pattern", []
        for match in map(Path, sorted(glob.glob(argument, recursive=True))):  # noqa: PTH207
            if match.is_dir():
                pictures += _pictures(match)
            elif match.suffix.lower() in image.SUFFIXES:
                pictures.append(match)
    else:
        raise InputError(
            f"{argument}: expected a picture, a folder of them or a pattern, "
            "but there is no such file or folder: check the path."
        )
    if not pictures:
        raise InputError(
            f"{argument}: expected {kind} with PNG, JPEG, BMP, TIFF, WebP or .npy pictures, "
            "but there is none: check the path."
        )
    # Index pictures in a folder below the photographs are labels and no photographs.
    return [path for path in pictures if not _within(path, labels)] or pictures


def _pictures(folder: Path) -> list[Path]:
    return files(folder, image.SUFFIXES, deep=False) or files(folder, image.SUFFIXES, deep=True)


def files(folder: Path, suffixes: tuple[str, ...], *, deep: bool) -> list[Path]:
    """Files in `folder`, and with `deep` below it, with one of the suffixes; sorted, none hidden.

    Raises:
        OSError: a folder cannot be read.
    """

    def fail(error: OSError) -> NoReturn:
        raise error

    found: list[Path] = []
    for top, folders, names in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if deep and not name.startswith(".")]
        found += (
            Path(top, name)
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in suffixes
        )
    return sorted(found)


def _within(path: Path, folder: Path | None) -> bool:
    return folder is not None and absolute(folder) in absolute(path).parents


def _labels(root: Path, pictures: Sequence[Path]) -> list[Path]:
    """The label map of each picture, from the folder or the single file `root`."""
    if root.is_file():
        if len(pictures) != 1:
            raise InputError(
                f"{root}: expected a folder of label maps for {len(pictures)} pictures, "
                "but it is one file: name the folder."
            )
        return [root]
    if not root.is_dir():
        raise InputError(
            f"{root}: expected a label map, a folder of them or a table of classes, "
            "but there is no such file or folder: check the path."
        )
    by_stem: dict[tuple[str, ...], list[Path]] = {}
    for path in files(root, label_maps.SUFFIXES, deep=True):
        by_stem.setdefault(path.relative_to(root).with_suffix("").parts, []).append(path)
    used: dict[Path, Path] = {}
    for picture in pictures:
        label = _label(root, by_stem, picture)
        if label in used or label.resolve() == picture.resolve():
            other = f"{picture} and {used[label]}" if label in used else "as the picture as well"
            raise InputError(
                f"{label}: expected the label map of one picture, but it would serve {other}: "
                "keep pictures and label maps of equal names in folders of their own, or, where "
                "each folder holds one class, pass --dataset imagefolder without --labels."
            )
        used[label] = picture
    return list(used)


def _label(root: Path, by_stem: dict[tuple[str, ...], list[Path]], picture: Path) -> Path:
    # The longest part of the picture's path that the labels share, so that cam1/x and cam2/x
    # find theirs whether named by folder, by file or by pattern.
    parts = absolute(picture).with_suffix("").parts
    options = next((by_stem[parts[i:]] for i in range(len(parts)) if parts[i:] in by_stem), [])
    if len(options) == 1:
        return options[0]
    came = "both " + " and ".join(map(str, options)) if options else f"none in {root}"
    raise InputError(
        f"{picture}: expected one label map called {parts[-1]}.png, .bmp, .tif or .npy, "
        f"but there is {came}: add or remove label maps, or leave --labels out."
    )
