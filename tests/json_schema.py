"""The published schema of what `--json` prints."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMA = Path(__file__).parents[1] / "docs" / "schema" / "onnxcert-1.json"


@cache
def validator() -> Draft202012Validator:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def check_object(value: Any) -> None:
    """Fail unless `value` follows the schema, and say where it does not."""
    faults = sorted(validator().iter_errors(value), key=lambda fault: list(fault.absolute_path))
    assert not faults, "\n".join(f"{fault.json_path}: {fault.message}" for fault in faults)
