"""Compiles ``neuralcore/_bus/_fast.c`` when the package is built or installed.

Without a C compiler, or Python's own headers, the package is what it is without: all Python. One
line says so, with what the compiler said.
"""

from __future__ import annotations

import shlex
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompileFast(BuildHookInterface):
    """Leaves the module beside its source, for an editable installation and for a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        folder = Path(self.root) / "src" / "neuralcore" / "_bus"
        module = folder / f"_fast{sysconfig.get_config_var('EXT_SUFFIX')}"
        module.unlink(missing_ok=True)
        problem = compile_module(folder / "_fast.c", module)
        if problem:
            self.app.display_warning(f"The message bus stays in Python: {problem}")
            return
        if version != "editable":
            build_data["pure_python"] = False
            build_data["infer_tag"] = True
            build_data["artifacts"].append(f"src/neuralcore/_bus/{module.name}")


def compile_module(source: Path, module: Path) -> str:
    """What went wrong, or nothing. Compiles as Python itself was compiled."""
    linker = sysconfig.get_config_var("LDSHARED")
    if not linker:
        return "this Python does not say how modules are compiled."
    command = [
        *shlex.split(linker),
        *shlex.split(sysconfig.get_config_var("CCSHARED") or ""),
        "-O2",
        "-DNDEBUG",
        f"-I{sysconfig.get_path('include')}",
        str(source),
        "-o",
        str(module),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode:
        module.unlink(missing_ok=True)
        return (done.stderr or done.stdout).strip()[-2000:]
    return ""
