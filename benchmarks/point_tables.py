"""Tables of the paper for point clouds: non-robust, base and certified, by noise and radius.

    python benchmarks/point_tables.py models/parts/model.onnx SHAPES --nonrobust OTHER.onnx

SHAPES is a folder of point clouds with labels; ``python -m models.parts.write_shapes --out SHAPES
--count 100`` writes held-out ones. Each run is one `onnxcert certify`; its JSON output goes into
two Markdown tables. Runs that are stopped resume.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxcert.perturbation import Gaussian, Rotation
from onnxcert.statistics.guarantee import round_down

TAUS = (0.75, 0.85)


@dataclass(frozen=True)
class Noise:
    """One kind of noise and its options of `onnxcert certify`."""

    name: str
    sigma: float

    @property
    def options(self) -> list[str]:
        return ["--perturbation", self.name, "--sigma", str(self.sigma)]

    @property
    def description(self) -> str:
        what = "coordinates" if self.name == "gaussian" else "rotation"
        return f"{what}, sigma {self.sigma:g}"

    def radius(self, tau: float) -> str:
        """Return the radius as text; for rotations in degrees and with the published one."""
        if self.name == "gaussian":
            return round_down(Gaussian(self.sigma).radius(tau))
        exact, classical = (
            Rotation(self.sigma, 1, form).radius(tau)  # type: ignore[arg-type]
            for form in ("exact", "classical")
        )
        degrees = [round_down(math.degrees(angle)) for angle in (exact, classical)]
        return (
            f"{round_down(exact)} rad, {degrees[0]}° "
            f"(classical {round_down(classical)} rad, {degrees[1]}°)"
        )


NOISES = (
    Noise("gaussian", 0.05),
    Noise("gaussian", 0.25),
    Noise("rotation", 0.125),
    Noise("rotation", 0.25),
)


def main() -> None:
    """Run the missing runs and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("shapes", type=Path)
    parser.add_argument("--nonrobust", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("point-tables"))
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--many", type=int, default=100, help="shapes with early stopping")
    parser.add_argument("--few", type=int, default=20, help="shapes at fixed n")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    early = ["--looks", "auto", "--futility", "0.005"]
    for title, count, more in (
        (f"{options.many} shapes, at most {options.n} draws, stopped early", options.many, early),
        (f"{options.few} shapes, n = {options.n}", options.few, []),
    ):
        print(f"\n{title}\n")
        print("| | certified radius | accuracy | class accuracy | instance IoU | abstained |")
        print("|---|---|---|---|---|---|")
        for noise in NOISES:
            found = _run_certify(options, noise, count, more)
            for line in _table_rows(noise, found):
                print(line, flush=True)


def _run_certify(
    options: argparse.Namespace, noise: Noise, count: int, more: list[str]
) -> dict[str, Any]:
    out = options.out / f"{noise.name}-{noise.sigma:g}-{'early' if more else 'fixed'}"
    command = [
        *(sys.executable, "-m", "onnxcert", "certify", options.model, options.shapes),
        *noise.options,
        *("--tau", ",".join(map(str, TAUS)), "--correction", "bonferroni", "--n", options.n),
        *("--limit", count, "--nonrobust", options.nonrobust, "--threads", options.threads),
        *("--seed", options.seed, "--no-pictures", "--json", "--out", out, *more),
    ]
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _table_rows(noise: Noise, found: dict[str, Any]) -> list[str]:
    seconds = found["seconds"]
    shown = [
        f"| **{noise.description}** ({found['draws']:.0f} draws a shape, "
        f"{seconds['forward'] / found['inputs']:.1f} s a shape in the model) | | | | | |"
    ]
    for key, name in (("nonrobust", "non-robust"), ("noisy", "base")):
        shown.append(f"| {name} | | {_score_cells(found[key])} | |")
    for one in found["taus"]:
        radius = noise.radius(one["tau"])
        shown.append(
            f"| tau {one['tau']:g} | {radius} | {_score_cells(one)} | {one['abstain']:.3f} |"
        )
    return shown


def _score_cells(row: dict[str, Any]) -> str:
    names = ("accuracy", "class_accuracy", "instance_iou")
    return " | ".join("-" if row.get(name) is None else f"{row[name]:.3f}" for name in names)


if __name__ == "__main__":
    main()
