"""Options of the certification rule, shared by the commands that decide certificates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from onnxcert.cli.options.base import GUARANTEE, STOPPING, option
from onnxcert.cli.options.names import CORRECTIONS, PROCEDURES, SPENDING
from onnxcert.cli.options.parsing import Numbers, parse_looks, parse_numbers

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class RuleOptions:
    """With the number of draws, these options define a rule."""

    title: ClassVar = GUARANTEE

    tau: Numbers | None = option(
        "Threshold that P(vote = class) must exceed, at least 0.5 (default 0.75; for a classifier "
        "with a radius map 0.5). Several values are certified in one run; figures and label files "
        "show the first.",
        "TAU[,TAU...]",
        parse=parse_numbers,
    )
    alpha: float = option(
        "Largest probability of any wrong certificate (with --budget: that more than the budget "
        "are wrong; with benjamini-yekutieli: expected share of wrong certificates).",
        default=0.001,
    )
    alpha_scope: str = option(
        "input: each input has its own alpha; dataset: all inputs share one alpha.",
        "input|dataset",
        "input",
        choices=("input", "dataset"),
    )
    correction: str | None = option(
        f"Multiple-testing procedure: {', '.join(CORRECTIONS)} (default holm; with --budget "
        "kfwer-stepdown; with --looks, a radius map or a baseline procedure bonferroni; with "
        "--looks and --budget kfwer).",
        "NAME",
        choices=CORRECTIONS,
    )
    budget: str | None = option(
        "Number of wrong certificates to tolerate under k-FWER, or a share such as 0.1%.",
        "B|PERCENT%",
    )
    procedure: str = option(
        f"{', '.join(PROCEDURES)}: the default procedure, the two baselines of the paper (with "
        "--selection split), and the test of the prediction without a radius.",
        "NAME",
        "segcertify",
        choices=PROCEDURES,
    )
    radius_map: bool = option(
        "Certify each component at the largest radius that its votes allow.",
        default=False,
        flag="--radius-map",
    )
    floor: float = option("Smallest tau of the radius map, fixed before the run.", default=0.5)
    looks: tuple[int, ...] | Literal["auto"] | None = option(
        "Numbers of draws for interim looks, where a run may stop early; auto: chosen for --n, the "
        "maximum.",
        "auto|N,N,...",
        parse=parse_looks,
        section=STOPPING,
    )
    spending: str = option(
        f"Alpha-spending function over the looks: {', '.join(SPENDING)}.",
        "NAME",
        "equal",
        choices=SPENDING,
        section=STOPPING,
    )
