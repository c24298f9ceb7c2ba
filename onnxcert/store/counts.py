"""Counts under way, kept so that an input that takes long goes on where it was stopped."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from pathlib import Path

from onnxcert.atomic import remove, write_atomically
from onnxcert.errors import AccessError, StoreError
from onnxcert.inside import inside
from onnxcert.sampling import Count
from onnxcert.store.encoding import read_count, write_count
from onnxcert.store.hdf5 import reading, write_hdf5


class KeptCounts(ABC):
    """The counts in `partial/` of one folder."""

    folder: Path

    def forget(self, name: str) -> None:
        """Remove the count of a finished input, if one is left of it."""
        remove(self._partial_path(name))

    def kept(self, name: str) -> bool:
        """Whether a count of this input is kept."""
        return self._partial_path(name).is_file()

    def checkpoint(self, name: str, count: Count, runtime: Mapping[str, str]) -> None:
        """Keep a count under way; `runtime` is what the model's answers may depend on."""
        path = self._partial_path(name)
        write_atomically(path, lambda p: write_hdf5(p, lambda f: write_count(f, count, runtime)))

    def resume(self, fresh: Count, name: str, runtime: Mapping[str, str]) -> Count:
        """The kept count of `name` if it is one of the same draws on the same runtime, or `fresh`;
        on the backend of `fresh`.

        Counts made by another generator or runtime are not mixed: the input starts again.

        Raises:
            AccessError: the machine does not let it be read; it may be good, and is not replaced.
        """
        try:
            with reading(self._partial_path(name)) as file:
                count, made_by = read_count(file)
                if count.asked == fresh.asked and made_by == dict(runtime):
                    return count.on(fresh.backend)
        except AccessError:
            raise
        except StoreError:
            pass  # there is none, or a damaged one
        return fresh

    def _partial_path(self, name: str) -> Path:
        return inside(self.folder, "partial", f"{name}.h5")
