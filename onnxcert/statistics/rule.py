"""The decision rule: the parameters of a certificate, fixed before drawing."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, Literal, Self

from onnxcert.errors import ParameterError

AlphaScope = Literal["input", "dataset"]
MOST_LOOKS: Final = 1000
MOST_DRAWS_AT_LOOKS: Final = 200_000  # beyond, the recursion of the boundaries takes many seconds
MOST_TAUS: Final = 100
# Corrections that test several tau by closed testing; their old records split alpha instead.
STEP_DOWN: Final = ("holm", "kfwer-stepdown")


@dataclass(frozen=True)
class Budget:
    """The number b of certified components that may be wrong, or a share of all components.

    Args:
        text: a whole number such as `4`, or a percentage such as `0.1%`.

    Raises:
        ParameterError: the text is neither, or a share of 100 % or more.

    >>> Budget("0.1%").of(43200), Budget("4").of(43200)
    (43, 4)
    """

    text: str = "0"

    def __post_init__(self) -> None:
        number = re.fullmatch(r"(\d{1,12})(\.\d{1,12})?(%?)", self.text)
        if number is None or (number[2] and not number[3]) or (number[3] and self._share >= 1):
            raise ParameterError(
                f"the budget must be a number of components such as 4, or a share below 100% such "
                f"as 0.1%, got {self.text!r}."
            )

    @property
    def _share(self) -> Fraction:
        return _parse_percent(self.text.removesuffix("%"))

    def of(self, components: int) -> int:
        """Return b for N components: the number itself, or floor(share x N), computed exactly."""
        if self.text.endswith("%"):
            return math.floor(self._share * components)
        return int(self.text)

    def __bool__(self) -> bool:
        return self._share > 0


@lru_cache(maxsize=64)  # every decision needs it
def _parse_percent(text: str) -> Fraction:
    return Fraction(text) / 100


@dataclass(frozen=True)
class Schedule:
    """The interim looks: numbers of draws at which the votes are tested.

    Args:
        n: maximum number of draws; the last look.
        looks: numbers of draws, increasing; None for a geometric schedule up to n.
        spending: a spending function of the level, a name in `onnxcert.statistics.SPENDING`.

    Raises:
        ParameterError: the looks are not increasing or do not end at n.
    """

    n: int
    looks: tuple[int, ...] | None = None
    spending: str = "equal"

    def __post_init__(self) -> None:
        if not 1 <= self.n <= MOST_DRAWS_AT_LOOKS:
            raise ParameterError(
                f"looks need 1 to {MOST_DRAWS_AT_LOOKS} draws, got n {self.n}; lower n or omit "
                "the looks."
            )
        if self.looks is None:
            return
        looks = self.looks
        rising = all(a < b for a, b in pairwise(looks))
        if not looks or not rising or looks[0] < 1 or looks[-1] != self.n:
            raise ParameterError(
                f"looks must be increasing numbers of draws that end at n {self.n}, got "
                f"{_format_values(looks)}."
            )
        if len(looks) > MOST_LOOKS:
            raise ParameterError(f"at most {MOST_LOOKS} looks are allowed, got {len(looks)}.")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """The rule that turns a tally into a certificate.

    Args:
        tau: what P(vote = class) must exceed; in [1/2, 1).
        more_taus: further tau, certified in the same run.
        alpha: probability that the guarantee fails; in (0, 1).
        alpha_scope: alpha is for one `input`, or for the `dataset` of `inputs` inputs together.
        inputs: number of inputs, fixed beforehand; matters for the scope `dataset`.
        correction: multiple-testing procedure, a name in
            `onnxcert.statistics.correction.CORRECTIONS`.
        budget: wrong components tolerated, for k-FWER.
        procedure: a name in `onnxcert.statistics.PROCEDURES`.
        radius_map: certify each component at the largest tau that its votes allow.
        floor: smallest tau of the radius map.
        schedule: interim looks for early stopping; None tests once.
        hindsight: what was chosen after the votes were seen (post hoc) so that the level is void.
        closed_testing: how a step-down correction tests several tau. True: closed testing
            (`onnxcert.statistics.thresholds`). False: alpha / J at each of J tau, as in old
            records without `closed_testing`. Always True where it has no effect.

    Raises:
        ParameterError: a number is out of range.
    """

    tau: float = 0.75
    more_taus: tuple[float, ...] = ()
    alpha: float = 0.001
    alpha_scope: AlphaScope = "input"
    inputs: int = 1
    correction: str = "holm"
    budget: Budget = Budget()
    procedure: str = "segcertify"
    radius_map: bool = False
    floor: float = 0.5
    schedule: Schedule | None = None
    hindsight: tuple[str, ...] = ()
    closed_testing: bool = True

    def __post_init__(self) -> None:
        if not self._step_down_at_several_tau:
            object.__setattr__(self, "closed_testing", True)
        for tau in self.taus:
            check_tau(tau)
        check_tau(self.floor, "the floor of the radius map")
        check_alpha(self.alpha)
        if self.alpha_scope not in ("input", "dataset"):
            raise ParameterError(
                f"the alpha scope must be input or dataset, got {self.alpha_scope!r}."
            )
        if self.inputs < 1:
            raise ParameterError(f"a data set has at least 1 input, got {self.inputs}.")
        if len(set(self.taus)) != len(self.taus) or len(self.taus) > MOST_TAUS:
            raise ParameterError(
                f"several tau must differ, and there may be at most {MOST_TAUS}, got "
                f"{_format_values(self.taus)}."
            )
        if self.radius_map and self.floor > min(self.taus):
            raise ParameterError(
                f"the floor of the radius map must be at most tau, got floor {self.floor:g} and "
                f"tau {min(self.taus):g}; lower the floor."
            )

    @property
    def taus(self) -> tuple[float, ...]:
        """All tau of the rule; label files and figures show the first."""
        return (self.tau, *self.more_taus)

    @property
    def _step_down_at_several_tau(self) -> bool:
        return bool(self.more_taus) and self.correction in STEP_DOWN

    @property
    def alpha_per_input(self) -> float:
        """Level of one input: alpha, or alpha / inputs when the data set shares it."""
        return self.alpha / self.inputs if self.alpha_scope == "dataset" else self.alpha

    def but(self, **changes: Any) -> Self:
        """Return a copy of this rule with some fields changed."""
        return replace(self, **changes)

    def as_dict(self) -> dict[str, Any]:
        """Return the rule as JSON values, by command-line option; omit what does not apply."""
        values: dict[str, Any] = {"tau": self.tau}
        if self.more_taus:
            values["more_taus"] = list(self.more_taus)
        values |= {"alpha": self.alpha, "alpha_scope": self.alpha_scope}
        if self.alpha_scope == "dataset":
            values["alpha_inputs"] = self.inputs
        values["correction"] = self.correction
        if self._step_down_at_several_tau and self.closed_testing:
            values["closed_testing"] = True
        if self.budget:
            values["budget"] = self.budget.text
        if self.procedure != "segcertify":
            values["procedure"] = self.procedure
        if self.radius_map:
            values |= {"radius_map": True, "floor": self.floor}
        if self.schedule is not None:
            looks = self.schedule.looks
            values["n"] = self.schedule.n
            values["looks"] = "auto" if looks is None else list(looks)
            values["spending"] = self.schedule.spending
        if self.hindsight:
            values["hindsight"] = list(self.hindsight)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the rule that `as_dict` wrote.

        Raises:
            ValueError: a value is missing or has the wrong type.
        """
        try:
            schedule = None
            if "looks" in values:
                looks = values["looks"]
                at = None if looks == "auto" else tuple(_as_int(look) for look in _as_list(looks))
                schedule = Schedule(_as_int(values["n"]), at, _as_str(values["spending"]))
            return cls(
                tau=_as_float(values["tau"]),
                more_taus=tuple(_as_float(tau) for tau in _as_list(values.get("more_taus", []))),
                alpha=_as_float(values["alpha"]),
                alpha_scope=values["alpha_scope"],
                inputs=_as_int(values.get("alpha_inputs", 1)),
                correction=_as_str(values["correction"]),
                budget=Budget(_as_str(values.get("budget", "0"))),
                procedure=_as_str(values.get("procedure", "segcertify")),
                radius_map=_as_bool(values.get("radius_map", False)),
                floor=_as_float(values.get("floor", 0.5)),
                schedule=schedule,
                hindsight=tuple(_as_str(name) for name in _as_list(values.get("hindsight", []))),
                closed_testing=_as_bool(values.get("closed_testing", False)),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"the rule of the certificate is incomplete ({error!r})") from None


def check_tau(tau: float, name: str = "tau") -> None:
    """Raise ParameterError unless 1/2 <= tau < 1."""
    if not 0.5 <= tau < 1.0:
        raise ParameterError(
            f"{name} must be at least 0.5 and below 1 (a certified class needs the majority), "
            f"got {tau:.12g}."
        )


def check_alpha(alpha: float) -> None:
    """Raise ParameterError unless 0 < alpha < 1."""
    if not 0.0 < alpha < 1.0:
        raise ParameterError(f"alpha must lie between 0 and 1, both excluded, got {alpha:g}.")


def _as_float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    return float(value)


def _as_int(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is not a whole number")
    return value


def _as_str(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a string")
    return value


def _as_list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is not a list")
    return value


def _as_bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def _format_values(values: tuple[float, ...]) -> str:
    """Return the first few values as text, and their number."""
    few = ", ".join(f"{value:.12g}" for value in values[:12])
    return f"{few}, ... ({len(values)} of them)" if len(values) > 12 else few or "none"
