"""Options of what a run writes and prints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from onnxcert.cli.options.base import OUTPUT, RUNNING, option


@dataclass(frozen=True)
class OutputOptions:
    """What a run writes and prints, and the file that describes it."""

    title: ClassVar = OUTPUT

    out: Path | None = option(
        "Results folder. Default: a folder in onnxcert-results, one per model and settings. Run "
        "the same command again to resume an interrupted run.",
        "DIR",
    )
    pictures: bool = option("Save one figure per input, or none.", default=True)
    per_class: bool = option("Print the IoU of each class.", default=False, flag="--per-class")
    as_json: bool = option(
        "Print only one JSON object to standard output.", default=False, flag="--json"
    )
    quiet: bool = option(
        "Print only the results: no header and no progress bar.", default=False, flag="--quiet"
    )
    verbose: bool = option(
        "Also print what is chosen, measured and restored.", default=False, flag="--verbose"
    )
    config: Path | None = option(
        "TOML file with options by name, e.g. sigma = 0.25. Options of the command line win. "
        "Relative paths in it are relative to the file.",
        "FILE",
    )
    save_config: Path | None = option(
        "Write the options of this command to a file for --config.", "FILE"
    )
    nonrobust: str | None = option(
        "Baseline model, run on the clean inputs (first row of the table). Contract options apply "
        "to both models; if they differ, store each contract with inspect --write.",
        "MODEL",
    )
    checkpoint: float = option(
        "Seconds between checkpoints of the vote counts.", "SECONDS", 60.0, section=RUNNING
    )
