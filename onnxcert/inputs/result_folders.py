"""Skip folders with results of onnxcert: their label files and figures are not inputs."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Final, final

from onnxcert.inputs.listing import absolute

_MARK: Final = b'"onnxcert-run"'  # the type that `run.json` begins with
_HEAD: Final = 4096  # bytes of it that are read
# What a run writes into its folder beside `run.json`.
_WRITTEN: Final = frozenset({"inputs", "partial", "labels", "pictures", "curve.png", "results.h5"})


class ResultsSkipped(UserWarning):
    """A folder below the inputs holds results of onnxcert and is skipped.

    Attributes:
        folder: the one with `run.json`.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(f"skipped {folder}, which holds results of onnxcert")
        self.folder = folder


@final
class ResultFolders:
    """The result folders that one listing meets; each is checked once and reported once.

    Attributes:
        skipped: the result folders met.
        times: how often one was met.
    """

    def __init__(self) -> None:
        self.skipped: list[Path] = []
        self.times = 0
        self._known: dict[Path, bool] = {}

    def met(self, folder: Path) -> bool:
        """Return whether `folder` holds results; if so, warn once with `ResultsSkipped`."""
        if folder not in self._known:
            self._known[folder] = _holds_results(folder)
            if self._known[folder]:
                self.skipped.append(folder)
                warnings.warn(ResultsSkipped(folder), stacklevel=2)
        self.times += self._known[folder]
        return self._known[folder]

    def without(self, paths: Iterable[Path], named: Path) -> list[Path]:
        """Return `paths`, all below `named`, without the files that a run wrote.

        In a result folder below `named` every file counts as written by a run. In `named` itself
        and above, where users may have put inputs, only the files that a run does write.
        """
        named = absolute(named)
        return [path for path in paths if not self._wrote(absolute(path), named)]

    def _wrote(self, path: Path, named: Path) -> bool:
        below = len(path.parts) - len(named.parts) - 1  # number of its folders below `named`
        return any(
            (up < below or path.parts[-1 - up] in _WRITTEN) and self.met(folder)
            for up, folder in enumerate(path.parents)
        )


def _holds_results(folder: Path) -> bool:
    """Return whether `folder` holds a `run.json` of onnxcert."""
    path = folder / "run.json"
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return _MARK in file.read(_HEAD)
    except OSError:
        return False
