"""Makes aio.py of client.py, so that the two surfaces cannot drift.

    python tools/generate_async.py           write src/neuralcore/aio.py
    python tools/generate_async.py --check   exit 1 if it is not up to date

A function becomes a coroutine if it asks the daemon, that is, if it calls ``connection.call`` or
another function that does; calls of such functions are awaited. Names and a few phrases change as
RENAMES says. Formatting and comments stay, as the text is edited in place at the positions that
the syntax tree gives.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "neuralcore"
SOURCE = PACKAGE / "client.py"
TARGET = PACKAGE / "aio.py"

HEADER = '''"""The asynchronous client, for any event loop: calls are carried out by the I/O thread.

Made from client.py by ``tools/generate_async.py``; change that one and run it.
"""
'''
# In this order, in the whole text.
RENAMES = [
    (r'^""".*?"""\n', HEADER),
    (r"\bCollection\b", "AsyncCollection"),
    (r"\bClient\b", "AsyncClient"),
    (r"\bdef connect\b", "def connect_async"),
    (r'"connect"', '"connect_async"'),
    (
        r"open_backend\((.*)\)\n",
        r"asyncio.to_thread(open_backend, \1)\n",
    ),
    (
        r"    return (.*) if (isinstance.*) else backend\n",
        r"    if \2:\n        return \1\n"
        "    from neuralcore._async_fallback import AsyncFallbackClient\n\n"
        "    return AsyncFallbackClient(backend)\n",
    ),
    (r"self\.connection\.call\((.*)\)\n", r"asyncio.wrap_future(\n            "
     r"self.connection.call_async(\1)\n        )\n"),
    (r"self\.connection\.close\(\)", "asyncio.to_thread(self.connection.close)"),
    (r"time\.sleep\(", "asyncio.sleep("),
    (r"^import time\n", ""),
    (r"import Callable, Iterator,", "import AsyncIterator, Callable,"),
    (r"\bIterator\b", "AsyncIterator"),
    (r"__enter__", "__aenter__"),
    (r"__exit__", "__aexit__"),
    (r"\nfrom collections\.abc", "\nimport asyncio\nfrom collections.abc"),
    (r"Thread-safe\.", "Usable from any number of event loops."),
]  # fmt: skip
COROUTINE_CALLS = {"to_thread", "wrap_future", "sleep"}
ALWAYS_ASYNC = {"__aenter__", "__aexit__"}


def generate(source: str) -> str:
    for pattern, replacement in RENAMES:
        source, count = re.subn(pattern, replacement, source, flags=re.MULTILINE | re.DOTALL
                                if pattern.startswith('^"""') else re.MULTILINE)  # fmt: skip
        if not count:
            raise SystemExit(f"client.py no longer has {pattern!r}; adapt RENAMES")
    source = sort_names(source)
    tree = ast.parse(source)
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    coroutines = set(COROUTINE_CALLS)
    while True:
        more = {f.name for f in functions if any(awaited(f, coroutines))} - coroutines
        if not more:
            break
        coroutines |= more
    inserts: list[tuple[int, int, str]] = []
    for function in functions:
        if function.name in coroutines | ALWAYS_ASYNC:
            inserts.append((function.lineno, function.col_offset, "async "))
        inserts += [(c.lineno, c.col_offset, "await ") for c in awaited(function, coroutines)]
    lines = source.splitlines(keepends=True)
    for line, column, word in sorted(set(inserts), reverse=True):
        # Positions of the tree count bytes.
        text = lines[line - 1].encode()
        lines[line - 1] = (text[:column] + word.encode() + text[column:]).decode()
    return "".join(lines)


def awaited(function: ast.FunctionDef, coroutines: set[str]) -> list[ast.Call]:
    """The calls in the function's body of methods and functions that are coroutines."""
    found = []
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            # self.call(…), self._client.call(…), asyncio.to_thread(…)
            base = ast.unparse(node.func.value)
            if node.func.attr in coroutines and base in ("self", "self._client", "asyncio"):
                found.append(node)
    return found


def sort_names(source: str) -> str:
    """Keeps ``__all__`` in order, which the new names upset."""

    def ordered(match: re.Match[str]) -> str:
        names = sorted(re.findall(r'"(\w+)"', match.group(1)))
        return "__all__ = [\n" + "".join(f'    "{name}",\n' for name in names) + "]\n"

    return re.sub(r"__all__ = \[(.*?)\]\n", ordered, source, flags=re.DOTALL)


def main() -> int:
    made = generate(SOURCE.read_text(encoding="utf-8"))
    if "--check" in sys.argv[1:]:
        if TARGET.read_text(encoding="utf-8") != made:
            print("aio.py is not what client.py makes: run python tools/generate_async.py")
            return 1
        return 0
    TARGET.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
