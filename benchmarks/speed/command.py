"""Time of the whole command line, by part: start-up, forward passes, report, the rest."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from .cells import Cell
from .contenders import SIGMA, example_image
from .measure import Row


def time_command(cell: Cell, model: Path) -> Row:
    """Return the seconds of `onnxcert certify` by part, as it reports them."""
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "photo.png"
        pixels = np.moveaxis(example_image(cell) * 255, 0, -1).astype(np.uint8)
        Image.fromarray(pixels).save(photo)
        command = [
            *(sys.executable, "-m", "onnxcert", "certify", model, photo, "--n", cell.n),
            *("--sigma", SIGMA, "--batch-size", cell.batch, "--threads", cell.threads),
            *("--device", cell.device, "--out", Path(folder) / "out", "--json"),
        ]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
        seconds = json.loads(done.stdout)["seconds"]
    rest = seconds["total"] - seconds["startup"] - seconds["report"]
    return {"cell": cell.describe(), **seconds, "rest": rest}
