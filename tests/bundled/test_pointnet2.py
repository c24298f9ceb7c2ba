"""PointNet++: sampling, neighbours and interpolation against plain NumPy; the network's laws; the
file against the network; and that the recipe learns, goes on and exports.
"""

# ruff: noqa: E402 - the network imports PyTorch, without which these tests are skipped

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from onnxcert.data.points import SHAPENET_PART_NAMES
from onnxcert.model.contract.base import METADATA_KEY
from onnxcert.model.contract.points import PointContract

pytestmark = pytest.mark.slow

torch = pytest.importorskip("torch")

from onnxcert.bundled.pointnet2.dataset import CATEGORIES, load
from onnxcert.bundled.pointnet2.grouping import find_nearest, gather_rows, in_ball, interpolate
from onnxcert.bundled.pointnet2.layers import Scale
from onnxcert.bundled.pointnet2.network import PointNet2, Sizes
from onnxcert.bundled.pointnet2.noise import Noise, rotations
from onnxcert.bundled.pointnet2.recipe import main, write_model
from onnxcert.bundled.pointnet2.sampling import farthest_points
from onnxcert.bundled.pointnet2.training import Settings, train

TINY = Sizes(
    centres=(24, 8),
    scales=(
        (Scale(0.3, 6, (8, 8)), Scale(0.6, 12, (8, 16))),
        (Scale(0.8, 6, (16, 16)),),
    ),
    whole=(16, 32),
    back=((16,), (16,), (16, 16)),
    head=16,
)
POINTS = 64


def clouds(batch: int, points: int = POINTS, seed: int = 0):
    """Spheres with normals under noise, float32 [batch, 6, points], and one-hot categories."""
    rng = np.random.default_rng(seed)
    outward = rng.normal(size=(batch, 3, points))
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    values = np.concatenate([0.8 * outward + rng.normal(0, 0.1, outward.shape), outward], axis=1)
    label = np.eye(16, dtype=np.float32)[rng.integers(16, size=batch)]
    return values.astype(np.float32), label


def grid(side: int):
    """Points of a cubic lattice, float32 [1, 3, side^3]: nearly every distance occurs often."""
    axes = np.meshgrid(*[np.arange(side, dtype=np.float32)] * 3)
    return np.stack([axis.ravel() for axis in axes])[None]


def squared(points, centre):
    """Squared distances [N] of points [3, N] from a centre [3], added up in the stated order."""
    difference = points - centre[:, None]
    square = difference * difference
    return square[0] + square[1] + square[2]


def plain_sampling(points, count: int):
    chosen = [0]
    while len(chosen) < count:
        away = np.min([squared(points, points[:, i]) for i in chosen], axis=0)
        chosen.append(int(np.flatnonzero(away == away.max())[0]))
    return chosen


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    made = PointNet2(sizes=TINY)
    for layer in made.modules():
        if isinstance(layer, torch.nn.BatchNorm1d):
            layer.running_mean.normal_(0, 0.2)
            layer.running_var.uniform_(0.5, 2)
    return made.eval()


def scores(network, points, label):
    with torch.no_grad():
        return network(torch.from_numpy(points), torch.from_numpy(label)).numpy()


# Sampling


@pytest.mark.parametrize("points", [clouds(3)[0][:, :3], grid(4)], ids=["spheres", "lattice"])
def test_sampling_takes_the_farthest_point_each_time_and_the_first_of_equals(points):
    chosen, distances = farthest_points(torch.from_numpy(points), 20)
    for i, shape in enumerate(points):
        expected = plain_sampling(shape, 20)
        assert chosen[i].tolist() == expected
        for row, centre in zip(distances[i].numpy(), expected, strict=True):
            np.testing.assert_array_equal(row, squared(shape, shape[:, centre]))


def test_sampling_the_sample_gives_its_beginning():
    points = clouds(2)[0][:, :3]
    points[:, :, 40:] = points[:, :, :24]  # with repeats, too
    chosen, _ = farthest_points(torch.from_numpy(points), 30)
    kept = np.take_along_axis(points, chosen[:, None].numpy(), axis=2)
    again, _ = farthest_points(torch.from_numpy(kept), 12)
    np.testing.assert_array_equal(again.numpy(), np.tile(np.arange(12), (2, 1)))


def test_sampling_more_than_there_are_distinct_points_repeats_the_first():
    points = torch.zeros(1, 3, 5)
    points[0, 0, 2] = 1
    chosen, _ = farthest_points(points, 4)
    assert chosen.tolist() == [[0, 2, 0, 0]]


# Neighbours


@pytest.mark.parametrize("points", [clouds(1)[0][:, :3], grid(4)], ids=["sphere", "lattice"])
@pytest.mark.parametrize(("radius", "count"), [(0.3, 4), (0.7, 16), (1.0, 16), (9.0, 10)])
def test_a_ball_holds_the_nearest_points_within_and_the_nearest_again(points, radius, count):
    chosen, distances = farthest_points(torch.from_numpy(points), 12)
    ball = in_ball(*find_nearest(distances, 16), radius, count)[0].tolist()
    for centre, found in zip(chosen[0].tolist(), ball, strict=True):
        away = squared(points[0], points[0][:, centre])
        order = [i for _, i in sorted(zip(away.tolist(), range(len(away)), strict=True))]
        inside = [i for i in order if away[i] <= radius * radius][:count]
        assert found == inside + [order[0]] * (count - len(inside))


def test_rows_are_taken_from_each_shape_itself():
    values = torch.arange(2 * 5 * 3).reshape(2, 5, 3)
    index = torch.tensor([[[4, 0], [1, 1]], [[2, 3], [0, 4]]])
    expected = np.stack([values[b].numpy()[index[b].numpy()] for b in range(2)])
    np.testing.assert_array_equal(gather_rows(values, index).numpy(), expected)


def test_interpolation_is_exact_at_known_points_and_between_their_values_elsewhere():
    points, _ = clouds(2)
    chosen, distances = farthest_points(torch.from_numpy(points[:, :3]), 10)
    known = torch.randn(2, 10, 4, generator=torch.Generator().manual_seed(0))
    found = interpolate(distances.transpose(1, 2), known)
    np.testing.assert_allclose(gather_rows(found, chosen), known, rtol=1e-5, atol=1e-6)
    assert (found >= known.amin(1, keepdim=True) - 1e-5).all()
    assert (found <= known.amax(1, keepdim=True) + 1e-5).all()


def test_interpolation_weighs_three_neighbours_by_inverse_squared_distance():
    distances = torch.tensor([[[1.0, 4.0, 100.0, 2.0]]])
    known = torch.tensor([[[1.0], [10.0], [1e6], [100.0]]])
    expected = (1 / 1 + 10 / 4 + 100 / 2) / (1 / 1 + 1 / 4 + 1 / 2)
    assert interpolate(distances, known).item() == pytest.approx(expected)


# The network


def test_answers_are_log_probabilities_of_each_point(network):
    found = scores(network, *clouds(3))
    assert found.shape == (3, POINTS, 50)
    np.testing.assert_allclose(np.exp(found).sum(2), 1, rtol=1e-5)


def test_points_behind_the_first_may_come_in_any_order(network):
    points, label = clouds(2)
    order = np.concatenate([[0], 1 + np.random.default_rng(0).permutation(POINTS - 1)])
    moved = scores(network, np.ascontiguousarray(points[:, :, order]), label)
    np.testing.assert_allclose(moved, scores(network, points, label)[:, order], atol=1e-5)


def test_a_ball_sees_places_relative_to_its_centre(network):
    points = torch.from_numpy(clouds(1)[0])
    chosen, away = farthest_points(points[:, :3], 24)
    places, normals = points.transpose(1, 2).split(3, 2)
    centres = gather_rows(places, chosen)
    with torch.no_grad():
        here = network.levels[0](places, normals, centres, away)
        there = network.levels[0](places + 2.0, normals, centres + 2.0, away)
    np.testing.assert_allclose(here, there, atol=1e-4)
    assert here.std() > 0.01


def test_normals_and_category_matter(network):
    points, label = clouds(1)
    other = points.copy()
    other[:, 3:] *= -1
    base = scores(network, points, label)
    assert np.abs(scores(network, other, label) - base).max() > 1e-3
    assert np.abs(scores(network, points, np.roll(label, 1, 1)) - base).max() > 1e-3


def test_evaluation_is_training_with_fixed_statistics(network):
    # Folding the normalisation into the weights must not change what the layer computes.
    layer = network.whole[0]
    values = torch.randn(7, layer.linear.in_features, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = layer.norm(layer.linear(values)).relu()
        np.testing.assert_allclose(layer(values), expected, atol=1e-5)


# The file


@pytest.fixture(scope="module")
def session(network, tmp_path_factory):
    path = write_model(network, tmp_path_factory.mktemp("file") / "tiny.onnx", points=POINTS)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run(session, points, label):
    return session.run(["scores"], {"points": points, "label": label})[0]


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_the_file_agrees_with_the_network_at_any_batch(network, session, batch):
    points, label = clouds(batch, seed=batch)
    np.testing.assert_allclose(
        run(session, points, label), scores(network, points, label), atol=1e-4
    )


def test_the_file_breaks_ties_as_the_network_does(network, session):
    points = np.concatenate([grid(4) / 4, np.random.default_rng(0).normal(size=(1, 3, 64))], axis=1)
    points, label = points.astype(np.float32), clouds(1)[1]
    np.testing.assert_allclose(
        run(session, points, label), scores(network, points, label), atol=1e-4
    )


def test_a_shape_gets_the_same_scores_to_the_bit_wherever_it_is_in_a_batch(session):
    points, label = clouds(6)
    together = run(session, points, label)
    alone = np.concatenate([run(session, points[i : i + 1], label[i : i + 1]) for i in range(6)])
    turned = run(session, points[::-1].copy(), label[::-1].copy())[::-1]
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(together, turned)


def test_repeated_points_and_a_shape_of_one_point_have_finite_scores(session):
    points, label = clouds(2)
    points[0, :, 20:] = points[0, :, :1]
    points[1] = points[1, :, :1]
    assert np.isfinite(run(session, points, label)).all()


def test_the_file_holds_standard_operators_and_one_loop(network, tmp_path):
    path = write_model(network, tmp_path / "tiny.onnx", points=POINTS, sigma=0.25, rotation=0.125)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert {node.domain for node in model.graph.node} == {""}
    assert not model.functions
    assert [node.op_type for node in model.graph.node].count("Loop") == 1
    axes = [[d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in
            (*model.graph.input, *model.graph.output)]  # fmt: skip
    assert axes == [["batch", 6, POINTS], ["batch", 16], ["batch", POINTS, 50]]
    text = {p.key: p.value for p in model.metadata_props}[METADATA_KEY]
    contract = PointContract.from_json(text, source="file")
    assert contract.categories == CATEGORIES
    assert contract.class_names == SHAPENET_PART_NAMES
    assert (contract.trained_sigma, contract.trained_rotation) == (0.25, 0.125)
    assert (contract.layout, contract.output_layout) == ("BCN", "BNC")


def test_coordinates_alone_and_no_category_go_too(tmp_path):
    torch.manual_seed(0)
    made = PointNet2(classes=4, features=0, categories=0, sizes=TINY).eval()
    from onnxcert.bundled.pointnet2.sampling import FARTHEST_POINTS
    from onnxcert.converters.points import export_points

    path = export_points(
        made,
        tmp_path / "plain.onnx",
        points=POINTS,
        class_names=["a", "b", "c", "d"],
        functions=[FARTHEST_POINTS],
    )
    points = clouds(2)[0][:, :3].copy()
    found = onnxruntime.InferenceSession(str(path)).run(None, {"points": points})[0]
    with torch.no_grad():
        np.testing.assert_allclose(found, made(torch.from_numpy(points)).numpy(), atol=1e-4)


# Noise and training


def test_rotations_are_rotations_by_the_length_of_the_vector():
    vectors = torch.randn(50, 3, generator=torch.Generator().manual_seed(0)).double()
    turns = rotations(vectors)
    np.testing.assert_allclose(turns @ turns.mT, np.tile(np.eye(3), (50, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(torch.linalg.det(turns), 1, atol=1e-12)
    np.testing.assert_allclose(turns @ vectors[:, :, None], vectors[:, :, None], atol=1e-12)
    cosine = (turns.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2
    np.testing.assert_allclose(cosine, vectors.norm(dim=1).cos(), atol=1e-12)
    quarter = rotations(torch.tensor([[0.0, 0.0, np.pi / 2]])) @ torch.tensor([1.0, 0.0, 0.0])
    np.testing.assert_allclose(quarter, [[0.0, 1.0, 0.0]], atol=1e-6)


def test_rotation_turns_normals_with_points_and_sigma_leaves_them():
    torch.manual_seed(0)
    points = torch.from_numpy(clouds(4)[0])
    turned = Noise(rotation=0.5)(points)
    between = (points[:, :3] * points[:, 3:]).sum(1)
    np.testing.assert_allclose((turned[:, :3] * turned[:, 3:]).sum(1), between, atol=1e-5)
    assert (turned - points).abs().amax((1, 2)).min() > 0.05
    noisy = Noise(sigma=0.25)(points)
    assert torch.equal(noisy[:, 3:], points[:, 3:])
    assert (noisy - points)[:, :3].std().item() == pytest.approx(0.25, rel=0.1)


def test_scale_shift_and_drop_stay_within_what_is_asked():
    torch.manual_seed(0)
    points = torch.from_numpy(clouds(64)[0])
    ratio = Noise(scale=1.25)(points)[:, :3] / points[:, :3]
    assert 0.8 - 1e-4 <= ratio.min() < 0.85
    assert 1.2 < ratio.max() <= 1.25 + 1e-4
    moved = (Noise(shift=0.1)(points) - points)[:, :3]
    assert 0.09 < moved.abs().max() <= 0.1 + 1e-5
    dropped = (Noise(drop=0.5)(points) == points[:, :, :1]).all(1).float().mean(1)
    assert dropped.max() < 0.75
    assert 0.15 < dropped.mean() < 0.35


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    """Six two-part shapes of two categories in ShapeNet's layout: an upper and a lower half."""
    root = tmp_path_factory.mktemp("shapenet")
    rng = np.random.default_rng(0)
    kinds = (("Airplane", "02691156", 0), ("Table", "04379243", 47))
    lines = "".join(f"{name}\t{synset}\n" for name, synset, _ in kinds)
    (root / "synsetoffset2category.txt").write_text(lines)
    listed = []
    for _, synset, first in kinds:
        (root / synset).mkdir()
        for i in range(3):
            normals = rng.normal(size=(90, 3))
            normals /= np.linalg.norm(normals, axis=1, keepdims=True)
            points = 5 + 3 * normals * [1, 1, 0.7]
            label = first + (normals[:, 2] > 0)
            rows = np.column_stack([points, normals, label])
            np.savetxt(root / synset / f"s{i}.txt", rows, fmt="%.6f")
            listed.append(f"shape_data/{synset}/s{i}")
    (root / "train_test_split").mkdir()
    for split, part in (
        ("train", listed[::2] + listed[1:2]),
        ("val", listed[5:]),
        ("test", listed[3:5]),
    ):
        path = root / "train_test_split" / f"shuffled_{split}_file_list.json"
        path.write_text(json.dumps(part))
    return root


def test_shapes_are_read_into_the_unit_sphere_with_their_parts(benchmark, tmp_path):
    shapes = load(benchmark, ("train", "val"), tmp_path / "cache.npz")
    assert shapes.categories.tolist() == [0, 0, 15, 0, 15]
    assert shapes.ends.tolist() == [90, 180, 270, 360, 450]
    assert set(shapes.labels[180:270]) == {47, 48}
    for end in shapes.ends:
        places = shapes.values[end - 90 : end, :3]
        np.testing.assert_allclose(places.mean(0), 0, atol=1e-6)
        assert np.linalg.norm(places, axis=1).max() == pytest.approx(1)
    again = load(Path("nowhere"), ("train",), tmp_path / "cache.npz")
    np.testing.assert_array_equal(again.values, shapes.values)


def test_a_sample_repeats_points_only_where_there_are_too_few(benchmark):
    shapes = load(benchmark, ("train",))
    for points, most in ((40, 1), (90, 1), (100, 2), (200, 3)):
        values, labels = shapes.sample(1, points, np.random.default_rng(0))
        assert values.shape == (points, 6)
        # Each row is a point of this shape with its own label.
        own = {tuple(v): label for v, label in zip(shapes.values[90:180], shapes.labels[90:180],
               strict=True)}  # fmt: skip
        assert all(own[tuple(v)] == label for v, label in zip(values, labels, strict=True))
        assert np.unique(values, axis=0, return_counts=True)[1].max() == most


def settings(epochs: int, **options):
    return Settings(**{"epochs": epochs, "batch": 4, "points": POINTS, "rate": 5e-3} | options)


def fresh():
    torch.manual_seed(0)
    return PointNet2(sizes=TINY)


@dataclass(frozen=True)
class Trained:
    """What a short training leaves."""

    network: PointNet2
    losses: list[float]
    lines: list[str]


@pytest.fixture(scope="module")
def trained(benchmark):
    network, lines = fresh(), []
    losses = train(
        network,
        load(benchmark, ("train",)),
        settings(40, noise=Noise(rotation=0.1, sigma=0.02), batch=2, rate=1e-2),
        held_out=load(benchmark, ("test",)),
        log=lines.append,
    )
    return Trained(network, losses, lines)


def test_training_learns_and_says_how_far_it_is(trained):
    assert trained.losses[0] > 3
    assert trained.losses[-1] < 1
    assert "shapes/s" in trained.lines[0]
    assert "min left" in trained.lines[0]
    assert float(trained.lines[-1].split("accuracy ")[1].split()[0]) > 0.7


@pytest.mark.parametrize("perturbation", ["gaussian", "rotation"])
def test_what_was_trained_is_certified(trained, benchmark, tmp_path, onnxcert, perturbation):
    path = tmp_path / "trained.onnx"
    write_model(trained.network, path, points=POINTS, sigma=0.02, rotation=0.1)
    outcome = onnxcert(
        *("certify", path, benchmark, "--dataset", "shapenet-part", "--out", tmp_path / "out"),
        *("--perturbation", perturbation, "--n", 40, "--seed", 1, "--no-pictures", "--json"),
    )
    assert outcome.status == 0, outcome.err
    certified = outcome.json["certified"]
    assert certified["abstain"] < 0.5
    assert certified["accuracy_certified"] > 0.9
    assert outcome.json["warnings"] == []  # among them that draws of a batch do not mix


def test_training_goes_on_from_a_checkpoint_as_if_it_had_not_stopped(benchmark, tmp_path):
    shapes = load(benchmark, ("train",))
    whole, parted = fresh(), fresh()
    noise = Noise(drop=0.2, scale=1.1, shift=0.1, rotation=0.1, sigma=0.05)
    expected = train(whole, shapes, settings(4, noise=noise), log=list)
    path = tmp_path / "half.pt"
    train(parted, shapes, settings(2, noise=noise), checkpoint=path, log=list)
    again = PointNet2(sizes=TINY)
    assert train(again, shapes, settings(4, noise=noise), checkpoint=path, log=list) == expected
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_the_command_trains_exports_and_goes_on(benchmark, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("onnxcert.bundled.pointnet2.recipe.SIZES", {"small": TINY})
    out = tmp_path / "model.onnx"
    command = ["--data", str(benchmark), "--out", str(out), "--size", "small", "--points", "64"]
    command += ["--batch", "2", "--sigma", "0.1", "--no-normals", "--optimizer", "sgd"]
    main([*command, "--epochs", "1"])
    assert "epoch 1/1" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="--resume"):
        main([*command, "--epochs", "2"])
    main([*command, "--epochs", "2", "--resume"])
    assert "epoch 2/2" in capsys.readouterr().out
    text = {p.key: p.value for p in onnx.load(out).metadata_props}[METADATA_KEY]
    contract = PointContract.from_json(text, source="file")
    assert (contract.channels, contract.trained_sigma) == ("xyz", 0.1)
    assert contract.trained_rotation is None
