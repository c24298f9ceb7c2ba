"""The files that a run was made from, where they can be found: the model and the inputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from onnxcert._typing import FloatArray
from onnxcert.draws import digest
from onnxcert.errors import InputError, ModelError
from onnxcert.inputs import READERS, read_image
from onnxcert.inputs.grey import grey
from onnxcert.model.graph import read_model
from onnxcert.store import Record


class ModelCheck:
    """Compares the model file with what records say it was.

    Args:
        given: the model to compare with; without it, the file that each record names.

    Attributes:
        missing: files that records name and that are not there.

    Raises:
        ModelError: `given` cannot be read.
    """

    def __init__(self, given: Path | None = None) -> None:
        self._given = given
        self._digests: dict[Path, str | None] = {}
        self.missing: set[str] = set()
        if given is not None:
            self._digests[given] = read_model(given).sha256

    def misfit(self, record: Record) -> str | None:
        """What is wrong with the model of `record`, if anything."""
        named = record.provenance.model.get("name", "")
        path = self._given or Path(named)
        if not path.is_file():
            self.missing.add(named)
            return None
        if path not in self._digests:
            try:
                self._digests[path] = read_model(path).sha256
            except ModelError:
                self._digests[path] = None
        if self._digests[path] != record.provenance.model.get("sha256"):
            return f"the model {path} is not the one that was certified"
        return None


class InputCheck:
    """Compares inputs with those that votes were drawn for.

    Args:
        given: pictures, folders or patterns that must hold every input, under any name; without
            them, the file that each record names.

    Attributes:
        missing: files that records name and that are not there.
        unreadable: given pictures that cannot be read, with the reason.

    Raises:
        InputError: something given is not there.
    """

    def __init__(self, given: Sequence[str] = ()) -> None:
        self._given = [i.path for i in READERS["folder"].list(given, None).items] if given else None
        self._digests: dict[bool, set[str]] = {}
        self.missing: list[str] = []
        self.unreadable: dict[Path, str] = {}

    def misfit(self, record: Record) -> str | None:
        """What is wrong with the input of `record`, if anything."""
        # A model of one channel sees, and is certified on, the picture in grey.
        in_grey = record.provenance.contract.get("channel_order") == "GRAY"
        if self._given is not None:
            if record.draws.digest in self._known(self._given, in_grey):
                return None
            return "none of the inputs given is the one that was certified"
        path = Path(record.provenance.input.get("path", ""))
        if not path.is_file():
            self.missing.append(str(path))
            return None
        try:
            same = _digest(read_image(path), in_grey) == record.draws.digest
        except InputError:
            same = False
        return None if same else f"the input {path} is not the one that was certified"

    def _known(self, given: Sequence[Path], in_grey: bool) -> set[str]:
        """Digests of all inputs given."""
        if in_grey not in self._digests:
            self._digests[in_grey] = set()
            for path in given:
                try:
                    self._digests[in_grey].add(_digest(read_image(path), in_grey))
                except InputError as error:
                    self.unreadable[path] = str(error)
        return self._digests[in_grey]


def _digest(picture: FloatArray, in_grey: bool) -> str:
    return digest(grey(picture) if in_grey else picture)
