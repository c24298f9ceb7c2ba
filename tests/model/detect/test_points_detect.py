"""What the graph of a model of points says, what it leaves open, and contracts as JSON."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import pytest
from graphs import Graph, save
from hypothesis import given
from hypothesis import strategies as st
from onnx import ModelProto as Proto
from pointgraphs import CATEGORIES, Dialect, Network, linear
from profiles import examples
from refusals import one_sentence

from onnxcert.errors import ContractError, OnnxcertError
from onnxcert.model.contract.base import Contract
from onnxcert.model.contract.image import ImageContract
from onnxcert.model.contract.points import CHANNELS, FRAMES, PointContract
from onnxcert.model.detect.detect import detect, read_stated
from onnxcert.model.graph.file import read_model, write_contract

Shape = list[Any]


def through(folder: Path, shape: Shape, out: Shape | None = None, **contract: Any) -> Any:
    """The file of a graph that returns its input `cloud`."""
    g = Graph()
    g.add("Identity", "cloud", output="parts")
    proto = g.model(
        {"cloud": ("float32", shape)},
        {"parts": ("float32", shape if out is None else out)},
        contract=contract or None,
    )
    return read_model(save(proto, folder / "model.onnx"))


def refusal(model: Any, **given: Any) -> str:
    """The one sentence with which a contract is refused."""
    with one_sentence(OnnxcertError) as refused:
        detect(model, given)
    text = str(refused.value)
    assert len(text) < 600
    return text


# -- the input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "layout", "points"),
    [
        (["b", 3, "n"], "BCN", None),
        (["b", "n", 3], "BNC", None),
        ([None, 6, None], "BCN", None),
        ([4, 2048, 6], "BNC", 2048),
        ([1, 3, 1024], "BCN", 1024),
    ],
)
def test_what_the_axes_say(tmp_path: Path, shape: Shape, layout: str, points: int | None) -> None:
    model = through(tmp_path, shape)
    assert read_stated(model, {}).modality == "points"
    contract = detect(model, {"output_layout": layout})
    assert isinstance(contract, PointContract)
    assert (contract.layout, contract.points) == (layout, points)
    assert contract.has_normals == (6 in shape)
    assert contract.batch == (shape[0] if isinstance(shape[0], int) else None)


@pytest.mark.parametrize(
    ("shape", "flags"),
    [
        (["b", 3, 3], ["--layout BCN", "--layout BNC"]),
        (["b", 3, 6], ["--layout BCN", "--layout BNC"]),
        (["b", 6, 3], ["--layout BCN", "--layout BNC"]),
        (["b", "c", "n"], ["--layout BCN", "--layout BNC"]),
        (["b", 7, "n"], ["--channels xyz+features", "--channels xyz+normals+features"]),
        (["b", "n", 4], ["--channels xyz+features"]),
        (["b", 5, 2048], ["--channels xyz+features"]),
    ],
    ids=str,
)
def test_a_second_reading_of_the_input_is_refused_with_the_flags_for_both(
    tmp_path: Path, shape: Shape, flags: list[str]
) -> None:
    model = through(tmp_path, shape)
    text = refusal(model)
    for flag in flags:
        assert flag in text
    # Each of them is taken, and settles it.
    for flag in flags:
        name, _, value = flag.removeprefix("--").partition(" ")
        contract = detect(model, {name: value, "output_layout": "BCN"})
        assert getattr(contract, name) == value
    assert ("normals" in text) == (7 in shape)


@pytest.mark.parametrize(
    ("shape", "channels", "features"),
    [
        (["b", 7, "n"], "xyz+features", 4),
        (["b", 7, "n"], "xyz+normals+features", 1),
        (["b", "n", 16], "xyz+features", 13),
    ],
)
def test_the_graph_counts_the_features(
    tmp_path: Path, shape: Shape, channels: str, features: int
) -> None:
    contract = detect(through(tmp_path, shape), {"channels": channels})
    assert isinstance(contract, PointContract)
    assert contract.features == features
    again = PointContract.from_json(contract.to_json(), source="file")
    assert again == contract


@pytest.mark.parametrize(
    ("shape", "channels"),
    [
        (["b", 3, "n"], "xyz+normals"),
        (["b", 3, "n"], "xyz+features"),
        (["b", 6, "n"], "xyz+normals+features"),
        (["b", 6, "n"], "xyz"),
        (["b", 7, "n"], "xyz+normals"),
        ([None, None, None], "xyz+features"),
    ],
)
def test_channels_that_the_input_has_not_are_refused(
    tmp_path: Path, shape: Shape, channels: str
) -> None:
    assert "values per point" in refusal(through(tmp_path, shape), channels=channels, layout="BCN")


@pytest.mark.parametrize("shape", [["b", 1, "n"], ["b", 2, "n"], ["b", 3], ["b"], []])
def test_what_holds_no_points_is_refused(tmp_path: Path, shape: Shape) -> None:
    refusal(through(tmp_path, shape, ["b", 3, "n"]))


def test_another_number_of_points_than_the_graph_takes_is_refused(tmp_path: Path) -> None:
    assert "points 512" in refusal(through(tmp_path, [None, 3, 1024]), points=512)


# -- the output ----------------------------------------------------------------------------------


def of_forty(operator: str, out: Shape | None, kind: str = "float32", **o: Any) -> Proto:
    """A graph that takes shapes of 40 points only, and does not say so: no trial can run it."""
    g = Graph()
    given = g.add("Reshape", "cloud", g.constant([-1, 3, 40]))
    g.add("Identity", g.add(operator, given, **o), output="parts")
    return g.model({"cloud": ("float32", ["b", 3, "n"])}, {"parts": (kind, out)})


def test_an_output_of_which_both_axes_fit_is_refused_with_both_flags(tmp_path: Path) -> None:
    g = Graph()
    g.add("Conv", "cloud", g.constant(np.ones((80, 3, 1)), np.float32), output="conv")
    g.add("Relu", "conv", output="parts")
    proto = g.model({"cloud": ("float32", ["b", 3, 80])}, {"parts": ("float32", ["b", 80, 80])})
    model = read_model(save(proto, tmp_path / "model.onnx"))
    text = refusal(model)
    assert "--output-layout BCN" in text
    assert "--output-layout BNC" in text
    for layout in ("BCN", "BNC"):
        assert detect(model, {"output_layout": layout}).output_layout == layout


@pytest.mark.parametrize("out", [["b", "c", "k"], [None, None, None], None], ids=str)
@pytest.mark.parametrize("layout", ["BCN", "BNC"])
def test_a_trial_settles_the_order_of_unnamed_axes(
    tmp_path: Path, out: Shape | None, layout: str
) -> None:
    g = Graph()
    scores = g.add("Relu", "cloud")
    turned = g.add("Transpose", scores, perm=[0, 2, 1]) if layout == "BNC" else scores
    g.add("Relu", turned, output="parts")
    proto = g.model({"cloud": ("float32", ["b", 3, "n"])}, {"parts": ("float32", out)})
    contract = detect(read_model(save(proto, tmp_path / "model.onnx")))
    assert (contract.output_layout, contract.classes) == (layout, 3)
    assert contract.sources["output_layout"].startswith("trial passes" if out else "the graph")


@pytest.mark.parametrize(
    ("operator", "attributes", "layout"),
    [
        ("Softmax", {"axis": 1}, "BCN"),
        ("Softmax", {"axis": -1}, "BNC"),
        ("LogSoftmax", {"axis": 2}, "BNC"),
        ("LogSoftmax", {"axis": -2}, "BCN"),
        ("Transpose", {"perm": [0, 2, 1]}, "BNC"),
    ],
)
def test_what_the_last_node_says_of_the_output_where_no_trial_runs(
    tmp_path: Path, operator: str, attributes: dict[str, Any], layout: str
) -> None:
    proto = of_forty(operator, [None, None, None], **attributes)
    del proto.graph.node[-1]  # the operator itself is the last
    proto.graph.node[-1].output[0] = "parts"
    contract = detect(read_model(save(proto, tmp_path / "model.onnx")))
    assert contract.output_layout == layout


def test_class_indices_of_points_or_of_the_shape(tmp_path: Path) -> None:
    def model(out: Shape) -> Any:
        g = Graph()
        chosen = g.add("ArgMax", "cloud", axis=1, keepdims=0)
        g.add("Identity", chosen, output="parts")
        proto = g.model({"cloud": ("float32", ["b", 3, "n"])}, {"parts": ("int64", out)})
        return read_model(save(proto, tmp_path / "model.onnx"))

    for out in (["b", "n"], ["b", "k"]):  # the second is settled by a trial
        of_points = detect(model(out), {"classes": 3})
        assert (of_points.task, of_points.output_form) == ("segmentation", "labels")
    untried = of_forty("ArgMax", ["b", "k"], "int64", axis=1, keepdims=0)
    path = save(untried, tmp_path / "untried.onnx")
    assert "class per point or per shape" in refusal(read_model(path), classes=3)


# -- pictures or points --------------------------------------------------------------------------

OF_PICTURES = {
    "mean": (0.5,),
    "std": (0.5,),
    "value_range": (0.0, 255.0),
    "channel_order": "BGR",
    "normalise": "before",
}
OF_POINTS = {
    "channels": "xyz",
    "points": 64,
    "frame": "own",
    "passes": 2,
    "restricted": True,
    "categories": CATEGORIES,
}


@pytest.mark.parametrize("told", [False, True], ids=["open", "in the metadata"])
@pytest.mark.parametrize("field", OF_PICTURES)
def test_flags_of_pictures_are_refused_for_points(tmp_path: Path, field: str, told: bool) -> None:
    contract = {"medium": "points"} if told else None
    path = save(linear(np.eye(3), contract=contract), tmp_path / "model.onnx")
    text = refusal(read_model(path), **{field: OF_PICTURES[field]})
    assert "points" in text
    assert field.replace("_", " ") in text


@pytest.mark.parametrize("told", [False, True], ids=["open", "in the metadata"])
@pytest.mark.parametrize("field", OF_POINTS)
def test_flags_of_points_are_refused_for_pictures(tmp_path: Path, field: str, told: bool) -> None:
    model = graphs.conv(contract=graphs.UNIT_RANGE if told else None)
    path = graphs.save(model, tmp_path / "model.onnx")
    text = refusal(read_model(path), **{field: OF_POINTS[field]})
    assert "images" in text
    assert field.replace("_", " ") in text


@pytest.mark.parametrize("wrong", ["voxels", "", "Points", None, 3, [], {}, True])
def test_a_medium_that_is_none_is_refused(tmp_path: Path, wrong: Any) -> None:
    assert "medium" in refusal(through(tmp_path, ["b", 3, "n"], medium=wrong))


def test_the_medium_of_another_kind_of_graph_is_refused(tmp_path: Path) -> None:
    assert "an image input" in refusal(through(tmp_path, ["b", 3, "n"], medium="picture"))
    path = graphs.save(graphs.conv(contract={"medium": "points"}), tmp_path / "picture.onnx")
    assert "points" in refusal(read_model(path))


# -- the category --------------------------------------------------------------------------------


def asking(folder: Path, **changes: Any) -> Any:
    dialect = replace(Dialect(category="BK"), **changes)
    return read_model(save(dialect.proto(Network(3, 5, 3)), folder / "model.onnx"))


def test_a_category_input_without_categories_is_refused(tmp_path: Path) -> None:
    text = refusal(asking(tmp_path), feeds=(("label", "category"),))
    assert "--categories" in text


def test_another_number_of_categories_than_the_input_takes_is_refused(tmp_path: Path) -> None:
    text = refusal(asking(tmp_path), feeds=(("label", "category"),), categories=CATEGORIES[:2])
    assert "2 categories" in text


def test_a_further_input_that_nothing_feeds_is_refused_and_a_constant_may_feed_it(
    tmp_path: Path,
) -> None:
    model = asking(tmp_path)
    assert "--feed label=" in refusal(model)
    contract = detect(model, {"feeds": (("label", [0.0, 1.0, 0.0]),)})
    assert isinstance(contract, PointContract)
    assert not contract.needs_category


def test_the_category_may_go_to_one_input_only_and_one_that_is_there(tmp_path: Path) -> None:
    model = asking(tmp_path)
    both = (("label", "category"), ("other", "category"))
    assert "only one input" in refusal(model, feeds=both, categories=CATEGORIES)
    said = {"feeds": (("kind", "category"),), "categories": CATEGORIES}
    assert "'kind'" in refusal(model, **said)
    said = {"feeds": (("cloud", "category"),), "categories": CATEGORIES}
    refusal(model, **said)


def test_parts_beyond_the_models_classes_are_refused(tmp_path: Path) -> None:
    wide = (("chair", (0, 5)), *CATEGORIES[1:])
    text = refusal(asking(tmp_path), feeds=(("label", "category"),), categories=wide)
    assert "chair" in text


# -- JSON ----------------------------------------------------------------------------------------

NAMES = st.text(max_size=8)


@st.composite
def contracts(draw: st.DrawFn) -> PointContract:
    channels = draw(st.sampled_from(CHANNELS))
    classes = draw(st.none() | st.integers(2, 60))
    names = draw(st.lists(NAMES.filter(bool), max_size=4, unique=True))
    part = st.integers(0, (classes or 60) - 1)
    categories = tuple(
        (name, tuple(draw(st.lists(part, min_size=1, max_size=4)))) for name in names
    )
    number = st.none() | st.floats(0, 1e6, exclude_max=True)
    layout = st.sampled_from(("BCN", "BNC"))
    return PointContract(
        input=draw(NAMES),
        layout=draw(layout),
        dtype=draw(st.sampled_from(("float32", "float16"))),
        batch=draw(st.none() | st.integers(1, 65536)),
        feeds=draw(st.lists(st.tuples(NAMES, st.lists(st.integers())), max_size=2).map(tuple)),
        output=draw(NAMES),
        output_form=draw(st.sampled_from(("logits", "probabilities"))),
        output_layout=draw(layout),
        output_rank=draw(st.integers(1, 3)),
        threshold=draw(st.none() | st.floats(-1e6, 1e6)),
        classes=classes,
        class_names=tuple(f"c{i}" for i in range(classes))
        if classes and draw(st.booleans())
        else (),
        trained_sigma=draw(number),
        channels=channels,
        features=draw(st.integers(1, 1024)) if "features" in channels else 0,
        points=draw(st.none() | st.integers(1, 10_000_000)),
        frame=draw(st.sampled_from(FRAMES)),
        categories=categories,
        category_input=draw(NAMES) if categories else "",
        restricted=draw(st.booleans()) if categories else False,
        passes=draw(st.integers(1, 100)),
        trained_rotation=draw(number),
    )


@examples(150)
@given(contracts())
def test_a_contract_comes_back_from_json_as_it_was(contract: PointContract) -> None:
    text = contract.to_json()
    assert json.loads(text)["medium"] == "points"
    again = PointContract.from_json(text, source="file")
    assert again == contract
    assert set(again.sources) <= {f.name for f in fields(PointContract)}
    assert again.to_json() == text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=6,
)
FIELDS = sorted({f.name for f in fields(PointContract)} - {"sources"})


@examples(600)
@given(st.sampled_from(FIELDS), JSON)
def test_any_value_of_any_field_is_taken_or_refused(field: str, value: Any) -> None:
    text = json.dumps({"version": 1, "medium": "points", field: value})
    with suppress(ContractError):  # anything else that is raised is a defect
        contract = PointContract.from_json(text, source="file")
        assert PointContract.from_json(contract.to_json(), source="file") == contract


# A value of a type that each field may never have.
WRONG: dict[str, Any] = {
    **dict.fromkeys(FIELDS, 1.5),
    **dict.fromkeys(("threshold", "trained_sigma", "trained_rotation"), "much"),
}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", [None, {"a": 1}, True, "WRONG"], ids=str)
def test_a_value_of_another_type_is_refused(tmp_path: Path, field: str, value: Any) -> None:
    value = WRONG[field] if value == "WRONG" else value
    if field == "restricted" and value is True:
        value = 1
    text = refusal(through(tmp_path, ["b", 3, "n"], medium="points", **{field: value}))
    assert field in text


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", "null", '{"version": 2}', '{"medium": "points"}', "[" * 100_000]
)
def test_a_broken_contract_is_refused(tmp_path: Path, text: str) -> None:
    proto = linear(np.eye(3))
    proto.metadata_props.add(key="onnxcert", value=text)
    assert "contract" in refusal(read_model(save(proto, tmp_path / "model.onnx")))


@pytest.mark.parametrize("kind", [PointContract, ImageContract])
def test_a_field_of_the_other_kind_is_unknown(kind: type[Contract]) -> None:
    foreign = "mean" if kind is PointContract else "frame"
    text = json.dumps({"version": 1, "medium": kind.modality, foreign: "own"})
    with pytest.raises(ContractError, match="unknown field"):
        kind.from_json(text, source="file")


def test_a_contract_of_another_medium_is_not_read() -> None:
    text = json.dumps({"version": 1, "medium": "points"})
    with pytest.raises(ContractError, match="medium"):
        ImageContract.from_json(text, source="file")


def test_what_was_inferred_is_stored_and_read_back(tmp_path: Path) -> None:
    model = asking(tmp_path)
    given = {"feeds": (("label", "category"),), "categories": CATEGORIES, "restricted": True}
    contract = detect(model, {**given, "passes": 3, "points": 64})
    write_contract(model, contract, tmp_path / "stored.onnx")
    again = detect(read_model(tmp_path / "stored.onnx"))
    assert again == contract
    assert again.sources["category_input"] == "the file's metadata"
