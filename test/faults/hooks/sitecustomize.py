"""Kills the worker or its parent right before a chosen rename, once: Python imports this before anything else.

DICTLEARN_FAULT: JSON {"name": regular expression of the file's name, "nth": which one, "victim": "worker" or "node",
"marker": a file created once it has happened}.
"""

import json
import os
import pathlib
import re
import signal
import sys

FAULT = json.loads(os.environ.get("DICTLEARN_FAULT", "null"))
rename = pathlib.Path.replace
seen = 0


def replace(self, target):
    global seen
    if re.fullmatch(FAULT["name"], os.path.basename(target)) and not os.path.exists(FAULT["marker"]):
        seen += 1
        if seen == FAULT["nth"]:
            open(FAULT["marker"], "x").close()
            os.kill(os.getpid() if FAULT["victim"] == "worker" else os.getppid(), signal.SIGKILL)
            # We die with the parent; until then nothing must happen.
            signal.pause()
    return rename(self, target)


if FAULT and "dictlearn_worker" in sys.orig_argv:
    pathlib.Path.replace = replace
