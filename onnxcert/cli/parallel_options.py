"""The options that spread a run over processes and machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import typer

from onnxcert.cli.options import with_options
from onnxcert.errors import ParameterError
from onnxcert.inputs import Shard

# Name -> (type, option).
OPTIONS: Final[dict[str, tuple[Any, Any]]] = {
    "shard": (
        str | None,
        typer.Option(
            None,
            "--shard",
            metavar="I/K",
            help="Certify the I-th of K parts of the inputs, as a task of a batch scheduler does; "
            "needs --seed. onnxcert merge brings the parts together.",
        ),
    ),
}


@dataclass(frozen=True)
class Parallel:
    """What the options said.

    Attributes:
        shard: the part of the inputs that this process is for; None for all.
    """

    shard: Shard | None

    def check_seed(self, seed: int | None) -> None:
        """Raise ParameterError if shards would draw from different seeds."""
        if self.shard is not None and seed is None:
            raise ParameterError(
                "--shard needs --seed, as all parts of a run draw from one seed; give every part "
                "the same."
            )


def _checked(said: dict[str, Any]) -> Parallel:
    shard = said["shard"]
    return Parallel(None if shard is None else Shard.parse(shard))


with_parallel_options = with_options(OPTIONS, "parallel", _checked)
