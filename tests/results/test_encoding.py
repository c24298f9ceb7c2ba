"""Every group says what it is; what is not understood is refused by naming both sides."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import records
from refusals import one_sentence

from onnxcert import ResultStore
from onnxcert._typing import Perturbation
from onnxcert.errors import StoreError
from onnxcert.perturbation import AxisRotation, Gaussian, OnChannels, Rotation
from onnxcert.results.hdf5 import Attributes
from onnxcert.sampling import Count
from onnxcert.sampling.draws import Draws

GROUPS = ("/", "tally", "certificate", "predictions", "confusions", "provenance")
RUNTIME = {"provider": "test"}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two finished inputs, one under way, and what is derived from them."""
    store = ResultStore(tmp_path_factory.mktemp("store"))
    with store.exclusive():
        store.begin({"tau": 0.75}, seed=3, random_seed=4)
        store.write(records.record("one", truth=True, nonrobust=True))
        store.write(records.record("two", shape=(3, 2)))
        tally = records.certified().tally
        count = Count(tally.draws, 100, 10, "pooled", 3)
        count.add(np.zeros((4, 6, 7), np.uint8))
        store.checkpoint("three", count, RUNTIME)
        store.derive()
    return store.folder


@pytest.fixture
def store(written: Path, tmp_path: Path) -> ResultStore:
    """A copy that may be damaged."""
    return ResultStore(shutil.copytree(written, tmp_path / "out"))


def refusal(read: Callable[[], Any]) -> str:
    with one_sentence(StoreError) as caught:
        read()
    return str(caught.value)


def groups(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    with h5py.File(path, "r") as file:
        found["/"] = dict(Attributes(file))
        file.visititems(
            lambda name, item: (
                found.update({name: dict(Attributes(item))})
                if isinstance(item, h5py.Group)
                else None
            )
        )
    return found


def test_every_group_of_every_file_has_a_type_and_a_version(store: ResultStore) -> None:
    files = sorted(store.folder.rglob("*.h5"))
    assert [f.relative_to(store.folder).as_posix() for f in files] == [
        "inputs/one.h5",
        "inputs/two.h5",
        "partial/three.h5",
        "results.h5",
    ]
    for path in files:
        for name, attributes in groups(path).items():
            assert attributes["encoding-type"].startswith("onnxcert-"), (path, name)
            assert attributes["encoding-version"] >= 1, (path, name)
    assert set(groups(files[0])) == set(GROUPS)


def test_the_run_file_has_a_type_and_a_version_as_well(store: ResultStore) -> None:
    run = json.loads((store.folder / "run.json").read_text())
    assert (run["encoding-type"], run["encoding-version"]) == ("onnxcert-run", 1)
    assert (run["seed"], run["parameters"]) == (3, {"tau": 0.75})


@pytest.mark.parametrize("group", GROUPS)
def test_an_unknown_version_is_refused_naming_both(store: ResultStore, group: str) -> None:
    path = store.folder / "inputs" / "one.h5"
    with h5py.File(path, "r+") as file:
        file[group].attrs["encoding-version"] = 99
    message = refusal(lambda: store.read("one"))
    assert "version 99" in message
    assert "reads 2" in message if group in ("tally", "certificate") else "reads 1" in message
    assert str(path) in message


@pytest.mark.parametrize("group", GROUPS)
def test_another_type_is_refused_naming_both(store: ResultStore, group: str) -> None:
    with h5py.File(store.folder / "inputs" / "one.h5", "r+") as file:
        before = Attributes(file[group])["encoding-type"]
        file[group].attrs["encoding-type"] = "zarr"
    message = refusal(lambda: store.read("one"))
    assert "'zarr'" in message
    assert f"'{before}'" in message


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_without_its_mark_is_refused(store: ResultStore, group: str) -> None:
    with h5py.File(store.folder / "inputs" / "one.h5", "r+") as file:
        del file[group].attrs["encoding-type"]
    refusal(lambda: store.read("one"))


def test_an_unknown_run_file_is_refused_naming_both_versions(store: ResultStore) -> None:
    path = store.folder / "run.json"
    path.write_text(path.read_text().replace('"encoding-version": 1', '"encoding-version": 7'))
    message = refusal(store.run)
    assert "7" in message
    assert "reads 1" in message


def test_an_unknown_perturbation_is_refused_with_those_that_are_known(store: ResultStore) -> None:
    with h5py.File(store.folder / "inputs" / "one.h5", "r+") as file:
        file["tally"].attrs["perturbation"] = "affine"
    message = refusal(lambda: store.read("one"))
    assert "'affine'" in message
    assert "gaussian" in message


def test_results_link_to_every_input(store: ResultStore) -> None:
    with h5py.File(store.folder / "results.h5", "r") as file:
        assert sorted(file["inputs"]) == ["one", "two"]
        for name in file["inputs"]:
            link = file["inputs"].get(name, getlink=True)
            assert isinstance(link, h5py.ExternalLink)
            assert Attributes(file["inputs"][name])["name"] == name
            assert np.array_equal(
                file["inputs"][name]["tally/hits"][...], store.read(name).tally.hits[...]
            )


def test_links_hold_when_the_folder_is_moved(store: ResultStore, tmp_path: Path) -> None:
    moved = store.folder.rename(tmp_path / "elsewhere")
    with h5py.File(moved / "results.h5", "r") as file:
        assert file["inputs/two/certificate/labels"].shape == (3, 2)


def test_the_summary_table_is_that_of_the_records(store: ResultStore) -> None:
    rows = [store.read(name).summary() for name in store.names()]
    with h5py.File(store.folder / "results.h5", "r") as file:
        table = file["summary"]
        assert set(table) == set(rows[0])
        for column in table:
            values = table[column].asstr()[...] if column == "name" else table[column][...]
            assert values.tolist() == [row[column] for row in rows]
        assert json.loads(file.attrs["run"])["seed"] == 3


def test_results_can_be_derived_from_the_inputs_at_any_time(store: ResultStore) -> None:
    before = groups(store.folder / "results.h5")
    (store.folder / "results.h5").unlink()
    store.derive()
    assert groups(store.folder / "results.h5").keys() == before.keys()


# -- files that are not ours ---------------------------------------------------------------------


def foreign_files() -> dict[str, Callable[[Path], object]]:
    def cut(share: float) -> Callable[[Path], object]:
        return lambda path: path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    def other(path: Path) -> None:
        path.unlink()
        with h5py.File(path, "w") as file:
            file["data"] = np.arange(3)

    def without_attribute(group: str, name: str) -> Callable[[Path], object]:
        def edit(path: Path) -> None:
            with h5py.File(path, "r+") as file:
                del file[group].attrs[name]

        return edit

    def scribbled(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            file["provenance"].attrs["model"] = "{no JSON"

    def group_for_array(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            del file["tally"]
            file["tally"] = np.arange(3)

    return {
        "empty": lambda path: path.write_bytes(b""),
        "text": lambda path: path.write_text("hits: many\n" * 100),
        "cut early": cut(0.1),
        "cut in the middle": cut(0.5),
        "cut late": cut(0.9),
        "other HDF5": other,
        "no tally": records.without("tally"),
        "no hits": records.without("tally/hits"),
        "no labels": records.without("certificate/labels"),
        "no n": without_attribute("tally", "n"),
        "no name": without_attribute("/", "name"),
        "no seed": without_attribute("tally", "seed"),
        "no rule": without_attribute("certificate", "rule"),
        "scribbled provenance": scribbled,
        "an array for a group": group_for_array,
    }


@pytest.mark.parametrize("kind", foreign_files())
def test_a_foreign_or_damaged_file_is_one_sentence(store: ResultStore, kind: str) -> None:
    path = store.folder / "inputs" / "one.h5"
    foreign_files()[kind](path)
    message = refusal(lambda: store.read("one"))
    assert str(path) in message
    # The other input is not harmed.
    assert store.read("two").name == "two"


@pytest.mark.parametrize("kind", foreign_files())
def test_report_on_a_foreign_file_is_one_sentence(
    store: ResultStore, kind: str, onnxcert: Any
) -> None:
    foreign_files()[kind](store.folder / "inputs" / "one.h5")
    outcome = onnxcert("report", store.folder)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith("onnxcert: ")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", "{}", '{"encoding-type": "other"}', "\x00\x01"]
)
def test_a_foreign_run_file_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    assert "not written by onnxcert" in refusal(ResultStore(tmp_path).run)


def test_a_run_file_that_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(b"\xff\xfe\x00")
    refusal(ResultStore(tmp_path).run)


def test_results_without_a_run_file_are_refused(store: ResultStore) -> None:
    (store.folder / "run.json").unlink()
    with store.exclusive():
        message = refusal(lambda: store.begin({}, seed=None, random_seed=1))
    assert "no run.json" in message


def test_what_is_not_there_is_said_by_name(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    assert store.names() == []
    assert "x" not in store
    assert "x.h5" in refusal(lambda: store.read("x"))


# -- who may write -------------------------------------------------------------------------------


def test_a_second_run_in_the_folder_is_refused_while_the_first_one_lives(tmp_path: Path) -> None:
    first, second = ResultStore(tmp_path), ResultStore(tmp_path)
    with first.exclusive():
        message = refusal(lambda: second.exclusive().__enter__())
        assert "another run" in message
        assert str(tmp_path) in message
    with second.exclusive():
        pass


def test_what_a_killed_run_left_half_written_is_swept_away(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    with store.exclusive():
        store.begin({}, seed=1, random_seed=1)
    for sub in ("", "inputs", "partial", "labels", "pictures"):
        (tmp_path / sub).mkdir(exist_ok=True)
        (tmp_path / sub / ".x.h5.tmp").write_bytes(b"half")
    with ResultStore(tmp_path).exclusive():
        assert not list(tmp_path.rglob("*.tmp"))


def test_a_half_written_file_is_no_result(tmp_path: Path) -> None:
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs" / ".x.h5.tmp").write_bytes(b"half")
    store = ResultStore(tmp_path)
    assert store.names() == []
    assert "x" not in store


def test_a_write_that_fails_leaves_the_former_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ResultStore(tmp_path)
    with store.exclusive():
        store.write(records.record())
        before = (tmp_path / "inputs" / "x.h5").read_bytes()

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", full)
        message = refusal(lambda: store.write(records.record(seed=1)))
    assert "No space left on device" in message
    assert (tmp_path / "inputs" / "x.h5").read_bytes() == before
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize(
    "perturbation",
    [
        Rotation(0.25, 2, "classical"),
        AxisRotation(0.25, "z"),
        OnChannels(Gaussian(0.1), 0, 3, "the coordinates"),
        OnChannels(Rotation(0.5), 3, 6),
        OnChannels(Gaussian(0.1), 0, 4, "blue, nir", (1, 2)),
    ],
    ids=lambda p: p.name,
)
def test_a_count_keeps_its_perturbation_and_what_that_is_made_of(
    tmp_path: Path, perturbation: Perturbation
) -> None:
    store = ResultStore(tmp_path)
    count = Count(Draws(perturbation, 3, "ab" * 32), 100, 10, "pooled", 3)
    count.add(np.zeros((4, 7), np.uint8))
    with store.exclusive():
        store.begin({"tau": 0.75}, seed=3, random_seed=4)
        store.checkpoint("one", count, RUNTIME)
        fresh = Count(count.draws, 100, 10, "pooled", 3)
        found = store.resume(fresh, "one", RUNTIME)
    assert (found.draws, found.done) == (count.draws, 4)
