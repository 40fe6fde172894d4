"""Finds the Java and the jar that a daemon is started with. Starts none but to ask its version."""

from __future__ import annotations

import glob
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from neuralcore.errors import DaemonStartError

NEEDED = 25
_USUAL = (
    "/usr/lib/jvm/*",
    "/usr/java/*",
    "/opt/*",
    "/opt/*/libexec/openjdk.jdk/Contents/Home",
    "~/.sdkman/candidates/java/*",
    "~/.jdks/*",
    "/Library/Java/JavaVirtualMachines/*/Contents/Home",
    "/opt/homebrew/opt/openjdk*/libexec/openjdk.jdk/Contents/Home",
)
_VECTOR_MODULE = "jdk.incubator.vector"


class Java(NamedTuple):
    """``version`` is the feature number (25); ``why`` is where it was found."""

    home: Path
    version: int
    why: str

    @property
    def executable(self) -> Path:
        return self.home / "bin" / ("java.exe" if os.name == "nt" else "java")

    @property
    def lacks_vectors(self) -> bool:
        """Whether it says of itself that it has no vector module."""
        modules = _release(self.home).get("MODULES")
        return modules is not None and _VECTOR_MODULE not in modules.split()


def find_java(*, may_run: bool = True) -> Java:
    """The Java to use: NEURALCORE_JAVA, else JAVA_HOME, else the PATH's, else the newest of the
    usual folders.

    Args:
        may_run: whether a Java that does not say its version in a file may be started to ask. If
            not, such a one counts only where NEURALCORE_JAVA names it.

    Raises:
        DaemonStartError: there is none that is new enough; the message says what was found.
    """
    named = os.environ.get("NEURALCORE_JAVA")
    if named:
        home = _home_of(Path(named).expanduser())
        version = (_version(home, may_run) if may_run else _version(home, False) or NEEDED) or 0
        if not Java(home, version, "").executable.is_file():
            raise DaemonStartError(
                f"NEURALCORE_JAVA is {named}, where no Java is.",
                hint=f"Set it to the folder of a JDK {NEEDED} or newer.",
            )
        if version < NEEDED:
            raise DaemonStartError(
                f"NEURALCORE_JAVA is {named}, which is Java {version or '?'}.",
                hint=f"Set it to the folder of a JDK {NEEDED} or newer.",
            )
        return Java(home, version, "NEURALCORE_JAVA")
    seen: dict[Path, int] = {}
    for why, homes in (("JAVA_HOME", _java_home()), ("PATH", _path()), ("usual", _usual())):
        best: Java | None = None
        for home in homes:
            version = _version(home, may_run) or 0
            if version:
                seen[home] = version
            if version >= NEEDED and (best is None or version > best.version):
                best = Java(home, version, "the usual folders" if why == "usual" else why)
        if best is not None:
            return best
    found = ", ".join(f"Java {version} in {home}" for home, version in seen.items()) or "none"
    raise DaemonStartError(
        f"The daemon needs Java {NEEDED} or newer; found: {found}.",
        hint="Install a JDK (https://adoptium.net) or set NEURALCORE_JAVA to its folder.",
    )


def find_jar() -> Path:
    """The daemon's jar: NEURALCORE_JAR, else this package's, else the repository's build.

    Raises:
        DaemonStartError: there is none.
    """
    named = os.environ.get("NEURALCORE_JAR")
    if named:
        jar = Path(named).expanduser().absolute()
        if not jar.is_file():
            raise DaemonStartError(f"NEURALCORE_JAR is {named}, where no file is.")
        return jar
    here = Path(__file__).resolve()
    candidates = [here.parent / "server" / "neuralcore.jar"]
    if len(here.parents) > 3:
        candidates.append(here.parents[3] / "target" / "neuralcore.jar")
    for jar in candidates:
        if jar.is_file():
            return jar
    raise DaemonStartError(
        f"There is no neuralcore.jar at {' or '.join(map(str, candidates))}.",
        hint="Run ./neuralcore build, or set NEURALCORE_JAR to the jar.",
    )


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
                command += [o for o in _options(options) if _VECTOR_MODULE not in o]
            else:
                command.append(f"@{options}")
            break
    cache = jar.with_name("neuralcore.aot")
    if cache.is_file():
        command.append(f"-XX:AOTCache={cache}")
    return [*command, "-jar", str(jar)]


def _options(file: Path) -> list[str]:
    return shlex.split(file.read_text(encoding="utf-8"), comments=True)


def _java_home() -> list[Path]:
    home = os.environ.get("JAVA_HOME")
    return [_home_of(Path(home))] if home else []


def _path() -> list[Path]:
    java = shutil.which("java")
    return [_home_of(Path(java))] if java else []


def _usual() -> list[Path]:
    folders = os.environ.get("NEURALCORE_JAVA_FOLDERS")
    if folders is not None:
        return [Path(folder) for folder in folders.split(os.pathsep) if folder]
    found = [Path(f) for pattern in _USUAL for f in glob.glob(os.path.expanduser(pattern))]
    return [home for home in found if Java(home, 0, "").executable.is_file()]


def _home_of(path: Path) -> Path:
    """The folder that holds bin/java, for a folder, a java binary or a symlink to one."""
    return path if path.is_dir() else Path(os.path.realpath(path)).parent.parent


def _release(home: Path) -> dict[str, str]:
    try:
        text = (home / "release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    return dict(re.findall(r'^(\w+)="(.*)"', text, re.MULTILINE))


def _version(home: Path, may_run: bool) -> int | None:
    version = _release(home).get("JAVA_VERSION")
    if version is None and may_run:
        executable = Java(home, 0, "").executable
        if not executable.is_file():
            return None
        try:
            shown = subprocess.run(
                [str(executable), "-version"],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=10,
                stdin=subprocess.DEVNULL,
            ).stderr
        except (OSError, subprocess.TimeoutExpired):
            return None
        found = re.search(r' version "(.*?)"', shown)
        version = found.group(1) if found else None
    number = re.match(r"(?:1\.)?(\d+)", version or "")
    return int(number.group(1)) if number else None
