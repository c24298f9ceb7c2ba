"""Compared programs: bare passes, onnxcert, and the reference design. All do `n` passes.

The reference design is the published algorithm (Fischer, Baader, Vechev 2021, Algorithm 3) as a
user would write it today: noise from PyTorch, independent for every sample, all labels kept, one
binomial test of SciPy per component in a loop, Holm's correction from statsmodels. The first n0 of
its n passes select the candidate and the others are tested; as published, n0 passes would be added.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from .cells import Cell

SIGMA, TAU, ALPHA, N0 = 0.25, 0.75, 0.001, 10
TESTED = 4000  # largest number of components on which the reference's test loop is timed
ENOUGH = 20.0  # seconds after which further passes of the reference are extrapolated
Parts = dict[str, float]


def example_image(cell: Cell) -> Any:
    """Return the input, equal for all programs; float32 [3, H, W] in [0, 1]."""
    rng = np.random.default_rng(1)
    return rng.random((3, cell.height, cell.width), dtype=np.float32)


class Contender(ABC):
    """Compared program; loads everything it needs in its constructor."""

    @abstractmethod
    def __init__(self, cell: Cell, model: Path) -> None: ...

    @abstractmethod
    def run(self) -> Parts:
        """Return the seconds of one input, by part."""


class Network(Contender):
    """ONNX Runtime on the exported model, pass after pass: pixels in, scores out, no votes."""

    bound: dict[int, Any]  # batch size -> images on the GPU

    def __init__(self, cell: Cell, model: Path) -> None:
        import onnx

        from onnxcert.model.runtime.session import open_session

        session = open_session(onnx.load(model), device=cell.device, threads=cell.threads)
        self.cell, self.runtime, self.at_once = cell, session.runtime, 1
        self.outputs = [self.runtime.get_outputs()[0].name]
        self.batch, self.bound = np.stack([example_image(cell)] * cell.batch), {}
        self.step(cell.batch)

    def step(self, rows: int) -> None:
        """Run one pass."""
        name = self.runtime.get_inputs()[0].name
        if self.cell.device == "cpu":
            self.runtime.run(self.outputs, {name: self.batch[:rows]})
            return
        from onnxcert.model.runtime.passes import onnxruntime

        if rows not in self.bound:  # copied to the GPU once, because onnxcert draws noise there
            self.bound[rows] = onnxruntime.OrtValue.ortvalue_from_numpy(
                self.batch[:rows], "cuda", 0
            )
        binding = self.runtime.io_binding()
        binding.bind_ortvalue_input(name, self.bound[rows])
        for output in self.outputs:
            binding.bind_output(output, "cuda")
        self.runtime.run_with_iobinding(binding)
        binding.synchronize_outputs()

    def run(self) -> Parts:
        start = time.perf_counter()
        if self.at_once == 1:
            for rows in self.cell.passes():
                self.step(rows)
        else:
            with ThreadPoolExecutor(self.at_once) as threads:
                list(threads.map(self.step, self.cell.passes()))
        return {"passes": time.perf_counter() - start}


class Labels(Network):
    """ONNX Runtime on the same graph as onnxcert, with as many passes at once; labels out."""

    def __init__(self, cell: Cell, model: Path) -> None:
        from onnxcert import OnnxSegmenter
        from onnxcert.model.network.surgery import LABELS

        segmenter = OnnxSegmenter.open(model, device=cell.device, threads=cell.threads)
        self.cell, self.bound = cell, {}
        self.batch = np.stack([example_image(cell)] * cell.batch)
        segmenter(self.batch)
        self.runtime, self.outputs = segmenter.session.runtime, [LABELS]
        self.at_once = segmenter.at_once
        self.step(cell.batch)


class Onnxcert(Contender):
    """Certificate by onnxcert: draws, passes, votes, decision."""

    def __init__(self, cell: Cell, model: Path) -> None:
        from onnxcert import Gaussian, OnnxSegmenter
        from onnxcert.model.tuning.batch_invariance import check_batch_invariance
        from onnxcert.statistics.rule import Rule
        from onnxcert.statistics.settings import Settings

        rule = Rule(tau=TAU, alpha=ALPHA)
        self.cell, self.x = cell, example_image(cell)
        self.settings = Settings(perturbation=Gaussian(SIGMA), n=cell.n, n0=N0, rule=rule)
        self.segmenter = OnnxSegmenter.open(model, device=cell.device, threads=cell.threads)
        self.segmenter(self.x[None])
        draws = self.draws()
        _, warning = check_batch_invariance(self.segmenter, self.x, draws, batch_size=cell.batch)
        if warning:
            raise AssertionError(warning)

    def draws(self) -> Any:
        from onnxcert.sampling.draws import Draws, digest

        perturbation, backend = self.settings.perturbation, self.segmenter.backend
        return Draws(perturbation, 0, digest(self.x), backend.generator)

    def run(self) -> Parts:
        from onnxcert.sampling import sample

        start, cpu = time.perf_counter(), time.process_time()
        draws = self.draws()
        count = self.settings.count(
            draws, self.cell.classes, self.cell.components, self.segmenter.backend
        )
        tally = sample(self.segmenter, self.x, count, batch_size=self.cell.batch)
        counted, cpu = time.perf_counter(), time.process_time() - cpu
        self.settings.decide(tally)
        decision = time.perf_counter() - counted
        return {"passes": counted - start, "passes_cpu": cpu, "decision": decision}


class Reference(Contender):
    """Published algorithm in PyTorch, SciPy and statsmodels."""

    def __init__(self, cell: Cell, model: Path) -> None:  # noqa: ARG002
        import torch

        from .models import MEAN, STD, network

        torch.set_num_threads(cell.threads)
        self.cell, self.device = cell, torch.device(cell.device)
        self.network = network(cell.model, cell.classes).to(self.device)
        self.x = torch.from_numpy(example_image(cell)).to(self.device)
        self.mean, self.std = (
            torch.tensor(values, device=self.device).view(1, 3, 1, 1) for values in (MEAN, STD)
        )
        self.sample_labels(cell.batch)

    def sample_labels(self, rows: int) -> Any:
        """Return the labels of noisy copies; int64 [rows, H, W]."""
        import torch

        with torch.no_grad():
            noise = torch.randn(rows, *self.x.shape, device=self.device)
            noisy = self.x + SIGMA * noise
            return self.network((noisy - self.mean) / self.std).argmax(1).cpu().numpy()

    def run(self) -> Parts:
        from statsmodels.stats.multitest import multipletests

        start, cpu = time.perf_counter(), time.process_time()
        shape = (self.cell.n, self.cell.height, self.cell.width)
        samples, done = np.empty(shape, dtype=np.int64), 0
        for rows in self.cell.passes():
            samples[done : done + rows] = self.sample_labels(rows)
            done += rows
            if time.perf_counter() - start > ENOUGH and done >= N0:
                break
        # All passes take equally long, so the time of the first ones is scaled up.
        share = len(samples) / done
        passes = (time.perf_counter() - start) * share
        cpu = (time.process_time() - cpu) * share
        samples[done:] = np.resize(samples[:done], samples[done:].shape)
        sampled = time.perf_counter()
        flat = samples.reshape(len(samples), -1)
        votes = np.stack([(flat[:N0] == c).sum(axis=0) for c in range(self.cell.classes)])
        candidate = votes.argmax(axis=0)
        hits = (flat[N0:] == candidate).sum(axis=0)
        counted = time.perf_counter()
        p, loop = self._p_values(hits, len(samples) - N0)
        tested = time.perf_counter()
        certified = multipletests(p, alpha=ALPHA, method="holm")[0]
        labels = np.where(certified, candidate, -1)
        end = time.perf_counter()
        assert labels.shape == candidate.shape
        return {
            "passes": passes,
            "timed": done,
            "passes_cpu": cpu,
            "decision": counted - sampled + loop + end - tested,
            "tests": loop,
        }

    def _p_values(self, hits: Any, n: int) -> tuple[Any, float]:
        """Return the p-values of all components and the seconds of one binomial test for each."""
        from scipy.stats import binom, binomtest

        p = binom.sf(hits - 1, n, TAU)  # equal to the loop's result, which would take minutes
        chosen = np.arange(hits.size)
        if hits.size > TESTED:
            chosen = np.random.default_rng(0).choice(hits.size, TESTED, replace=False)
        start = time.perf_counter()
        for i in chosen:
            p[i] = binomtest(int(hits[i]), n, TAU, alternative="greater").pvalue
        return p, (time.perf_counter() - start) * hits.size / chosen.size


CONTENDERS: dict[str, type[Contender]] = {
    "network": Network,
    "labels": Labels,
    "onnxcert": Onnxcert,
    "reference": Reference,
}
