"""An interpreter that has what ATLAS's tests import."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

# What the tests import, and a machine without a screen, a browser or a GPU can have; by name, and
# not from ATLAS's files, so that nothing is installed that nobody has looked at.
NEEDED = ("pytest", "pytest-asyncio", "msgspec", "numpy")
"""What nothing runs without: the tests' runner, and what neuralcore imports."""

PACKAGES = (
    "pytest>=8",
    "pytest-asyncio>=0.24",
    "msgspec>=0.18.6",
    "numpy>=1.24",
    "PyYAML",
    "SQLAlchemy",
    "aiohttp",
    "apscheduler<4",
    "beautifulsoup4",
    "cryptography",
    "fastapi",
    "httpx",
    "jsonschema",
    "msgpack",
    "pgvector",
    "platformdirs",
    "psutil",
    "psycopg[binary]",
    "PyJWT",
    "python-dateutil",
    "python-dotenv",
    "pytz",
    "requests",
    "tenacity",
    "tzlocal",
)


def prepare(folder: Path) -> str:
    """The interpreter of the environment in ``folder``, which is made if it is not there.

    :raises subprocess.CalledProcessError: if something cannot be installed.
    """
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    stamp = folder / "packages.txt"
    wanted = "\n".join(PACKAGES)
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return str(python)
    venv.create(folder, with_pip=True)
    subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES],
        check=True,
    )
    stamp.write_text(wanted)
    return str(python)


def trouble_with(python: str) -> str | None:
    """Why an interpreter cannot run the tests, None if it can."""
    look = (
        "import importlib.util as u, sys\n"
        "print(*(n for n in sys.argv[1:] if u.find_spec(n.replace('-', '_')) is None), sep=', ')"
    )
    try:
        asked = subprocess.run([python, "-c", look, *NEEDED], capture_output=True, text=True)
    except OSError as e:
        return f"{python} cannot be run: {e}"
    if asked.returncode:
        return f"{python} is no Python: {asked.stderr.strip() or asked.returncode}"
    lacking = asked.stdout.strip()
    return f"{python} lacks {lacking}" if lacking else None
