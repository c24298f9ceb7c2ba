"""The sentences for changes with few parameters stay as records store them, to the character."""

from __future__ import annotations

from pathlib import Path

from onnxcert.perturbation import PLAIN, OnChannels
from onnxcert.perturbation.semantic import Semantic
from onnxcert.statistics.changes import CHANGES
from onnxcert.statistics.correction import CORRECTIONS
from onnxcert.statistics.guarantee import guarantee
from onnxcert.statistics.rule import Rule

STORED = Path(__file__).with_name("changes.txt")
KINDS = [kind for kind in PLAIN.values() if issubclass(kind, Semantic)]


def test_each_change_has_words() -> None:
    assert sorted(kind.norm for kind in KINDS) == sorted(CHANGES)


def test_no_character_of_a_sentence_changes() -> None:
    found = []
    for kind in KINDS:
        noise = kind(**{"sigma": kind.usual})
        for of in (noise, OnChannels(noise, 0, 3, "some")):
            found.append(
                guarantee(
                    rule=Rule(),
                    controls=CORRECTIONS["holm"].controls,
                    perturbation=of,
                    unit="values in [0, 1]",
                    n=100,
                    n0=10,
                    selection="pooled",
                    components=4096,
                    kind="pixels",
                    law_error=1e-6,
                )
            )
    assert found == STORED.read_text(encoding="utf-8").splitlines()
