"""The bus inside the daemon, without a socket: JMH's loops, and whole situations by BusFigures.

Its classes and their class path come from Maven's profile `bench`:

    ./neuralcore mvn -Pbench test-compile dependency:build-classpath \\
        -Dmdep.outputFile=target/bench-classpath
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bus import plot
from report import ROOT, Figure, save, show

TARGETS = {
    "drop_old, queue of 10,000 full": "<= 1000 ns (NCB 830 us)",
    "memory of a queued message beyond its payload": "<= 200 B",
    "push and pop": ">= 10 M/s",
    "36 channels": ">= 2 M messages/s",
}
JMH = ("-f", "1", "-wi", "2", "-w", "500ms", "-i", "5", "-r", "500ms")


def run() -> None:
    """Measures, prints tables with fitted exponents, and writes the result file."""
    figures = [*_loops(), *_situations()]
    exponents = {kind: _exponent(kind, figures) for kind in ("channels", "subscribers", "patterns")}
    show("the bus without a socket", figures)
    for kind, exponent in exponents.items():
        print(f"  cost grows with {kind} to the power of {exponent:.2f} (target <= 1.1)")
    _plot(figures)
    save("engine", figures, {"exponents": exponents})


def _loops() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "jmh.json"
        java(
            "org.openjdk.jmh.Main", "PriorityBucketsBenchmark|NamespaceBenchmark",
            *JMH, "-rf", "json", "-rff", str(file),
        )  # fmt: skip
        results = json.loads(file.read_text())
    figures = []
    for result in results:
        method = result["benchmark"].rsplit(".", 1)[1]
        params = result["params"]
        values = result["primaryMetric"]["rawData"][0]
        if method == "publishAndDeliver":
            name = f"publish to delivery, {params['channels']} channels"
            target = TARGETS["36 channels"] if params["channels"] == "36" else ""
            figures.append(Figure.of(name, "M/s", [v / 1e6 for v in values], target))
            continue
        kind = "push and pop" if method == "pushAndPop" else "push and evict"
        place = "buckets" if params["firstPriority"] == "0" else "sorted map"
        name = f"{kind}, {params['resident']} waiting, {place}"
        target = TARGETS["push and pop"] if kind == "push and pop" and place == "buckets" else ""
        figures.append(Figure.of(name, "M/s", [1e3 / v for v in values], target))
    return figures


def _situations() -> list[Figure]:
    figures = []
    for line in java("neuralcore.bus.BusFigures").splitlines():
        name, unit, *values = line.split("\t")
        figures.append(Figure.of(name, unit, [float(v) for v in values], TARGETS.get(name, "")))
    return figures


def _points(kind: str, figures: Sequence[Figure]) -> list[tuple[float, float]]:
    return [
        (float(figure.name.split()[1]), figure.median)
        for figure in figures
        if figure.name.startswith(kind + " ")
    ]


def _plot(figures: Sequence[Figure]) -> None:
    """What one message, or one delivery, costs over how many there are."""
    lines: dict[str, plot.Line] = {
        kind: _points(kind, figures) for kind in ("channels", "subscribers", "patterns")
    }
    plot.write(
        ROOT / "docs" / "plots" / "engine-growth.svg",
        "The bus inside the daemon",
        "channels, subscribers or patterns",
        "ns a message or delivery",
        lines,
    )


def _exponent(kind: str, figures: Sequence[Figure]) -> float:
    """Slope of the total cost over the number, both as logarithms."""
    return round(plot.fitted_exponent([(n, n * cost) for n, cost in _points(kind, figures)]), 3)


def java(main: str, *arguments: str) -> str:
    """What one of the benchmark classes prints."""
    binary = Path(os.environ["NEURALCORE_JAVA"]) / "bin" / "java"
    target = ROOT / "target"
    libraries = (target / "bench-classpath").read_text().strip()
    path = os.pathsep.join([str(target / "test-classes"), str(target / "classes"), libraries])
    options = ["-Xms1g", "-Xmx1g", "-XX:+UseCompactObjectHeaders", "-cp", path]
    command = [str(binary), *options, main, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    run()
