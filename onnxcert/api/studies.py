"""The paper's experiments on synthetic votes, and the calibration of the rules."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from onnxcert.api.keyword_checks import check_keywords
from onnxcert.api.keywords import Name
from onnxcert.errors import ParameterError, StoreError
from onnxcert.files.atomic import write_atomically
from onnxcert.simulation.calibration import Row
from onnxcert.simulation.table import Steps


@dataclass(frozen=True)
class Study:
    """The result of a study.

    Attributes:
        files: the files that were written.
        rows: rows of the calibration; empty for figures.
        page: the calibration as a page in Markdown; empty for figures.
        summary: the calibration in one line; empty for figures.
    """

    files: tuple[Path, ...]
    rows: tuple[Row, ...] = ()
    page: str = ""
    summary: str = ""

    @property
    def as_expected(self) -> bool:
        """Whether each rule of the calibration keeps its level, and each invalid one is found."""
        return all(row.as_expected for row in self.rows)


@check_keywords()
def study(
    out: Name | None = None,
    *,
    calibrate: bool = False,
    repetitions: int = 20_000,
    resolution: float = 1.0,
    seed: int = 0,
    steps: Steps | None = None,
    on_file: Callable[[Path], None] = lambda _: None,
) -> Study:
    """Repeat the paper's experiments on synthetic votes, or calibrate the rules.

    Args:
        out: folder for figures and tables; None for none, with `calibrate`.
        calibrate: simulate votes with known probabilities and test whether each rule keeps alpha.
        repetitions: simulations per row of the calibration.
        resolution: share of the grid points and repetitions of the figures, in (0, 1].
        seed: seed of the simulation, at least 0.
        steps: receives the progress.
        on_file: called after a file is written.

    Raises:
        ParameterError: a value is out of range, or the figures have no folder.
        StoreError: a file cannot be written.
    """
    if seed < 0:
        raise ParameterError(f"--seed must be 0 or more, got {seed}.")
    folder = None if out is None else _make_folder(Path(out))
    if calibrate:
        return _calibrate(folder, repetitions, seed, steps, on_file)
    if folder is None:
        raise ParameterError("the figures need a folder; pass --out DIR.")
    from onnxcert.simulation.experiments import run

    files = []
    for path in run(folder, resolution=resolution, seed=seed, steps=steps):
        files.append(path)
        on_file(path)
    return Study(tuple(files))


def _calibrate(
    out: Path | None,
    repetitions: int,
    seed: int,
    steps: Steps | None,
    on_file: Callable[[Path], None],
) -> Study:
    from onnxcert.simulation import calibrate
    from onnxcert.simulation.calibration import COLUMNS, cells
    from onnxcert.simulation.table import write_csv

    found: Sequence[Row] = calibrate.calibrate(repetitions=repetitions, seed=seed, steps=steps)
    page = calibrate.document(
        found,
        command=f"onnxcert study --calibrate --repetitions {repetitions} --seed {seed}",
        date=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        repetitions=repetitions,
    )
    files = []
    if out is not None:
        write_atomically(
            out / "calibration.md", lambda path: path.write_text(page, encoding="utf-8")
        )
        write_csv(out / "calibration.csv", COLUMNS, map(cells, found))
        files = [out / "calibration.md", out / "calibration.csv"]
        for path in files:
            on_file(path)
    return Study(tuple(files), tuple(found), page, calibrate.summary(found, repetitions))


def _make_folder(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(
            f"the folder {out} cannot be created ({reason}); choose another folder with --out."
        ) from None
    return out
