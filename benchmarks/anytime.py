"""Cost of an anytime-valid mode: draws until a component is certified.

    python benchmarks/anytime.py

Compares at level alpha / N, all with pooled selection: one test at a fixed n; ten interim looks up
to n = 1000 (and fourteen up to 4000) with boundaries by exact recursion; mixture e-processes, which
need no schedule; a schedule of looks without an end, which is anytime-valid, too. All numbers are
exact (recursion over the path of the votes), not simulated. All methods spend for the vote
probabilities tau and 1 - tau together (docs/statistics.md, Lemma 4, which needs no last look).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.stats import beta, binom

from onnxcert.statistics import boundaries
from onnxcert.statistics.pvalues import p_values

Array = NDArray[np.float64]
TAU, ALPHA = 0.75, 1e-3
RATES = (0.8, 0.85, 0.9, 0.95, 0.99, 1.0)
HORIZON = 7000
MANY = 1000  # the last draw that matters for the mixture of vote rates
# Measured: n -> certified share of three photographs, N = 43200, one test at n draws.
MEASURED = {100: 0.684, 170: 0.737, 230: 0.758, 300: 0.773, 1000: 0.812}
LOOKS = (80, 100, 130, 170, 230, 300, 400, 550, 750, 1000)
MORE_LOOKS = (*LOOKS, 1400, 2000, 2800, 4000)
# Share of the level that an e-process leaves to classes of probability 1 - tau.
OTHERS = 1e-4
FINE_LOOKS = tuple(sorted({*np.rint(np.geomspace(66, 1000, 50)).astype(int).tolist(), *LOOKS}))


@dataclass(frozen=True)
class Mixture:
    """Mixing distribution of the vote probability over (tau, 1], as points with weights."""

    name: str
    points: Array
    weights: Array

    def boundary(self, level: float, horizon: int) -> Array:
        """Return the smallest hits at which the wealth reaches 1 / level, for n = 0 .. horizon.

        The wealth sum_j w_j (p_j / tau)^x ((1 - p_j) / (1 - tau))^(n - x) is a martingale under
        tau, so the probability that it ever reaches 1 / u is at most u (Ville). Let C(p) be the
        probability that a class of vote probability p ever crosses. Pooled selection must spend
        for C(tau) + C(1 - tau). C is convex up to tau if every boundary b_n has tau <= g(b_n, n).
        A path that crosses at x of n is ((1 - tau) / tau)^(2x - n) times as likely under 1 - tau,
        so C(1 - tau) is at most that factor at the smallest 2 b_n - n, times C(tau): `OTHERS` is
        reserved for it. The wealth and g increase with x, so one more draw raises the boundary by
        0 or 1.

        Raises:
            ValueError: the level is so large that OTHERS is not enough.
        """
        with np.errstate(divide="ignore"):
            hit, miss = np.log(self.points / TAU), np.log((1.0 - self.points) / (1.0 - TAU))
            weight = np.log(self.weights)
        needed, bound = -np.log((1.0 - OTHERS) * level), 0
        found = np.full(horizon + 1, horizon + 1.0)
        for n in range(1, horizon + 1):
            while bound <= n and not (
                convex_up_to(bound, n) >= TAU
                and _log_sum(weight + bound * hit + _times(n - bound, miss)) >= needed
            ):
                bound += 1
            found[n] = bound
            bound = min(bound, n)  # n hits of n may not be enough yet
        draws = np.arange(horizon + 1)
        ahead = np.min((2 * found - draws)[found <= draws], initial=np.inf)
        if ((1.0 - TAU) / TAU) ** ahead > OTHERS:
            raise ValueError(f"the level {level:g} is too large for OTHERS")
        return found


def convex_up_to(hits: int, n: int) -> float:
    """Return g(x, n), up to which p^x (1 - p)^(n - x) is convex in p; 0 unless x > n / 2."""
    if 2 * hits <= n:
        return 0.0
    return float(hits - np.sqrt(hits * (n - hits) / max(n - 1, 1))) / n


def _log_sum(logs: Array) -> float:
    most = float(logs.max())
    if most == -np.inf:
        return most
    return most + float(np.log(np.exp(logs - most).sum()))


def _times(count: int, logs: Array) -> Array:
    return count * logs if count else np.zeros_like(logs)


def spread(name: str, a: float, b: float, sure: float = 0.0) -> Mixture:
    """Return Beta(a, b) truncated to (tau, 1], at 400 quantiles, with a point mass `sure` at 1."""
    at = beta.isf((np.arange(400) + 0.5) / 400 * beta.sf(TAU, a, b), a, b)
    points = np.append(np.clip(at, TAU + 1e-9, 1 - 1e-12), 1.0)
    return Mixture(name, points, np.append(np.full(400, (1 - sure) / 400), max(sure, 1e-300)))


def near_tau(name: str, sure: float) -> Mixture:
    """Return p - tau log-uniform from 0.01 to 1 - tau, with a point mass `sure` at p = 1."""
    points = np.append(TAU + np.geomspace(0.01, 0.249, 60), 1.0)
    return Mixture(name, points, np.append(np.full(60, (1 - sure) / 60), sure))


def single(p: float) -> Mixture:
    """Return the mixture of the e-process that grows fastest at rate p, which must be known."""
    return Mixture(f"point at {p:g}", np.array([p]), np.ones(1))


def crossing(bounds: Array, rates: Array, horizon: int) -> Array:
    """Return P(the hits reach the boundary by draw n) for n = 0 .. horizon; [horizon + 1, P]."""
    width = horizon + 2
    alive = np.zeros((len(rates), width))
    alive[:, 0] = 1.0
    done = np.zeros((horizon + 1, len(rates)))
    low = 0  # counts below this have negligible probability and are left out
    top = 0
    for n in range(1, horizon + 1):
        part = alive[:, low : top + 2]
        hit = part[:, :-1] * rates[:, None]
        part[:, :-1] -= hit
        part[:, 1:] += hit
        top += 1
        bound = int(bounds[n])
        done[n] = done[n - 1]
        if bound <= top:
            done[n] += alive[:, bound : top + 1].sum(axis=1)
            alive[:, bound : top + 1] = 0.0
            top = bound - 1
        if n % 50 == 0:
            while low < top and alive[:, low].max() < 1e-14:
                low += 1
    return done


def at_looks(looks: tuple[int, ...], spending: str, level: float, horizon: int) -> Array:
    """Return the boundary of a schedule of looks, for n = 0 .. horizon."""
    found = np.full(horizon + 1, horizon + 1.0)
    at = [look for look in looks if look <= horizon]
    found[at] = boundaries(looks, [TAU], level, "pooled", spending)[0][: len(at)]
    return found


def endless(level: float, horizon: int) -> Array:
    """Return the boundary of an endless schedule of looks, for n = 0 .. horizon.

    The looks start at 80, each 1.33 times the one before; the j-th spends 1 / (j (j + 1)) of the
    level. This is anytime-valid at the looks and needs no last one.
    """
    looks: list[int] = [80]
    while looks[-1] * 1.33 <= horizon:
        looks.append(round(looks[-1] * 1.33))
    found = np.full(horizon + 1, horizon + 1.0)
    laws = (TAU, 1.0 - TAU)
    alive, before, spent = [np.ones(1), np.ones(1)], 0, 0.0
    for j, look in enumerate(looks, start=1):
        drawn = np.arange(look - before + 1)
        alive = [
            np.convolve(mass, binom.pmf(drawn, look - before, p))
            for mass, p in zip(alive, laws, strict=True)
        ]
        tail = sum(np.cumsum(mass[::-1])[::-1] for mass in alive) * (1 + 1e-9)
        allowed = tail <= level * (1 - 1 / (j + 1)) - spent
        allowed &= np.array([convex_up_to(hits, look) for hits in range(len(tail))]) >= TAU
        if allowed.any():
            found[look] = first = int(np.argmax(allowed))
            spent += float(tail[first])
            alive = [mass[:first] for mass in alive]
        before = look
    return found


def fixed(level: float, rates: Array, horizon: int) -> Array:
    """Return P(certified by one test at n) for n = 0 .. horizon; [horizon + 1, P]."""
    share = np.zeros((horizon + 1, len(rates)))
    x = 1
    for n in range(1, horizon + 1):
        # The threshold rises by 0 or 1 (by more only where it first becomes possible).
        while x <= n and (x - 1 < TAU * (n - 1) or _pooled(x, n) > level):
            x += 1
        if x <= n:
            share[n] = binom.sf(x - 1, n, rates)
        x = min(x, n)
    return share


def _pooled(x: int, n: int) -> float:
    return float(binom.sf(x - 1, n, TAU) + binom.sf(x - 1, n, 1 - TAU)) * (1 + 1e-11)


def first(share: Array, wanted: float) -> float:
    """Return the first draw with the wanted share; NaN if there is none."""
    reached = np.maximum.accumulate(share) >= wanted - 1e-12
    return float(np.argmax(reached)) if reached.any() else float("nan")


def mean(done: Array) -> float:
    """Return the mean draws until certified; NaN unless nearly all are certified by the horizon."""
    return float(np.sum(1.0 - done[:-1])) if done[-1] > 1 - 1e-4 else float("nan")


def photographs() -> tuple[Array, Array]:
    """Fit vote rates and weights to MEASURED: a Beta distribution and a point mass at 1."""
    rates = np.append((np.arange(150) + 0.5) / 150, 1.0)
    level = ALPHA / 43200
    needs = {n: int(np.argmax(p_values(n, TAU, "pooled") <= level)) for n in MEASURED}
    sure = {n: binom.sf(x - 1, n, rates) for n, x in needs.items()}

    def weights(theta: Array) -> Array:
        mass, a, b = 1 / (1 + np.exp(-theta[0])), np.exp(theta[1]), np.exp(theta[2])
        edges = beta.cdf(np.arange(151) / 150, a, b)
        return np.append((1 - mass) * np.diff(edges), mass)

    def off(theta: Array) -> Array:
        w = weights(theta)
        return np.array([w @ sure[n] - share for n, share in MEASURED.items()])

    best = least_squares(off, [0.0, 0.5, -0.5])
    return rates, weights(best.x)


def modes(level: float, horizon: int) -> dict[str, Array]:
    """Return the boundaries of all compared methods, for n = 0 .. horizon."""
    mixtures = [
        spread("uniform", 1.0, 1.0),
        spread("Beta(1/2, 1/2)", 0.5, 0.5),
        spread("uniform, half of it at 1", 1.0, 1.0, 0.5),
        near_tau("log-uniform above tau", 0.1),
        spread("Beta(8, 1.2), 1/10 at 1", 8.0, 1.2, 0.1),
        PHOTOGRAPHS,
    ]
    found = {f"e-process, {m.name}": m.boundary(level, horizon) for m in mixtures}
    found["e-process, rate known"] = np.empty(0)
    for spending in ("equal", "pocock", "obrien-fleming"):
        found[f"10 looks to 1000, {spending}"] = at_looks(LOOKS, spending, level, horizon)
    fine = f"{len(FINE_LOOKS)} looks to 1000, equal"
    found[fine] = at_looks(FINE_LOOKS, "equal", level, horizon)
    found["14 looks to 4000, equal"] = at_looks(MORE_LOOKS, "equal", level, horizon)
    found["looks without an end"] = endless(level, horizon)
    return found


def _photographs_above_tau() -> Mixture:
    rates, weights = photographs()
    above = rates > TAU
    return Mixture("rates of the photographs", rates[above], weights[above] / weights[above].sum())


PHOTOGRAPHS = _photographs_above_tau()


def rows_for_rates(components: int) -> list[str]:
    """Return the table of median and mean draws until certified, by vote rate."""
    level, rates = ALPHA / components, np.array(RATES)
    one = fixed(level, rates, HORIZON)
    base = [first(one[:, j], 0.5) for j in range(len(RATES))]
    out = [
        f"\nN = {components}: median draws until certified (and more than one test at a fixed n "
        "needs), mean\n",
        "| mode | " + " | ".join(f"p = {p:g}" for p in RATES) + " |",
        "|---" * (1 + len(RATES)) + "|",
        "| one test at n | " + " | ".join(f"{n:.0f}" for n in base) + " |",
    ]
    for name, bounds in modes(level, HORIZON).items():
        cells = []
        known = "known" in name
        for j, p in enumerate(RATES):
            at = single(p).boundary(level, HORIZON) if known else bounds
            done = crossing(at, rates[j : j + 1], HORIZON)[:, 0]
            median = first(done, 0.5)
            if np.isnan(median):
                cells.append("-")
                continue
            average = mean(done)
            tail = "" if np.isnan(average) else f", {average:.0f}"
            cells.append(f"{median:.0f} (+{100 * (median / base[j] - 1):.0f} %){tail}")
        out.append(f"| {name} | " + " | ".join(cells) + " |")
    return out


def rows_for_photographs() -> list[str]:
    """Return the tables of the certified share of the photographs against draws."""
    components = 43200
    level = ALPHA / components
    rates, weights = photographs()
    one = fixed(level, rates, MANY) @ weights
    out = [
        f"\nPhotographs, N = {components}: certified share at n draws; one test measured "
        + ", ".join(f"{share:g} at {n}" for n, share in MEASURED.items())
        + "\n",
        "| mode | " + " | ".join(str(n) for n in LOOKS) + " |",
        "|---" * (1 + len(LOOKS)) + "|",
        "| one test at n | " + " | ".join(f"{one[n]:.3f}" for n in LOOKS) + " |",
    ]
    shares = {
        name: crossing(bounds, rates, MANY) @ weights
        for name, bounds in modes(level, MANY).items()
        if len(bounds)
    }
    for name, share in shares.items():
        out.append(f"| {name} | " + " | ".join(f"{share[n]:.3f}" for n in LOOKS) + " |")
    wanted = [float(one[n]) for n in (100, 170, 230, 300, 400, 550)]
    out += [
        "\nDraws until the share that one test has at so many draws (and more than it needs)\n",
        "| mode | 100 | 170 | 230 | 300 | 400 | 550 |",
        "|---" * 7 + "|",
    ]
    for name, share in shares.items():
        if "looks" in name:  # known at its looks only; see the next table
            continue
        cells = [first(share, s) for s in wanted]
        base = [first(one, s) for s in wanted]
        out.append(
            f"| {name} | "
            + " | ".join(
                f"{c:.0f} (+{100 * (c / b - 1):.0f} %)" for c, b in zip(cells, base, strict=True)
            )
            + " |"
        )
    looks = shares["10 looks to 1000, equal"]
    out += [
        "\nDraws until the share that ten looks (equal) have at a look (and more than the look)\n",
        "| mode | " + " | ".join(str(n) for n in LOOKS[1:-1]) + " |",
        "|---" * (len(LOOKS) - 1) + "|",
    ]
    for name, share in {"one test at n": one, **shares}.items():
        if name.startswith(("10 looks", "14 looks", "looks without")):
            continue
        cells = [first(share, float(looks[n])) for n in LOOKS[1:-1]]
        out.append(
            f"| {name} | "
            + " | ".join(
                f"{c:.0f} ({100 * (c / n - 1):+.0f} %)"
                for c, n in zip(cells, LOOKS[1:-1], strict=True)
            )
            + " |"
        )
    return out


def main() -> None:
    """Compute and print all tables."""
    for components in (43200, 1_000_000):
        print("\n".join(rows_for_rates(components)))
    print("\n".join(rows_for_photographs()))
    # The share of its level that an e-process really spends; the rest is lost to overshoot.
    level = ALPHA / 43200
    spent = crossing(PHOTOGRAPHS.boundary(level, HORIZON), np.array([TAU]), HORIZON)[-1, 0]
    share = spent / level
    print(
        f"\nThe e-process of the photographs' rates spends {share:.2f} of its level by {HORIZON}."
    )


if __name__ == "__main__":
    main()
