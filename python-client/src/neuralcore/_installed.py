"""The Java and the jar that a daemon can be started with, found out without starting any.

As light as ``_discovery``, for the same reason: a listing of folders instead of ``glob``, and so
on. ``_java`` builds on it, with paths and with errors of this package.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NEEDED = 25
VECTOR_MODULE = "jdk.incubator.vector"
# A folder and the beginning of the names in it, then the rest of the path.
_USUAL = (
    ("/usr/lib/jvm/", ""),
    ("/usr/java/", ""),
    ("/opt/", ""),
    ("/opt/", "libexec/openjdk.jdk/Contents/Home"),
    ("~/.sdkman/candidates/java/", ""),
    ("~/.jdks/", ""),
    ("/Library/Java/JavaVirtualMachines/", "Contents/Home"),
    ("/opt/homebrew/opt/openjdk", "libexec/openjdk.jdk/Contents/Home"),
)
_BINARY = "java.exe" if os.name == "nt" else "java"


class Missing(Exception):
    """There is no such Java, or no such jar; what was looked at, and what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def is_complete() -> bool:
    """Whether there are a Java and a jar, on a system where daemons can be started."""
    try:
        find_jar()
        find_java()
    except (Missing, OSError):  # the working directory may be gone
        return False
    return os.name == "posix"


def find_java(ask: Callable[[str], str | None] | None = None) -> tuple[str, int, str]:
    """The folder, the feature number (25) and where it was found: NEURALCORE_JAVA, else JAVA_HOME,
    else the PATH's, else the newest of the usual folders.

    Args:
        ask: runs the Java of a folder that does not say its version in a file, to learn it. Without
            that, such a one counts only where NEURALCORE_JAVA names it.

    Raises:
        Missing: there is none that is new enough; the message says what was found.
    """
    named = os.environ.get("NEURALCORE_JAVA")
    if named:
        home = _home_of(os.path.expanduser(named))
        if not os.path.isfile(executable(home)):
            found = "where no Java is"
        else:
            version = _version(home, ask) or (0 if ask else NEEDED)
            if version >= NEEDED:
                return home, version, "NEURALCORE_JAVA"
            found = f"which is Java {version or '?'}"
        raise Missing(
            f"NEURALCORE_JAVA is {named}, {found}.",
            f"Set it to the folder of a JDK {NEEDED} or newer.",
        )
    seen: dict[str, int] = {}
    for why, homes in (("JAVA_HOME", _java_home), ("PATH", _path), ("the usual folders", _usual)):
        best = ("", 0)
        for home in homes():
            version = _version(home, ask)
            if version:
                seen[home] = version
            if version > best[1]:
                best = (home, version)
        if best[1] >= NEEDED:
            return (*best, why)
    listed = ", ".join(f"Java {version} in {home}" for home, version in seen.items()) or "none"
    raise Missing(
        f"The daemon needs Java {NEEDED} or newer; found: {listed}.",
        "Install a JDK (https://adoptium.net) or set NEURALCORE_JAVA to its folder.",
    )


def find_jar() -> str:
    """The daemon's jar: NEURALCORE_JAR, else this package's, else the repository's build.

    Raises:
        Missing: there is none.
    """
    named = os.environ.get("NEURALCORE_JAR")
    if named:
        jar = os.path.join(os.getcwd(), os.path.expanduser(named))
        if not os.path.isfile(jar):
            raise Missing(f"NEURALCORE_JAR is {named}, where no file is.")
        return jar
    package = os.path.dirname(os.path.realpath(__file__))
    repository = os.path.dirname(os.path.dirname(os.path.dirname(package)))
    candidates = (
        os.path.join(package, "server", "neuralcore.jar"),
        os.path.join(repository, "target", "neuralcore.jar"),
    )
    for jar in candidates:
        if os.path.isfile(jar):
            return jar
    raise Missing(
        f"There is no neuralcore.jar at {' or '.join(candidates)}.",
        "Run ./neuralcore build, or set NEURALCORE_JAR to the jar.",
    )


def executable(home: str) -> str:
    return os.path.join(home, "bin", _BINARY)


def release(home: str) -> dict[str, str]:
    """What the Java says of itself in the file ``release``: lines of ``NAME="value"``."""
    try:
        with open(os.path.join(home, "release"), encoding="utf-8", errors="replace") as file:
            pairs = [line.rstrip().partition("=") for line in file]
    except OSError:
        return {}
    return {k: v[1:-1] for k, _, v in pairs if len(v) > 1 and v[0] == v[-1] == '"'}


def _version(home: str, ask: Callable[[str], str | None] | None) -> int:
    """The feature number: 25 of "25.0.3", 8 of "1.8.0"; 0 if it is not known."""
    version = release(home).get("JAVA_VERSION")
    if version is None and ask is not None and os.path.isfile(executable(home)):
        version = ask(executable(home))
    version = (version or "").removeprefix("1.")
    digits = version[: len(version) - len(version.lstrip("0123456789"))]
    return int(digits or 0)


def _java_home() -> Iterator[str]:
    home = os.environ.get("JAVA_HOME")
    if home:
        yield _home_of(home)


def _path() -> Iterator[str]:
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        java = os.path.join(folder, _BINARY)
        if os.path.isfile(java) and os.access(java, os.X_OK):
            yield _home_of(java)
            return


def _usual() -> Iterator[str]:
    folders = os.environ.get("NEURALCORE_JAVA_FOLDERS")
    if folders is not None:
        yield from filter(None, folders.split(os.pathsep))
        return
    for pattern, rest in _USUAL:
        folder, beginning = os.path.split(os.path.expanduser(pattern))
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        for name in names:
            home = os.path.join(folder, name, rest) if rest else os.path.join(folder, name)
            if name.startswith(beginning) and os.path.isfile(executable(home)):
                yield home


def _home_of(path: str) -> str:
    """The folder that holds bin/java, for a folder, a java binary or a symlink to one."""
    if os.path.isdir(path):
        return path
    return os.path.dirname(os.path.dirname(os.path.realpath(path)))
