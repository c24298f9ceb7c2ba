"""Names are unique and stable; what is selected keeps its name."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxcert.data import Item, Listing, select
from onnxcert.data.paths import name_items
from onnxcert.errors import ParameterError

PARTS = st.sampled_from(["a", "b", "A", "a__b", "x", "x.y", "é", "a b", ":", "_", "..c", "-"])
SUFFIXES = st.sampled_from([".png", ".jpg", ".PNG", ".npy", ""])


@st.composite
def paths(draw: st.DrawFn) -> list[Path]:
    one = st.builds(
        lambda folders, stem, suffix: Path("/data", *folders, stem + suffix),
        st.lists(PARTS, max_size=3),
        PARTS,
        SUFFIXES,
    )
    return draw(st.lists(one, unique=True, max_size=30))


@given(paths(), st.randoms(use_true_random=False))
def test_names_are_unique_safe_and_independent_of_order(
    some: list[Path], order: random.Random
) -> None:
    names = dict(zip(some, name_items(some), strict=True))
    assert len({name.casefold() for name in names.values()}) == len(some)
    for name in names.values():
        assert name
        assert not set(name) & set('<>:"/\\|?*\0')
        assert name not in (".", "..")
        assert not name.startswith(".")
        assert len(name.encode()) < 240
    shuffled = order.sample(some, len(some))
    assert dict(zip(shuffled, name_items(shuffled), strict=True)) == names


def test_a_picture_is_called_by_its_stem_where_that_is_enough() -> None:
    assert name_items([Path("/d/b/x.png"), Path("/d/c/y.jpg")]) == ("x", "y")
    assert name_items([Path("/d/b/x.png"), Path("/d/c/x.png")]) == ("b__x", "c__x")
    assert name_items([Path("/d/x.png"), Path("/d/x.jpg"), Path("/d/y.jpg")]) == (
        "x.png",
        "x.jpg",
        "y",
    )
    assert name_items([Path("/d/X.png"), Path("/d/x.png")])[0] != "X"
    assert name_items([]) == ()


def test_names_survive_what_file_systems_do_not() -> None:
    long = Path("/d", "é" * 120 + ".png")
    odd = Path("/d", "a\nb:c\udcff.png")
    names = name_items([long, odd])
    assert len(names[0].encode()) < 200
    assert names[1] == "a_b_c_"


@given(st.integers(0, 40), st.none() | st.integers(1, 50), st.none() | st.integers(1, 50))
def test_select_takes_every_kth_and_of_these_the_first(
    count: int, limit: int | None, every: int | None
) -> None:
    listing = Listing(
        tuple(Item(str(i), Path(f"{i}.png"), None) for i in range(count)), ("sky",), 255
    )
    chosen = select(listing, limit=limit, every=every)
    kept = [i for i in range(count) if i % (every or 1) == 0]
    if limit is not None:
        kept = kept[:limit]
    assert [item.name for item in chosen.items] == [str(i) for i in kept]
    assert (chosen.class_names, chosen.ignore_label) == (("sky",), 255)


@pytest.mark.parametrize("bad", [0, -1])
def test_select_of_nothing_is_refused(bad: int) -> None:
    with pytest.raises(ParameterError, match="--limit"):
        select(Listing(()), limit=bad)
    with pytest.raises(ParameterError, match="--every"):
        select(Listing(()), every=bad)
