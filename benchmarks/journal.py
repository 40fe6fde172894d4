"""The journal on this disk: commits, reading, starts, and what ten million rows make of them.

Classes and class path as for `engine.py`.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from engine import java

from bus import plot
from report import ROOT, Figure, save, show

ROWS = 1_000_000
NAMES = {
    "disk_syncs_per_second": ("this disk, 4 KiB written and confirmed", "/s", ""),
    "rows_per_second_1_in_flight": ("rows kept, 1 in flight", "/s", ""),
    "rows_per_second_100_in_flight": ("rows kept, 100 in flight", "/s", ""),
    "rows_per_second_1000_in_flight": ("rows kept, 1,000 in flight", "/s", ">= 40,000"),
    "rows_per_second_10000_in_flight": ("rows kept, 10,000 in flight", "/s", ""),
    "rows_per_second_1000_in_flight_groups_of_50": ("rows kept, 1,000 by 50s", "/s", ""),
    "rows_read_per_second": ("rows read and checked, in order", "/s", ">= 300,000"),
    "rows_read_per_second_of_one_priority_of_ten": ("the same, one priority of ten", "/s", ""),
    "start_ms": (f"start after a kill, {ROWS:,} rows", "ms", "<= 3,000"),
}


def run(parts: list[str], growth: list[int]) -> None:
    """Measures the parts asked for, prints tables, and writes result file and picture."""
    figures: list[Figure] = []
    details: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="neuralcore-bench-", dir=ROOT / "target") as folder:
        if "rates" in parts:
            values = _last_line("neuralcore.journal.JournalBenchmark", folder, str(ROWS))
            details["journal"] = values
            figures += [Figure.of(*NAMES[key][:2], values[key], NAMES[key][2]) for key in NAMES]
        if "growth" in parts:
            points = _last_line("neuralcore.journal.JournalGrowth", folder, *map(str, growth))
            details["growth"] = points
            figures += _growth(points, details)
    show("the journal", figures)
    for kind, exponent in details.get("exponents", {}).items():
        print(f"  {kind} grows with rows to the power of {exponent:.2f} (target <= 1.1)")
    save("journal", figures, details)


def _growth(points: list[dict[str, Any]], details: dict[str, Any]) -> list[Figure]:
    quantities = {
        "writing, s": "write_seconds",
        "start after a kill, ms": "start_ms",
        "newest page, ms": "newest_page_ms",
        "urgent page, ms": "urgent_page_ms",
    }
    lines: dict[str, plot.Line] = {
        name: [(p["rows"], p[key]) for p in points] for name, key in quantities.items()
    }
    details["exponents"] = {
        name: round(plot.fitted_exponent(line), 3) for name, line in lines.items()
    }
    plot.write(
        ROOT / "docs" / "plots" / "journal-rows.svg", "A journal that grows", "rows", "", lines
    )
    return [
        Figure.of(
            f"{point['rows']:,} rows: {name.split(',')[0]}", name.split(", ")[1], [point[key]]
        )
        for point in points
        for name, key in quantities.items()
    ]


def _last_line(main: str, folder: str, *arguments: str) -> Any:
    """What it prints last, for the journal's own log comes before."""
    return json.loads(java(main, str(Path(folder)), *arguments).splitlines()[-1])
