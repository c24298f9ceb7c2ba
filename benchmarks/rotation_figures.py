"""Draw the figures of docs/rotation.md.

    python benchmarks/rotation_figures.py

Writes docs/rotation/disc.png and docs/rotation/radius.png.
"""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from onnxcert.perturbation import Rotation
from onnxcert.perturbation.angle_law import angle_density, density
from onnxcert.perturbation.turning import exponential
from onnxcert.simulation.experiments import BLUE, GREEN, ORANGE, PURPLE, YELLOW

FOLDER = Path(__file__).parents[1] / "docs" / "rotation"
COLOURS = dict(
    zip((0.125, 0.25, 0.5, 0.75, 1.0), (BLUE, GREEN, YELLOW, ORANGE, PURPLE), strict=True)
)
SIGMA, TAU = 0.6, 0.8


def draw_disc(axes: Axes) -> None:
    """Draw the worst set for one attack, in the disc in which Haar measure is area."""
    s = Rotation(SIGMA).radius(TAU)
    grid = np.linspace(-1, 1, 1201)
    x, y = np.meshgrid(grid, grid)
    inside = x * x + y * y <= 1
    q = x * math.cos(s / 2) + y * math.sin(s / 2)
    a, b = (2 * np.arccos(np.clip(np.abs(c), 0, 1 - 1e-9)) for c in (x, q))
    h_a, h_b = density(a, SIGMA), density(b, SIGMA)
    weight, ratio = np.where(inside, h_a, 0).ravel(), np.where(inside, h_b / h_a, np.inf)
    order = np.argsort(ratio.ravel())
    mass = np.cumsum(weight[order]) / weight.sum()
    limit = ratio.ravel()[order][np.searchsorted(mass, TAU)]
    share = np.where(inside, ratio <= limit, np.nan)
    axes.contourf(grid, grid, np.where(inside, share, 0), levels=[0.5, 1.5], colors=["#cfe6f5"])
    levels = [density(np.array([t * SIGMA]), SIGMA)[0] for t in (3.0, 2.0, 1.0)]
    axes.contour(grid, grid, np.where(inside, h_a, np.nan), levels=levels, colors=BLUE)
    axes.contour(
        grid, grid, np.where(inside, h_b, np.nan), levels=levels, colors=ORANGE, linestyles="--"
    )
    axes.add_patch(plt.Circle((0, 0), 1, fill=False, color="black", lw=1.2))
    for angle, name, colour in ((0.0, "e", BLUE), (s / 2, "S", ORANGE)):
        end = (math.cos(angle), math.sin(angle))
        axes.annotate("", end, (0, 0), arrowprops={"arrowstyle": "->", "color": colour, "lw": 1.8})
        axes.text(
            1.07 * end[0], 1.07 * end[1], name, color=colour, ha="center", va="center", size=12
        )
    axes.text(0.36, 0.055, "s/2", size=10)
    axes.text(0.42, -0.52, "worst set A\nP(A) = τ", ha="center", size=10)
    axes.set(aspect="equal", xlim=(-1.12, 1.2), ylim=(-1.06, 1.06))
    axes.axis("off")
    axes.set_title(
        f"SO(3) seen as a disc, area = Haar measure\n(σ = {SIGMA}, τ = {TAU}, s = R)", size=10
    )


def draw_law(axes: Axes) -> None:
    """Draw the density of the angle of Q for several sigma, and of a uniform rotation."""
    a = np.linspace(1e-6, math.pi, 500)
    for sigma, colour in COLOURS.items():
        axes.plot(a, angle_density(a, sigma), color=colour, label=f"σ = {sigma:g}", lw=1.8)
    axes.plot(a, (1 - np.cos(a)) / math.pi, "k--", label="Haar (uniform)", lw=1.2)
    axes.set(xlabel="angle of Q (radians)", ylabel="density", xlim=(0, math.pi), ylim=(0, 5))
    axes.legend(frameon=False, fontsize=9)
    axes.set_title("The angle of Q: Maxwell, folded into [0, π]", size=10)


def draw_axes(axes: Axes) -> None:
    """Draw the distribution of the axis: uniform in height for exp([v]x), not for Euler angles."""
    sigma, count = 1.0, 400_000
    rng = np.random.default_rng(1)
    v = sigma * rng.standard_normal((count, 3))
    single = [exponential(v[:, i, None] * np.eye(3)[i]) for i in range(3)]
    for q, name, colour in (
        (exponential(v), "exp([v]×)", BLUE),
        (single[2] @ single[1] @ single[0], "Euler angles", ORANGE),
    ):
        n = (q - np.swapaxes(q, 1, 2))[:, (2, 0, 1), (1, 2, 0)]
        towards = n @ np.array([1, -1, 1]) / math.sqrt(3) / np.linalg.norm(n, axis=1)
        counts, edges = np.histogram(towards, 60, (-1, 1), density=True)
        axes.stairs(counts, edges, baseline=None, color=colour, label=name, lw=1.8)
    axes.set(xlabel="axis · (1, −1, 1)/√3", ylabel="density", ylim=(0, None), xlim=(-1, 1))
    axes.set_xticks([-1, -0.5, 0, 0.5, 1])
    axes.legend(frameon=False, fontsize=9, loc="lower center")
    axes.set_title("The axis of Q (σ = 1): uniform, or not", size=10)


def draw_radius(figure: Figure) -> None:
    """Draw the radius and its gain over sigma * Phi^-1(tau), against tau."""
    left, right = figure.subplots(1, 2)
    taus = np.linspace(0.505, 0.995, 99)
    for sigma, colour in COLOURS.items():
        exact = np.array([Rotation(sigma).radius(float(t)) for t in taus])
        classical = np.array([Rotation(sigma, form="classical").radius(float(t)) for t in taus])
        left.plot(taus, np.degrees(exact), color=colour, lw=1.8, label=f"σ = {sigma:g}")
        left.plot(taus, np.degrees(classical), ":", color=colour, lw=1.4)
        short = exact < math.pi
        right.plot(taus[short], (exact / classical - 1)[short], color=colour, lw=1.8)
    left.plot([], [], ":", color="0.4", label="σ Φ⁻¹(τ)")
    left.axhline(180, color="black", lw=0.8)
    left.text(0.51, 172, "every rotation", va="top", size=9)
    left.set(xlabel="τ", ylabel="certified angle (degrees)", ylim=(0, 188), xlim=(0.5, 1))
    left.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(0.02, 0.6))
    right.set(xlabel="τ", ylabel="gain over σ Φ⁻¹(τ)", yscale="log", xlim=(0.5, 1), ylim=(1e-3, 2))
    right.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")


def main() -> None:
    """Write both figures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    figure, panels = plt.subplots(1, 3, figsize=(12.5, 4.5))
    for panel, draw in zip(panels, (draw_disc, draw_law, draw_axes), strict=True):
        draw(panel)
    figure.tight_layout()
    figure.savefig(FOLDER / "disc.png", dpi=110)
    figure = plt.figure(figsize=(10.0, 4.2))
    draw_radius(figure)
    figure.tight_layout()
    figure.savefig(FOLDER / "radius.png", dpi=110)


if __name__ == "__main__":
    main()
