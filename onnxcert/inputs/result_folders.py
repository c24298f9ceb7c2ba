"""Folders with results of onnxcert, whose label files and drawings are no inputs."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Final, final

from onnxcert.inputs.listing import absolute

_MARK: Final = b'"onnxcert-run"'  # the type that `run.json` begins with
_HEAD: Final = 4096  # bytes of it that are looked at
# What a run writes into its folder beside `run.json`.
_WRITTEN: Final = frozenset({"inputs", "partial", "labels", "pictures", "curve.png", "results.h5"})


class ResultsSkipped(UserWarning):
    """A folder below the inputs holds results of onnxcert, and nothing in it is listed.

    Attributes:
        folder: that holds `run.json`.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(f"skipped {folder}, which holds results of onnxcert")
        self.folder = folder


@final
class ResultFolders:
    """What runs wrote, for one listing; no folder is looked at twice, or told of twice.

    Attributes:
        skipped: folders with results that were met.
        times: how often one was.
    """

    def __init__(self) -> None:
        self.skipped: list[Path] = []
        self.times = 0
        self._known: dict[Path, bool] = {}

    def met(self, folder: Path) -> bool:
        """Whether `folder` holds results; then it is skipped, and a `ResultsSkipped` says so."""
        if folder not in self._known:
            self._known[folder] = _holds_results(folder)
            if self._known[folder]:
                self.skipped.append(folder)
                warnings.warn(ResultsSkipped(folder), stacklevel=2)
        self.times += self._known[folder]
        return self._known[folder]

    def without(self, paths: Iterable[Path], named: Path) -> list[Path]:
        """`paths`, all below `named`, without those that a run wrote.

        Everything in a folder of results below `named` counts as written by a run; in `named`
        itself and above, where the user may have put inputs, only what a run does write.
        """
        named = absolute(named)
        return [path for path in paths if not self._wrote(absolute(path), named)]

    def _wrote(self, path: Path, named: Path) -> bool:
        below = len(path.parts) - len(named.parts) - 1  # so many of its folders lie below `named`
        return any(
            (up < below or path.parts[-1 - up] in _WRITTEN) and self.met(folder)
            for up, folder in enumerate(path.parents)
        )


def _holds_results(folder: Path) -> bool:
    """Whether `folder` holds a `run.json` of onnxcert."""
    path = folder / "run.json"
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return _MARK in file.read(_HEAD)
    except OSError:
        return False
