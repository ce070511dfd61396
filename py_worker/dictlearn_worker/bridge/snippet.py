"""Snippets of Python text that run in this process."""

from __future__ import annotations

import ast
import linecache
import textwrap
from collections import deque
from typing import Any

from ..objects import Objects
from .failure import python_error
from .live import original_of
from .values import value_of

# nnsight reads the source of a `with` block where Python looks for it, which may be long after the snippet has run.
KEPT_SOURCES = 1024


class Snippets:
    """Runs snippets, each in a namespace of its own under a file name of its own."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._count = 0
        self._names: deque[str] = deque()

    def run(self, text: str, values: list[Any]) -> str:
        """The value of the last expression, see `value_of`; null when the last statement is none.

        `values[i]` stands behind the name `__i`. Raises `python_error`, caused by what the snippet raised.
        """
        source = textwrap.dedent(text).strip("\n")
        name = self._register(source)
        scope = {"__name__": name, **{f"__{index}": value for index, value in enumerate(values)}}
        try:
            tree = ast.parse(source, name)
            last = tree.body[-1] if tree.body else None
            result = None
            if isinstance(last, ast.Expr):
                tree.body.pop()
                exec(compile(tree, name, "exec"), scope)
                result = eval(compile(ast.Expression(last.value), name, "eval"), scope)
            else:
                exec(compile(tree, name, "exec"), scope)
        except (Exception, SystemExit) as error:
            raise python_error(error, name) from error
        return value_of(original_of(result), self._objects)

    def _register(self, source: str) -> str:
        self._count += 1
        name = f"<snippet {self._count}>"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        self._names.append(name)
        if len(self._names) > KEPT_SOURCES:
            del linecache.cache[self._names.popleft()]
        return name
