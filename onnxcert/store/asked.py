"""What was asked of a run, as `run.json` says it: read back and refused unless it is ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from onnxcert.errors import StoreError
from onnxcert.store import encoding

RUN_TYPE: Final = "onnxcert-run"
RUN_VERSION: Final = 1


def read_run(text: str, where: Path) -> dict[str, Any]:
    """The content of a `run.json`: `seed`, `parameters`, and its type and version.

    Args:
        text: the content. where: the file it is in, for the message.

    Raises:
        StoreError: onnxcert did not write it, or another version of onnxcert did.
    """
    try:
        run = json.loads(text)
    except (ValueError, RecursionError):
        run = None
    if (
        not isinstance(run, dict)
        or run.get(encoding.TYPE) != RUN_TYPE
        or not isinstance(run.get("parameters"), dict)
        or not isinstance(run.get("seed"), int)
    ):
        raise StoreError(f"{where} was not written by onnxcert; choose another folder.")
    if run.get(encoding.VERSION) != RUN_VERSION:
        raise StoreError(
            f"{where} has {encoding.VERSION} {run.get(encoding.VERSION)!r}, this onnxcert reads "
            f"{RUN_VERSION}; use the onnxcert that wrote it, or another folder."
        )
    return run
