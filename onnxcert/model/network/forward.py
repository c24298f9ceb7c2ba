"""Forward passes through one session: padding, feeds, checks of the output, timing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, final

import numpy as np

from onnxcert._typing import FloatArray, IntArray
from onnxcert.errors import ModelError
from onnxcert.model.adapter.base import INPUT, Adapter
from onnxcert.model.network.output_checks import check_labels
from onnxcert.model.network.surgery import LABELS, SCORES, SHAPE
from onnxcert.model.runtime.passes import first_line
from onnxcert.model.runtime.session import Session


class Stopwatch:
    """Timer that runs while at least one pass is in its `with` block.

    Attributes:
        seconds: total time of finished intervals.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._running = 0
        self._since = 0.0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            if not self._running:
                self._since = time.perf_counter()
            self._running += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._running -= 1
            if not self._running:
                self.seconds += time.perf_counter() - self._since


_NO_MEMORY = ("bad_alloc", "Failed to allocate memory", "bad allocation")


@final
@dataclass(frozen=True)
class Forward:
    """Batches of any length through a session of `onnxcert.model.network.surgery.labelling_model`.

    Attributes:
        session: the open session.
        rows: the fixed batch size of its graph; None if free.
        path: path of the model, for messages.
        stopwatch: runs while the model runs.
    """

    session: Session
    rows: int | None
    path: Path
    stopwatch: Stopwatch

    def labels(self, batch: FloatArray, entry: Adapter) -> IntArray:
        """Return labels of `batch`, float32 [B, ...]; see `onnxcert.model.segmenter.OnnxSegmenter`.

        Raises:
            ModelError: the model fails, or does not label every component of every row.
        """
        parts = self._parts(LABELS, batch, entry)
        labels = [check_labels(found, part, entry, self.path) for part, found in parts]
        return labels[0] if len(labels) == 1 else np.concatenate(labels)

    def scores(self, batch: FloatArray, entry: Adapter) -> FloatArray:
        """Return scores of `batch`, float32 [B, channels, *grid], from a session that gives scores.

        Raises:
            ModelError: the model fails.
        """
        scores: list[FloatArray] = [found for _, found in self._parts(SCORES, batch, entry)]
        return scores[0] if len(scores) == 1 else np.concatenate(scores)

    def shape(self, batch: FloatArray, entry: Adapter) -> tuple[int, ...]:
        """Return the shape of the network's own output for a padded batch."""
        return tuple(map(int, self._run(SHAPE, self._pad(batch), entry)))

    def _parts(
        self, output: str, batch: FloatArray, entry: Adapter
    ) -> Iterator[tuple[FloatArray, Any]]:
        """Yield (rows, their part of `output`), in batches of the size that the graph takes.

        Only the answers to padding rows are dropped.
        """
        rows = self.rows
        for part in [batch[i : i + rows] for i in range(0, len(batch), rows)] if rows else [batch]:
            found = self._run(output, self._pad(part), entry)
            if len(found) != (rows or len(part)):
                raise ModelError(
                    f"{self.path} must give one output for each of {rows or len(part)} "
                    f"{entry.describe(part.shape[1:])}, got an output of shape "
                    f"{list(found.shape)}; export it with a batch axis."
                )
            yield part, found[: len(part)]

    def _pad(self, batch: FloatArray) -> FloatArray:
        """Return `batch` padded with its last row to the graph's batch size."""
        missing = 0 if self.rows is None else self.rows - len(batch)
        return np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)]) if missing else batch

    def _run(self, output: str, batch: FloatArray, entry: Adapter) -> Any:
        shape = batch.shape[1:]
        feeds = {INPUT: np.ascontiguousarray(batch), **entry.feeds(shape)}
        try:
            self.session.check(feeds)
        except ModelError as error:
            raise ModelError(f"{self.path}: {error}") from None
        with self.timed_pass(len(batch), shape, entry):
            return self.session.runtime.run([output], feeds)[0]

    @contextmanager
    def timed_pass(self, many: int, shape: tuple[int, ...], entry: Adapter) -> Iterator[None]:
        """Time one pass over a batch of this shape, and translate its errors.

        Raises:
            ModelError: the model fails.
        """
        try:
            with self.stopwatch:
                yield
        except Exception as error:
            if any(words in str(error) for words in _NO_MEMORY):
                raise ModelError(
                    f"{self.path} needs more memory than is free for {many} "
                    f"{entry.describe(shape)}; free memory or raise the limit, or make the inputs "
                    "smaller or cut them into tiles."
                ) from None
            raise ModelError(
                f"{self.path} fails on {many} {entry.describe(shape)} "
                f"({first_line(error)}); {entry.remedy}."
            ) from None
