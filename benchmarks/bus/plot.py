"""Lines over a logarithmic axis, as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 40, 50
_COLOURS = ("#1f6feb", "#d29922", "#2da44e", "#cf222e")

Line = Sequence[tuple[float, float]]


def fitted_exponent(line: Line) -> float:
    """The b of y = a·xᵇ, by least squares over the logarithms."""
    xs = [math.log(x) for x, _ in line]
    ys = [math.log(y) for _, y in line]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread


def write(path: Path, title: str, x_name: str, y_name: str, lines: Mapping[str, Line]) -> None:
    """Writes a plot with both axes logarithmic."""
    points = [point for line in lines.values() for point in line]
    x_low, x_high = _decades([x for x, _ in points])
    y_low, y_high = _decades([y for _, y in points])

    def at(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - x_low) / (x_high - x_low)
        up = (math.log10(y) - y_low) / (y_high - y_low)
        return (
            _LEFT + across * (_WIDTH - _LEFT - _RIGHT),
            _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM),
        )

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="22" font-size="15">{escape(title)}</text>',
    ]
    for decade in range(x_low, x_high + 1):
        x, y = at(10.0**decade, 10.0**y_low)
        out.append(f'<path d="M{x:.1f} {_TOP}V{y:.1f}" stroke="#ddd"/>')
        out.append(
            f'<text x="{x:.1f}" y="{y + 16:.1f}" text-anchor="middle">{_label(decade)}</text>'
        )
    for decade in range(y_low, y_high + 1):
        x, y = at(10.0**x_low, 10.0**decade)
        out.append(f'<path d="M{x:.1f} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#ddd"/>')
        out.append(
            f'<text x="{x - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{_label(decade)}</text>'
        )
    for number, (name, line) in enumerate(lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        path_points = " ".join("{:.1f},{:.1f}".format(*at(x, y)) for x, y in line)
        out.append(f'<polyline points="{path_points}" fill="none" stroke="{colour}" '
                   'stroke-width="2"/>')  # fmt: skip
        for x, y in line:
            px, py = at(x, y)
            out.append(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="{colour}"/>')
        out.append(f'<text x="{_WIDTH - _RIGHT}" y="{20 + 14 * number}" text-anchor="end" '
                   f'fill="{colour}">{escape(name)}</text>')  # fmt: skip
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    out.append(
        f'<text x="{middle}" y="{_HEIGHT - 10}" text-anchor="middle">{escape(x_name)}</text>'
    )
    out.append(f'<text x="16" y="{_HEIGHT / 2}" text-anchor="middle" '
               f'transform="rotate(-90 16 {_HEIGHT / 2})">{escape(y_name)}</text>')  # fmt: skip
    out.append("</svg>\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(out))


def _decades(values: Sequence[float]) -> tuple[int, int]:
    low = math.floor(math.log10(min(values)))
    high = math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def _label(decade: int) -> str:
    if 0 <= decade <= 3:
        return str(10**decade)
    units = {
        4: "10 k",
        5: "100 k",
        6: "1 M",
        7: "10 M",
        -1: "0.1",
        -2: "0.01",
        -3: "0.001",
    }
    return units.get(decade, f"1e{decade}")
