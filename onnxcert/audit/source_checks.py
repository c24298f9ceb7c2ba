"""Comparison of records with the model file and the input files, where these exist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from onnxcert.audit.reload import InputRecipe
from onnxcert.data import Item
from onnxcert.data.datasets import READERS
from onnxcert.data.points import CLOUD_READERS
from onnxcert.errors import (
    AccessError,
    InputError,
    ModelError,
    describe_machine_failure,
    refuse_machine_failure,
)
from onnxcert.model.graph.file import read_model
from onnxcert.results import Record
from onnxcert.sampling.draws import digest


class ModelCheck:
    """Comparison of the model file with the digest in records.

    Args:
        given: the model file; None for the file that each record names.

    Attributes:
        missing: files named by records that do not exist.

    Raises:
        ModelError: `given` cannot be read.
    """

    def __init__(self, given: Path | None = None) -> None:
        self._given = given
        self._digests: dict[Path, str | AccessError | None] = {}
        self.missing: set[str] = set()
        if given is not None:
            self._digests[given] = read_model(given).sha256

    def find_mismatch(self, record: Record) -> str | None:
        """Describe what is wrong with the model of `record`; None if nothing is.

        Raises:
            AccessError: the operating system cannot read the model.
        """
        named = record.provenance.model.get("name", "")
        path = self._given or Path(named)
        if not _is_file(path):
            self.missing.add(named)
            return None
        if path not in self._digests:
            self._digests[path] = _digest_of(path)
        found = self._digests[path]
        if isinstance(found, AccessError):
            raise found
        if found != record.provenance.model.get("sha256"):
            return f"the model {path} differs from the certified model"
        return None


def _digest_of(model: Path) -> str | AccessError | None:
    """Return the digest of a model, None if it is not a model, or the error if unreadable."""
    try:
        return read_model(model).sha256
    except (ModelError, OSError, MemoryError) as error:
        why = describe_machine_failure(error)
        return AccessError(model, why) if why else None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        refuse_machine_failure(path, error)
        return False


class InputCheck:
    """Comparison of input files with the inputs that were certified.

    Args:
        given: input files, folders or patterns that must contain every input, under any name; empty
            for the file that each record names.

    Attributes:
        missing: files named by records that do not exist.
        unreadable: given inputs that cannot be read -> reason.

    Raises:
        InputError: a given file does not exist.
    """

    def __init__(self, given: Sequence[str] = ()) -> None:
        self._given = list(given)
        self._listed: dict[bool, tuple[Item, ...]] = {}
        self._digests: dict[str, set[str]] = {}
        self.missing: list[str] = []
        self.unreadable: dict[Path, str] = {}
        self._trouble: AccessError | None = None

    def find_mismatch(self, record: Record) -> str | None:
        """Describe what is wrong with the input of `record`; None if nothing is.

        Raises:
            AccessError: the operating system cannot read the input, or one of the given inputs.
        """
        try:
            recipe = InputRecipe.of(record)
        except InputError as error:
            return str(error)
        if self._given:
            if record.draws.digest in self._digests_of(recipe):
                return None
            if self._trouble is not None:
                raise self._trouble
            return "none of the given inputs is the certified input"
        item = recipe.item(record)
        if not _is_file(item.path):
            self.missing.append(str(item.path))
            return None
        try:
            same = digest(recipe.read(item)[0]) == record.draws.digest
        except (InputError, OSError, MemoryError) as error:
            refuse_machine_failure(item.path, error)
            same = False
        return None if same else f"the input {item.path} differs from the certified input"

    def _list_given(self, *, of_points: bool) -> tuple[Item, ...]:
        """Return the given inputs, read as points or as images."""
        if of_points not in self._listed:
            reader = CLOUD_READERS["clouds"] if of_points else READERS["folder"]
            self._listed[of_points] = reader.list(self._given, None).items
        return self._listed[of_points]

    def _digests_of(self, recipe: InputRecipe) -> set[str]:
        """Return the digests of all given inputs."""
        key = repr(recipe)
        if key not in self._digests:
            self._digests[key] = set()
            for item in self._list_given(of_points=recipe.points is not None):
                try:
                    x, _ = recipe.read(replace(item, category=recipe.category))
                    self._digests[key].add(digest(x))
                except (InputError, OSError, MemoryError) as error:
                    self.unreadable[item.path] = str(error)
                    if why := describe_machine_failure(error):
                        self._trouble = AccessError(item.path, why)
        return self._digests[key]
