"""Nothing outside a results folder is written, removed, copied or followed, whoever edited it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import pytest
import records
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples

from onnxcert import ResultStore
from onnxcert.data.paths import is_safe_name, safe_name
from onnxcert.errors import StoreError
from onnxcert.files.atomic import write_atomically
from onnxcert.files.inside import inside, make_folder_inside
from onnxcert.report.export.files import write_labels
from onnxcert.results import Results, open_results, pack
from onnxcert.results.fingerprint import fingerprint
from onnxcert.results.hdf5 import put

SECRET = "root:secret"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two inputs, with label files, and its pack."""
    store = ResultStore(tmp_path_factory.mktemp("made") / "run")
    with store.exclusive():
        store.begin(records.ASKED, seed=3, random_seed=3)
        for name, shape in (("one", (6, 7)), ("two", (3, 2))):
            record = records.record(name, shape=shape)
            write_labels(store.folder, record, ("a", "b", "c"))
            store.write(record)
        store.note_inputs(["one", "two"], {})
        store.derive()
    pack(store, store.folder.parent / "run.h5")
    return store.folder


@pytest.fixture
def run(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy that may be edited, with others' files around it."""
    outside = tmp_path / "outside"
    (outside / "folder").mkdir(parents=True)
    for place in (tmp_path, outside, outside / "folder"):
        for suffix in ("", ".h5", ".npy", ".png", ".tmp"):
            (place / f"victim{suffix}").write_text(SECRET)
    (outside / "folder" / ".one.h5.tmp").write_text(SECRET)
    shutil.copy(written.parent / "run.h5", tmp_path / "run.h5")
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(written, tmp_path / "run"))


def contents(folder: Path, but: str = "") -> dict[str, bytes | str]:
    """Every file and link below `folder`, except below its folder `but`."""
    return {
        str(path): str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if (path.is_symlink() or path.is_file()) and path.relative_to(folder).parts[0] != but
    }


def commands(where: Path | str) -> list[tuple[Any, ...]]:
    """Every command that reads results, without a model."""
    return [
        ("report", where),
        ("verify", where),
        ("diff", where, "whole"),
        ("decide", where, "--alpha", "0.01", "--out", "decided"),
        ("merge", "merged", where),
        ("pack", where, "packed.h5"),
    ]


def assert_refused(onnxcert: Any, folder: Path, where: str, said: str, *, verify: int) -> None:
    """Every command says what is wrong in one sentence, and changes nothing."""
    before = contents(folder)
    for command in commands(where):
        if where.endswith(".h5") and command[0] in ("merge", "pack"):
            continue  # which take folders alone
        outcome = onnxcert(*command)
        told = outcome.out if command[0] == "verify" and verify == 1 else outcome.err
        assert outcome.status == (verify if command[0] == "verify" else 2), (command, outcome)
        assert said in told, (command, told)
        assert outcome.err.count("\n") <= 1
        assert SECRET not in outcome.out + outcome.err
    assert contents(folder) == before


NAMES = ("{}/outside/victim", "../../victim", "..", "two", "o\nne", "one ", "x" * 300, "\x1b[31m")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("where", ["run", "run.h5"])
def test_a_record_under_any_name_but_its_own_is_refused_everywhere(
    run: Path, written: Path, tmp_path: Path, onnxcert: Any, name: str, where: str
) -> None:
    shutil.copytree(written, "whole")
    with h5py.File(run / "inputs" / "one.h5" if where == "run" else where, "r+") as file:
        record = file if where == "run" else file["inputs/one"]
        put(record, "name", name.format(tmp_path))
        put(record, "sha256", fingerprint(record))
    assert_refused(onnxcert, tmp_path, where, "is the record of", verify=1)


@pytest.mark.parametrize("name", ["o\nne", "one ", " one", "\x1b[31m", "x" * 220])
@pytest.mark.parametrize("where", ["run", "run.h5"])
def test_a_name_that_no_input_gets_is_refused_also_as_a_key(
    run: Path, written: Path, tmp_path: Path, onnxcert: Any, name: str, where: str
) -> None:
    shutil.copytree(written, "whole")
    path = Path(where)
    if where == "run":
        path = (run / "inputs" / "one.h5").rename(run / "inputs" / f"{name}.h5")
    with h5py.File(path, "r+") as file:
        if where == "run.h5":
            file["inputs"].move("one", name)
        record = file if where == "run" else file["inputs"][name]
        put(record, "name", name)
        put(record, "sha256", fingerprint(record))
    assert_refused(onnxcert, tmp_path, where, "not a name that onnxcert gives", verify=2)


@given(st.text())
@examples(100)
def test_every_name_that_an_input_gets_is_one(text: str) -> None:
    assert is_safe_name(safe_name(text))
    if is_safe_name(text):
        assert inside(Path("x"), f"{text}.h5") == Path("x", f"{text}.h5")


PLACES = ("run.json", "results.h5", ".lock", "inputs", "inputs/one.h5", "inputs/new.h5", "labels")
PLACES += ("labels/one.npy", "labels/one", "partial", "partial/one.h5", "pictures", "curve.png")


@pytest.mark.parametrize("place", PLACES)
def test_every_link_in_a_folder_is_refused_and_nothing_behind_it_is_touched(
    run: Path, written: Path, tmp_path: Path, onnxcert: Any, place: str
) -> None:
    """As links to what belongs there, so that whoever followed them would find nothing wrong."""
    shutil.copytree(written, "whole")
    path = run / place
    goal = tmp_path / "outside" / "goal"
    if path.exists():
        path.rename(goal)
    elif "." in path.name:
        goal.write_text(SECRET)
    else:
        goal = tmp_path / "outside" / "folder"
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(os.path.relpath(goal, path.parent))
    assert_refused(onnxcert, tmp_path, "run", f"{place} in run is a symlink", verify=2)
    before = contents(tmp_path)
    with pytest.raises(StoreError, match="is a symlink"), ResultStore(run).exclusive():
        pass
    assert contents(tmp_path) == before


def test_a_folder_may_itself_be_reached_by_a_link(
    run: Path, written: Path, tmp_path: Path, onnxcert: Any
) -> None:
    shutil.copytree(written, "whole")
    run.rename(tmp_path / "disk")
    run.symlink_to("disk")
    for command in commands("run"):
        assert onnxcert(*command).status == (1 if command[0] == "verify" else 0), command
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    assert onnxcert("merge", "link", "run").status == 0
    assert contents(tmp_path / "empty")
    assert (tmp_path / "link").is_symlink()


def test_what_a_shard_links_to_is_not_copied(run: Path, tmp_path: Path, onnxcert: Any) -> None:
    (run / "labels" / "one.png").unlink()
    (run / "labels" / "one.png").symlink_to(tmp_path / "victim")
    assert onnxcert("merge", "merged", run).status == 2
    assert not (tmp_path / "merged").exists()


# -- inside HDF5 files ---------------------------------------------------------------------------

Edit = Callable[[Any, Path], None]


def moved(make: Callable[[Any], Any]) -> Edit:
    """In place of the hits there is something that leads to them."""

    def edit(record: Any, elsewhere: Path) -> None:
        with h5py.File(elsewhere, "w") as other:
            record.copy("tally/hits", other, "hits")
        record.move("tally/hits", "hits")
        record["tally/hits"] = make(record)
        if isinstance(record.get("tally/hits", getlink=True), h5py.ExternalLink):
            del record["hits"]

    return edit


def raw(record: Any, elsewhere: Path) -> None:
    values = record["tally/hits"][...]
    elsewhere.write_bytes(values.tobytes())
    del record["tally/hits"]
    outer = [(str(elsewhere), 0, values.nbytes)]
    record["tally"].create_dataset("hits", values.shape, values.dtype, external=outer)


def virtual(record: Any, elsewhere: Path) -> None:
    values = record["tally/hits"][...]
    with h5py.File(elsewhere, "w") as other:
        other["hits"] = values
    del record["tally/hits"]
    layout = h5py.VirtualLayout(values.shape, values.dtype)
    layout[...] = h5py.VirtualSource(elsewhere, "hits", values.shape)
    record["tally"].create_virtual_dataset("hits", layout)


def packed_by_a_plugin(record: Any, _elsewhere: Path) -> None:
    values = record["tally/hits"][...]
    del record["tally/hits"]
    # LZF comes with h5py; a plugin's filter would be code from elsewhere.
    record["tally"].create_dataset("hits", data=values, compression="lzf")


def turned(record: Any, _elsewhere: Path) -> None:
    record["tally/again"] = record["tally"]


LINKS: dict[str, tuple[Edit, str]] = {
    "soft": (moved(lambda record: h5py.SoftLink(f"{record.name}/hits")), "is a link"),
    "external": (moved(lambda _: h5py.ExternalLink("elsewhere.h5", "/hits")), "is a link"),
    "hard": (moved(lambda record: record["hits"]), "is a second link"),
    "cycle": (turned, "is a second link"),
    "raw": (raw, "is stored in other files"),
    "virtual": (virtual, "is stored in other files"),
    "filter": (packed_by_a_plugin, "is compressed with a filter"),
}


@pytest.mark.parametrize("kind", LINKS)
@pytest.mark.parametrize("where", ["run", "run.h5"])
def test_what_a_record_does_not_hold_itself_is_not_read(
    run: Path, tmp_path: Path, where: str, kind: str
) -> None:
    edit, said = LINKS[kind]
    results: Results = open_results(where)
    with h5py.File(run / "inputs" / "one.h5" if where == "run" else where, "r+") as file:
        record = file if where == "run" else file["inputs/one"]
        edit(record, tmp_path / "elsewhere.h5")
        if kind != "cycle":
            put(record, "sha256", fingerprint(record))  # fits, so that nothing else is wrong
    for read in (results.read, partial(records.fingerprints, results)):
        with pytest.raises(StoreError, match=said):
            read("one")
    results.read("two")


@pytest.mark.parametrize("place", ["inputs", "inputs/one", "summary"])
def test_a_pack_is_not_led_elsewhere_on_the_way_to_a_record(
    run: Path, tmp_path: Path, onnxcert: Any, place: str
) -> None:
    shutil.copytree(run, "whole")
    with h5py.File("run.h5", "r+") as file, h5py.File("elsewhere.h5", "w") as other:
        file.copy(place, other, "found")
        del file[place]
        file[place] = h5py.ExternalLink("elsewhere.h5", "/found")
    before = contents(tmp_path)
    outcome = onnxcert("verify", "run.h5")
    assert outcome.status == (2 if place == "inputs" else 1)
    assert f"'{place.split('/')[-1]}' is a link" in outcome.out + outcome.err
    assert contents(tmp_path) == before


# -- what writes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["..", ".", "", "/etc/x", "a/b", "../x", "\0", "link"])
def test_no_path_leads_out_of_a_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "link").symlink_to(tmp_path)
    for names in ((name,), (name, "x"), ("labels", name), ("labels", name, "x.png")):
        if name == "link" and names[0] == "labels":
            continue
        for function in (inside, make_folder_inside):
            with pytest.raises(StoreError):
                function(tmp_path / "run", *names)
    with pytest.raises(StoreError):
        write_labels(tmp_path / "run", records.record(f"{name}/../x"), ("a", "b", "c"))
    with pytest.raises(StoreError, match="not a name that onnxcert gives"):
        ResultStore(tmp_path / "run").write(records.record(f"../{name}"))
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_a_link_in_place_of_the_file_or_its_temporary_one_is_replaced_not_followed(
    tmp_path: Path,
) -> None:
    (tmp_path / "victim").write_text(SECRET)
    for name in ("file", ".file.tmp"):
        (tmp_path / name).symlink_to("victim")
    write_atomically(tmp_path / "file", lambda path: path.write_text("new"))
    assert (tmp_path / "file").read_text() == "new"
    assert (tmp_path / "victim").read_text() == SECRET


# -- pack and report check what merge and verify do ------------------------------------------------


def test_a_pack_of_swapped_or_foreign_records_is_refused(
    run: Path, tmp_path: Path, onnxcert: Any
) -> None:
    one, two = (run / "inputs" / f"{name}.h5" for name in ("one", "two"))
    one.rename("kept.h5")
    two.rename(one)
    Path("kept.h5").rename(two)
    for command in (("pack", run, "packed.h5"), ("report", run)):
        outcome = onnxcert(*command)
        assert (outcome.status, outcome.out) == (2, "")
        assert "is the record of" in outcome.err
    one.unlink()
    two.unlink()
    other = ResultStore(run)
    other.begin({**records.ASKED, "tau": 0.8}, seed=3, random_seed=3)
    other.write(records.record("one"))
    outcome = onnxcert("pack", run, "packed.h5")
    assert "was not made by the run" in outcome.refusal
    assert not (tmp_path / "packed.h5").exists()
