"""A hub that says no, and no hub at all, are two mistakes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

# The hub's address is read while its library is imported, so it is asked from another process.
ASK = """
import json, torch
from dictlearn_worker.errors import WorkerError
from dictlearn_worker.models.load import load_pretrained
from dictlearn_worker.text.hub import open_dataset
said = []
for ask in (
    lambda: load_pretrained("some/model", "some/model", None, None, torch.device("cpu"), trust=False),
    lambda: open_dataset("some/texts", None, "train", None),
):
    try:
        ask()
    except WorkerError as error:
        said.append([error.code, str(error)])
print(json.dumps(said))
"""


def ask(endpoint: str, cache: Path):
    environment = os.environ | {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(cache),
        "HF_HUB_OFFLINE": "0",
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    done = subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("status", [401, 404])
def test_a_name_that_the_hub_does_not_know_is_no_network_failure(tmp_path, status):
    class Refuses(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_POST = do_GET

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Refuses)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert ask(f"http://127.0.0.1:{server.server_port}", tmp_path) == [
            ["unknown_model", "There is no model some/model, neither as a folder here nor on the Hugging Face hub."],
            ["unknown_dataset", "There is no dataset some/texts, neither here nor on the Hugging Face hub."],
        ]
    finally:
        server.shutdown()
