"""The Java and jar that a daemon is started with, and the command; ``_installed`` has the rules."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import NamedTuple

from neuralcore import _installed
from neuralcore._installed import VECTOR_MODULE
from neuralcore.errors import DaemonStartError


class Java(NamedTuple):
    """``version`` is the feature number (25); ``why`` is where it was found."""

    home: Path
    version: int
    why: str

    @property
    def executable(self) -> Path:
        return Path(_installed.executable(str(self.home)))

    @property
    def lacks_vectors(self) -> bool:
        """Whether it says of itself that it has no vector module."""
        modules = _installed.release(str(self.home)).get("MODULES")
        return modules is not None and VECTOR_MODULE not in modules.split()


def find_java(*, may_run: bool = True) -> Java:
    """The Java to use: NEURALCORE_JAVA, else JAVA_HOME, else the PATH's, else the newest of the
    usual folders.

    Args:
        may_run: whether a Java that does not say its version in a file may be started to ask. If
            not, such a one counts only where NEURALCORE_JAVA names it.

    Raises:
        DaemonStartError: there is none that is new enough; the message says what was found.
    """
    try:
        home, version, why = _installed.find_java(ask_version if may_run else None)
    except _installed.Missing as e:
        raise DaemonStartError(e.message, hint=e.hint) from None
    return Java(Path(home), version, why)


def find_jar() -> Path:
    """The daemon's jar: NEURALCORE_JAR, else this package's, else the repository's build.

    Raises:
        DaemonStartError: there is none.
    """
    try:
        return Path(_installed.find_jar())
    except _installed.Missing as e:
        raise DaemonStartError(e.message, hint=e.hint) from None


def ask_version(executable: str) -> str | None:
    """The version that this Java says when it is started, None if it says none."""
    try:
        shown = subprocess.run(
            [executable, "-version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=10,
            stdin=subprocess.DEVNULL,
        ).stderr
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r' version "(.*?)"', shown)
    return found.group(1) if found else None


def jvm_command(java: Java, jar: Path) -> list[str]:
    """The command that runs the jar, without the daemon's own arguments.

    The options are those of ``conf/jvm.options`` beside the jar's folder, the AOT cache the one
    beside the jar; a cache that does not fit is passed over by the JVM.
    """
    command = [str(java.executable)]
    for folder in (jar.parent, jar.parent.parent / "conf"):
        options = folder / "jvm.options"
        if options.is_file():
            if java.lacks_vectors:
                command += [o for o in _options(options) if VECTOR_MODULE not in o]
            else:
                command.append(f"@{options}")
            break
    cache = jar.with_name("neuralcore.aot")
    if cache.is_file():
        command.append(f"-XX:AOTCache={cache}")
    return [*command, "-jar", str(jar)]


def _options(file: Path) -> list[str]:
    return shlex.split(file.read_text(encoding="utf-8"), comments=True)
