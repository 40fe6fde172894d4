"""Medians, spreads, tables, and the JSON file that a run leaves behind."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"


@dataclass(frozen=True)
class Figure:
    """A measured quantity: the median of several rounds and how far they lie apart."""

    name: str
    unit: str
    median: float
    lowest: float
    highest: float
    rounds: int
    target: str = ""

    @staticmethod
    def of(name: str, unit: str, values: Sequence[float], target: str = "") -> Figure:
        return Figure(
            name,
            unit,
            round(statistics.median(values), 4),
            round(min(values), 4),
            round(max(values), 4),
            len(values),
            target,
        )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` of the sorted values do not exceed."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def show(title: str, figures: Sequence[Figure]) -> None:
    """Prints a table that fits a terminal of 100 columns."""
    print(f"\n{title}")
    print(f"  {'':<52} {'median':>9} {'lowest':>9} {'highest':>9}  target")
    for figure in figures:
        numbers = (figure.median, figure.lowest, figure.highest)
        cells = " ".join(f"{number:>9.4g}" for number in numbers)
        print(f"  {figure.name + ', ' + figure.unit:<52} {cells}  {figure.target}".rstrip())


def save(name: str, figures: Sequence[Figure], details: dict[str, Any]) -> Path:
    """Writes benchmarks/results/NAME-DATE.json: figures, machine, versions, command."""
    now = datetime.now(timezone.utc)
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}-{now:%Y%m%d-%H%M%S}.json"
    document = {
        "benchmark": name,
        "date": now.isoformat(timespec="seconds"),
        "command": _command(sys.argv[1:]),
        "commit": _output("git", "-C", str(ROOT), "describe", "--always", "--dirty"),
        "machine": machine(),
        **details,
        "figures": [asdict(figure) for figure in figures],
    }
    path.write_text(json.dumps(document, indent=2) + "\n")
    print(f"\nwritten to {path.relative_to(ROOT)}")
    return path


def machine() -> dict[str, Any]:
    """What the figures depend on: processor, memory, systems and versions."""
    java = os.environ.get("NEURALCORE_JAVA", "")
    return {
        "processor": _processor(),
        "vectors": _vector_instructions(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "java": _output(f"{java}/bin/java", "-version", stderr=True).splitlines()[0],
        "load": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    found = re.search(r"model name\s*:\s*(.*)", text)
    return found.group(1) if found else platform.machine()


def _vector_instructions() -> str:
    """The widest vectors that the processor computes with, as far as Linux tells."""
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return "unknown"
    names = {"avx512f": "AVX-512", "avx2": "AVX2"}
    return next((name for flag, name in names.items() if flag in flags), "unknown")


def _command(arguments: Sequence[str]) -> str:
    """As anybody would type it; where somebody's checkout of ATLAS lies says nothing to others."""
    shown = list(arguments)
    if "--atlas-root" in shown[:-1]:
        shown[shown.index("--atlas-root") + 1] = "ATLAS"
    return shlex.join(["./neuralcore", "bench", *shown])


def _output(*command: str, stderr: bool = False) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return (done.stderr if stderr else done.stdout).strip() or "unknown"
