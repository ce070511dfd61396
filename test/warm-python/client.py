"""Represents one warm worker: asks server.py to fork it, lives as long as it does, and exits with its status."""

import ctypes
import json
import os
import resource
import signal
import socket
import sys

PR_SET_PDEATHSIG = 1
# Variables that the libraries read during import: a worker with another value must import them itself.
READ_AT_IMPORT = (
    *("PYTHON", "OMP_", "MKL_", "ATEN_", "ONEDNN_", "DNNL_", "LD_"),
    *("HF_", "TRANSFORMERS_", "CUDA", "CUBLAS", "TORCH", "TOKENIZERS"),
)


def settings(environment):
    return {
        name: value for name, value in environment.items() if name.startswith(READ_AT_IMPORT) and name != "HF_TOKEN"
    }


def main():
    real = os.environ["DICTLEARN_WARM_PYTHON"]
    parent = os.getppid()
    # Killing the program's process group or the program itself must also end this one.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(os.environ["DICTLEARN_WARM_SOCKET"])
    if settings(json.loads(connection.recv(1 << 20))) != settings(os.environ):
        connection.close()
        os.execv(real, [real, *sys.argv[1:]])
    request = {"environment": dict(os.environ), "folder": os.getcwd()}
    socket.send_fds(connection, [json.dumps(request).encode()], [0, 1, 2])
    status = json.loads(connection.recv(64))
    if status < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(-status, signal.SIG_DFL) if -status not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), -status)
    os._exit(status)


main()
