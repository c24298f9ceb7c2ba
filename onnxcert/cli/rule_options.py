"""The options that say how votes become a certificate, shared by the commands that decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import typer

from onnxcert.cli.options import with_options
from onnxcert.cli.parsing import looks, numbers
from onnxcert.correction import CORRECTIONS
from onnxcert.decision import PROCEDURES, SPENDING
from onnxcert.errors import ParameterError
from onnxcert.rule import AlphaScope, Budget, Rule, Schedule

# Name -> (type, option).
OPTIONS: Final[dict[str, tuple[Any, Any]]] = {
    "tau": (
        Any | None,
        typer.Option(
            None,
            "--tau",
            parser=numbers,
            metavar="TAU[,TAU...]",
            help="What P(vote = class) must exceed, from 0.5; several are certified in one run, "
            "and pictures and label files show the first. By default 0.75, and 0.5 for a "
            "classifier with its radius map.",
        ),
    ),
    "alpha": (
        float,
        typer.Option(
            0.001,
            "--alpha",
            help="Chance that any certificate is wrong, or more than the budget are.",
        ),
    ),
    "alpha_scope": (
        str,
        typer.Option(
            "input",
            "--alpha-scope",
            metavar="input|dataset",
            help="input: alpha is for each input by itself; dataset: all inputs share it.",
        ),
    ),
    "correction": (
        str | None,
        typer.Option(
            None,
            "--correction",
            help=f"Multiple-testing procedure: {', '.join(CORRECTIONS)}; by default holm, "
            "kfwer-stepdown with a budget, and with looks, a radius map or a baseline bonferroni, "
            "or kfwer with looks and a budget.",
        ),
    ),
    "budget": (
        str | None,
        typer.Option(
            None,
            "--budget",
            metavar="B|PERCENT%",
            help="Wrong components tolerated by k-FWER: a number, or a share such as 0.1%.",
        ),
    ),
    "procedure": (
        str,
        typer.Option(
            "segcertify",
            "--procedure",
            help=f"{', '.join(PROCEDURES)}: this program's, the two naive extensions of the paper "
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
        typer.Option(0.5, "--floor", help="Smallest tau of the radius map, fixed beforehand."),
    ),
    "looks": (
        Any | None,
        typer.Option(
            None,
            "--looks",
            parser=looks,
            metavar="auto|N,N,...",
            help="Look at the votes at these numbers of draws and stop early; --n is the most.",
        ),
    ),
    "spending": (
        str,
        typer.Option(
            "equal",
            "--spending",
            help=f"How alpha is spent over the looks: {', '.join(SPENDING)}.",
        ),
    ),
}


@dataclass(frozen=True)
class AskedRule:
    """What the options said; a rule once the number of draws is known."""

    values: dict[str, Any]

    @property
    def procedure(self) -> str:
        return str(self.values["procedure"])

    def rule(self, n: int, *, inputs: int = 1, whole: bool = False) -> Rule:
        """The rule for at most n draws.

        Args:
            inputs: how many share alpha, if the scope says so.
            whole: whether the answer is one class for the whole input: then, unless something else
                is asked, its radius is what is wanted (CERTIFY).

        Raises:
            ParameterError: a number is out of range.
        """
        said = self.values
        at = said["looks"]
        radius_map = said["radius_map"] or (
            whole
            and at is None
            and said["procedure"] == "segcertify"
            and said["correction"] in (None, "bonferroni")
            and not said["budget"]
            and len(said["tau"] or ()) < 2
        )
        scope: AlphaScope = said["alpha_scope"]
        taus = said["tau"] or ((said["floor"] if whole and radius_map else 0.75),)
        schedule = None
        if at is not None:
            listed = None if at == "auto" else tuple(sorted({*at, n}))
            if listed is not None and listed[-1] > n:
                raise ParameterError(
                    f"the looks end at n {n}, got a look at {listed[-1]}; raise --n."
                )
            schedule = Schedule(n, listed, said["spending"])
        budget = Budget() if said["budget"] is None else Budget(said["budget"])
        return Rule(
            tau=taus[0],
            more_taus=tuple(taus[1:]),
            alpha=said["alpha"],
            alpha_scope=scope,
            inputs=inputs if scope == "dataset" else 1,
            correction=self._default(radius_map)
            if said["correction"] is None
            else said["correction"],
            budget=budget,
            procedure=said["procedure"],
            radius_map=radius_map,
            floor=said["floor"],
            schedule=schedule,
        )

    def _default(self, radius_map: bool) -> str:
        """The strongest correction that goes with the rest."""
        said = self.values
        if said["looks"] is not None:
            return "kfwer" if said["budget"] else "bonferroni"
        if radius_map or said["procedure"] != "segcertify":
            return "bonferroni"
        return "kfwer-stepdown" if said["budget"] else "holm"


with_rule_options = with_options(OPTIONS, "asked", AskedRule)
