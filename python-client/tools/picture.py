"""Draws what a command printed as a picture of a terminal, for the documents.

    ./neuralcore demo | python python-client/tools/picture.py './neuralcore demo' > docs/demo.svg

Plain text from standard input; the first line of the picture is the prompt with the argument. The
SVG holds text, no font and no address, so it can be searched and needs nothing from elsewhere.
Its spaces are non-breaking ones: not every viewer keeps others.
"""

from __future__ import annotations

import sys
from html import escape

COLUMNS = 100
LINE, CHARACTER, MARGIN, BAR = 18, 8.4, 16, 28
_SPACE = "\N{NO-BREAK SPACE}"
BACKGROUND, TEXT, PROMPT, NUMBER = "#1e2127", "#c8ccd4", "#98c379", "#61afef"


def row(line: str, y: int) -> str:
    """One line; scores and counts at its beginning, after two spaces, stand out."""
    color = PROMPT if line.startswith("$ ") else TEXT
    head, rest = "", line[:COLUMNS].replace(" ", _SPACE)
    words = line.split(maxsplit=1)
    if line.startswith("  ") and words and words[0].replace(".", "").isdigit():
        cut = rest.index(words[0]) + len(words[0])
        head, rest = f'<tspan fill="{NUMBER}">{rest[:cut]}</tspan>', rest[cut:]
    return f'<text x="{MARGIN}" y="{y}" fill="{color}">{head}{escape(rest)}</text>'


def picture(command: str, output: str) -> str:
    lines = [f"$ {command}", *output.rstrip().splitlines()]
    width = round(2 * MARGIN + COLUMNS * CHARACTER)
    height = BAR + LINE * len(lines) + MARGIN
    rows = [row(line, BAR + LINE * number) for number, line in enumerate(lines, 1)]
    style = "font-family: ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace; "
    style += "font-size: 14px; white-space: pre"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" role="img" aria-label="{escape(command)}">',
            f'<rect width="{width}" height="{height}" rx="8" fill="{BACKGROUND}"/>',
            *(
                f'<circle cx="{MARGIN + 18 * number}" cy="15" r="5" fill="{fill}"/>'
                for number, fill in enumerate(("#e06c75", "#e5c07b", "#98c379"))
            ),
            f'<g style="{style}">',
            *rows,
            "</g>",
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    sys.stdout.write(picture(" ".join(sys.argv[1:]), sys.stdin.read()))
