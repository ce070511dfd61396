"""Connecting to the endpoints that Node has bound."""

from __future__ import annotations

import os

import zmq

# Removed from the environment, so that child processes do not inherit it.
SERVER_KEY = os.environ.pop("DICTLEARN_SERVER_KEY", None)
# Long enough to send a last answer, too short to delay the exit.
LINGER_MILLISECONDS = 200


def connect(endpoint: str) -> zmq.Socket[bytes]:
    """A DEALER socket; over tcp as a CURVE client with its own key pair."""
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, LINGER_MILLISECONDS)
    if SERVER_KEY is not None:
        socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
        socket.curve_serverkey = SERVER_KEY.encode()
    socket.connect(endpoint)
    return socket
