"""Snippets of Python text that run in this process."""

from __future__ import annotations

import ast
import itertools
import linecache
import sys
import textwrap
from collections import deque
from types import CodeType, ModuleType
from typing import Any

from ..objects import Objects
from .failure import python_error
from .live import original_of
from .values import value_of

# nnsight reads the source of a `with` block from Python's line cache, perhaps long after the snippet has run.
KEPT_SOURCES = 1024
_numbers = itertools.count(1)


class Snippets:
    """The snippets of one bridge. They share a namespace; each has its own file name."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._names: deque[str] = deque()
        # A module, so that classes and functions can be looked up by their module.
        self._module = ModuleType(f"dictlearn_bridge_{next(_numbers)}")
        sys.modules[self._module.__name__] = self._module

    def run(self, text: str, values: list[Any], first: int) -> str:
        """The value of the last expression, see `value_of`; null when the last statement is not an expression.

        `values[i]` is bound to the name `__{first + i}`, which is deleted afterwards unless a function that the snippet
        defined uses it. Raises `python_error`, caused by the snippet's exception.
        """
        source = textwrap.dedent(text).strip("\n")
        name = self._register(source)
        scope = self._module.__dict__
        given = {f"__{first + index}": value for index, value in enumerate(values)}
        scope.update(given)
        kept: set[str] = set()
        try:
            tree = ast.parse(source, name)
            last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            body = compile(tree, name, "exec", dont_inherit=True)
            kept = names_inside(body)
            exec(body, scope)
            result = None
            if isinstance(last, ast.Expr):
                end = compile(ast.Expression(last.value), name, "eval", dont_inherit=True)
                kept |= names_inside(end)
                result = eval(end, scope)
        except (Exception, SystemExit) as error:
            raise python_error(error, name) from error
        finally:
            for each in given.keys() - kept:
                scope.pop(each, None)
        return value_of(original_of(result), self._objects)

    def forget(self) -> None:
        """Empties the namespace when the bridge closes."""
        sys.modules.pop(self._module.__name__, None)
        self._module.__dict__.clear()

    def _register(self, source: str) -> str:
        name = f"<snippet {next(_numbers)}>"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        self._names.append(name)
        if len(self._names) > KEPT_SOURCES:
            del linecache.cache[self._names.popleft()]
        return name


def names_inside(code: CodeType) -> set[str]:
    """The global names used by functions defined in the code, which may be called long after it has run."""
    inner = [each for each in code.co_consts if isinstance(each, CodeType)]
    return {name for each in inner for name in (*each.co_names, *names_inside(each))}
