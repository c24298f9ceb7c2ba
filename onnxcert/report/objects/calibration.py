"""The calibration of the decision rules as one object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from onnxcert.simulation.calibration import Row


def calibration_object(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the error rates and verdicts of the rows as JSON values."""
    return {
        "as_expected": all(row.as_expected for row in rows),
        "rows": [
            {**asdict(row), "as_expected": row.as_expected, "verdict": row.verdict} for row in rows
        ],
    }
