"""Python's documentation as text: the docstrings of a module, and the cache."""

from __future__ import annotations

import ast
import gc
import json
from pathlib import Path

import pytest

from dictlearn_worker.text import python_docs

MODULE = '''
"""The module."""
if True:
    def within_a_condition():
        """One."""
        try:
            pass
        except ValueError:
            class WithinAHandler:
                """Two."""
                async def method(self):
                    """Three."""
        finally:
            def at_the_end(): """Four."""
for each in ():
    pass
else:
    def behind_a_loop():
        """Five."""
match 1:
    case 2:
        def within_a_case():
            """Six."""
with open(lambda: 1 if 2 else 3) as file:
    def undocumented(): return [x for x in (lambda: 1,)]
'''


def test_every_definition_is_found(tmp_path) -> None:
    """The same as `ast.walk`, which also visits every expression."""
    file = tmp_path / "module.py"
    file.write_text(MODULE)
    found = dict(python_docs.docstrings(file))
    assert sorted(found.values()) == ["Five.", "Four.", "One.", "Six.", "The module.", "Three.", "Two."]
    assert found["within_a_condition 4"] == "One."
    for module in (Path(ast.__file__), Path(json.__file__), Path(python_docs.__file__)):
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        nodes = [node for node in ast.walk(ast.parse(module.read_bytes())) if isinstance(node, kinds)]
        expected = sorted(text for text in map(ast.get_docstring, nodes) if text)
        assert sorted(text for _, text in python_docs.docstrings(module)) == expected


def test_what_is_kept_is_what_was_found(tmp_path, monkeypatch) -> None:
    """Nothing is parsed for it; another library, or a damaged file, is parsed again."""
    first = python_docs.documents(tmp_path)
    assert gc.isenabled()
    (kept,) = (tmp_path / "text").iterdir()
    counted = []
    real = python_docs.parsed

    def parsed(library: Path, files: list[Path]) -> list[str]:
        counted.append(library)
        return real(library, files[:3])

    monkeypatch.setattr(python_docs, "parsed", parsed)
    assert python_docs.documents(tmp_path) == first and not counted
    kept.write_text("[1")
    again = python_docs.documents(tmp_path)
    assert counted and again == python_docs.documents(tmp_path) and len(counted) == 1
    library = counted[0]
    files = python_docs.source_files(library)
    assert python_docs.identity(library, files) in kept.name
    assert python_docs.identity(library, files[1:]) not in kept.name


@pytest.mark.parametrize("obstacle", ["file", "none"])
def test_without_a_cache_it_is_parsed(tmp_path, monkeypatch, obstacle: str) -> None:
    """A file is in the cache's place: nothing can be cached, and nothing fails."""
    cache = tmp_path / "cache"
    cache.write_text("")
    monkeypatch.setattr(python_docs, "parsed", lambda library, files: ["a", "b"])
    assert python_docs.documents(cache if obstacle == "file" else None) == ["a", "b"]
    assert cache.read_text() == ""
