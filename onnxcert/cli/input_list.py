"""The list of inputs: from standard input, and what was left out of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from onnxcert.data import Listing
from onnxcert.errors import InputError

STANDARD_INPUT: Final = "-"


def print_left_out(listing: Listing) -> None:
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
