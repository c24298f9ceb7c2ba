"""Overhead of certifying a point cloud over the model alone: noise, votes, decision.

    python benchmarks/point_overhead.py models/parts/model.onnx SHAPE.npz

Alternates on one thread between bare passes of the model over prepared noisy batches, and a
certificate by onnxcert with as many passes; the overhead is the median of the ratios. Also measures
noise alone, and the peak memory of two processes that differ in n.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from onnxcert import OnnxSegmenter, Rule
from onnxcert._typing import FloatArray, Perturbation
from onnxcert.data.points import read_cloud
from onnxcert.perturbation import Gaussian, OnChannels, Rotation
from onnxcert.sampling import sample
from onnxcert.sampling.draws import Draws, digest
from onnxcert.statistics.settings import Settings


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("shape", type=Path)
    parser.add_argument("--n", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peak", action="store_true", help="certify once and print peak memory")
    options = parser.parse_args()
    segmenter = OnnxSegmenter.open(options.model, threads=1)
    cloud = segmenter.entry.preprocess(read_cloud(options.shape))
    x = segmenter.to_array(cloud)
    vectors = 2 if len(x) >= 6 else 1
    noises = (OnChannels(Gaussian(0.05), 0, 3), Rotation(0.125, vectors))
    segmenter(x[None])
    if options.peak:
        _time_certificate(segmenter, x, noises[1], options.n, 50)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
        return
    print("| noise | batch | noise alone, us a draw | model, ms a draw | overhead |")
    print("|---|---|---|---|---|")
    for noise in noises:
        for batch in (8, 16, 50):
            ratios, passes = [], []
            for _ in range(options.rounds):
                bare = _time_model(segmenter, x, noise, options.n, batch)
                ratios.append(_time_certificate(segmenter, x, noise, options.n, batch) / bare)
                passes.append(bare / options.n)
            alone = _time_noise(x, noise, batch)
            print(
                f"| {noise.name} | {batch} | {1e6 * alone:.0f} | {1e3 * np.median(passes):.2f} | "
                f"{100 * (np.median(ratios) - 1):+.1f} % |",
                flush=True,
            )
    for n in (100, 10_000):
        command = [sys.executable, __file__, options.model, options.shape, "--peak", "--n", n]
        peak = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
        print(f"\npeak memory at n = {n}: {peak.stdout.strip()} MiB", flush=True)


def _time_model(
    segmenter: OnnxSegmenter, x: FloatArray, noise: Perturbation, n: int, batch: int
) -> float:
    """Return the seconds of n passes of the model alone."""
    noisy = np.empty((batch, *x.shape), dtype=np.float32)
    Draws(noise, 0, digest(x)).write(x, range(batch), noisy)
    segmenter(noisy)
    start = time.perf_counter()
    for _ in range(n // batch):
        segmenter(noisy)
    return (time.perf_counter() - start) * n / (n // batch * batch)


def _time_certificate(
    segmenter: OnnxSegmenter, x: FloatArray, noise: Perturbation, n: int, batch: int
) -> float:
    """Return the seconds of a certificate from its first draw to the decision."""
    settings = Settings(perturbation=noise, n=n, rule=Rule())
    start = time.perf_counter()
    draws = Draws(noise, 1, digest(x))
    count = settings.count(draws, segmenter.classes, x.shape[1])
    settings.decide(sample(segmenter, x, count, batch_size=batch))
    return time.perf_counter() - start


def _time_noise(x: FloatArray, noise: Perturbation, batch: int, rounds: int = 10) -> float:
    """Return the seconds per draw of the noise alone."""
    noisy = np.empty((batch, *x.shape), dtype=np.float32)
    draws = Draws(noise, 2, digest(x))
    start = time.perf_counter()
    for i in range(rounds):
        draws.write(x, range(i * batch, (i + 1) * batch), noisy)
    return (time.perf_counter() - start) / (rounds * batch)


if __name__ == "__main__":
    main()
