"""One input, one call: what is accepted, what is refused, what is done once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import graphs
import numpy as np
import numpy.typing as npt
import pytest

import onnxcert
from onnxcert.api import input_certification

Array = npt.NDArray[Any]


def test_a_picture_is_certified_in_one_call(tmp_path: Path) -> None:
    model = graphs.save(graphs.threshold(), tmp_path / "model.onnx")
    pixels = np.full((3, 8, 8), 0.1, np.float32)
    pixels[:, :, 4:] = 0.9
    pixels[:, 0] = 0.5
    for given in (model, str(model), onnxcert.OnnxSegmenter.open(model)):
        certificate = onnxcert.certify(given, pixels, onnxcert.Gaussian(0.25), seed=1)
        assert isinstance(certificate, onnxcert.Certificate)
        assert isinstance(certificate.tally, onnxcert.Tally)
        assert certificate.labels.shape == (8, 8)
        assert (certificate.labels[1:, :4] == 0).all()
        assert (certificate.labels[1:, 4:] == 1).all()
        assert (certificate.labels[0] == onnxcert.ABSTAIN).all()
        assert certificate.abstain_share == 1 / 8
        assert certificate.radius == pytest.approx(0.25 * 0.6744897501960817)
        assert certificate.radius <= 0.25 * 0.6744897501960817
        assert "1 - 0.001 over" in certificate.statement()


def test_a_model_of_points_or_of_one_answer_is_a_callable_like_any_other() -> None:
    def classifier(batch: Array) -> Array:
        return np.asarray(batch.mean(axis=(1, 2)) > 0.5, np.int64)

    one = onnxcert.certify(
        classifier, np.full((5, 3), 0.9, np.float32), onnxcert.Gaussian(0.1), classes=2
    )
    assert one.labels.shape == ()
    assert int(one.labels) == 1

    def points(batch: Array) -> Array:
        return np.asarray(batch[:, :, 2] > 0.5, np.uint8)

    cloud = np.random.default_rng(0).uniform(0, 1, (20, 3)).astype(np.float32)
    assert onnxcert.certify(
        points, cloud, onnxcert.Gaussian(0.01), classes=2, unit="metres"
    ).labels.shape == (20,)


@pytest.mark.parametrize(
    ("x", "word"),
    [
        (np.zeros((3, 8, 8), np.int64), "range="),
        (np.full((3, 8, 8), 200.0), "range="),
        (np.full((3, 8, 8), np.nan), "finite"),
        (np.zeros((8, 3, 8)), "3, height, width"),
        (np.zeros((1, 3, 8, 8)), "3, height, width"),
        (np.zeros((3, 0, 8)), "3, height, width"),
        (np.zeros((3, 8, 3)), "layout="),
        (np.zeros((8, 8)), "3, height, width"),
        ("there-is-none.png", "there is none"),
        (Path(__file__).parent, "it is a folder: use onnxcert.certify_many"),
        (object(), "array"),
    ],
    ids=[
        *("64 bit", "0 to 255", "NaN", "channels in the middle", "with a batch", "empty"),
        *("two layouts", "grey", "no file", "a folder", "no array"),
    ],
)
def test_a_picture_that_is_none_is_refused(tmp_path: Path, x: Array, word: str) -> None:
    model = graphs.save(graphs.threshold(), tmp_path / "model.onnx")
    with pytest.raises(onnxcert.OnnxcertError, match=word):
        onnxcert.certify(model, x, onnxcert.Gaussian(0.25))


def test_options_of_a_file_do_not_apply_to_a_callable() -> None:
    with pytest.raises(onnxcert.OnnxcertError, match="threads"):
        onnxcert.certify(
            lambda b: b[:, 0].astype(int),
            np.zeros((1, 2), np.float32),
            onnxcert.Gaussian(0.1),
            classes=2,
            threads=1,
        )


def test_a_callable_must_say_how_many_classes_it_has() -> None:
    with pytest.raises(onnxcert.OnnxcertError, match="classes"):
        onnxcert.certify(
            lambda b: b[:, 0].astype(int), np.zeros((1, 2), np.float32), onnxcert.Gaussian(0.1)
        )


@pytest.mark.parametrize(
    "answer",
    [
        lambda batch: batch[:, 0],
        lambda batch: batch[:1, 0].astype(int),
        lambda batch: np.zeros((len(batch), 0), int),
        lambda _: np.int64(0),
    ],
    ids=["scores", "one row", "nothing", "a number"],
)
def test_a_callable_that_returns_no_labels_is_refused(answer: object) -> None:
    with pytest.raises(onnxcert.OnnxcertError, match="labels"):
        onnxcert.certify(
            answer,  # type: ignore[arg-type]
            np.zeros((1, 2), np.float32),
            onnxcert.Gaussian(0.1),
            classes=2,
            seed=0,
        )


def test_an_opened_model_is_tuned_and_checked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: list[bool] = []
    plan = input_certification.make_plan

    def make_plan(*args: Any, **words: Any) -> Any:
        known.append(words["known"] is not None)
        return plan(*args, **words)

    monkeypatch.setattr(input_certification, "make_plan", make_plan)
    model = onnxcert.load(graphs.save(graphs.threshold(), tmp_path / "model.onnx"), threads=1)
    image = np.random.default_rng(0).random((3, 8, 8), np.float32)
    one, same = (onnxcert.certify(model, image, sigma=0.1, seed=1) for _ in range(2))
    np.testing.assert_array_equal(one.tally.hits, same.tally.hits)
    assert known == [False]
    onnxcert.certify(model, image[:, ::-1], sigma=0.1, seed=1)
    assert known == [False, True]  # the short check of a run
    onnxcert.certify(model, image, sigma=0.2, seed=1)
    onnxcert.certify(model, image[:, :6], sigma=0.1, seed=1)
    assert known == [False, True, False, False]


def test_a_function_is_checked_at_each_call_because_it_may_have_changed() -> None:
    leaks = False

    def label(batch: Array) -> Array:
        shift = batch.mean() if leaks else 0.5
        return np.asarray(batch.mean(axis=1) > shift, np.int64)

    model = onnxcert.wrap(label, classes=2)
    image = np.full((3, 8, 8), 0.45, np.float32)
    words: dict[str, Any] = {"sigma": 0.25, "seed": 1, "batch_size": 4, "n": 60}
    assert "one draw a pass" not in onnxcert.certify(model, image, **words).statement()
    leaks = True
    found = onnxcert.certify(model, image, **words)
    assert "one draw a pass" in found.statement()
    leaks = False
    # Once found, a leak is a property of the model.
    assert "one draw a pass" in onnxcert.certify(model, image, **words).statement()


def test_a_list_gives_a_list_that_shares_alpha_if_asked(tmp_path: Path) -> None:
    model = onnxcert.load(graphs.save(graphs.threshold(), tmp_path / "model.onnx"), threads=1)
    images = np.random.default_rng(0).random((4, 3, 8, 8), np.float32)
    own = onnxcert.certify(model, list(images), sigma=0.1, seed=1)
    shared = onnxcert.certify(model, tuple(images), sigma=0.1, seed=1, alpha_scope="dataset")
    assert [c.rule.alpha_per_input for c in own] == [0.001] * 4
    assert [c.rule.alpha_per_input for c in shared] == [0.00025] * 4
    assert len({c.tally.draws.digest for c in own}) == 4
    (alone,) = onnxcert.certify(model, [images[2]], sigma=0.1, seed=1)
    np.testing.assert_array_equal(alone.tally.hits, own[2].tally.hits)


def test_the_noise_is_one_perturbation_sigma_or_that_of_the_training(tmp_path: Path) -> None:
    trained = {"value_range": [0, 1], "trained_sigma": 0.3}
    path = graphs.save(graphs.conv(3, contract=trained), tmp_path / "model.onnx")
    model, image = onnxcert.load(path, threads=1), np.zeros((3, 8, 8), np.float32)
    noise = onnxcert.Gaussian(0.1)
    for words, sigma in (({"sigma": 0.1}, 0.1), ({"perturbation": noise}, 0.1), ({}, 0.3)):
        found = onnxcert.certify(model, image, seed=1, **words)
        assert found.tally.perturbation == onnxcert.Gaussian(sigma)
    with pytest.raises(onnxcert.OnnxcertError, match="exclude each other"):
        onnxcert.certify(model, image, noise, sigma=0.1)
    with pytest.raises(onnxcert.OnnxcertError, match="one of"):
        onnxcert.certify(model, image, "gausian", sigma=0.1)
    with pytest.raises(onnxcert.OnnxcertError, match="pass sigma"):
        onnxcert.certify(lambda batch: batch[:, 0].astype(int), image, classes=2)


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ({"tau": 0.8, "rule": onnxcert.Rule()}, "tau conflicts with rule"),
        ({"until": 0.5, "stopping": onnxcert.Stopping()}, "until conflicts with stopping"),
        ({"threads": 1}, r"threads applies to an ONNX file only; pass it to onnxcert\.load"),
        ({"layout": "NCHW"}, "layout must be CHW or HWC"),
        ({"columns": "xyz"}, "columns is for point clouds"),
        ({"looks": "often"}, "looks must be auto or numbers"),
        ({"n": 20}, "too small"),
    ],
    ids=str,
)
def test_words_that_do_not_fit_are_refused(
    tmp_path: Path, words: dict[str, Any], match: str
) -> None:
    model = onnxcert.load(graphs.save(graphs.threshold(), tmp_path / "model.onnx"), threads=1)
    with pytest.raises(onnxcert.OnnxcertError, match=match):
        onnxcert.certify(model, np.zeros((3, 8, 8), np.float32), sigma=0.1, **words)


def test_the_words_define_the_rule_as_on_the_command_line(tmp_path: Path) -> None:
    model = onnxcert.load(graphs.save(graphs.threshold(), tmp_path / "model.onnx"), threads=1)
    image = np.full((3, 8, 8), 0.9, np.float32)
    for words, correction in (
        ({}, "holm"),
        ({"budget": 2}, "kfwer-stepdown"),
        ({"looks": "auto"}, "bonferroni"),
        ({"looks": [60, 100], "budget": "5%"}, "kfwer"),
        ({"radius_map": True}, "bonferroni"),
    ):
        rule = onnxcert.certify(model, image, sigma=0.1, seed=1, **words).rule
        assert rule.correction == correction
    several = onnxcert.certify(model, image, sigma=0.1, seed=1, tau=(0.75, 0.6))
    assert several.rule.taus == (0.75, 0.6)
    stopped = onnxcert.certify(model, image, sigma=0.1, n=500, looks="auto", until=0.5)
    assert stopped.tally.ended == "until"


def test_a_rule_over_a_data_set_shares_alpha_over_the_list() -> None:
    model = onnxcert.wrap(lambda batch: (batch[:, 0] > 0.5).astype(int), classes=2)
    rule = onnxcert.Rule(alpha_scope="dataset")
    images = [np.full((3, 4, 4), value, np.float32) for value in (0.1, 0.5, 0.9)]
    found = onnxcert.certify(model, images, sigma=0.1, n=100, rule=rule)
    assert [each.rule.inputs for each in found] == [3, 3, 3]
    assert all("all 3 images together" in each.sentence for each in found)
    by_words = onnxcert.certify(model, images, sigma=0.1, n=100, alpha_scope="dataset")
    assert [each.rule for each in by_words] == [each.rule for each in found]
    more = onnxcert.Rule(alpha_scope="dataset", inputs=9)
    assert onnxcert.certify(model, images[0], sigma=0.1, n=100, rule=more).rule.inputs == 9


def test_messages_name_keywords_in_place_of_options(tmp_path: Path) -> None:
    model = graphs.save(graphs.conv(), tmp_path / "model.onnx")
    with pytest.raises(onnxcert.OnnxcertError) as error:
        onnxcert.load(model)
    assert "range=(0, 1)" in str(error.value)
    assert "--" not in str(error.value)
    for word in ("range", "mean", "std"):
        with pytest.raises(onnxcert.OnnxcertError, match=f"{word} must be numbers such as"):
            onnxcert.load(model, **{word: "0,1"})
    with pytest.raises(onnxcert.OnnxcertError, match=r"^channels_are must be rgb"):
        onnxcert.load(model, channels_are="redd")


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ({"n": "70"}, "n must be a whole number, got '70'"),
        ({"n": 70.5}, "n must be a whole number, got 70.5"),
        ({"n": True}, "n must be a whole number, got True"),
        ({"alpha": "x"}, "alpha must be a number, got 'x'"),
        ({"sigma": "0.25"}, "sigma must be a number, got '0.25'"),
        ({"seed": "a"}, "seed must be a whole number, got 'a'"),
        ({"leak_check": "of"}, "leak_check must be a whole number or 'off', got 'of'"),
        ({"radius_map": 1}, "radius_map must be True or False, got 1"),
        ({"tau": "0.75"}, "tau must be a number or several such as (0.6, 0.75), got '0.75'"),
        ({"tau": (0.6, "x")}, "tau must be a number or several"),
        ({"range": "09"}, "range must be the values of black and white"),
    ],
)
def test_a_value_of_another_type_is_one_sentence(words: dict[str, Any], match: str) -> None:
    image, usual = np.full((3, 4, 4), 0.9, np.float32), {"sigma": 0.1, "n": 100}
    model = onnxcert.wrap(lambda batch: (batch[:, 0] > 0.5).astype(int), classes=2)
    with pytest.raises(onnxcert.OnnxcertError, match=re.escape(match)):
        onnxcert.certify(model, image, **(usual | words))


def test_numpy_numbers_are_numbers() -> None:
    image = np.full((3, 4, 4), 0.9, np.float32)
    model = onnxcert.wrap(lambda batch: (batch[:, 0] > 0.5).astype(int), classes=2)
    found = onnxcert.certify(model, image, sigma=np.float32(0.125), n=np.int64(100), seed=1)
    assert (found.labels == 1).all()
