"""pythonia's Python half, running inside this process instead of in one that pythonia starts."""

from __future__ import annotations

import importlib
import json
import sys
from collections import deque
from typing import Any

from ..failures import describe
from ..objects import Objects
from ..protocol import Handle
from ..registry import Listen
from .failure import python_error
from .live import original_of, proxied
from .output import Name, sent
from .snippet import Snippets
from .values import as_json, value_of


class Table(dict[Any, Any]):
    """Maps pythonia's numbers to objects; `handle:ID:GENERATION` is the object of a TypeScript handle."""

    def __init__(self, objects: Objects, known: dict[Any, Any]) -> None:
        super().__init__(known)
        self._objects = objects

    def __missing__(self, key: Any) -> Any:
        kind, _, place = str(key).partition(":")
        if kind != "handle":
            raise LookupError(f"The Python object {key} does not exist any more: it was collected.")
        number, _, generation = place.partition(":")
        return proxied(self._objects.get(Handle(id=int(number), generation=int(generation)), object))


class Door:
    """The socket, pythonia's bridge, and dictlearn's additions: handles, snippets, output, failures with a code."""

    def __init__(self, objects: Objects, listen: Listen, endpoint: str, pythonia: str) -> None:
        self._objects = objects
        # Messages that arrive while Python waits for an answer from JavaScript.
        self._waiting = 0
        self._arrived: deque[str] = deque()
        self._send, self._turn = listen(endpoint, self._receive)
        self._bridge = load_pythonia(pythonia).Bridge(self)
        # Otherwise pythonia sends the repr of every result for console.log: that of a tensor is slow and long.
        self._bridge.send_inspect = False
        # In pythonia the table and its functions belong to the class: every bridge needs its own.
        self._bridge.m = Table(objects, {**self._bridge.m, 0: dict(self._bridge.m[0])})
        snippets = Snippets(objects)
        self._bridge.m[0].update(snippet=snippets.run, forget=snippets.forget, keep=self._keep, value=as_json)

    def queue(self, message: dict[str, Any] | str) -> None:
        """Sends to JavaScript; pythonia calls this."""
        self._send((message if isinstance(message, str) else as_json(message)).encode())

    def readline(self) -> str:
        """The next message from JavaScript; pythonia calls this while a Python function waits for a JavaScript one.

        Calls of the other channel are answered meanwhile, so that the JavaScript function may make calls there.
        """
        self._waiting += 1
        try:
            while not self._arrived:
                self._turn()
            return self._arrived.popleft()
        finally:
            self._waiting -= 1

    def _receive(self, text: str) -> None:
        if self._waiting:
            self._arrived.append(text)
            return
        try:
            message = json.loads(text)
            number, arguments = message["r"], (message["ffid"], message["key"], message["val"])
        except (ValueError, TypeError, LookupError, RecursionError):
            return  # Not a request, so there is nobody to answer.
        try:
            with sent(self._print):
                getattr(self._bridge, message["action"])(number, *arguments)
        except Exception as error:
            failure = python_error(error)
            if failure is not error:
                failure.__cause__ = error
            self.queue({"r": number, "key": "error", "val": "", "sig": json.dumps(describe(failure))})

    def _print(self, name: Name, text: str) -> None:
        self._send(json.dumps({"c": "output", "name": name, "text": text}).encode())

    def _keep(self, value: Any) -> str:
        """The handle of a value, as JSON: TypeScript's way from a proxy to a handle."""
        return value_of(original_of(value), self._objects, always_handle=True)


def load_pythonia(folder: str) -> Any:
    """The module `Bridge` of the pythonia package in `folder`; its modules import each other by their bare names."""
    sys.path.insert(0, folder)
    try:
        return importlib.import_module("Bridge")
    finally:
        sys.path.remove(folder)
