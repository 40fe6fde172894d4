"""Interpreters with packages that a benchmark needs and nothing else does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from daemon import TARGET


def environment(name: str, packages: list[str], what: str, over: str = "") -> str:
    """The interpreter of ``target/NAME``, made on first use.

    Args:
        name: of the folder.
        packages: what pip is asked for.
        what: they are called where it is said that they are installed.
        over: the name of another environment, whose packages are there too.
    """
    folder = TARGET / name
    python, stamp = folder / "bin" / "python", folder / "complete"
    if not stamp.exists():
        print(f"installing {what} into target/{name} (once)", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        if over:
            here = site_packages(folder)
            shared = TARGET / over / here.relative_to(folder)
            (here / "shared.pth").write_text(f"{shared}\n")
        subprocess.run([str(python), "-m", "pip", "install", "-q", *packages], check=True)
        stamp.touch()
    return str(python)


def site_packages(folder: Path) -> Path:
    """Where an environment's packages lie."""
    return next((folder / "lib").glob("python*")) / "site-packages"
