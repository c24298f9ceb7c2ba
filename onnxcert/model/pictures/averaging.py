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
from onnxcert.model.pictures.entry import PictureEntry
from onnxcert.model.pictures.views import Sweep, in_order, sweeps
from onnxcert.model.running.ballot import Ballot
from onnxcert.model.running.network import Network

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
class Averaging:
    """Test-time augmentation of a network, as one function of the image.

    Args:
        network: Network that ends at the scores of one view; see `onnxcert.model.surgery`.
        entry: Adapter with the settings of all views.
        path: The model, for messages.
        threads: Threads of the prediction head; 0 for all cores.
    """

    def __init__(self, network: Network, entry: PictureEntry, path: Path, *, threads: int) -> None:
        self._network = network
        self._whole = entry
        self._fit = entry.fit
        self._path = path
        self._threads = threads
        self._ballot: Ballot | None = None

    def labels(self, batch: FloatArray) -> IntArray:
        """Return labels of images [B, c, H, W]; see `onnxcert.model.segmenter.OnnxSegmenter`."""
        labels = [self._voting.labels(scores) for scores in self._means(batch)]
        return labels[0] if len(labels) == 1 else np.concatenate(labels, axis=-2)

    def scores(self, batch: FloatArray) -> FloatArray:
        """Return the mean scores: float32 [B, C, H, W], of a classifier [B, C, 1, 1]."""
        bands = list(self._means(batch))
        return bands[0] if len(bands) == 1 else np.concatenate(bands, axis=_DOWN)

    def first(self, x: FloatArray) -> tuple[FloatArray, PictureEntry]:
        """Return the first window of the image [c, H, W], and the adapter for it."""
        way = sweeps(self._fit, *x.shape[1:])[0]
        return _cut(x, way, way.rows[0], way.columns[0]), self._entry(way)

    def _means(self, batch: FloatArray) -> Iterator[FloatArray]:
        """Yield mean scores [B, C, h, W] of bands of rows, from top to bottom."""
        self._whole.check(batch.shape[1:], self._path)
        height, width = batch.shape[2:]
        ways = sweeps(self._fit, height, width)
        if self._whole.contract.classifies:
            views = [self._view(batch, way, way.rows[0], way.columns[0]) for way in ways]
            each = [self._voting.probabilities(scores) for scores in views]
            yield np.mean(each, axis=0, dtype=np.float32)
            return
        bands, whole = [_Band(width) for _ in ways], _Band(width)
        for i, rows, mine, every in in_order(ways):
            way, band = ways[i], bands[i]
            for columns in way.columns:
                band.add(self._view(batch, way, rows, columns), rows, columns)
            ready = range(band.first, mine)
            scores = _divided(band.take(mine), way.covered(ready))
            whole.add(self._voting.probabilities(scores), ready, range(width))
            if every > whole.first:
                yield _divided(whole.take(every), len(ways))

    def _view(self, batch: FloatArray, way: Sweep, rows: range, columns: range) -> FloatArray:
        """Return scores [B, C, h, w] of one window, at its own size and mirrored back."""
        entry = self._entry(way)
        scores = self._network.scores(_cut(batch, way, rows, columns), entry)
        if not entry.contract.classifies and scores.shape[_DOWN:] != way.window:
            raise ModelError(
                f"{self._path} must give scores for every pixel of a view of {way.window}, got "
                f"scores of shape {list(scores.shape)}; leave out --scales, --flip and --tile."
            )
        return scores[..., ::-1] if way.mirrored else scores

    def _entry(self, way: Sweep) -> PictureEntry:
        """Return the adapter for the windows of a pass."""
        entry = self._network.entry
        assert isinstance(entry, PictureEntry)
        return replace(entry, fit=self._fit.plain(way.seen))

    @property
    def _voting(self) -> Ballot:
        """The prediction head; created after the first view, when the class count is known."""
        if self._ballot is None:
            several = len(sweeps(self._fit, 1, 1)) > 1
            contract = self._network.entry.contract
            self._ballot = Ballot(contract, probabilities=several, threads=self._threads)
        return self._ballot


def _cut(pictures: FloatArray, way: Sweep, rows: range, columns: range) -> FloatArray:
    """Return one window of images [..., H, W], mirrored if the pass is."""
    window = pictures[..., rows.start : rows.stop, columns.start : columns.stop]
    return window[..., ::-1] if way.mirrored else window


def _divided(total: FloatArray, by: FloatArray | int) -> FloatArray:
    """Return `total` / `by`, or `total` itself if `by` is 1 everywhere."""
    return total if np.all(np.equal(by, 1)) else total / np.float32(by)
