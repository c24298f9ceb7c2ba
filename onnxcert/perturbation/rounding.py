"""Radii as text, rounded down."""

from __future__ import annotations

from decimal import ROUND_DOWN, Context, Decimal


def round_down(radius: float) -> str:
    """Format `radius` with four significant digits, rounded down.

    The digits are those of the binary number, which may lie just below the decimal one.

    >>> round_down(0.16862)
    '0.1686'
    >>> round_down(0.16868)
    '0.1686'
    >>> round_down(0.3), Decimal(0.3) < Decimal("0.3")
    ('0.2999', True)
    """
    rounded = Context(prec=4, rounding=ROUND_DOWN).create_decimal(Decimal(radius))
    return f"{float(rounded):.4g}"
