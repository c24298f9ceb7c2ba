"""Read a small JSON file beside a model."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from onnxcert.errors import ContractError
from onnxcert.model.sidecars.claim import SourceReader

MOST = 4 * 2**20  # bytes; the largest published files, with 21,000 class names, have half as many


def read_json(path: Path, source: str) -> SourceReader | None:
    """Return a reader of the JSON object in `path`, or None if there is no such file.

    Args:
        path: The file.
        source: Its name in messages.

    Raises:
        ContractError: The file is not regular, too large, unreadable or not valid.
    """
    why = ""
    try:
        status = path.stat()  # before opening: to open a pipe may block forever
        if not stat.S_ISREG(status.st_mode):
            why = "is not a regular file"
        elif status.st_size > MOST:
            why = f"has {status.st_size:,} bytes, more than the {MOST:,} that are read"
        else:
            with path.open("rb") as file:
                content = json.loads(file.read(MOST))
            if isinstance(content, dict):
                return SourceReader(source, content)
            why = "does not hold a JSON object"
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        why = f"cannot be read ({error.strerror})"
    except (ValueError, RecursionError) as error:
        line = (str(error).splitlines() or [""])[0][:80]
        why = f"is not valid JSON ({line})"
    raise ContractError(
        f"{path} {why}; correct it, or move the model to a folder without it."
    ) from None
