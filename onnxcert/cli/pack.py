"""`onnxcert pack`."""

from __future__ import annotations

from pathlib import Path

import typer

from onnxcert.store import ResultStore
from onnxcert.store import pack as pack_results


def command(
    folder: Path = typer.Argument(..., help="Folder that onnxcert certify wrote."),
    file: Path = typer.Argument(..., metavar="FILE.h5", help="The new file; never overwritten."),
) -> int:
    """Pack a run into one portable HDF5 file: every record, what was asked, the summary table.

    onnxcert report, verify and diff take the file in place of the folder. Label files and drawn
    pictures are left out. A record that is damaged, was edited, or belongs to another run or input
    is refused, and then no file is written.
    """
    count = pack_results(ResultStore(folder), file)
    print(
        f"{count} record{'' if count == 1 else 's'} in {file}, {file.stat().st_size / 1e6:.1f} MB"
    )
    return 0
