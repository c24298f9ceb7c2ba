"""The CUDA sources, compiled for the CPU: every kernel runs, broken ones are found by the cases."""

from __future__ import annotations

import re
from itertools import zip_longest

import numpy as np
import pytest
from compiled_on_cpu import CpuModule, kernels, module
from kernel_cases import KEY, Carrier, NoiseCase, VotesCase, here, noise_cases, votes_cases

from onnxcert.sampling.kernels import Channels, Compiled, Scores, source


def test_every_kernel_ran(compiled: Compiled) -> None:
    module().launched.clear()
    for noise in noise_cases():
        noise.run(compiled, here, here)
    for votes in votes_cases():
        votes.run(compiled, here, here)
    assert set(module().launched) == set(kernels(source()))
    assert len(kernels(source())) == 16


@pytest.mark.usefixtures("compiled")
def test_draws_do_not_depend_on_how_they_are_split_over_threads() -> None:
    """The grid's limits lead every loop through more than one step."""

    class Narrow:
        def __init__(self, limit: tuple[int, int, int]) -> None:
            self.limit = limit

        def get_function(self, name: str, /) -> object:
            kernel = module().get_function(name)
            return lambda grid, block, arguments: kernel(
                tuple(min(n, m) for n, m in zip(grid, self.limit, strict=True)), block, arguments
            )

    for limit in ((1, 1, 1), (2, 1, 3), (3, 2, 1)):
        narrow = Carrier(Compiled(Narrow(limit)))  # type: ignore[arg-type]
        for place in ("whole", "last"):
            assert narrow.noise_agrees(NoiseCase((3, 90, 100), place, affine=True, draws=4))
        assert narrow.noise_agrees(NoiseCase((2, 50, 101), order=(1, 0), draws=4))
        assert narrow.votes_agree(VotesCase(3, 4, (50, 60), (50, 60), content="broken"))


BREAKS = {
    "a round too few": ("round < 10", "round < 9"),
    "the key of another input": ("second + round", "second + 1 + round"),
    "one draw for the whole batch": ("first + (u64)b", "first"),
    "upper half of the draw dropped": ("(u32)(high >> 32)", "0u"),
    "noise off the grid": (
        "return __fadd_rn(__fmul_rn(__double2float_rn(moved), step), point)",
        "return (float)(z * grid.sigma * grid.step + (double)x)",
    ),
    "the rest of x dropped": ("__dadd_rn(steps, -nearest)", "0.0"),
    "sine without its sign": ("^ (quarter & sign)", "^ 0u"),
    "the short tail of 32 bits": ("(u64)r[0] << 32 | r[1]", "(u64)r[0] << 32"),
    "one block for four normals": ("2 * q + (u64)half", "2 * q"),
    "channels not mapped": ("from ? from[c] : c", "c"),
    "the last quadruple cut": ("4 * q < end; q", "4 * q + 4 <= end; q"),
    "the last of equal classes": ("if (score > best)", "if (score >= best)"),
    "broken scores vote": ("if (!(fabsf(total) <= 0x1.fffffep+127f))", "if (total != total && 0)"),
    "infinity votes": ("if (!(fabsf(total) <= 0x1.fffffep+127f))", "if (total != total)"),
    "the threshold itself": ("best > s.threshold", "best >= s.threshold"),
    "above the threshold": ("best > s.threshold", "best >= s.threshold + 0.5f"),
    "corners instead of centres": ("__fadd_rn((float)i, 0.5f)", "(float)i"),
    "nearest neighbour": ("__fadd_rn(at, -(float)n.low)", "0.0f"),
    "counters overwritten": ("load(hits, bytes, i) + found", "found"),
    "misses unseen": ("missed[b] = 1", "missed[b] = 0"),
    "withheld votes uncounted": ("if (none) atomicAdd", "if (none > 1000) atomicAdd"),
    "one stride for all layouts": ("c * s.class_step", "c * s.height * s.width"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BREAKS)
@pytest.mark.usefixtures("compiled")
def test_a_broken_kernel_is_found(name: str) -> None:
    whole, broken = BREAKS[name]
    text = source()
    assert text.count(whole) >= 1
    wrong = Carrier(Compiled(CpuModule(text.replace(whole, broken), "-O0", "-w")))
    # By turns, as it is one of the two that a break is in.
    pairs = zip_longest(noise_cases(), votes_cases())
    agree = (
        (noise is None or wrong.noise_agrees(noise)) and (votes is None or wrong.votes_agree(votes))
        for noise, votes in pairs
    )
    assert not all(agree)


def test_the_sources_need_no_header() -> None:
    assert not re.search(r"#\s*include", source())


def test_half_precision_is_rounded_to_nearest_even(compiled: Compiled) -> None:
    """Every float16, and the middles between them: the stand-in for the device is right itself."""
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
    finite = np.sort(halves[np.isfinite(halves)]).astype(np.float32)
    middles = (finite[1:] + finite[:-1]) / 2
    x = np.concatenate([finite, middles, np.nextafter(middles, np.float32(np.inf))])
    x = np.concatenate([x, np.array([65519, 65520, 1e9, -1e9, 1e-9, -1e-9], dtype=np.float32)])
    affine = Channels(affine=np.array([[1.0], [0.0]], dtype=np.float32))
    out = np.zeros((1, 1, x.size), dtype=np.float16)
    compiled.noise(x[None], np.float32(0), KEY, 0, out, affine)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(out[0, 0], x.astype(np.float16))
    scores = Scores(
        np.concatenate([halves[None, None], np.zeros_like(halves)[None, None]], 1), (65536,)
    )
    labels = np.zeros((1, 65536), dtype=np.uint8)
    compiled.labels(scores, labels)
    expected = np.where(halves >= 0, 0, 1)
    np.testing.assert_array_equal(labels[0], np.where(np.isfinite(halves), expected, 255))


def test_what_a_kernel_would_misread_is_refused(compiled: Compiled) -> None:
    x, out = np.zeros((3, 4, 5), np.float32), np.zeros((2, 3, 4, 5), np.float32)
    sigma = np.float32(1)
    with pytest.raises(ValueError, match="contiguous float32"):
        compiled.noise(x.astype(np.float64), sigma, KEY, 0, out)
    with pytest.raises(ValueError, match="contiguous float32"):
        compiled.noise(x[:, :, ::2], sigma, KEY, 0, out[..., ::2])
    with pytest.raises(ValueError, match="equally spaced"):
        compiled.noise(x, sigma, KEY, 0, np.zeros((2, 3, 4, 9), np.float32)[..., :5])
    with pytest.raises(ValueError, match="does not fit x"):
        compiled.noise(x, sigma, KEY, 0, out[:, :2])
    with pytest.raises(ValueError, match="does not fit x"):
        compiled.noise(x, sigma, KEY, 0, out.astype(np.float64))
    for channels in (Channels(np.zeros(3)), Channels(affine=np.zeros((2, 4), np.float32))):
        with pytest.raises(ValueError, match="expected contiguous"):
            compiled.noise(x, sigma, KEY, 0, out, channels)
    scores = Scores(np.zeros((1, 2, 4, 5), np.float32), (4, 5))
    fits = {"candidate": (4, 5), "hits": (4, 5), "missed": (1,)}
    for name in fits:
        arrays = {key: np.zeros(shape, np.uint8) for key, shape in fits.items()}
        arrays[name] = np.zeros((7, 2), np.uint8)
        with pytest.raises(ValueError, match=r"got uint8 \[7, 2\]"):
            compiled.match(scores, **arrays, invalid=np.zeros(1, np.uint64))
    with pytest.raises(ValueError, match="uint64"):
        compiled.select(scores, np.zeros((2, 4, 5), np.uint8), np.zeros(1, np.int64))
    for wrong in (np.zeros((1, 4, 5), np.int64), np.zeros((1, 4, 10), np.uint8)[..., ::2]):
        with pytest.raises(ValueError, match="contiguous uint8"):
            compiled.labels(scores, wrong)
    with pytest.raises(ValueError, match="float64"):
        compiled.labels(Scores(np.zeros((1, 2, 9)), (9,)), np.zeros((1, 9), np.uint8))


@pytest.mark.parametrize(
    ("shape", "grid", "threshold"),
    [((1, 2, 9), (8,), None), ((1, 2, 4, 4), (4, 4), 0.5), ((1, 2, 4, 4), (16,), None)],
)
def test_scores_that_are_no_votes_are_refused(
    shape: tuple[int, ...], grid: tuple[int, ...], threshold: float | None
) -> None:
    with pytest.raises(ValueError, match="no votes"):
        Scores(np.zeros(shape, np.float32), grid, threshold)
