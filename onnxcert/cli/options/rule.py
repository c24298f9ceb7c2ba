"""Options of the certification rule, shared by the commands that decide certificates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from onnxcert.cli.options.base import GUARANTEE, STOPPING, option
from onnxcert.cli.options.names import CORRECTIONS, PROCEDURES, SPENDING
from onnxcert.cli.options.parsing import Numbers, parse_looks, parse_numbers
from onnxcert.errors import ParameterError

if TYPE_CHECKING:
    from onnxcert.statistics.rule import Rule


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
        from onnxcert.statistics.rule import Budget, Rule, Schedule

        radius_map = self.radius_map or (
            whole
            and self.looks is None
            and self.procedure == "segcertify"
            and self.correction in (None, "bonferroni")
            and not self.budget
            and len(self.tau or ()) < 2
        )
        taus = self.tau or ((self.floor if whole and radius_map else 0.75),)
        schedule = None
        if self.looks is not None:
            at = None if self.looks == "auto" else tuple(sorted({*self.looks, n}))
            if at is not None and at[-1] > n:
                raise ParameterError(f"--looks ends at {at[-1]} draws, but --n is {n}; raise --n.")
            schedule = Schedule(n, at, self.spending)
        correction = self.correction
        return Rule(
            tau=taus[0],
            more_taus=taus[1:],
            alpha=self.alpha,
            alpha_scope=self.alpha_scope,  # type: ignore[arg-type]
            inputs=inputs if self.alpha_scope == "dataset" else 1,
            correction=self._default_correction(radius_map) if correction is None else correction,
            budget=Budget() if self.budget is None else Budget(self.budget),
            procedure=self.procedure,
            radius_map=radius_map,
            floor=self.floor,
            schedule=schedule,
        )

    def _default_correction(self, radius_map: bool) -> str:
        """Return the most powerful correction that can be combined with the other options."""
        if self.looks is not None:
            return "kfwer" if self.budget else "bonferroni"
        if radius_map or self.procedure != "segcertify":
            return "bonferroni"
        return "kfwer-stepdown" if self.budget else "holm"
