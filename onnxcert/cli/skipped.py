"""The inputs that were skipped, and why."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from itertools import islice
from typing import Final

_MOST: Final = 50  # rows; a record of all is in run.json


def print_skipped(skipped: Mapping[str, str]) -> None:
    """Print each skipped input with its reason: one as a sentence, several as a table.

    Args:
        skipped: Name of the input -> reason.
    """
    if not skipped:
        return
    if len(skipped) == 1:
        name, reason = next(iter(skipped.items()))
        print(f"onnxcert: skipped {name}: {reason}", file=sys.stderr)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="")
    table.add_column("input", overflow="fold", max_width=30)
    table.add_column("why it was skipped", overflow="fold")
    for name, reason in islice(skipped.items(), _MOST):
        # `Text`: markup in a name is no markup.
        table.add_row(Text(name), Text(reason))
    print(f"\nonnxcert: skipped {len(skipped)} inputs", file=sys.stderr)
    # Without styles: the stream escapes control characters.
    width = shutil.get_terminal_size().columns
    Console(file=sys.stderr, width=width, color_system=None, highlight=False).print(table)
    if len(skipped) > _MOST:
        print(f"and {len(skipped) - _MOST} more; run.json lists all", file=sys.stderr)
