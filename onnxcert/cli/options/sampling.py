"""Options of the draws of a run, and when it stops early."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from onnxcert.api.presets import PRESETS
from onnxcert.cli.options.base import GUARANTEE, NOISE, STOPPING, option
from onnxcert.cli.options.parsing import parse_draws_or_off, parse_seconds


@dataclass(frozen=True)
class SamplingOptions:
    """With noise and rule, these options define what is drawn and tested."""

    title: ClassVar = GUARANTEE

    preset: str | None = option(
        "Values for several options; those that you give win. paper: as in the publication; quick: "
        "the least n that can certify, and 20 % more, to try a model; strict: alpha 1e-4 for all "
        "inputs together.",
        "|".join(PRESETS),
        choices=tuple(PRESETS),
    )
    n: int = option("Number of draws (with --looks: the maximum).", default=100)
    n0: int = option("Number of draws that choose the candidate class.", default=10)
    selection: str = option(
        "pooled: the first n0 of the n draws choose the candidate class; split: n0 extra draws "
        "choose it.",
        "pooled|split",
        "pooled",
        choices=("pooled", "split"),
    )
    leak_check: int | None = option(
        "Batch-invariance check: run M draws of each input again without batch mates (default: "
        "computed). If a prediction differs, all inputs are counted again with one draw per pass.",
        "M|off",
        parse=parse_draws_or_off,
    )
    seed: int | None = option(
        "Seed of the noise. Default: random, stored in the results.", section=NOISE
    )
    until: float | None = option(
        "Stop at an interim look when this share of components is certified.",
        "SHARE",
        section=STOPPING,
    )
    futility: float | None = option(
        "Stop at an interim look if 100 more draws are expected to certify less than this share "
        "more.",
        "SHARE",
        section=STOPPING,
    )
    time: float | None = option(
        "Stop each input at the last interim look that fits into this time, e.g. 60s or 2m.",
        "TIME",
        parse=parse_seconds,
        section=STOPPING,
    )
