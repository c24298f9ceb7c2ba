"""Test-time augmentation as one function: average over scales, mirror images and tiles.

Over the tiles of one sliding-window pass, the network's scores are averaged, for each pixel over
the tiles that cover it. Over passes (scales, mirrored or not), probabilities are averaged: the
softmax of logits, the sigmoid of one logit, other scores as they are. Then labels are predicted.

Labels of rows that no later window touches are predicted at once and their scores freed. So memory
holds the labels, one band of scores, and the network's values for one window.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import onnx
from onnx import TensorProto, helper

from onnxcert._typing import FloatArray, IntArray
from onnxcert.errors import ModelError
from onnxcert.model.adapter.image import ImageAdapter
from onnxcert.model.adapter.resize import SlidingWindow, order_rows, sliding_windows
from onnxcert.model.contract.base import Contract
from onnxcert.model.graph import vote
from onnxcert.model.graph.nodes import Nodes
from onnxcert.model.network.network import Network
from onnxcert.model.network.surgery import LABELS, SCORES
from onnxcert.model.runtime.session import open_session

_DOWN: Final = 2  # axis of the rows in scores [B, C, h, w]


@dataclass
class _Band:
    """Sums of scores for rows that are not complete yet, from row `first` of the image on."""

    width: int
    first: int = 0
    total: FloatArray | None = None

    def add(self, scores: FloatArray, rows: range, columns: range) -> None:
        """Add the scores [B, C, h, w] of one window."""
        if self.total is None and len(columns) == self.width:
            self.total = scores  # the first window, and as wide as the band
            return
        if self.total is None:
            self.total = np.zeros((*scores.shape[:2], 0, self.width), dtype=np.float32)
        missing = rows.stop - self.first - self.total.shape[_DOWN]
        if missing > 0:
            self.total = np.pad(self.total, ((0, 0), (0, 0), (0, missing), (0, 0)))
        down = slice(rows.start - self.first, rows.stop - self.first)
        self.total[:, :, down, columns.start : columns.stop] += scores

    def take(self, stop: int) -> FloatArray:
        """Remove and return the sums of the rows before `stop`."""
        assert self.total is not None
        many = stop - self.first
        done, rest = self.total[:, :, :many], self.total[:, :, many:]
        self.first, self.total = stop, rest.copy() if rest.size else None
        return done


@final
class TestTimeAugmentation:
    """Test-time augmentation of a network, as one function of the image.

    Args:
        network: Network that ends at the scores of one view; see `onnxcert.model.network.surgery`.
        entry: Adapter with the settings of all views.
        path: The model, for messages.
        threads: Threads of the prediction head; 0 for all cores.
    """

    def __init__(self, network: Network, entry: ImageAdapter, path: Path, *, threads: int) -> None:
        self._network = network
        self._adapter = entry
        self._fit = entry.fit
        self._path = path
        self._threads = threads
        self._ballot: VoteHead | None = None

    def labels(self, batch: FloatArray) -> IntArray:
        """Return labels of images [B, c, H, W]; see `onnxcert.model.segmenter.OnnxSegmenter`."""
        labels = [self._head.labels(scores) for scores in self._means(batch)]
        return labels[0] if len(labels) == 1 else np.concatenate(labels, axis=-2)

    def scores(self, batch: FloatArray) -> FloatArray:
        """Return the mean scores: float32 [B, C, H, W], of a classifier [B, C, 1, 1]."""
        bands = list(self._means(batch))
        return bands[0] if len(bands) == 1 else np.concatenate(bands, axis=_DOWN)

    def first(self, x: FloatArray) -> tuple[FloatArray, ImageAdapter]:
        """Return the first window of the image [c, H, W], and the adapter for it."""
        windows = sliding_windows(self._fit, *x.shape[1:])[0]
        return _crop(x, windows, windows.rows[0], windows.columns[0]), self._window_adapter(windows)

    def _means(self, batch: FloatArray) -> Iterator[FloatArray]:
        """Yield mean scores [B, C, h, W] of bands of rows, from top to bottom."""
        self._adapter.check(batch.shape[1:], self._path)
        height, width = batch.shape[2:]
        passes = sliding_windows(self._fit, height, width)
        if self._adapter.contract.classifies:
            views = [
                self._score_window(batch, windows, windows.rows[0], windows.columns[0])
                for windows in passes
            ]
            probabilities = [self._head.probabilities(scores) for scores in views]
            yield np.mean(probabilities, axis=0, dtype=np.float32)
            return
        bands, whole = [_Band(width) for _ in passes], _Band(width)
        for i, rows, mine, every in order_rows(passes):
            windows, band = passes[i], bands[i]
            for columns in windows.columns:
                band.add(self._score_window(batch, windows, rows, columns), rows, columns)
            ready = range(band.first, mine)
            scores = _divide(band.take(mine), windows.coverage(ready))
            whole.add(self._head.probabilities(scores), ready, range(width))
            if every > whole.first:
                yield _divide(whole.take(every), len(passes))

    def _score_window(
        self, batch: FloatArray, windows: SlidingWindow, rows: range, columns: range
    ) -> FloatArray:
        """Return scores [B, C, h, w] of one window, at its own size and mirrored back."""
        entry = self._window_adapter(windows)
        scores = self._network.scores(_crop(batch, windows, rows, columns), entry)
        if not entry.contract.classifies and scores.shape[_DOWN:] != windows.size:
            raise ModelError(
                f"{self._path} must give scores for every pixel of a view of {windows.size}, got "
                f"scores of shape {list(scores.shape)}; leave out --scales, --flip and --tile."
            )
        return scores[..., ::-1] if windows.mirrored else scores

    def _window_adapter(self, windows: SlidingWindow) -> ImageAdapter:
        """Return the adapter for the windows of a pass."""
        entry = self._network.entry
        assert isinstance(entry, ImageAdapter)
        return replace(entry, fit=self._fit.plain(windows.seen))

    @property
    def _head(self) -> VoteHead:
        """The prediction head; created after the first view, when the class count is known."""
        if self._ballot is None:
            several = len(sliding_windows(self._fit, 1, 1)) > 1
            contract = self._network.entry.contract
            self._ballot = VoteHead(contract, probabilities=several, threads=self._threads)
        return self._ballot


def _crop(images: FloatArray, windows: SlidingWindow, rows: range, columns: range) -> FloatArray:
    """Return one window of images [..., H, W], mirrored if the pass is."""
    window = images[..., rows.start : rows.stop, columns.start : columns.stop]
    return window[..., ::-1] if windows.mirrored else window


def _divide(total: FloatArray, by: FloatArray | int) -> FloatArray:
    """Return `total` / `by`, or `total` itself if `by` is 1 everywhere."""
    return total if np.all(np.equal(by, 1)) else total / np.float32(by)


_GIVEN: Final = "onnxcert_given"


@final
class VoteHead:
    """Maps scores [B, C, *grid] to probabilities and to labels.

    Args:
        contract: contract of the model; its number of classes is known.
        probabilities: whether labels are taken from mean probabilities instead of raw scores.
        threads: threads of the CPU session.
    """

    def __init__(self, contract: Contract, *, probabilities: bool, threads: int) -> None:
        self.contract = contract
        raw = probabilities and contract.output_form in ("logits", "logit")
        self._probabilities = _open(_build_activation(contract), threads) if raw else None
        voting = _probability_contract(contract) if raw else contract
        self._labels = _open(_build_vote(voting), threads)

    def probabilities(self, scores: FloatArray) -> FloatArray:
        """Return the softmax of logits or the sigmoid of one logit; leave other scores unchanged.

        Non-finite scores stay non-finite: a class excluded by minus infinity makes the prediction
        invalid, as it does without averaging.
        """
        found: FloatArray = scores if self._probabilities is None else self._probabilities(scores)
        return found

    def labels(self, scores: FloatArray) -> IntArray:
        """Return labels, invalid where a score is not finite; see `vote.labels`."""
        labels: IntArray = self._labels(scores)
        return labels


def _probability_contract(contract: Contract) -> Contract:
    """Return the contract of the probabilities, with the equivalent decision threshold."""
    if contract.output_form == "logits":
        return replace(contract, output_form="probabilities")
    threshold = 1 / (1 + math.exp(-min(max(contract.decision_threshold, -700), 700)))
    return replace(contract, output_form="sigmoid", threshold=threshold)


def _build_activation(contract: Contract) -> onnx.ModelProto:
    """Return a model that gives probabilities, NaN where a score is not finite (x - x is no 0)."""
    nodes = Nodes("ballot")
    if contract.output_form == "logit":
        nothing = nodes.add("Sub", _GIVEN, _GIVEN)
        nodes.add("Add", nodes.add("Sigmoid", _GIVEN), nothing, output=SCORES)
    else:
        # The operator Softmax is many times slower along any axis but the last.
        total = _sum_classes(nodes, _GIVEN, contract)
        most = nodes.add("ReduceMax", _GIVEN, axes=[1])
        powers = nodes.add("Exp", nodes.add("Sub", _GIVEN, most))
        whole = _sum_classes(nodes, powers, contract)
        whole = nodes.add("Add", whole, nodes.add("Sub", total, total))
        nodes.add("Div", powers, whole, output=SCORES)
    return _build_model(nodes, SCORES, TensorProto.FLOAT, 4)


def _sum_classes(nodes: Nodes, scores: str, contract: Contract) -> str:
    """Add nodes that sum over classes in their order; return the name of the sum.

    ReduceSum uses another order for one input than for several, but the vote of a draw must not
    depend on the number of draws in its batch.
    """
    assert contract.classes is not None
    total = nodes.slice(scores, 0, 1, axis=1)
    for c in range(1, contract.classes):
        total = nodes.add("Add", total, nodes.slice(scores, c, c + 1, axis=1))
    return total


def _build_vote(contract: Contract) -> onnx.ModelProto:
    nodes = Nodes("ballot")
    vote.labels(nodes, _GIVEN, contract, candidates=_GIVEN, output=LABELS)
    dtype = helper.np_dtype_to_tensor_dtype(contract.label_type)
    many = contract.output_form == "multilabel"
    return _build_model(nodes, LABELS, dtype, 2 if contract.classifies else 3 + many)


def _build_model(nodes: Nodes, output: str, dtype: int, axes: int) -> onnx.ModelProto:
    given, output_info = (
        helper.make_tensor_value_info(name, of, [None] * rank)
        for name, of, rank in ((_GIVEN, TensorProto.FLOAT, 4), (output, dtype, axes))
    )
    graph = helper.make_graph(nodes.nodes, "ballot", [given], [output_info], nodes.constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _open(model: onnx.ModelProto, threads: int) -> Callable[[FloatArray], Any]:
    runtime = open_session(model, device="cpu", threads=threads).runtime
    return lambda scores: runtime.run(None, {_GIVEN: np.ascontiguousarray(scores)})[0]
