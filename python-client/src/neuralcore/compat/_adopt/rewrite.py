"""Rewrites the source of one module, by its syntax tree, and leaves every other byte as it is.

An ``import`` of a replaced name becomes one of ours, where nothing but the module changes by as
little as the module's name. A statement that imports both kinds becomes two. A replaced function
keeps its head and its docstring and calls ours. A registry gets ours at the end of its module. What
cannot be rewritten with certainty is left as
it is, and told.
"""

from __future__ import annotations

import ast
import codecs
import re
from collections.abc import Iterable
from typing import NamedTuple

from neuralcore.compat._adopt.table import MODULES, NAME, Swap

_LINE = 100
_HEAD = re.compile(rb"from[ \t\\\r\n]+[.\w \t]+?[ \t\\\r\n]+import\b")
_ALIAS = "_neuralcore_"

_Function = (ast.FunctionDef, ast.AsyncFunctionDef)


class Note(NamedTuple):
    """Something that was left as it is, and why."""

    line: int
    text: str


class Rewritten(NamedTuple):
    """:ivar changes: how many statements and functions are others now."""

    source: bytes
    changes: int
    notes: list[Note]


class _Edit(NamedTuple):
    start: int
    end: int
    text: bytes


def rewrite(source: bytes, module: str, is_package: bool, swaps: Iterable[Swap]) -> Rewritten:
    """The source of ``module`` with our names in it; unchanged if there is nothing to do.

    :raises SyntaxError: if it is no Python that this interpreter understands.
    """
    return _Rewriter(source, module, is_package, list(swaps)).run()


class _Rewriter:
    def __init__(self, source: bytes, module: str, is_package: bool, swaps: list[Swap]) -> None:
        self._source = source
        self._package = module if is_package else module.rpartition(".")[0]
        self._names = {(s.module, s.name): s for s in swaps if s.how == "import"}
        own = {s.module for s in swaps if s.how == "import"}
        self._modules = {theirs: ours for theirs, ours in MODULES.items() if theirs in own}
        self._is_replaced = module in own
        self._registered = [
            s for s in swaps if s.how in ("register", "decorate") and s.module == module
        ]
        self._bodies = {s.name: s for s in swaps if s.how == "body" and s.module == module}
        self._tree = ast.parse(source)
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        if source.startswith(codecs.BOM_UTF8):
            self._starts[0] = len(codecs.BOM_UTF8)
        self._newline = b"\r\n" if b"\r\n" in source else b"\n"
        self._edits: list[_Edit] = []
        self._notes: list[Note] = []
        self._needed: dict[str, str] = {}

    def run(self) -> Rewritten:
        # A module that is itself replaced stays what it is, for whoever compares the two.
        if not self._is_replaced:
            for node in ast.walk(self._tree):
                if isinstance(node, ast.ImportFrom):
                    self._import_from(node)
                elif isinstance(node, ast.Import):
                    self._import(node)
                elif isinstance(node, ast.Constant):
                    self._text(node)
        self._functions(self._tree.body, "")
        for swap in self._registered:
            self._register(swap)
        changes = len(self._edits)
        if self._needed:
            self._add_imports()
        parts: list[bytes] = []
        at = 0
        for edit in sorted(self._edits, key=lambda e: e.start):
            parts += (self._source[at : edit.start], edit.text)
            at = edit.end
        source = b"".join((*parts, self._source[at:]))
        return Rewritten(source, changes, sorted(self._notes))

    # Places in the text. The columns of the tree count bytes of UTF-8.

    def _at(self, line: int, column: int) -> int:
        return self._starts[line - 1] + column

    def _span(self, node: ast.stmt | ast.alias) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self._at(node.lineno, node.col_offset)
        return start, self._at(node.end_lineno, node.end_col_offset)

    def _note(self, node: ast.stmt | ast.expr, text: str) -> None:
        self._notes.append(Note(node.lineno, text))

    # Imports

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self._package.split(".")
        package = package[: len(package) - node.level + 1]
        return ".".join([*package, *([node.module] if node.module else [])])

    def _import_from(self, node: ast.ImportFrom) -> None:
        module = self._absolute(node)
        targets: dict[str, list[tuple[ast.alias, str]]] = {}
        kept: list[ast.alias] = []
        for alias in node.names:
            swap = self._names.get((module, alias.name))
            whole = self._modules.get(f"{module}.{alias.name}")
            if swap is not None:
                target, _, name = swap.ours.partition(":")
                targets.setdefault(target, []).append((alias, name))
            elif whole is not None:
                target, _, name = whole.rpartition(".")
                targets.setdefault(target, []).append((alias, name))
            else:
                kept.append(alias)
                if alias.name == "*" and module in self._modules:
                    self._note(node, f"imports everything of {module}: name what is needed")
        if not targets:
            return
        if len(targets) == 1 and not kept:
            ((target, found),) = targets.items()
            self._replace_head(node, target)
            for alias, name in found:
                if name != alias.name:
                    start, end = self._span(alias)
                    text = f"{name} as {alias.asname or alias.name}"
                    self._edits.append(_Edit(start, end, text.encode()))
            return
        self._split(node, targets, kept)

    def _replace_head(self, node: ast.ImportFrom, target: str) -> None:
        start, end = self._span(node)
        head = _HEAD.match(self._source, start, end)
        assert head is not None
        self._edits.append(_Edit(start, head.end(), f"from {target} import".encode()))

    def _split(
        self,
        node: ast.ImportFrom,
        targets: dict[str, list[tuple[ast.alias, str]]],
        kept: list[ast.alias],
    ) -> None:
        start, end = self._span(node)
        line_start = self._starts[node.lineno - 1]
        indent = self._source[line_start:start]
        assert node.end_lineno is not None
        rest = self._source[end : self._starts[node.end_lineno]].strip()
        alone = not indent.strip() and not rest.startswith(b";")
        statements = []
        if kept:
            own = "." * node.level + (node.module or "")
            statements.append(_statement(own, [_alias(a.name, a.asname) for a in kept], alone))
        for target, found in targets.items():
            names = [_alias(name, alias.asname or alias.name) for alias, name in found]
            statements.append(_statement(target, names, alone))
        if alone:
            lines = [line for statement in statements for line in statement]
            text = (self._newline + indent).join(line.encode() for line in lines)
        else:
            text = b"; ".join(statement[0].encode() for statement in statements)
        self._edits.append(_Edit(start, end, text))

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            target = self._modules.get(alias.name)
            if target is None:
                continue
            if alias.asname is None:
                self._note(node, f"imports {alias.name} by its own name: add 'as', or name it")
                continue
            start, end = self._span(alias)
            self._edits.append(_Edit(start, end, f"{target} as {alias.asname}".encode()))

    def _text(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, str) and (
            value in self._modules or any(value == f"{m}.{n}" for m, n in self._names)
        ):
            self._note(node, f"has {value!r} as a text: look whether it means the module")

    # Functions

    def _functions(self, body: list[ast.stmt], inside: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef):
                self._functions(node.body, f"{inside}{node.name}.")
            elif isinstance(node, _Function) and f"{inside}{node.name}" in self._bodies:
                self._function(node, self._bodies[f"{inside}{node.name}"], bool(inside))

    def _function(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef, swap: Swap, is_method: bool
    ) -> None:
        module, _, name = swap.ours.partition(":")
        alias = _ALIAS + name
        arguments = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
        static = any(
            isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list
        )
        if is_method and not static:
            arguments = arguments[1:]
        body = node.body
        if len(body) > 1 and ast.get_docstring(node, clean=False) is not None:
            body = body[1:]
        if _calls(body, alias):
            return
        if isinstance(node, ast.AsyncFunctionDef) or len(arguments) != 2:
            self._note(node, f"{swap.name} does not take two vectors: left as it is")
            return
        start = self._starts[body[0].lineno - 1]
        indent = self._source[start : self._span(body[0])[0]]
        if indent.strip():
            self._note(node, f"{swap.name} is on one line: left as it is")
            return
        start += len(indent)
        end = self._span(body[-1])[1]
        call = f"return {alias}({', '.join(arguments)})"
        self._edits.append(_Edit(start, end, call.encode()))
        self._needed[alias] = f"from {module} import {name} as {alias}"

    def _register(self, swap: Swap) -> None:
        """At the end of the module, where all that ours derives from is there."""
        module, _, name = swap.ours.partition(":")
        alias = _ALIAS + name
        for node in self._tree.body:
            if isinstance(node, ast.ImportFrom) and any(a.asname == alias for a in node.names):
                return
        if not any(isinstance(n, _Function) and n.name == swap.name for n in self._tree.body):
            self._notes.append(Note(1, f"has no {swap.name}: left as it is"))
            return
        call = f'{swap.name}("{NAME}", {alias})'
        if swap.how == "decorate":
            call = f'{swap.name}("{NAME}")({alias})'
        lines = ["", "", f"from {module} import {name} as {alias}", "", call, ""]
        end = len(self._source)
        text = self._newline.join(line.encode() for line in lines)
        if not self._source.endswith((b"\n", b"\r")):
            text = self._newline + text
        self._edits.append(_Edit(end, end, text))

    def _add_imports(self) -> None:
        """After the docstring and what must come first, so that it is there for all."""
        after: ast.stmt | None = None
        for node in self._tree.body:
            first = node is self._tree.body[0]
            is_docstring = first and isinstance(node, ast.Expr) and _is_text(node.value)
            is_future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
            if not is_docstring and not is_future:
                break
            after = node
        lines = b"".join(line.encode() + self._newline for line in self._needed.values())
        if after is None:
            first_line = self._tree.body[0].lineno
            decorators = getattr(self._tree.body[0], "decorator_list", [])
            at = self._starts[min([first_line, *(d.lineno for d in decorators)]) - 1]
        else:
            assert after.end_lineno is not None
            at = self._starts[after.end_lineno]
            lines = self._newline + lines
        self._edits.append(_Edit(at, at, lines))


def _alias(name: str, called: str | None) -> str:
    return name if called is None or called == name else f"{name} as {called}"


def _statement(module: str, names: list[str], may_wrap: bool) -> list[str]:
    line = f"from {module} import {', '.join(names)}"
    if not may_wrap or len(line) <= _LINE - 12:
        return [line]
    return [f"from {module} import (", *(f"    {name}," for name in names), ")"]


def _calls(body: list[ast.stmt], name: str) -> bool:
    """Whether all it does is to return what the function of that name gives."""
    only = body[0] if len(body) == 1 else None
    return (
        isinstance(only, ast.Return)
        and isinstance(only.value, ast.Call)
        and isinstance(only.value.func, ast.Name)
        and only.value.func.id == name
    )


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
