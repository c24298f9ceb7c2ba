"""Models with damaged metadata of other programs, or with damaged files beside them."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any, Final

import mutation
import numpy as np
import sidecars
from mutation import pick
from zoo import Conv3, Dialect

CONV: Final = Conv3.random(4, seed=58)
FILES: Final[dict[str, dict[str, Any]]] = {
    "preprocessor_config.json": sidecars.SEGFORMER,
    "config.json": sidecars.CONFIG,
    "deploy.json": sidecars.DEPLOY,
    "pipeline.json": {**sidecars.pipeline(), "version": "1.3.1", "customs": []},
}
LITERALS: Final = (
    *("", "{}", "[]", "None", "{0: 'a'}", "{0: 1, 1: 2}", "{'0': 'a', '1': 'b'}", "['a', 'b']"),
    *("{0: 'a', 2: 'b'}", "{" * 3000, "-" * 50_000 + "1", "1+" * 50_000 + "1", "9" * 5000, "'\\d'"),
    *("__import__('os').abort()", "[512, -1]", "[[1]]", "1e999", "{0: 'a\\x1b[31m', 1: '\\u202e'}"),
)


def sidecar_files(rng: np.random.Generator, folder: Path) -> Path:
    """A model in a folder of its own."""
    here = folder / "snapshot"
    shutil.rmtree(here, ignore_errors=True)
    files: dict[str, Any] = {}
    metadata = {}
    if rng.random() < 0.4:
        metadata = dict(pick(rng, (sidecars.ULTRALYTICS, sidecars.OPENVINO)))
        for _ in range(int(rng.integers(1, 3))):
            key = pick(rng, list(metadata))
            damaged = mutation.damaged_bytes(rng, metadata[key].encode() or b"x")
            odd = pick(rng, (*LITERALS, damaged.decode("utf-8", "replace")))
            metadata[key] = odd
    else:
        named = pick(rng, [list(FILES)[:2], list(FILES)[2:], list(FILES)])
        files = {name: copy.deepcopy(FILES[name]) for name in named}
        name = pick(rng, named)
        inner = files[name]
        if name == "pipeline.json" and rng.random() < 0.8:
            steps = inner["pipeline"]["tasks"][0]["transforms"]
            at = int(rng.integers(len(steps)))
            try:
                steps[at] = mutation.json.loads(
                    mutation.damaged_json(rng, {**steps[at], "size": 8, "keep": 1})
                )
            except (ValueError, RecursionError):
                steps[at] = None
        else:
            files[name] = mutation.damaged_json(rng, inner)
    inside = rng.random() < 0.3
    return sidecars.write(
        here,
        Dialect().proto(CONV),
        files,
        metadata,
        name="onnx/model.onnx" if inside else "model.onnx",
    )
