"""Presets: values for several keywords of `onnxcert.certify_many`, and options, under one name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from onnxcert.errors import ParameterError, suggest

QUICK: Final = "quick"

# Name -> keyword -> value. What the user gives wins. The n of quick is computed from the model and
# the inputs, see `onnxcert.api.quick`.
PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {
    "paper": {
        "selection": "split",
        "n0": 10,
        "n": 100,
        "tau": 0.75,
        "alpha": 0.001,
        "correction": "holm",
    },
    QUICK: {"n": None},
    "strict": {
        "correction": "bonferroni",
        "alpha": 0.0001,
        "alpha_scope": "dataset",
        "n": 1000,
    },
}


def get_preset(name: str) -> Mapping[str, Any]:
    """Return the values of the preset `name`.

    Raises:
        ParameterError: There is no such preset.
    """
    if name not in PRESETS:
        raise ParameterError(
            f"--preset must be one of {', '.join(PRESETS)}, got {name!r}{suggest(name, PRESETS)}"
        )
    return PRESETS[name]
