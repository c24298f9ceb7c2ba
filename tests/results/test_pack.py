"""One file holds the whole run, needs nothing beside it, and a record tells when it was edited."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import records

from onnxcert import ResultStore
from onnxcert.errors import StoreError
from onnxcert.results import Pack, open_results, pack
from onnxcert.results.fingerprint import fingerprint
from onnxcert.results.hdf5 import Attributes, put


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = ResultStore(tmp_path_factory.mktemp("store"))
    with store.exclusive():
        store.begin(records.ASKED, seed=3, random_seed=4)
        store.write(records.record("one", truth=True, nonrobust=True))
        store.write(records.record("zwei ü", shape=(3, 2)))
        store.derive()
    return store.folder


@pytest.fixture
def store(written: Path, tmp_path: Path) -> ResultStore:
    """A copy that may be damaged."""
    return ResultStore(shutil.copytree(written, tmp_path / "out"))


@pytest.fixture
def packed(store: ResultStore, tmp_path: Path) -> Pack:
    """A pack whose folder is gone."""
    assert pack(store, tmp_path / "pack.h5") == 2
    shutil.rmtree(store.folder)
    return Pack(tmp_path / "pack.h5")


def test_a_pack_reads_like_its_folder(written: Path, packed: Pack) -> None:
    store = ResultStore(written)
    assert packed.names() == store.names() == ["one", "zwei ü"]
    assert packed.run() == store.run()
    assert packed.summary() == store.summary()
    for name in store.names():
        assert name in packed
        assert records.fingerprints(packed, name) == records.fingerprints(store, name)
        one, other = packed.read(name), store.read(name)
        assert (one.decision, one.tally.draws, one.provenance) == (
            other.decision,
            other.tally.draws,
            other.provenance,
        )
        np.testing.assert_array_equal(one.certificate().labels, other.labels)
        assert set(one.confusions) == set(other.confusions)
    assert "three" not in packed


def test_nothing_in_a_pack_lies_elsewhere(packed: Pack) -> None:
    with h5py.File(packed.path, "r") as file:
        found: list[str] = []
        file.visit(found.append)
        assert found
        for name in found:
            assert isinstance(file.get(name, getlink=True), h5py.HardLink)


def test_every_group_of_a_pack_has_a_type_and_a_version(packed: Pack) -> None:
    def check(name: str, item: Any) -> None:
        if isinstance(item, h5py.Group):
            assert Attributes(item)["encoding-type"].startswith("onnxcert-"), name
            assert item.attrs["encoding-version"] >= 1, name

    with h5py.File(packed.path, "r") as file:
        check("/", file)
        file.visititems(check)


def test_a_pack_of_another_version_is_refused_by_naming_both(packed: Pack) -> None:
    with h5py.File(packed.path, "r+") as file:
        file.attrs["encoding-version"] = 99
    with pytest.raises(StoreError, match=r"version 99, this onnxcert reads 1"):
        packed.names()


def test_a_file_that_is_there_is_never_replaced(store: ResultStore, tmp_path: Path) -> None:
    path = tmp_path / "pack.h5"
    path.write_text("mine")
    with pytest.raises(StoreError, match="exists already"):
        pack(store, path)
    assert path.read_text() == "mine"


def test_a_folder_without_a_run_or_a_result_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no run\.json"):
        pack(ResultStore(tmp_path), tmp_path / "pack.h5")
    store = ResultStore(tmp_path)
    with store.exclusive():
        store.begin({}, seed=1, random_seed=1)
    with pytest.raises(StoreError, match="no finished input"):
        pack(store, tmp_path / "pack.h5")


def test_what_was_edited_is_not_packed_and_nothing_is_left_over(
    store: ResultStore, tmp_path: Path
) -> None:
    with h5py.File(store.folder / "inputs" / "one.h5", "r+") as file:
        file["predictions/clean"][0, 0] += 1
    with pytest.raises(StoreError, match=r"one in .* has changed since it was written"):
        pack(store, tmp_path / "pack.h5")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]


def test_a_full_disk_leaves_nothing_behind(
    store: ResultStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        pack(store, tmp_path / "pack.h5")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]


def test_other_files_are_no_packs(store: ResultStore, tmp_path: Path) -> None:
    text = tmp_path / "text.h5"
    text.write_text("no HDF5")
    for path in (text, store.folder / "results.h5", store.folder / "inputs" / "one.h5"):
        with pytest.raises(StoreError):
            open_results(path).names()
    with pytest.raises(StoreError, match="no results"):
        open_results(tmp_path / "nothing")


def test_a_record_carries_its_digest_however_it_is_read(packed: Pack, tmp_path: Path) -> None:
    for name in packed.names():
        stored, found = records.fingerprints(packed, name)
        assert stored == found
    # Written again from memory, it is the same record.
    again = ResultStore(tmp_path / "again")
    with again.exclusive():
        again.write(packed.read("one"))
    assert records.fingerprints(again, "one") == records.fingerprints(packed, "one")


def test_the_digest_does_not_depend_on_how_arrays_are_packed(store: ResultStore) -> None:
    with h5py.File(store.folder / "inputs" / "one.h5", "r+") as file:
        before = fingerprint(file)
        hits = file["tally/hits"][...]
        del file["tally/hits"]
        file["tally"].create_dataset("hits", data=hits)
        assert fingerprint(file) == before


@pytest.mark.slow
def test_the_digest_depends_on_every_attribute_and_every_array(store: ResultStore) -> None:
    seen = set()
    with h5py.File(store.folder / "inputs" / "one.h5", "r+") as file:
        seen.add(fingerprint(file))
        nodes = {"/": file}
        file.visititems(lambda name, item: nodes.update({name: item}))
        edits = 0
        for name, node in nodes.items():
            for attribute in list(node.attrs):
                if (name, attribute) == ("/", "sha256"):
                    continue
                before = node.attrs[attribute]
                text = isinstance(before, bytes)
                put(node, attribute, f"{before.decode()} " if text else before + 1)
                seen.add(fingerprint(file))
                put(node, attribute, before.decode() if text else before)
                edits += 1
            if isinstance(node, h5py.Dataset):
                last = tuple(n - 1 for n in node.shape)
                before = node[last]
                node[last] = before + 1.0 if node.dtype.kind == "f" else before ^ 1
                seen.add(fingerprint(file))
                node[last] = before
                edits += 1
        assert edits > 40
        file["tally"].attrs["further"] = 1
        seen.add(fingerprint(file))
    assert len(seen) == edits + 2


@pytest.mark.parametrize("attribute", [np.arange(3), b"bytes", np.float32(0.1), h5py.Empty("f4")])
def test_any_attribute_has_a_digest(store: ResultStore, attribute: Any) -> None:
    with h5py.File(store.folder / "inputs" / "one.h5", "r+") as file:
        before = fingerprint(file)
        file.attrs["odd"] = attribute
        assert fingerprint(file) != before
        assert fingerprint(file) == fingerprint(file)


def test_an_array_that_claims_more_than_it_holds_is_damage_not_memory(store: ResultStore) -> None:
    with h5py.File(store.folder / "inputs" / "one.h5", "r+") as file:
        del file["tally/hits"]
        file["tally"].create_dataset("hits", (2**20, 2**20), "i8", chunks=(64, 64))
    for read in (store.read, partial(records.fingerprints, store)):
        with pytest.raises(StoreError, match="larger than its stored data"):
            read("one")


def test_the_run_of_a_pack_must_be_one(packed: Pack) -> None:
    with h5py.File(packed.path, "r+") as file:
        run = json.loads(file.attrs["run"])
        file.attrs["run"] = json.dumps({**run, "seed": "three"})
    with pytest.raises(StoreError, match="not written by onnxcert"):
        packed.run()


@pytest.mark.slow
@pytest.mark.parametrize("attribute", [b"seed\0", b"perturbation-parameters\0", b"statement\0"])
def test_a_flipped_bit_in_a_header_is_damage_and_never_a_crash(
    store: ResultStore, attribute: bytes
) -> None:
    """In HDF5's older format some of these end the process."""
    path = store.folder / "inputs" / "one.h5"
    good = path.read_bytes()
    start = good.index(attribute)
    for place in range(start - 8, start + len(attribute) + 40):
        content = bytearray(good)
        content[place] ^= 0xFF
        path.write_bytes(content)
        with pytest.raises(StoreError):
            records.fingerprints(store, "one")
