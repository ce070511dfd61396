"""How a script of this folder talks with python-peer.ts: one line of JSON per request, and one per answer."""

import contextlib
import json
import sys


def answer_lines(answer):
    """Answers every request with `answer`. Other output goes to standard error: stdout is for the answers."""
    for line in sys.stdin:
        with contextlib.redirect_stdout(sys.stderr):
            found = answer(json.loads(line))
        print(json.dumps(found), flush=True)
