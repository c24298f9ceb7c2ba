"""Presets of `onnxcert certify`: values for several options under one name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from onnxcert.errors import ParameterError, suggest

QUICK: Final = "quick"

# Name -> option, by the name of its field -> value, as it would be typed. An option that the user
# gives wins. The n of quick is computed from the model and the inputs, see `onnxcert.api.quick`.
PRESETS: Final[Mapping[str, Mapping[str, str]]] = {
    "paper": {
        "selection": "split",
        "n0": "10",
        "n": "100",
        "tau": "0.75",
        "alpha": "0.001",
        "correction": "holm",
    },
    QUICK: {},
    "strict": {
        "correction": "bonferroni",
        "alpha": "0.0001",
        "alpha_scope": "dataset",
        "n": "1000",
    },
}


def get_preset(name: str) -> Mapping[str, str]:
    """Return the values of the preset `name`.

    Raises:
        ParameterError: There is no such preset.
    """
    if name not in PRESETS:
        raise ParameterError(
            f"--preset must be one of {', '.join(PRESETS)}, got {name!r}{suggest(name, PRESETS)}"
        )
    return PRESETS[name]
