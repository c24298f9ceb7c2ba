"""The whole command line, start-up and pictures apart: reading, model, store, report."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from .cells import Cell
from .contenders import SIGMA, picture
from .measure import Row


def certified(cell: Cell, model: Path) -> Row:
    """Seconds of `onnxcert certify` by part, as it reports them itself."""
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "photo.png"
        pixels = np.moveaxis(picture(cell) * 255, 0, -1).astype(np.uint8)
        Image.fromarray(pixels).save(photo)
        command = [
            *(sys.executable, "-m", "onnxcert", "certify", model, photo, "--n", cell.n),
            *("--sigma", SIGMA, "--batch-size", cell.batch, "--threads", cell.threads),
            *("--device", cell.device, "--out", Path(folder) / "out", "--json"),
        ]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
        seconds = json.loads(done.stdout)["seconds"]
    rest = seconds["total"] - seconds["startup"] - seconds["report"]
    return {"cell": cell.described(), **seconds, "rest": rest}
