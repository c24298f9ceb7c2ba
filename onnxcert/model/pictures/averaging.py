"""The field's inference protocols as one function: scales, mirror images and tiles, averaged.

Over the tiles of a sweep the scores are averaged as they leave the network, each pixel's over the
tiles that cover it; over sweeps (scales, and mirrored or not) probabilities are: the softmax of
logits, the sigmoid of one logit, other scores as they are. Then comes one vote.

Rows that no later window touches are voted on and let go, so that beside the labels only a band
of scores is kept, and of the network's own values those of one window.
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

_DOWN: Final = 2  # the axis of rows in scores [B, C, h, w]


@dataclass
class _Band:
    """Sums of scores for rows that are not done with yet; from row `first` of the picture on."""

    width: int
    first: int = 0
    total: FloatArray | None = None

    def add(self, scores: FloatArray, rows: range, columns: range) -> None:
        """Add the scores [B, C, h, w] of one window."""
        if self.total is None and len(columns) == self.width:
            self.total = scores  # alone so far, and as wide as the band
            return
        if self.total is None:
            self.total = np.zeros((*scores.shape[:2], 0, self.width), dtype=np.float32)
        missing = rows.stop - self.first - self.total.shape[_DOWN]
        if missing > 0:
            self.total = np.pad(self.total, ((0, 0), (0, 0), (0, missing), (0, 0)))
        down = slice(rows.start - self.first, rows.stop - self.first)
        self.total[:, :, down, columns.start : columns.stop] += scores

    def take(self, stop: int) -> FloatArray:
        """The sums of the rows before `stop`, which are let go."""
        assert self.total is not None
        many = stop - self.first
        done, rest = self.total[:, :, :many], self.total[:, :, many:]
        self.first, self.total = stop, rest.copy() if rest.size else None
        return done


@final
class Averaging:
    """A network that sees every picture in several views, as one function of the picture.

    Args:
        network: ends at the scores of one view; see `onnxcert.model.surgery`.
        entry: how pictures reach it, with all the views there are.
        path: of the model, for messages.
        threads: for the vote; 0 for all cores.
    """

    def __init__(self, network: Network, entry: PictureEntry, path: Path, *, threads: int) -> None:
        self._network = network
        self._whole = entry
        self._fit = entry.fit
        self._path = path
        self._threads = threads
        self._ballot: Ballot | None = None

    def labels(self, batch: FloatArray) -> IntArray:
        """Labels of pictures [B, c, H, W]; see `onnxcert.model.segmenter.OnnxSegmenter`."""
        labels = [self._voting.labels(scores) for scores in self._means(batch)]
        return labels[0] if len(labels) == 1 else np.concatenate(labels, axis=-2)

    def scores(self, batch: FloatArray) -> FloatArray:
        """The mean scores: float32 [B, C, H, W], of a classifier [B, C, 1, 1]."""
        bands = list(self._means(batch))
        return bands[0] if len(bands) == 1 else np.concatenate(bands, axis=_DOWN)

    def first(self, x: FloatArray) -> tuple[FloatArray, PictureEntry]:
        """The first window of the picture [c, H, W], and how it reaches the network."""
        way = sweeps(self._fit, *x.shape[1:])[0]
        return _cut(x, way, way.rows[0], way.columns[0]), self._entry(way)

    def _means(self, batch: FloatArray) -> Iterator[FloatArray]:
        """Mean scores [B, C, h, W] of bands of rows, from the top to the bottom."""
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
        """Scores [B, C, h, w] of one window, at its own size and the right way round."""
        entry = self._entry(way)
        scores = self._network.scores(_cut(batch, way, rows, columns), entry)
        if not entry.contract.classifies and scores.shape[_DOWN:] != way.window:
            raise ModelError(
                f"{self._path} must score every pixel of a view of {way.window}, got scores of "
                f"shape {list(scores.shape)}."
            )
        return scores[..., ::-1] if way.mirrored else scores

    def _entry(self, way: Sweep) -> PictureEntry:
        """How the windows of a sweep reach the network."""
        entry = self._network.entry
        assert isinstance(entry, PictureEntry)
        return replace(entry, fit=self._fit.plain(way.seen))

    @property
    def _voting(self) -> Ballot:
        """Made when the number of classes is known, which is after a view."""
        if self._ballot is None:
            several = len(sweeps(self._fit, 1, 1)) > 1
            contract = self._network.entry.contract
            self._ballot = Ballot(contract, probabilities=several, threads=self._threads)
        return self._ballot


def _cut(pictures: FloatArray, way: Sweep, rows: range, columns: range) -> FloatArray:
    """One window of pictures [..., H, W], mirrored where the sweep is."""
    window = pictures[..., rows.start : rows.stop, columns.start : columns.stop]
    return window[..., ::-1] if way.mirrored else window


def _divided(total: FloatArray, by: FloatArray | int) -> FloatArray:
    """`total` / `by`, and `total` itself where that is 1 everywhere."""
    return total if np.all(np.equal(by, 1)) else total / np.float32(by)
