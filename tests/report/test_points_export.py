"""Files of a cloud's record: label arrays from the record alone, PLY and sheets with the points."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from solids import chair

from onnxcert import Gaussian
from onnxcert._typing import Perturbation
from onnxcert.audit.record_checks import compare_label_files
from onnxcert.data.points.point_cloud import PointCloud
from onnxcert.errors import ParameterError
from onnxcert.perturbation import AxisRotation, OnChannels, Rotation
from onnxcert.report.export import points as cloud_files
from onnxcert.report.export.files import has_figure, has_labels, write_labels
from onnxcert.report.export.ply import write_cloud_ply
from onnxcert.report.figures import palette
from onnxcert.report.figures.maps import Canvas, Maps, write_maps
from onnxcert.report.figures.points.axes import Scene
from onnxcert.report.figures.points.rotation_diagram import Cone, draw_rotation_diagram
from onnxcert.results import Record
from onnxcert.results.record import Provenance
from onnxcert.sampling.draws import Draws
from onnxcert.sampling.tally import Tally
from onnxcert.statistics import decide
from onnxcert.statistics.certificate import ABSTAIN
from onnxcert.statistics.rule import Rule

CLOUD = chair(400)
N = len(CLOUD)
NAMES = ("lamp shade", "chair seat", "chair back", "chair legs", "table top")
CATEGORIES = [["lamp", [0]], ["chair", [1, 2, 3]], ["table", [4]]]
NOISE = Gaussian(0.25)
LEVELS = Rule(radius_map=True, correction="bonferroni")


def record(
    shape: tuple[int, ...] = (N,),
    *,
    rule: Rule = LEVELS,
    perturbation: Perturbation = NOISE,
    **contract: Any,
) -> Record:
    """A record of made-up votes for the parts of a chair; some points abstain."""
    rng = np.random.default_rng(1)
    candidate = (
        rng.integers(1, 4, shape)
        if contract.get("output_form") != "multilabel"
        else (rng.integers(0, 2, shape))
    )
    tally = Tally(
        candidate=candidate,
        hits=rng.integers(55, 101, shape),
        single=candidate,
        n=100,
        n0=10,
        selection="pooled",
        classes=len(NAMES),
        nonfinite=0,
        draws=Draws(perturbation, 0, "0" * 64),
        unit="unit spheres",
    )
    provenance = Provenance(
        {"name": "m"},
        {"medium": "points", "class_names": list(NAMES), "categories": CATEGORIES, **contract},
        {"name": "x", "category": "chair"},
        {},
        {},
        "2026-01-01T00:00:00+00:00",
    )
    return Record.of(
        "chair-03", decide(tally, rule), clean=candidate, nonrobust=None, provenance=provenance
    )


def draw(folder: Path, shown: Record, **changed: Any) -> None:
    options: dict[str, Any] = {
        "cloud": CLOUD,
        "truth": None,
        "class_names": NAMES,
        "ignore_label": None,
        **changed,
    }
    cloud_files.draw_cloud_record(folder, shown, **options)


def seen_by_draw(
    folder: Path, shown: Record, monkeypatch: pytest.MonkeyPatch, **changed: Any
) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = []

    def keep(path: Path, maps: Maps, canvas: Canvas, **words: Any) -> None:
        calls.append({**vars(maps), **words})
        write_maps(path, maps, canvas, **words)

    monkeypatch.setattr(cloud_files, "write_maps", keep)
    draw(folder, shown, **changed)
    return calls


def read_ply(path: Path) -> tuple[list[str], np.ndarray]:
    """(header lines, vertices), by the words of the format alone."""
    head, body = path.read_bytes().split(b"end_header\n", 1)
    lines = head.decode("ascii").splitlines()
    types = {"float": "<f4", "uchar": "u1", "int": "<i4"}
    fields = [line.split()[1:] for line in lines if line.startswith("property ")]
    return lines, np.frombuffer(body, [(name, types[kind]) for kind, name in fields])


@pytest.mark.parametrize("normals", [True, False])
def test_a_ply_holds_points_normals_colours_and_labels(tmp_path: Path, normals: bool) -> None:
    path = tmp_path / "x.ply"
    cloud = CLOUD if normals else replace(CLOUD, normals=None)
    labels = np.random.default_rng(0).integers(-1, 6, N)
    colours = palette.colours(5)
    write_cloud_ply(path, cloud, labels, colours)
    lines, vertices = read_ply(path)
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    assert f"element vertex {N}" in lines
    facing = ("nx", "ny", "nz") if normals else ()
    names = ("x", "y", "z", *facing, "red", "green", "blue", "label")
    assert vertices.dtype.names == names
    np.testing.assert_array_equal(np.stack([vertices[a] for a in "xyz"], axis=1), CLOUD.points)
    if normals:
        np.testing.assert_array_equal(
            np.stack([vertices[a] for a in facing], axis=1), CLOUD.normals
        )
    shown = np.stack([vertices[a] for a in ("red", "green", "blue")], axis=1).astype(int)
    known = (labels >= 0) & (labels < 5)
    np.testing.assert_array_equal(vertices["label"], np.where(known, labels, ABSTAIN))
    np.testing.assert_array_equal(shown[known], colours[labels[known]])
    pale = shown[~known]
    assert pale.min() > 200
    assert np.ptp(pale, axis=1).max() < 10
    assert [one.name for one in tmp_path.iterdir()] == ["x.ply"]


def test_another_program_reads_the_ply(tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    path = tmp_path / "x.ply"
    labels = np.random.default_rng(0).integers(-1, 5, N)
    colours = palette.colours(5)
    write_cloud_ply(path, CLOUD, labels, colours)
    read = trimesh.load(path)
    np.testing.assert_array_equal(np.asarray(read.vertices, np.float32), CLOUD.points)
    known = labels >= 0
    np.testing.assert_array_equal(np.asarray(read.colors)[known, :3], colours[labels[known]])


def test_labels_of_another_cloud_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=f"each of {N} points"):
        write_cloud_ply(tmp_path / "x.ply", CLOUD, np.zeros(N - 1, int), palette.colours(1))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shape", [(N,), (3, N), (1,)])
def test_label_files_need_the_record_alone(tmp_path: Path, shape: tuple[int, ...]) -> None:
    shown = record(shape)
    assert not has_labels(tmp_path, shown)
    write_labels(tmp_path, shown, NAMES)
    assert has_labels(tmp_path, shown)
    assert [p.name for p in (tmp_path / "labels").iterdir()] == ["chair-03.npy"]
    path = tmp_path / "labels" / "chair-03.npy"
    labels = np.load(path)
    assert (labels.dtype, labels.shape) == (np.int32, shape)
    np.testing.assert_array_equal(labels, shown.certificate().labels)
    assert list(compare_label_files(tmp_path, shown)) == []
    labels.flat[0] += 1
    np.save(path, labels)
    assert len(list(compare_label_files(tmp_path, shown))) == 1
    path.unlink()
    assert list(compare_label_files(tmp_path, shown)) == ["labels/chair-03.npy is missing"]


def test_a_record_shows_its_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = record()
    certificate = shown.certificate()
    (call,) = seen_by_draw(tmp_path, shown, monkeypatch, truth=np.ones(N, int))
    assert call["title"] == "chair-03: chair"
    assert call["caption"] == f"{certificate.sentence}\n{certificate.statement()}"
    np.testing.assert_array_equal(call["certified"], certificate.labels)
    np.testing.assert_allclose(call["hit_rate"], certificate.tally.hit_rate)
    np.testing.assert_array_equal(call["radii"].radius, certificate.radii)
    assert call["radii"].unit == "unit spheres"
    assert call["middle"] == []
    assert has_figure(tmp_path, "chair-03")
    _, vertices = read_ply(tmp_path / "pictures" / "chair-03.ply")
    np.testing.assert_array_equal(vertices["label"], certificate.labels)
    assert sorted(p.name for p in (tmp_path / "pictures").iterdir()) == [
        *("chair-03.ply", "chair-03.png")
    ]
    sure = certificate.labels == 2
    colour = np.stack([vertices[a] for a in ("red", "green", "blue")], axis=1)[sure]
    assert (colour == call["colours"][2]).all()


def test_one_level_needs_no_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (call,) = seen_by_draw(tmp_path, record(rule=Rule()), monkeypatch)
    assert call["radii"] is None


@pytest.mark.slow
def test_a_radius_in_radians_is_a_cone_and_shown_in_degrees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = record(perturbation=Rotation(0.125))
    certificate = shown.certificate()
    (call,) = seen_by_draw(tmp_path, shown, monkeypatch)
    (panel,) = call["middle"]
    assert panel.heading == "Certified rotations"
    diagram = draw_rotation_diagram(
        Cone(certificate.radius, whole=False), CLOUD, Scene.of(CLOUD).size
    )
    np.testing.assert_array_equal(panel.pixels, diagram)
    radii = call["radii"]
    np.testing.assert_allclose(radii.radius, np.degrees(certificate.radii))
    assert radii.unit == "degrees"
    assert radii.requested == (math.degrees(certificate.radius),)


@pytest.mark.parametrize(
    ("perturbation", "tau", "axis", "whole"),
    [
        (Rotation(0.125), 0.75, None, False),
        (Rotation(1.0), 0.999, None, True),
        (Rotation(1.0, form="classical"), 0.9999, None, True),
        (AxisRotation(0.25, "z", vectors=2), 0.75, (0.0, 0.0, 1.0), False),
        (AxisRotation(0.25, "x"), 0.75, (1.0, 0.0, 0.0), False),
        (AxisRotation(6.0, "y"), 0.75, (0.0, 1.0, 0.0), True),
        (OnChannels(AxisRotation(0.25, "z"), 0, 3), 0.75, (0.0, 0.0, 1.0), False),
        (OnChannels(Rotation(0.125), 0, 3), 0.75, None, False),
    ],
)
def test_a_cone_is_about_the_axis_turned_about_and_whole_where_the_radius_reaches_pi(
    perturbation: Perturbation, tau: float, axis: tuple[float, float, float] | None, whole: bool
) -> None:
    shown = record(rule=Rule(tau=tau), perturbation=perturbation)
    cone = cloud_files.certified_cone(shown)
    assert cone is not None
    assert cone.angle == shown.certificate().radius
    assert cone.axis == axis
    assert cone.whole == whole
    assert (cone.degrees == "180°") == whole


def test_noise_on_coordinates_has_no_cone() -> None:
    assert cloud_files.certified_cone(record()) is None
    assert cloud_files.certified_cone(record(perturbation=OnChannels(Gaussian(0.1), 0, 3))) is None


@pytest.mark.slow
def test_each_label_of_a_multi_label_record_has_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = record((3, N), output_form="multilabel")
    names = ("soft", "a/b", "red")
    calls = seen_by_draw(tmp_path, shown, monkeypatch, class_names=names)
    assert len(calls) == 3
    certificate = shown.certificate()
    for i, call in enumerate(calls):
        np.testing.assert_array_equal(call["certified"], certificate.labels[i])
        np.testing.assert_array_equal(call["radii"].radius, certificate.radii[i])
        assert call["class_names"] == (f"no {names[i]}", names[i])
        assert call["colours"][0].max() < 170  # in no light as pale as abstention
    stems = ["000-soft", "001-a_b", "002-red"]
    found = sorted(p.name for p in (tmp_path / "pictures" / "chair-03").iterdir())
    assert found == sorted(f"{stem}.{kind}" for stem in stems for kind in ("ply", "png"))
    assert has_figure(tmp_path, "chair-03")


def test_a_classified_cloud_is_shown_beside_its_answer(tmp_path: Path) -> None:
    draw(tmp_path, record((1,), task="classification"), truth=np.array([2]))
    assert [p.name for p in (tmp_path / "pictures").iterdir()] == ["chair-03.png"]
    with Image.open(tmp_path / "pictures" / "chair-03.png") as image:
        assert image.width > 600


def test_another_number_of_points_is_refused(tmp_path: Path) -> None:
    few = PointCloud(CLOUD.points[:-1])
    with pytest.raises(ParameterError, match="points"):
        draw(tmp_path, record(), cloud=few)


def test_parts_of_a_shape_have_the_clearest_colours_and_no_two_share_one() -> None:
    names = [f"part {i}" for i in range(50)]
    for own in ((0, 1, 2, 3), (12, 13, 14, 15), (30, 31, 32, 33, 34, 35)):
        colours = palette.part_colours(names, own)
        assert len(np.unique(colours, axis=0)) == 50
        np.testing.assert_array_equal(colours[list(own)], palette.colours(len(own)))
        np.testing.assert_array_equal(colours, palette.part_colours(names, own))
    np.testing.assert_array_equal(palette.part_colours(names, ()), palette.colours(names))
