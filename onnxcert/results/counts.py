"""Checkpoints: votes of unfinished inputs, from which a run resumes."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from pathlib import Path

from onnxcert.errors import AccessError, StoreError
from onnxcert.files.atomic import remove, write_atomically
from onnxcert.files.inside import inside
from onnxcert.results.encoding import read_count, write_count
from onnxcert.results.hdf5 import open_hdf5, write_hdf5
from onnxcert.sampling import Count


class Checkpoints(ABC):
    """The checkpoints in the `partial/` folder of a result folder."""

    folder: Path

    def remove_checkpoint(self, name: str) -> None:
        """Remove the checkpoint of an input, if there is one."""
        remove(self._partial_path(name))

    def has_checkpoint(self, name: str) -> bool:
        """Return whether there is a checkpoint of an input."""
        return self._partial_path(name).is_file()

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
