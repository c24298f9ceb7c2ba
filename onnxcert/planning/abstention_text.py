"""Text of the explanation of abstention: one paragraph, with what would help."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from onnxcert.planning.causes import Cause
from onnxcert.statistics.guarantee import format_radius
from onnxcert.statistics.guarantee_summary import Noun, name_component

if TYPE_CHECKING:
    from onnxcert.planning.abstention import Abstention

_FEW_CLASSES: Final = 3


def describe_abstention(found: Abstention) -> str:
    """Return one paragraph; empty if nothing abstains."""
    if not found.abstained:
        return ""
    noun = name_component(found.kind)
    reasons = [
        (found.share(count), _describe_cause(found, cause, noun))
        for cause, count in found.causes.items()
        if count
    ]
    if found.components == 1:
        return f"The {noun.one} abstains because {reasons[0][1]}."
    text = f"{_percent(found.share(found.abstained))} of the {noun.many} abstain"
    if len(reasons) == 1:
        text += f" because {reasons[0][1]}."
    else:
        each = "; ".join(f"{_percent(share)} because {reason}" for share, reason in reasons)
        text += f": {each}."
    remedies = _describe_remedies(found)
    return f"{text} What helps: {'; '.join(remedies)}." if remedies else text


def _describe_cause(found: Abstention, cause: Cause, noun: Noun) -> str:
    if cause is Cause.FEW_DRAWS:
        return f"{found.n} draws are too few"
    if cause is Cause.NOT_FINITE:
        return "the model's output was not finite"
    details = _describe_places(found, noun)
    return "the model changes its answer under this noise" + (f" ({details})" if details else "")


def _describe_places(found: Abstention, noun: Noun) -> str:
    """Say in which classes, and whether at borders, the model changes its answer."""
    parts = []
    if len(found.classes) > 1 and found.components > found.inputs:
        order = sorted(found.classes.items(), key=lambda item: -item[1].unstable)
        rates = [
            f"{_name_class(found, c)} ({_percent(part.unstable / part.components)} of it)"
            for c, part in order[:_FEW_CLASSES]
            if part.unstable
        ]
        parts.append(f"mostly in {_enumerate(rates)}")
    borders = found.borders
    if borders is not None and 0 < borders.components < found.components:
        inside = found.components - borders.components
        rate = (found.causes[Cause.UNSTABLE] - borders.unstable) / inside
        parts.append(
            f"at {_percent(borders.unstable / borders.components)} of the {noun.many} at borders "
            f"between classes, and at {_percent(rate)} of the others"
        )
    return "; ".join(parts)


def _describe_remedies(found: Abstention) -> list[str]:
    """Say what would help, with predictions for a new run."""
    now = f" instead of {_percent(found.certified)}"
    remedies = []
    if (more := found.more_draws) is not None:
        remedies.append(
            f"about {more.n} draws, which would certify {_percent(more.certified)}{now}"
        )
        now = ""
    if (less := found.smaller_radius) is not None:
        radius = format_radius(found.votes.perturbation, less.radius)
        remedies.append(
            f"a smaller radius, {radius} (tau {less.tau!r}), at which {less.n} draws would certify "
            f"{_percent(less.certified)}{now}"
        )
    if remedies:
        remedies[-1] += " (predicted for a new run; fix the setting before it and use a new seed)"
    unstable = found.causes[Cause.UNSTABLE]
    at_borders = found.borders.unstable if found.borders else 0
    if unstable > max(found.abstained - unstable, 2 * at_borders):  # borders always change
        remedies.append("a model that was trained with this noise, or less noise")
    if found.causes[Cause.NOT_FINITE]:
        remedies.append("a model without NaN or infinity in its output")
    return remedies


def _name_class(found: Abstention, index: int) -> str:
    names = found.class_names
    return names[index] if index < len(names) else f"class {index}"


def _enumerate(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _percent(share: float) -> str:
    """Return a share as a percentage; a small one is never shown as 0, and 100 is exact."""
    text = f"{100 * share:.1f}"
    if share > 0 and text == "0.0":
        return "less than 0.1 %"
    if share < 1 and text == "100.0":
        return "more than 99.9 %"
    return f"{text.removesuffix('.0')} %"
