"""The contract survives its journey through JSON, and refuses what it does not understand."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusals import one_sentence

from onnxcert.errors import ContractError
from onnxcert.model.contract.base import INTEGER_TYPES, OUTPUT_FORMS
from onnxcert.model.contract.image import CHANNEL_ORDERS, NORMALISE, ImageContract

finite = st.floats(-(2.0**90), 2.0**90, width=32)  # what float32 pixels can be brought to
positive = st.floats(min_value=0.0009765625, max_value=1e6, width=32)
values = st.recursive(finite, lambda inner: st.lists(inner, max_size=3), max_leaves=4)
CHANNELS = {"RGB": 3, "BGR": 3, "RGBA": 4, "BGRA": 4, "GRAY": 1, "BANDS": None}
# Names of bands: printable, without comma or colon.
names_of_bands = st.text(
    st.characters(codec="ascii", min_codepoint=32, exclude_characters=",:\x7f"),
    min_size=1,
    max_size=12,
)


@st.composite
def contracts(draw: st.DrawFn) -> ImageContract:
    """Any contract that may be."""
    names = draw(st.lists(st.text(min_size=1), max_size=5).filter(lambda v: len(v) != 1))
    low = draw(finite)
    order = draw(st.sampled_from(sorted(CHANNELS)))
    bands = draw(st.lists(names_of_bands, min_size=1, max_size=6, unique=True))
    bands = bands if order == "BANDS" else []
    count = CHANNELS[order] or len(bands)
    channels = draw(st.sampled_from((0, 1, count)))
    form = draw(st.sampled_from(OUTPUT_FORMS))
    classes = len(names) or draw(st.none() | st.integers(2, 1000))
    dtype = draw(st.sampled_from(ImageContract.dtypes))
    ranges = finite.filter(lambda high: high > low).map(lambda high: (low, high))
    return ImageContract(
        input=draw(st.text()),
        layout=draw(st.sampled_from(ImageContract.layouts)),
        channel_order=order,
        bands=tuple(bands),
        dtype=dtype,
        normalise=draw(st.sampled_from(NORMALISE)),
        multiple=draw(st.none() | st.integers(1, 64)),
        feeds=tuple(draw(st.dictionaries(st.text(min_size=1), values, max_size=2)).items()),
        output=draw(st.text()),
        output_layout=draw(st.sampled_from(ImageContract.layouts)),
        output_rank=draw(st.sampled_from((1, 2, 3, 4))),
        task=draw(st.sampled_from(("segmentation", "classification"))),
        threshold=draw(st.none() | finite),
        value_range=draw(st.none() | (st.just((0.0, 127.0)) if dtype in INTEGER_TYPES else ranges)),
        mean=tuple(draw(st.lists(finite, min_size=channels, max_size=channels))),
        std=tuple(draw(st.lists(positive, min_size=channels, max_size=channels))),
        batch=draw(st.none() | st.integers(1, 64)),
        size=draw(st.none() | st.tuples(st.integers(1, 4096), st.integers(1, 4096))),
        output_form=form,
        classes=2 if form == "multilabel" else classes,
        class_names=tuple(names),
        trained_sigma=draw(st.none() | st.floats(0, 10)),
    )


@given(contracts())
def test_json_keeps_every_field(contract: ImageContract) -> None:
    assert ImageContract.from_json(contract.to_json(), source="a test") == contract


@given(contracts())
def test_what_json_says_has_a_source_and_what_it_leaves_open_has_none(
    contract: ImageContract,
) -> None:
    said = set(json.loads(contract.to_json())) - {"version"}
    assert ImageContract.from_json(contract.to_json(), source="a test").sources == dict.fromkeys(
        said, "a test"
    )


def test_an_overridden_field_names_who_overrode_it() -> None:
    contract = ImageContract.from_json(
        '{"version": 1, "mean": [0.5], "std": [0.2]}', source="the file"
    )
    changed = contract.override("given", mean=(0.4, 0.4, 0.4))
    assert changed.mean == (0.4, 0.4, 0.4)
    assert changed.sources == {"mean": "given", "std": "the file"}
    assert contract.mean == (0.5,)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "JSON"),
        ("{", "JSON"),
        ("[]", "JSON object"),
        ('"unit"', "JSON object"),
        ("{}", "version None"),
        ('{"version": 2}', "version 2"),
        ('{"version": "1"}', "version '1'"),
        ('{"version": 1, "colour": "red"}', "'colour'"),
        ('{"version": 1, "sources": {}}', "'sources'"),
    ],
)
def test_another_document_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ContractError, match=complaint):
        ImageContract.from_json(text, source="a test")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("input", 3),
        ("output", None),
        ("layout", "NWHC"),
        ("layout", "nhwc"),
        ("layout", ["NCHW"]),
        ("channel_order", "GBR"),
        ("channel_order", "GREY"),
        ("dtype", "bfloat16"),
        ("dtype", "int32"),
        ("normalise", "between"),
        ("output_form", "argmax"),
        ("output_layout", "NCW"),
        ("output_rank", 0),
        ("task", "detection"),
        ("output_rank", 5),
        ("output_rank", True),
        ("multiple", 0),
        ("multiple", 2.0),
        ("threshold", "0.5"),
        ("threshold", True),
        ("feeds", {"scale": 1}),
        ("feeds", [["scale"]]),
        ("feeds", [[1, 2]]),
        ("value_range", 255),
        ("value_range", [0]),
        ("value_range", [0, 1, 2]),
        ("value_range", ["0", "1"]),
        ("value_range", [1, 0]),
        ("value_range", [1, 1]),
        ("value_range", [0, float("inf")]),
        ("value_range", [float("nan"), 1]),
        ("mean", 0.5),
        ("mean", "0.5"),
        ("mean", [0.5, 0.5]),
        ("mean", [True, True, True]),
        ("mean", [float("nan")]),
        ("std", [0.2, 0.2, 0.2, 0.2]),
        ("std", [0]),
        ("std", [-1, 1, 1]),
        ("std", [float("inf")]),
        ("batch", 0),
        ("batch", True),
        ("batch", 1.0),
        ("batch", "1"),
        ("size", 8),
        ("size", [8]),
        ("size", [8, 0]),
        ("size", [8, 8.0]),
        ("classes", 1),
        ("classes", 0),
        ("classes", 2.5),
        ("class_names", "sky"),
        ("class_names", ["sky", 1]),
        ("trained_sigma", -0.1),
        ("trained_sigma", "0.25"),
        ("trained_sigma", True),
        ("trained_sigma", float("nan")),
        ("trained_sigma", float("inf")),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_field(field: str, value: Any) -> None:
    text = json.dumps({"version": 1, field: value})
    with one_sentence(ContractError) as caught:
        ImageContract.from_json(text, source="a test")
    message = str(caught.value)
    shown = {"value_range": "value.range", "class_names": "class.names", "classes": "class"}
    assert field in message or shown.get(field, field).replace(".", " ") in message


def test_as_many_names_as_classes() -> None:
    with pytest.raises(ContractError, match=r"3 classes but 2 class names"):
        ImageContract(classes=3, class_names=("sky", "road"))


def test_every_channel_order_is_drawn_above() -> None:
    assert set(CHANNELS) == set(CHANNEL_ORDERS)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("layout", ("NCHW", "NHWC")),
        ("channel_order", ("RGB", "BGR", "RGBA", "BGRA", "GRAY", "BANDS")),
        ("dtype", ("float32", "float16", "float64", "uint8", "int8")),
        ("normalise", ("after", "before")),
        ("output_form", ("logits", "probabilities", "sigmoid", "logit", "multilabel", "labels")),
        ("output_layout", ("NCHW", "NHWC")),
        ("output_rank", (1, 2, 3, 4)),
        ("task", ("segmentation", "classification")),
    ],
)
def test_what_a_field_may_be(field: str, values: tuple[Any, ...]) -> None:
    for value in values:
        text = json.dumps({"version": 1, field: value})
        assert getattr(ImageContract.from_json(text, source="a test"), field) == value
    other: dict[str, Any] = {field: "other"}
    with pytest.raises(ContractError) as caught:
        ImageContract(**other)
    assert " or ".join(map(str, values)) in str(caught.value)


@pytest.mark.parametrize(
    ("order", "network", "picture"),
    [("RGB", 3, 3), ("BGR", 3, 3), ("RGBA", 4, 3), ("BGRA", 4, 3), ("GRAY", 1, 1)],
)
def test_mean_and_std_have_one_number_or_one_for_each_channel_of_the_network(
    order: str, network: int, picture: int
) -> None:
    contract = ImageContract(channel_order=order, mean=(0.5,) * network, std=(0.5,))
    assert (contract.network_channels, contract.declared_channels) == (network, picture)
    with pytest.raises(ContractError, match=rf"each of the {network} channels \({order}\)"):
        ImageContract(channel_order=order, mean=(0.5,) * 2)


@pytest.mark.parametrize(
    ("form", "threshold", "decides"),
    [
        ("logit", None, 0.0),
        ("sigmoid", None, 0.5),
        ("multilabel", None, 0.5),
        ("logit", 0.4196, 0.4196),
        ("sigmoid", 0.0, 0.0),
    ],
)
def test_a_threshold_that_nobody_said_is_the_usual_one(
    form: str, threshold: float | None, decides: float
) -> None:
    assert ImageContract(output_form=form, threshold=threshold).decision_threshold == decides


@pytest.mark.parametrize(
    ("form", "classes", "kind"),
    [
        ("logits", None, "uint8"),
        ("logits", 2, "uint8"),
        ("labels", 255, "uint8"),
        ("labels", 256, "uint16"),
        ("logits", 65536, "uint32"),
        ("sigmoid", 2, "uint8"),
        ("multilabel", 2, "uint8"),
    ],
)
def test_labels_and_no_vote_have_room_in_the_type_of_the_labels(
    form: str, classes: int | None, kind: str
) -> None:
    found = ImageContract(output_form=form, classes=classes).label_type
    assert found.name == kind


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_threshold_is_a_finite_number(value: float) -> None:
    with pytest.raises(ContractError, match="threshold"):
        ImageContract(output_form="sigmoid", threshold=value)


def test_as_many_names_as_labels_and_not_as_answers_in_a_multi_label_model() -> None:
    contract = ImageContract(
        output_form="multilabel", classes=2, class_names=("rain", "fog", "night")
    )
    assert contract.binary
    assert contract.class_names == ("rain", "fog", "night")
