"""The plan of a run: the votes needed and the cost, before drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from onnxcert._typing import Perturbation
from onnxcert.errors import ParameterError
from onnxcert.planning.pilot import VoteRates
from onnxcert.planning.scheme import Scheme, smallest_useful_n
from onnxcert.sampling.tally import Selection, passes
from onnxcert.statistics import Family, check_combination, resolve_looks
from onnxcert.statistics.rule import Budget, Rule, Schedule

MOST_COMPONENTS: Final = 2**53
MOST_DRAWS: Final = 50
LARGEST_PLANNED: Final = 200_000
_LARGEST_COMPARED: Final = 20_000
_USUAL: Final = (100, 200, 300, 500, 1000)
_LATER: Final = (1, 1.5, 2, 3, 5, 10)
_COMPARED: Final = ("0.1%", "1%")
REQUESTED: Final = "as asked"
LOOKS: Final = "with looks"
FIXED: Final = "fixed n"


@dataclass(frozen=True, kw_only=True)
class PlanRequest:
    """The request of a plan.

    Args:
        components: N of an input.
        rule: the decision rule. With a schedule, its looks are the numbers of draws.
        selection: where the candidate comes from.
        n0: draws the candidate is chosen from.
        draws: numbers of draws to compare; if empty, chosen around the smallest useful one.
        law_error: of one draw, see `onnxcert.sampling.tally.Tally`.

    Raises:
        ParameterError: a number is out of range, or parts of the rule are not compatible.
    """

    components: int
    rule: Rule
    selection: Selection = "pooled"
    n0: int = 10
    draws: tuple[int, ...] = ()
    law_error: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.components <= MOST_COMPONENTS:
            raise ParameterError(
                f"the number of components must be from 1 to {MOST_COMPONENTS}, got "
                f"{self.components}."
            )
        if self.rule.procedure != "segcertify":
            raise ParameterError(f"a plan is for segcertify, got {self.rule.procedure}.")
        check_combination(self.rule, self.selection)
        Family.of(self.rule, self.components, self.selection, self.law_error)
        if len(self.draws) > MOST_DRAWS:
            raise ParameterError(
                f"at most {MOST_DRAWS} numbers of draws can be compared, got {len(self.draws)}."
            )
        schedule = self.rule.schedule
        if schedule is not None:
            _check_draws(schedule.n)  # before its looks are computed
        for n in self.planned:
            passes(n, self.n0, self.selection)
            _check_draws(n)

    @property
    def planned(self) -> tuple[int, ...]:
        """Numbers of draws to compare, increasing."""
        if self.rule.schedule is not None:
            family = Family.of(self.rule, self.components, self.selection, self.law_error)
            return resolve_looks(self.rule.schedule, family, self.n0)
        if self.draws:
            return tuple(sorted(set(self.draws)))
        least = max(
            min(
                smallest_useful_n(self.rule, self.components, self.selection, tau, self.law_error)
                for tau in self.rule.taus
            ),
            self.n0 if self.selection == "pooled" else 1,
        )
        usual = [n for n in _USUAL if n > least]
        later = [min(round(least * factor), LARGEST_PLANNED) for factor in _LATER]
        return tuple(sorted({least, *(usual if len(usual) > 3 else later)}))

    def schemes(self) -> tuple[Scheme, ...]:
        """Return the requested rule, then those it is compared with: budgets and early stopping."""
        rule, draws = self.rule, self.planned
        plain = rule.but(radius_map=False)
        others: dict[str, Rule] = {}
        if rule.schedule is not None:
            # Compare at these looks; the automatic looks of another rule would differ.
            plain = plain.but(schedule=Schedule(draws[-1], draws, rule.schedule.spending))
            others[FIXED] = rule.but(schedule=None)
        elif len(draws) > 1 and draws[-1] <= _LARGEST_COMPARED:
            single = "kfwer" if rule.correction in ("kfwer", "kfwer-stepdown") else "bonferroni"
            schedule = Schedule(draws[-1], draws)
            others[LOOKS] = plain.but(correction=single, schedule=schedule)
        if not rule.budget:
            for text in _COMPARED:
                if Budget(text).of(self.components) >= 1:
                    # The levels of kfwer-stepdown differ from these only in its last steps.
                    name = f"kfwer, budget {text}"
                    others[name] = plain.but(correction="kfwer", budget=Budget(text))
        named = {REQUESTED: rule, **others}
        return tuple(
            Scheme(name, each, self.components, self.selection, self.n0, draws, self.law_error)
            for name, each in named.items()
        )


def _check_draws(n: int) -> None:
    if n > LARGEST_PLANNED:
        raise ParameterError(
            f"a plan is for at most {LARGEST_PLANNED} draws, but {n} are needed; lower tau or "
            "raise alpha."
        )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The plan for a request.

    Args:
        request: the request.
        perturbation: for the radius, if it is known.
        pilot: the vote rates of earlier inputs.
        draws_per_second: noisy passes per second.
        inputs: number of inputs to certify.

    Raises:
        ParameterError: the speed or the number of inputs is not positive.
    """

    request: PlanRequest
    perturbation: Perturbation | None = None
    pilot: Sequence[VoteRates] = ()
    draws_per_second: float | None = None
    inputs: int = 1
    schemes: tuple[Scheme, ...] = field(init=False)

    def __post_init__(self) -> None:
        speed = self.draws_per_second
        if speed is not None and not 0.0 < speed < float("inf"):
            raise ParameterError(f"draws per second must be a number above 0, got {speed:g}.")
        if self.inputs < 1:
            raise ParameterError(f"there must be at least 1 input, got {self.inputs}.")
        object.__setattr__(self, "schemes", self.request.schemes())

    @property
    def taus(self) -> tuple[float, ...]:
        return self.request.rule.taus

    def radius(self, tau: float) -> float | None:
        """Return the size of the attack ruled out at `tau`; None without a perturbation."""
        return None if self.perturbation is None else self.perturbation.radius(tau)

    def passes(self, n: int) -> int:
        """Return the noisy passes for n tested draws."""
        return passes(n, self.request.n0, self.request.selection)

    def seconds(self, n: int) -> float | None:
        """Return the time of one input with n tested draws; None if the speed is unknown."""
        return None if self.draws_per_second is None else self.passes(n) / self.draws_per_second

    def savings(self, place: int) -> list[str]:
        """Describe what each other scheme saves or costs at tau number `place`, in one sentence."""
        requested, *others = self.schemes
        return [text for other in others if (text := _compare_schemes(requested, other, place))]

    def predict(self, scheme: Scheme, place: int) -> tuple[float, ...] | None:
        """Predict the certified share at each number of draws: the mean over the pilot's inputs."""
        shares = scheme.certified(self.pilot, place)
        return tuple(np.mean(shares, axis=0).tolist()) if shares else None


def _compare_schemes(requested: Scheme, other: Scheme, place: int) -> str:
    """Compare `other` with `requested`: smallest useful n, and votes where both certify."""
    first = [scheme.smallest_n(place) for scheme in (requested, other)]
    pairs = zip(requested.votes[place], other.votes[place], requested.draws, strict=True)
    saved = [mine - its for mine, its, n in pairs if max(mine, its) <= n]
    if None in first or not saved:
        return ""
    b = other.rule.budget.of(other.components)
    tolerated = f" ({b} wrong ones tolerated)" if b else ""
    return (
        f"{other.name}{tolerated}: certifies from {first[1]} draws on instead of {first[0]}, "
        f"{_describe_saving(min(saved), max(saved))}."
    )


def _describe_saving(low: int, high: int) -> str:
    """Describe a saving of `low` to `high` votes; negative numbers are a cost."""
    if low == high == 0:
        return "with the same votes"
    if high <= 0:
        return f"with {_describe_votes(-high, -low)} more"
    if low >= 0:
        return f"with {_describe_votes(low, high)} fewer"
    return f"with from {_describe_votes(-low, -low)} more to {_describe_votes(high, high)} fewer"


def _describe_votes(low: int, high: int) -> str:
    if low == high:
        return f"{low} vote{'' if low == 1 else 's'}"
    return f"{low} to {high} votes"
