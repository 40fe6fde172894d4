"""Ratios as bars over a logarithmic axis, as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW = 760, 300, 70, 46, 24


class Bar(NamedTuple):
    """
    :ivar ratio: how many times as fast, or as small, as ATLAS's own.
    :ivar target: of the ratio, None if there is none.
    """

    name: str
    ratio: float
    target: float | None


def write(path: Path, title: str, bars: Sequence[Bar]) -> None:
    """A line marks each target, a thick one ATLAS's own."""
    values = [bar.ratio for bar in bars] + [bar.target or 1.0 for bar in bars]
    low = min(-0.3, math.floor(math.log10(min(values))))
    high = max(1, math.ceil(math.log10(max(values))))
    height = _TOP + _ROW * len(bars) + 30

    def at(ratio: float) -> float:
        share = (math.log10(ratio) - low) / (high - low)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{_WIDTH / 2}" y="22" text-anchor="middle" font-size="15">{escape(title)}</text>',
    ]
    bottom = _TOP + _ROW * len(bars)
    for power in range(math.ceil(low), int(high) + 1):
        x = at(10.0**power)
        colour = "#57606a" if power == 0 else "#d0d7de"
        out.append(f'<line x1="{x}" y1="{_TOP}" x2="{x}" y2="{bottom}" stroke="{colour}"/>')
        out.append(f'<text x="{x}" y="{bottom + 18}" text-anchor="middle">{10**power:g} ×</text>')
    for row, bar in enumerate(bars):
        y = _TOP + _ROW * row
        begin, end = sorted((at(1.0), at(bar.ratio)))
        met = bar.ratio >= (bar.target or 1.0)
        colour = "#2da44e" if met else "#d29922"
        out.append(
            f'<text x="{_LEFT - 8}" y="{y + 16}" text-anchor="end">{escape(bar.name)}</text>'
        )
        out.append(
            f'<rect x="{begin}" y="{y + 4}" width="{max(1.0, end - begin)}" height="{_ROW - 8}" '
            f'fill="{colour}"/>'
        )
        out.append(f'<text x="{at(max(1.0, bar.ratio)) + 6}" y="{y + 16}">{bar.ratio:.3g} ×</text>')
        if bar.target is not None:
            x = at(bar.target)
            out.append(
                f'<line x1="{x}" y1="{y + 1}" x2="{x}" y2="{y + _ROW - 1}" stroke="#24292f" '
                'stroke-width="2"/>'
            )
    out.append("</svg>")
    path.write_text("\n".join(out) + "\n")
