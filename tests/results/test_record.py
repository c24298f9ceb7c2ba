"""What is stored is what was certified, and can be decided again without the model."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import records
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples

from onnxcert import ABSTAIN, ResultStore
from onnxcert.errors import StoreError
from onnxcert.files.atomic import write_atomically
from onnxcert.results import Record
from onnxcert.sampling.tally import Tally
from onnxcert.statistics.certificate import Certificate


def kept(record: Record, folder: Path) -> ResultStore:
    store = ResultStore(folder)
    with store.exclusive():
        store.write(record)
    return store


def assert_same(a: Record | Tally, b: Record | Tally) -> None:
    for field in fields(a):
        one, other = getattr(a, field.name), getattr(b, field.name)
        if hasattr(one, "shape"):
            assert one.dtype == other.dtype, field.name
            assert np.array_equal(one[...], other[...]), field.name
        elif field.name == "tally":
            assert_same(one, other)
        elif field.name == "curve":
            assert (one.components, one.labelled) == (other.components, other.labelled)
            for name in ("radii", "certified", "correct"):
                assert np.array_equal(getattr(one, name), getattr(other, name)), name
        elif field.name == "confusions":
            assert set(one) == set(other)
            for row in one:
                assert np.array_equal(one[row][...], other[row][...]), row
        else:
            assert one == other, field.name


def assert_same_certificate(a: Certificate, b: Certificate) -> None:
    assert np.array_equal(a.labels, b.labels)
    assert a.labels.dtype == b.labels.dtype
    assert a.statement() == b.statement()
    assert np.array_equal(a.level, b.level)
    assert np.array_equal(a.levels, b.levels)
    assert (a.rule, a.thresholds, a.notes) == (b.rule, b.thresholds, b.notes)


@pytest.mark.slow
@examples(40)
@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    classes=st.sampled_from((2, 3, 300)),
    missing=st.sampled_from((None, 1)),
    selection=st.sampled_from(("pooled", "split")),
    alpha=st.sampled_from((0.001, 0.2)),
    n0=st.integers(1, 20),
    nonrobust=st.booleans(),
    truth=st.booleans(),
    seed=st.integers(0, 2**63 - 1),
)
def test_a_record_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, **options: Any
) -> None:
    record = records.record(**options)
    store = kept(record, tmp_path_factory.mktemp("store"))
    assert_same(store.read("x"), record)
    with store.open("x") as backed:
        assert isinstance(backed.tally.hits, h5py.Dataset)
        assert_same(backed, record)
        assert_same(backed.to_memory(), record)
        assert_same_certificate(backed.certificate(), record.certificate())


@pytest.mark.parametrize("selection", ["pooled", "split"])
@pytest.mark.parametrize("correction", ["holm", "bonferroni"])
def test_the_certificate_is_decided_again_from_the_tally_alone(
    tmp_path: Path, selection: str, correction: str
) -> None:
    record = records.record(selection=selection, correction=correction)
    assert 0 < (record.labels[...] == ABSTAIN).mean() < 1
    again = kept(record, tmp_path).read("x").certificate()
    assert np.array_equal(again.labels, record.labels[...])
    assert again.statement() == record.decision.statement
    assert again.radius == record.decision.radius[0]
    assert again.abstained == record.decision.abstained[0]


def test_a_record_in_memory_outlives_its_file(tmp_path: Path) -> None:
    store = kept(records.record(), tmp_path)
    with store.open("x") as backed:
        tally, memory = backed.tally.to_memory(), backed.to_memory()
    assert isinstance(tally, Tally)
    assert isinstance(tally.hits, np.ndarray)
    assert memory.tally.hits[...].sum() == tally.hits.sum()


def test_impossible_votes_are_refused_before_they_are_decided(tmp_path: Path) -> None:
    store = kept(records.record(), tmp_path)
    with h5py.File(tmp_path / "inputs" / "x.h5", "r+") as file:
        file["tally/hits"][0, 0] = 101
    with pytest.raises(StoreError, match="between 0 and the 100 draws"):
        store.read("x")
    for use in (Record.certificate, Record.to_memory):
        with pytest.raises(StoreError, match="between 0 and the 100 draws"), store.open("x") as one:
            use(one)


def test_arrays_keep_their_small_types(tmp_path: Path) -> None:
    few = kept(records.record(), tmp_path / "few").read("x")
    assert (few.tally.hits.dtype, few.tally.candidate.dtype) == (np.uint8, np.uint8)
    many = kept(records.record(n=300, n0=5), tmp_path / "many").read("x")
    assert many.tally.hits.dtype == np.uint16
    assert kept(records.record(classes=300), tmp_path / "wide").read("x").tally.candidate.dtype == (
        np.uint16
    )


def test_files_beside_a_record_are_there_when_it_is_and_not_before(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    (tmp_path / "inputs").mkdir()
    beside = tmp_path / "labels.txt"

    def write() -> None:
        write_atomically(beside, _put)
        assert not beside.exists()

    store.write(records.record("one"), beside=write)
    assert beside.exists()
    assert store.names() == ["one"]

    def fail() -> None:
        write()
        raise KeyboardInterrupt

    beside.unlink()
    with pytest.raises(KeyboardInterrupt):
        store.write(records.record("two"), beside=fail)
    assert not beside.exists()
    assert store.names() == ["one"]
    assert not list(tmp_path.rglob(".*.tmp"))


def test_the_table_is_the_same_whether_records_were_just_written_or_are_read(
    tmp_path: Path,
) -> None:
    store = ResultStore(tmp_path)
    for folder in ("inputs", "partial"):
        (tmp_path / folder).mkdir()
    for name in ("b", "a", "c"):
        store.write(records.record(name, seed=ord(name)))
    (tmp_path / "inputs" / "c.h5").unlink()  # what is gone is not listed
    store.derive()
    found = store.summary()
    ResultStore(tmp_path).derive()
    assert found == ResultStore(tmp_path).summary() != {}
    assert found is not None
    assert list(found) == ["a", "b"]


def _put(path: Path) -> None:
    path.write_text("labels")
