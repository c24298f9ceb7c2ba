"""Where a result comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Provenance:
    """The origin of a result: enough to repeat it and to detect a changed model or input.

    Attributes:
        model: name and SHA-256 of the model file.
        contract: the contract as JSON, and the source of each field.
        input: name, path and SHA-256 of the decoded input.
        parameters: the requested values, by long option name.
        environment: versions, provider, device, threads.
        date: when the result was finished, ISO 8601, UTC.
    """

    model: dict[str, str]
    contract: dict[str, Any]
    input: dict[str, str]
    parameters: dict[str, Any]
    environment: dict[str, Any]
    date: str
