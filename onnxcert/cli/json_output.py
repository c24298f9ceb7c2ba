"""The one JSON object that a command prints with `--json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

# Of docs/schema/onnxcert-1.json; raise it when a key is removed, renamed or gets another meaning.
VERSION: Final = 1


def print_object(command: str, content: Mapping[str, Any]) -> None:
    """Print the object of `command` on one line; it says its version and its command."""
    print(json.dumps({"version": VERSION, "command": command, **content}, allow_nan=False))
