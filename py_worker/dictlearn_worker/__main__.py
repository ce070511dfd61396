"""Starts the worker. Endpoints and the parent's process id come from the environment that Node sets."""

from __future__ import annotations

import os
import signal
import sys


def main() -> int:
    """Serves both channels until it is told to stop or its parent exits."""
    # Ctrl-C in the terminal reaches the whole foreground group; stopping is Node's decision.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

    from .control import Control
    from .loop import serve

    control = Control(os.environ["DICTLEARN_CONTROL"], parent=int(os.environ["DICTLEARN_PARENT"]))
    control.start()
    serve(os.environ["DICTLEARN_DATA"], control)
    control.join(timeout=1)
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Library threads (tokenisers, downloads) must not keep a stopped worker alive.
    os._exit(code)
