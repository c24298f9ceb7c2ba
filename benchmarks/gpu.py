"""All measurements that need a GPU, in one command: tests, kernel bandwidth, speed, TensorRT.

    python benchmarks/gpu.py [--quick] [--out benchmarks/results]

Writes DATE-gpu.md with the output and exit status of every step. Exits with status 1 if a step
failed, 2 if there is no GPU. Needs the extras `cuda13` (or `cuda12`) and `test`; the speed
benchmark also needs PyTorch with CUDA, and fails with a message without it.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("onnxruntime-gpu", "cupy-cuda12x", "cupy-cuda13x", "tensorrt", "torch", "numpy")
LONGEST = 4 * 3600.0  # time limit of one step, in seconds
SHOWN = 20_000  # last characters of a step's output to keep


@dataclass(frozen=True)
class Step:
    """Command to run at the root of the repository."""

    title: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """Result of a step."""

    step: Step
    status: int
    seconds: float
    printed: str


def steps(out: Path, *, quick: bool) -> list[Step]:
    """Return the steps in their order: tests first, so that faults show before measurements."""
    python = sys.executable
    model, pictures = ROOT / "models/street/model.onnx", ROOT / "models/street/samples/images"
    run = (python, "-m", "onnxcert", "certify", str(model), str(pictures), "--n", "200")
    noise_options = ("--sigma", "0.1", "--seed", "1", "--json")
    speed = (python, "-m", "benchmarks.speed", "--device", "cuda", "--out", str(out))
    return [
        Step("Tests", (python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/gpu")),
        Step(
            "Bandwidth of the kernels",
            (python, "benchmarks/kernel_bandwidth.py", "--require", "0.7"),
        ),
        *(
            Step(f"A run on {device}", (*run, *noise_options, "--device", device, "--out", folder))
            for device, folder in (
                ("cuda", str(out / "street-cuda")),
                ("tensorrt", str(out / "street-tensorrt")),
                ("cpu", str(out / "street-cpu")),
            )
        ),
        Step("Speed", speed if quick else (*speed, "--grid", "full")),
    ]


def run(step: Step) -> Outcome:
    """Run a step and print its output."""
    print(f"== {step.title}: {' '.join(step.command)}", flush=True)
    start = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(
            step.command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LONGEST,
        )
        status, printed = done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        status, printed = 124, (late.stdout or b"").decode(errors="replace")
    print(printed, flush=True)
    return Outcome(step, status, time.monotonic() - start, printed)


def device() -> str:
    """Return name, memory and driver of the GPUs; empty if there is none."""
    query = ("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def page(outcomes: list[Outcome], gpus: str) -> str:
    """Return the results as Markdown."""
    installed = []
    for package in PACKAGES:
        try:
            installed.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    lines = [
        "# Measurements on a GPU",
        "",
        f"{datetime.now(UTC).date().isoformat()}, `python benchmarks/gpu.py`, on {gpus}; Python "
        f"{platform.python_version()}, {', '.join(installed)}.",
        "",
        "| step | ended | seconds |",
        "|---|---|---|",
        *(
            f"| {o.step.title} | {'well' if o.status == 0 else f'with status {o.status}'} "
            f"| {o.seconds:.0f} |"
            for o in outcomes
        ),
    ]
    for outcome in outcomes:
        lines += ["", f"## {outcome.step.title}", "", "```text"]
        lines += [" ".join(outcome.step.command), "", outcome.printed[-SHOWN:].strip(), "```"]
    return "\n".join(lines).replace(sys.executable, "python").replace(str(ROOT), ".") + "\n"


def main() -> int:
    """Run all steps and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--quick", action="store_true", help="small grid for the speed benchmark")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--scratch", type=Path, default=ROOT / "bench-results" / "gpu")
    options = parser.parse_args()
    gpus = device()
    if not gpus:
        print("nvidia-smi finds no GPU; an NVIDIA GPU and driver are needed.", file=sys.stderr)
        return 2
    options.scratch.mkdir(parents=True, exist_ok=True)
    outcomes = []
    date = datetime.now(UTC).date().isoformat()
    options.out.mkdir(parents=True, exist_ok=True)
    for step in steps(options.scratch, quick=options.quick):
        outcomes.append(run(step))
        # Written after every step, so that results survive a failure of the next one.
        text = page(outcomes, gpus.replace("\n", "; "))
        (options.out / f"{date}-gpu.md").write_text(text, encoding="utf-8")
    return int(any(outcome.status for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
