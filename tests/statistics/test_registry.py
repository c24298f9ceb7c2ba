"""What may back a certificate, and what may not, with its reason."""

from __future__ import annotations

from typing import ClassVar

import pytest
from refusals import one_sentence

from onnxcert.errors import ParameterError
from onnxcert.statistics.correction import (
    CORRECTIONS,
    REFUSED,
    build_registry,
    get_correction,
    refusal_reason,
)


class Hochberg:
    """A procedure whose authors assume something of the dependence."""

    name: ClassVar[str] = "hochberg"
    dependence: ClassVar[str] = "independent or positively dependent p-values"


def test_each_says_what_it_controls_and_holds_under_any_dependence() -> None:
    controls = {name: c.controls for name, c in CORRECTIONS.items()}
    assert controls == {
        "bonferroni": "FWER",
        "holm": "FWER",
        "kfwer": "k-FWER",
        "kfwer-stepdown": "k-FWER",
        "benjamini-yekutieli": "FDR",
    }
    assert {c.dependence for c in CORRECTIONS.values()} == {"any"}
    assert {name for name, c in CORRECTIONS.items() if not c.stepwise} == {"bonferroni", "kfwer"}
    for name, correction in CORRECTIONS.items():
        assert correction.name == name
        assert get_correction(name) is correction


def test_the_registry_refuses_what_needs_an_assumption() -> None:
    assert build_registry([CORRECTIONS["bonferroni"]]).keys() == {"bonferroni"}
    with pytest.raises(ParameterError, match="hochberg is valid under independent or positively"):
        build_registry([CORRECTIONS["bonferroni"], Hochberg()])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ("hochberg", "Hochberg's step-up"),
        ("simes-hochberg", "Hochberg's step-up"),
        ("hommel", "Hommel's procedure"),
        ("sidak", "Sidak's levels"),
        ("holm-sidak", "Sidak's levels"),
        ("simes", "does not say which components are certified"),
        ("fdr_bh", "Benjamini-Hochberg procedure"),
        ("bh", "Benjamini-Hochberg procedure"),
        ("benjamini-hochberg", "Benjamini-Hochberg procedure"),
        ("fdr_tsbh", "Benjamini-Hochberg procedure"),
        ("HOMMEL", "Hommel's procedure"),
    ],
)
def test_each_that_is_refused_has_one_sentence_with_the_reason_and_a_way_out(
    asked: str, reason: str
) -> None:
    with one_sentence(ParameterError) as caught:
        get_correction(asked)
    said = str(caught.value)
    assert said.startswith(f"{asked} cannot back a certificate: ")
    assert reason in said
    assert "cannot be verified for the pixels" in said
    assert any(f"use {name}" in said for name in CORRECTIONS)
    assert said.count(". ") == 0


def test_none_is_offered_and_refused() -> None:
    assert not REFUSED.keys() & CORRECTIONS.keys()
    assert all(refusal_reason(name) is None for name in CORRECTIONS)
    for name in ("", "none", "Holm"):
        with pytest.raises(ParameterError, match="must be one of bonferroni, holm, kfwer"):
            get_correction(name)
