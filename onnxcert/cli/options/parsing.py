"""Parsers of option values. Each error says what the value must be; the flag is put before it."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import typer

from onnxcert.errors import ParameterError

Numbers = tuple[float, ...]

_LARGEST_FEED: Final = 2**24  # bytes
_MOST_DIGITS: Final = 100  # of a whole number: Python refuses thousands with an error of its own


def parse_whole(text: str | int) -> int:
    """Parse a whole number such as 100; a default is one already."""
    if isinstance(text, int):
        return text
    if re.fullmatch(rf"[+-]?\d{{1,{_MOST_DIGITS}}}", text.strip()) is None:
        raise typer.BadParameter(f"must be a whole number, got {text!r}.")
    return int(text)


def parse_number(text: str | float) -> float:
    """Parse a number such as 0.25."""
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"must be a number, got {text!r}.") from None


def parse_numbers(text: str) -> Numbers:
    """Parse numbers separated by commas, such as 0.41,0.42,0.43."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"must be numbers separated by commas, got {text!r}.") from None


def parse_pair(text: str) -> Numbers:
    """Parse two numbers separated by a comma, such as 0,255."""
    pair = parse_numbers(text)
    if len(pair) != 2:
        raise typer.BadParameter(f"must be two numbers such as 0,1 or 0,255, got {text!r}.")
    return pair


def parse_size(text: str) -> tuple[int, int]:
    """Parse HEIGHTxWIDTH, such as 512x1024."""
    height, _, width = text.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise typer.BadParameter(f"must be HEIGHTxWIDTH such as 512x1024, got {text!r}.")
    return int(height), int(width)


def parse_tile(text: str) -> tuple[int, int] | str:
    """Parse HEIGHTxWIDTH, or `model` for the only size that the model takes."""
    return text if text == "model" else parse_size(text)


def parse_overlap(text: str) -> tuple[int, int]:
    """Parse PIXELS or HEIGHTxWIDTH; each number may be 0."""
    height, cross, width = text.lower().partition("x")
    if not (height.isdecimal() and (width if cross else height).isdecimal()):
        raise typer.BadParameter(f"must be PIXELS or HEIGHTxWIDTH, got {text!r}.")
    return int(height), int(width if cross else height)


def parse_looks(text: str) -> tuple[int, ...] | str:
    """Parse `auto` or increasing numbers of draws such as 100,200,400."""
    if text == "auto":
        return text
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise typer.BadParameter(
            f"must be auto or numbers of draws such as 100,200,400, got {text!r}."
        )
    return tuple(int(part) for part in parts)


def parse_draws_or_off(text: str) -> int:
    """Parse a number of draws, or `off` for 0."""
    if text != "off" and not (text.isdecimal() and len(text) < 9 and int(text)):
        raise typer.BadParameter(f"must be off or a number of draws such as 31, got {text!r}.")
    return 0 if text == "off" else int(text)


def parse_seconds(text: str) -> float:
    """Return the seconds of a time such as 60s, 1.5m, 2h or 90 (seconds)."""
    match = re.fullmatch(r"(\d+\.?\d*)\s*([smh]?)", text.strip().lower())
    if match is None:
        raise typer.BadParameter(f"must be a time such as 60s, 1.5m or 2h, got {text!r}.")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


def parse_ignored(given: Sequence[str]) -> tuple[int, ...]:
    """Parse ignored labels: whole numbers, one an option or separated by commas; sorted."""
    try:
        return tuple(sorted({parse_whole(part) for text in given for part in text.split(",")}))
    except typer.BadParameter:
        raise ParameterError(
            "--ignore-label must be a whole number, or several separated by commas, got "
            f"{' '.join(given)!r}."
        ) from None


def parse_feeds(given: Sequence[str]) -> tuple[tuple[str, Any], ...]:
    """Parse values of further inputs: NAME=NUMBER, NAME=1,2,3, NAME=FILE.npy or NAME=category.

    Raises:
        ParameterError: A value has none of these forms, or a file cannot be read.
    """
    import numpy as np

    from onnxcert.files.regular import read_regular_file
    from onnxcert.model.contract.points import CATEGORY

    pairs: list[tuple[str, Any]] = []
    for text in given:
        name, equals, value = text.rpartition("=")
        if not equals or not name:
            raise ParameterError(f"--feed must be NAME=VALUE, got {text!r}.")
        if value == CATEGORY:
            pairs.append((name, value))
            continue
        if value.endswith(".npy"):
            try:
                content = io.BytesIO(read_regular_file(Path(value), limit=_LARGEST_FEED))
                pairs.append((name, np.load(content, allow_pickle=False).tolist()))
            except (OSError, ValueError, EOFError) as error:
                raise ParameterError(
                    f"--feed {text} cannot be read ({error}); give a .npy file of numbers."
                ) from None
            continue
        try:
            parts = [float(part) for part in value.split(",")]
        except ValueError:
            raise ParameterError(
                f"--feed {name} must be a number, numbers separated by commas, a .npy file or "
                f"category, got {value!r}."
            ) from None
        pairs.append((name, parts if "," in value else parts[0]))
    return tuple(pairs)
