"""Test-time augmentation as one function: average over scales, mirror images and tiles.

Over the tiles of one sliding-window pass, the network's scores are averaged, for each pixel over
the tiles that cover it. Over passes (scales, mirrored or not), probabilities are averaged: the
softmax of logits, the sigmoid of one logit, other scores as they are. Then labels are predicted.

Labels of rows that no later window touches are predicted at once and their scores freed. So memory
holds the labels, one band of scores, and the network's values for one window.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, final

import numpy as np

from onnxcert._typing import FloatArray, IntArray
from onnxcert.errors import ModelError
from onnxcert.model.adapter.image import ImageAdapter
from onnxcert.model.adapter.resize import SlidingWindow, order_rows, sliding_windows
from onnxcert.model.network.network import Network
from onnxcert.model.network.vote_head import VoteHead

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
