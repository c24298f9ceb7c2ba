"""Checkpoints: votes of unfinished inputs, from which a run resumes."""

from __future__ import annotations

import json
from abc import ABC
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np

from onnxcert.errors import AccessError, StoreError
from onnxcert.files.atomic import remove, write_atomically
from onnxcert.files.inside import inside
from onnxcert.results.checks import read_ints
from onnxcert.results.encoding import expect, mark, read_draws, write_arrays, write_draws
from onnxcert.results.fingerprint import ATTRIBUTE, fingerprint
from onnxcert.results.hdf5 import Attributes, open_hdf5, put, write_hdf5
from onnxcert.sampling import Count, Hits
from onnxcert.sampling.backend import NUMPY


class Checkpoints(ABC):
    """The checkpoints in the `partial/` folder of a result folder."""

    folder: Path
    _has_votes = False

    @property
    def has_votes(self) -> bool:
        """Whether any votes are or were stored here; once true, it stays true."""
        self._has_votes = self._has_votes or any(
            any((self.folder / sub).glob("[!.]*.h5")) for sub in ("inputs", "partial")
        )
        return self._has_votes

    def remove_checkpoint(self, name: str) -> None:
        """Remove the checkpoint of an input, if there is one."""
        remove(self._partial_path(name))

    def checkpoint(self, name: str, count: Count, runtime: Mapping[str, str]) -> None:
        """Write a checkpoint.

        Args:
            name: name of the input.
            count: votes so far.
            runtime: everything that the predictions may depend on.
        """
        path = self._partial_path(name)
        write_atomically(path, lambda p: write_hdf5(p, lambda f: write_count(f, count, runtime)))

    def resume(self, fresh: Count, name: str, runtime: Mapping[str, str]) -> Count:
        """Return the checkpoint of `name` if it has the same draws and runtime, else `fresh`.

        The checkpoint is moved to the backend of `fresh`. Counts of different generators or
        runtimes are never mixed: the input starts again.

        Raises:
            AccessError: the operating system cannot read the file. It may be intact, so it is not
                replaced.
        """
        try:
            with open_hdf5(self._partial_path(name)) as file:
                count, made_by = read_count(file)
                if count.fixed_parameters == fresh.fixed_parameters and made_by == dict(runtime):
                    return count.on(fresh.backend)
        except AccessError:
            raise
        except StoreError:
            pass  # missing or damaged
        return fresh

    def _partial_path(self, name: str) -> Path:
        return inside(self.folder, "partial", f"{name}.h5")


def write_count(file: h5py.Group, count: Count, runtime: Mapping[str, str]) -> None:
    """Write an unfinished count (a checkpoint) into an empty file."""
    count = count.on(NUMPY)
    mark(file, "onnxcert-count")
    for name in ("n", "n0", "selection", "classes", "nonfinite", "law_error", "done", "second"):
        put(file, name, getattr(count, name))
    put(file, "looks", json.dumps(count.looks))
    put(file, "nonfinite-path", json.dumps(count.nonfinite_path))
    put(file, "runtime", json.dumps(dict(runtime)))
    write_draws(file, count.draws)
    write_arrays(file, {name: getattr(count, name) for name in ("votes", "single", "runner_up")})
    if count.hits is not None:
        write_arrays(file, {"candidate": count.hits.candidate, "hits": count.hits.hits})
        put(file, "counted", [[r.start, r.stop] for r in count.hits.counted])
        put(file, "joint", count.hits.joint)
    if count.path:
        write_arrays(file, {"path": np.stack(count.path)})
    put(file, ATTRIBUTE, fingerprint(file))


def read_count(file: h5py.Group) -> tuple[Count, dict[str, str]]:
    """Return the count in `file` and the runtime that made it.

    Raises:
        StoreError: the file has changed since it was written.
    """
    expect(file, "onnxcert-count")
    if Attributes(file).get(ATTRIBUTE) != fingerprint(file):
        raise StoreError(
            f"{file.file.filename} has changed since it was written; the input starts again."
        )
    attributes, draws = Attributes(file), read_draws(file)
    hits = None
    if "hits" in file:
        counted = tuple(range(int(a), int(b)) for a, b in attributes["counted"])
        joint = int(attributes["joint"])
        hits = Hits(draws, file["candidate"][...], file["hits"][...], counted, joint)
    count = Count(
        draws=draws,
        n=int(attributes["n"]),
        n0=int(attributes["n0"]),
        selection=attributes["selection"],
        classes=int(attributes["classes"]),
        looks=read_ints(attributes, "looks"),
        second=bool(attributes["second"]),
        done=int(attributes["done"]),
        nonfinite=int(attributes["nonfinite"]),
        votes=file["votes"][...] if "votes" in file else None,
        hits=hits,
        single=file["single"][...] if "single" in file else None,
        path=list(file["path"][...]) if "path" in file else [],
        nonfinite_path=list(read_ints(attributes, "nonfinite-path")),
        runner_up=file["runner_up"][...] if "runner_up" in file else None,
        law_error=float(attributes.get("law_error", 0.0)),
    )
    return count, json.loads(attributes["runtime"])
