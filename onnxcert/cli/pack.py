"""The command `onnxcert pack`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onnxcert.api.stored import pack as pack_results
from onnxcert.cli.json_output import print_object
from onnxcert.cli.options.base import AsJson


def command(
    folder: Annotated[Path, typer.Argument(help="Results folder of onnxcert certify.")],
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE.h5", help="New file; an existing file is never overwritten."),
    ],
    as_json: AsJson = False,
) -> int:
    """Pack a run into one portable HDF5 file: all records, the settings and the summary table.

    onnxcert report, verify, diff and decide accept the file instead of the folder. Label files and
    figures are left out. If a record is damaged, edited or from another run or input, no file is
    written.
    """
    count = pack_results(folder, file)
    size = file.stat().st_size
    if as_json:
        print_object("pack", {"out": str(file), "records": count, "bytes": size})
    else:
        print(f"{count} record{'' if count == 1 else 's'} in {file}, {size / 1e6:.1f} MB")
    return 0
