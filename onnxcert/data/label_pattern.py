"""Label files named by a pattern, such as `{stem}_mask.png`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from onnxcert.data.listing import Item, Listing
from onnxcert.data.paths import absolute, iterate_ends
from onnxcert.errors import InputError, ParameterError

STEM: Final = "{stem}"


def apply_label_pattern(listing: Listing, pattern: str, folder: Path | None) -> Listing:
    """Return `listing` with the label file that `pattern` names for each input.

    An input that is the label file of another input is left out: images and label maps may lie in
    the same folder.

    Args:
        listing: inputs without labels.
        pattern: name of the label file, with `{stem}` for the name of the input without suffix.
        folder: the folder of the label files, which may have the subfolders of the inputs; None for
            the folder of each input.

    Raises:
        ParameterError: the pattern has no `{stem}`, other braces or a leading slash.
        InputError: an input has no label file, or two inputs have the same one.
    """
    rest = pattern.replace(STEM, "")
    if rest == pattern or "{" in rest or "}" in rest or Path(pattern).is_absolute():
        raise ParameterError(
            "--labels-pattern must be the name of a label file with {stem} for the name of the "
            f"input, such as '{{stem}}_mask.png', got {pattern!r}."
        )
    names = {item: _find(item.path, pattern, folder) for item in listing.items}
    # An input is a label map if another input has it as its label file.
    paths = {absolute(item.path) for item in listing.items}
    maps = {absolute(path) for path in names.values() if path is not None} & paths
    items: dict[Path, Item] = {}
    for item, label in names.items():
        if absolute(item.path) in maps:
            continue
        if label is None:
            name = pattern.replace(STEM, item.path.stem)
            raise InputError(
                f"{item.path}: expected the label file {name}, but it is not in "
                f"{folder or item.path.parent}; add it, or change --labels-pattern."
            )
        other = items.setdefault(label, item)
        if other is not item:
            raise InputError(
                f"{label}: expected the labels of one input, but they would serve {other.path} and "
                f"{item.path}; keep the labels in the subfolders of the inputs."
            )
    return replace(
        listing, items=tuple(replace(item, label=label) for label, item in items.items())
    )


def _find(path: Path, pattern: str, folder: Path | None) -> Path | None:
    """Return the label file of the input `path`; None if there is none."""
    name = pattern.replace(STEM, path.stem)
    return next((one for one in _candidates(path, name, folder) if one.is_file()), None)


def _candidates(path: Path, name: str, folder: Path | None) -> Iterator[Path]:
    if folder is None:
        yield path.parent / name
        return
    # The longest end of the input's folder, as for label files of the same stem.
    for end in iterate_ends(absolute(path).parent.parts[1:]):
        yield folder.joinpath(*end, name)
    yield folder / name
