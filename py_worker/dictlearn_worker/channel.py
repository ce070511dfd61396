"""Connecting to the endpoints that Node has bound."""

from __future__ import annotations

import os

import zmq

# Taken out of the environment, so that no process that is started from here inherits it.
SERVER_KEY = os.environ.pop("DICTLEARN_SERVER_KEY", None)
# Enough for a last answer to leave, not enough to hold up the end.
LINGER_MILLISECONDS = 200


def connect(endpoint: str) -> zmq.Socket[bytes]:
    """A DEALER socket; over tcp as a CURVE client with a key pair of its own."""
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, LINGER_MILLISECONDS)
    if SERVER_KEY is not None:
        socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
        socket.curve_serverkey = SERVER_KEY.encode()
    socket.connect(endpoint)
    return socket
