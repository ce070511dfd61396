"""The bytes on the wire, from the same file that the TypeScript tests read."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from dictlearn_worker.control import Request
from dictlearn_worker.protocol import DATA_METHODS

VECTORS = json.loads((Path(__file__).parents[2] / "test/fixtures/wire.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("vector", VECTORS["requests"], ids=lambda vector: vector["name"])
def test_reads_what_typescript_writes(vector: dict) -> None:
    """The envelope and the parameters decode into the generated structs, with nothing lost."""
    request = msgspec.msgpack.decode(bytes.fromhex(vector["hex"]), type=Request)
    params = msgspec.msgpack.decode(request.params, type=DATA_METHODS[request.method][0])
    message = vector["message"]
    assert (request.v, request.id, request.method, request.window) == (
        1,
        message["id"],
        message["method"],
        message.get("window"),
    )
    assert msgspec.to_builtins(params) == message["params"]


@pytest.mark.parametrize("vector", VECTORS["replies"], ids=lambda vector: vector["name"])
def test_writes_what_typescript_reads(vector: dict) -> None:
    """A reply's bytes are those that the TypeScript tests decode."""
    assert msgspec.msgpack.encode(vector["message"]).hex() == vector["hex"]


def test_refuses_an_unknown_field_and_a_wrong_type() -> None:
    """A message that does not fit the protocol is an error, never a guess."""
    params = DATA_METHODS["generator.create"][0]
    for bad in ({"seed": 1, "sed": 2}, {"seed": "1"}, {"seed": 1.5}, {}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.msgpack.decode(msgspec.msgpack.encode(bad), type=params)
