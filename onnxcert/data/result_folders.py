"""Detection of onnxcert result folders, whose label files and figures are not inputs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final, final

from onnxcert.data.paths import absolute

_MARK: Final = b'"onnxcert-run"'  # the record type at the start of `run.json`
_HEAD: Final = 4096  # bytes of `run.json` that are searched
# Names that a run writes into its folder beside `run.json`.
_WRITTEN: Final = frozenset({"inputs", "partial", "labels", "pictures", "curve.png", "results.h5"})


@final
class ResultFolders:
    """The result folders found while listing; each is checked once.

    Attributes:
        skipped: the result folders found.
        encounters: how often a result folder was met, repeats included.
    """

    def __init__(self) -> None:
        self.skipped: list[Path] = []
        self.encounters = 0
        self._known: dict[Path, bool] = {}

    def check(self, folder: Path) -> bool:
        """Return whether `folder` holds results."""
        if folder not in self._known:
            self._known[folder] = _holds_results(folder)
            if self._known[folder]:
                self.skipped.append(folder)
        self.encounters += self._known[folder]
        return self._known[folder]

    def exclude_written(self, paths: Iterable[Path], named: Path) -> list[Path]:
        """Return `paths`, all below `named`, without the files that a run wrote.

        In a result folder below `named`, every file counts as written by a run. In `named` itself
        and above, users may have put inputs, so only names that a run writes count.
        """
        named = absolute(named)
        return [path for path in paths if not self._is_written(absolute(path), named)]

    def _is_written(self, path: Path, named: Path) -> bool:
        below = len(path.parts) - len(named.parts) - 1  # number of its folders below `named`
        return any(
            (up < below or path.parts[-1 - up] in _WRITTEN) and self.check(folder)
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
