"""Options of the certification rule, shared by the commands that decide certificates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import typer

from onnxcert.cli.options.base import with_options
from onnxcert.cli.options.parsing import parse_looks, parse_numbers
from onnxcert.errors import ParameterError
from onnxcert.statistics import PROCEDURES, SPENDING
from onnxcert.statistics.correction import CORRECTIONS
from onnxcert.statistics.rule import AlphaScope, Budget, Rule, Schedule

# Name -> (type, option).
OPTIONS: Final[dict[str, tuple[Any, Any]]] = {
    "tau": (
        Any | None,
        typer.Option(
            None,
            "--tau",
            parser=parse_numbers,
            metavar="TAU[,TAU...]",
            help="Threshold that P(vote = class) must exceed, at least 0.5 (default 0.75; for a "
            "classifier with a radius map 0.5). Several values are certified in one run; figures "
            "and label files show the first.",
        ),
    ),
    "alpha": (
        float,
        typer.Option(
            0.001,
            "--alpha",
            help="Probability that any certificate is wrong (with --budget: that more than the "
            "budget are wrong; with benjamini-yekutieli: expected share of wrong certificates).",
        ),
    ),
    "alpha_scope": (
        str,
        typer.Option(
            "input",
            "--alpha-scope",
            metavar="input|dataset",
            help="input: each input has its own alpha; dataset: all inputs share one alpha.",
        ),
    ),
    "correction": (
        str | None,
        typer.Option(
            None,
            "--correction",
            help=f"Multiple-testing procedure: {', '.join(CORRECTIONS)} (default holm; with "
            "--budget kfwer-stepdown; with --looks, a radius map or a baseline procedure "
            "bonferroni; with --looks and --budget kfwer).",
        ),
    ),
    "budget": (
        str | None,
        typer.Option(
            None,
            "--budget",
            metavar="B|PERCENT%",
            help="Number of wrong components tolerated by k-FWER, or a share such as 0.1%.",
        ),
    ),
    "procedure": (
        str,
        typer.Option(
            "segcertify",
            "--procedure",
            help=f"{', '.join(PROCEDURES)}: the default procedure, the two baselines of the paper "
            "(with --selection split), and the test of the prediction without a radius.",
        ),
    ),
    "radius_map": (
        bool,
        typer.Option(
            False,
            "--radius-map",
            help="Certify each component at the largest radius that its votes allow.",
        ),
    ),
    "floor": (
        float,
        typer.Option(0.5, "--floor", help="Smallest tau of the radius map, fixed before the run."),
    ),
    "looks": (
        Any | None,
        typer.Option(
            None,
            "--looks",
            parser=parse_looks,
            metavar="auto|N,N,...",
            help="Numbers of noise samples for interim looks, where a run may stop early; auto: "
            "chosen for --n, the maximum.",
        ),
    ),
    "spending": (
        str,
        typer.Option(
            "equal",
            "--spending",
            help=f"Alpha-spending function over the looks: {', '.join(SPENDING)}.",
        ),
    ),
}


@dataclass(frozen=True)
class RuleOptions:
    """Values of the rule options; with the number of draws they define a rule."""

    values: dict[str, Any]

    @property
    def procedure(self) -> str:
        return str(self.values["procedure"])

    def build(self, n: int, *, inputs: int = 1, whole: bool = False) -> Rule:
        """Return the rule for at most n draws.

        Args:
            n: Maximum number of draws.
            inputs: Number of inputs that share alpha with --alpha-scope dataset.
            whole: Whether the model predicts one class per input (a classifier); the default is
                then the radius map, as in CERTIFY.

        Raises:
            ParameterError: A number is out of range.
        """
        values = self.values
        looks = values["looks"]
        radius_map = values["radius_map"] or (
            whole
            and looks is None
            and values["procedure"] == "segcertify"
            and values["correction"] in (None, "bonferroni")
            and not values["budget"]
            and len(values["tau"] or ()) < 2
        )
        scope: AlphaScope = values["alpha_scope"]
        taus = values["tau"] or ((values["floor"] if whole and radius_map else 0.75),)
        schedule = None
        if looks is not None:
            at = None if looks == "auto" else tuple(sorted({*looks, n}))
            if at is not None and at[-1] > n:
                raise ParameterError(f"--looks ends at {at[-1]} draws, but --n is {n}; raise --n.")
            schedule = Schedule(n, at, values["spending"])
        budget = Budget() if values["budget"] is None else Budget(values["budget"])
        return Rule(
            tau=taus[0],
            more_taus=tuple(taus[1:]),
            alpha=values["alpha"],
            alpha_scope=scope,
            inputs=inputs if scope == "dataset" else 1,
            correction=self._default_correction(radius_map)
            if values["correction"] is None
            else values["correction"],
            budget=budget,
            procedure=values["procedure"],
            radius_map=radius_map,
            floor=values["floor"],
            schedule=schedule,
        )

    def _default_correction(self, radius_map: bool) -> str:
        """Return the most powerful correction that can be combined with the other options."""
        values = self.values
        if values["looks"] is not None:
            return "kfwer" if values["budget"] else "bonferroni"
        if radius_map or values["procedure"] != "segcertify":
            return "bonferroni"
        return "kfwer-stepdown" if values["budget"] else "holm"


with_rule_options = with_options(OPTIONS, "rule_options", RuleOptions)
