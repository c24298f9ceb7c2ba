"""The statistical settings of a run, fixed before drawing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from onnxcert._typing import Perturbation
from onnxcert.errors import ParameterError
from onnxcert.sampling import Count, LeakCheck
from onnxcert.sampling.backend import NUMPY, Backend
from onnxcert.sampling.draws import Draws
from onnxcert.sampling.leak_check import draws_needed
from onnxcert.sampling.tally import Selection, Tally, passes
from onnxcert.statistics import (
    Family,
    can_certify,
    can_certify_at_a_look,
    check_combination,
    decide,
    min_leak_shares,
    resolve_looks,
    smallest_n,
)
from onnxcert.statistics.baselines import alpha_for_predictions
from onnxcert.statistics.certificate import Certificate
from onnxcert.statistics.rule import Rule
from onnxcert.statistics.stopping import InterimAnalysis, Stopping


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All numbers that a certificate depends on, except for the model and the input.

    Args:
        perturbation: the noise, which also determines the attack ruled out.
        n: draws tested, at least 1; under interim looks the maximum.
        n0: draws the candidate is chosen from, at least 1.
        selection: `pooled` or `split`.
        rule: turns the votes into a certificate.
        stopping: reasons to stop at an interim look.
        leak_check: draws of each input that are run again alone (batch-invariance check); None for
            as many as needed (`onnxcert.sampling.leak_check`), 0 for none.
        preset: name of the preset that chose n, for the record; empty without one.

    Raises:
        ParameterError: a value is out of range, or the values are not compatible.
    """

    perturbation: Perturbation
    n: int = 100
    n0: int = 10
    selection: Selection = "pooled"
    rule: Rule = field(default_factory=Rule)
    stopping: Stopping = field(default_factory=Stopping)
    leak_check: int | None = None
    preset: str = ""

    def __post_init__(self) -> None:
        passes(self.n, self.n0, self.selection)
        if self.leak_check is not None and self.leak_check < 0:
            raise ParameterError(
                f"the leak check must be a number of draws, or off, got {self.leak_check}."
            )
        check_combination(self.rule, self.selection)
        # Check the ranges, with as few components as the budget allows.
        few = self.rule.budget.of(1) + 1
        self.family(few)
        self.looks(few)
        schedule = self.rule.schedule
        if schedule is not None and schedule.n != self.n:
            raise ParameterError(f"the last look must be at n {self.n}, got {schedule.n}.")
        if schedule is None and self.stopping:
            raise ParameterError(
                f"{next(iter(self.stopping.as_dict()))} stops at a look, but the rule has none; "
                "pass --looks auto."
            )
        if self.rule.procedure == "predict" and self.n0 != self.n:
            raise ParameterError(f"predict needs n0 to be n {self.n}, got {self.n0}.")

    def family(self, components: int, law_error: float = 0.0) -> Family:
        """Return the family of hypotheses of an input with this number of components."""
        return Family.of(self.rule, components, self.selection, law_error)

    def looks(self, components: int, law_error: float = 0.0) -> tuple[int, ...]:
        """Return the tested draws at each look of an input; empty without a schedule."""
        if self.rule.schedule is None:
            return ()
        return resolve_looks(self.rule.schedule, self.family(components, law_error), self.n0)

    def count(
        self,
        draws: Draws,
        classes: int,
        components: int,
        backend: Backend = NUMPY,
        law_error: float = 0.0,
    ) -> Count:
        """Return a new, empty count for one input."""
        return Count(
            draws,
            self.n,
            self.n0,
            self.selection,
            classes,
            looks=self.looks(components, law_error),
            second=self.rule.procedure == "predict",
            backend=backend,
            law_error=law_error,
        )

    def leak_check_draws(self, components: int, *, device: bool = False) -> int:
        """Return how many draws of an input are run again alone if they are run in batches.

        On a GPU (`device`) return 0: the checks are then at most a tenth of the passes.
        """
        if device:
            return 0
        if self.leak_check is not None:
            return min(self.leak_check, self.n)
        alpha, shares = self.rule.alpha_per_input, self._min_leak_shares(components)
        return max((min(draws_needed(share, alpha), tested) for tested, share in shares), default=0)

    def _min_leak_shares(self, components: int) -> tuple[tuple[int, float], ...]:
        return min_leak_shares(self.rule, components, self.selection, self.n, self.n0)

    def make_leak_check(
        self, draws: Draws, components: int, *, rows: int, device: bool
    ) -> LeakCheck:
        """Return the batch-invariance check of an input that runs `rows` draws in one pass."""
        if rows == 1:
            return LeakCheck(one_draw=True)
        if self.leak_check == 0:
            return LeakCheck(off=True)
        return LeakCheck.of(
            draws,
            self._min_leak_shares(components),
            self.rule.alpha_per_input,
            extra=self.n0 if self.selection == "split" else 0,
            asked=self.leak_check,
            rows=rows if device else None,
        )

    def interim_analysis(self) -> InterimAnalysis | None:
        """Return the interim analysis of one input; None without looks."""
        return None if self.rule.schedule is None else InterimAnalysis(self.rule, self.stopping)

    def can_certify(self, components: int, law_error: float = 0.0) -> bool:
        """Return whether n draws can certify any of `components` components."""
        if self.rule.procedure == "predict":
            return alpha_for_predictions(self.rule.alpha_per_input, self.n, law_error) > 0.0
        if self.rule.procedure == "indivclass":
            return True
        family = self.family(1 if self.rule.procedure == "jointclass" else components, law_error)
        if self.rule.schedule is not None:
            return can_certify_at_a_look(self.rule, family, self.n0)
        return can_certify(family, self.n)

    def check_feasible(self, components: int, law_error: float = 0.0) -> None:
        """Raise ParameterError if none of `components` components can be certified."""
        if not self.can_certify(components, law_error):
            if self.rule.procedure == "predict":
                raise ParameterError(
                    f"n {self.n} is too large: the law error {law_error:.3g} of each draw takes "
                    f"all of alpha {self.rule.alpha_per_input:.3g}; lower n or raise alpha."
                )
            family = self.family(components, law_error)
            raise ParameterError(
                f"n {self.n} is too small: with {components} components, tau {family.tau:g} and "
                f"alpha {family.alpha:.3g} even a unanimous component could not be certified; "
                f"use --n {smallest_n(family)} or more."
            )

    def decide(self, tally: Tally) -> Certificate:
        """Decide a tally drawn under these settings."""
        return decide(tally, self.rule)

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as JSON values, by the names of the command-line options."""
        return {
            "perturbation": self.perturbation.name,
            **self.perturbation.parameters(),
            "n": self.n,
            "n0": self.n0,
            "selection": self.selection,
            **self.rule.as_dict(),
            **self.stopping.as_dict(),
            **({} if self.leak_check is None else {"leak_check": self.leak_check or "off"}),
            **({"preset": self.preset} if self.preset else {}),
        }
