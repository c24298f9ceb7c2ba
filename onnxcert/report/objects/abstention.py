"""What abstains and why, as one object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnxcert.planning.abstention import Abstention, add_abstentions
from onnxcert.planning.remedies import Remedy


def abstention_object(abstentions: Mapping[str, Abstention]) -> dict[str, Any]:
    """Return the abstention of a run and of each input.

    Args:
        abstentions: name of each explained input -> its abstention; not empty.
    """
    found = add_abstentions(abstentions.values())
    return {
        **_counts_object(found),
        "borders": found.borders and found.borders._asdict(),
        "classes": [
            {"index": index, **part._asdict()} for index, part in sorted(found.classes.items())
        ],
        "more_draws": _remedy_object(found.more_draws),
        "smaller_radius": _remedy_object(found.smaller_radius),
        "inputs": [{"name": name, **_counts_object(each)} for name, each in abstentions.items()],
    }


def _counts_object(found: Abstention) -> dict[str, Any]:
    return {
        "components": found.components,
        "abstained": found.abstained,
        "causes": {cause.value: count for cause, count in found.causes.items()},
        "text": found.text,
    }


def _remedy_object(remedy: Remedy | None) -> dict[str, Any] | None:
    return remedy and remedy._asdict()
