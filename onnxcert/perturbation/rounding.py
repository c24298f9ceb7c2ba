"""Radii as text: rounded down, never to the nearest."""

from __future__ import annotations

from decimal import ROUND_DOWN, Context, Decimal


def rounded_down(radius: float) -> str:
    """`radius` with four significant digits, never more than it is.

    The digits are those of the number that the computer holds, which may lie just below the one
    that was written.

    >>> rounded_down(0.16862)
    '0.1686'
    >>> rounded_down(0.16868)
    '0.1686'
    >>> rounded_down(0.3), Decimal(0.3) < Decimal("0.3")
    ('0.2999', True)
    """
    shown = Context(prec=4, rounding=ROUND_DOWN).create_decimal(Decimal(radius))
    return f"{float(shown):.4g}"
