"""Imports what the worker imports from other libraries, once, and forks a worker for each client.py that asks.

A fresh worker spends five of its six seconds on these imports, and the tests start some four hundred. None of our own
modules is imported before the fork. When a client exits its worker does too, and the other way round.
"""

import json
import os
import runpy
import selectors
import signal
import socket
import sys

# Read before the imports, which extend it.
ENVIRONMENT = json.dumps(dict(os.environ)).encode()

import msgspec
import nnsight
import psutil
import safetensors.torch
import torch
import transformers.models.gpt_neox.modeling_gpt_neox
import transformers.models.llama.modeling_llama
import zmq


def worker(request, standard_streams):
    """Becomes the worker, in the child; never returns."""
    os.setsid()
    for target, descriptor in enumerate(standard_streams):
        os.dup2(descriptor, target)
        os.close(descriptor)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    # The worker ends with its parent, which is this server: the client watches the program that asked.
    os.environ["DICTLEARN_PARENT"] = str(os.getppid())
    code = 1
    try:
        runpy.run_module("dictlearn_worker", run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main():
    path = sys.argv[1]
    # The first forks come before any thread: an operation here would start torch's.
    assert torch.get_num_threads() == 1
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen(64)
    events = selectors.DefaultSelector()
    events.register(listener, selectors.EVENT_READ)
    events.register(sys.stdin, selectors.EVENT_READ)
    running = {}  # connection → process id
    processes = {}  # pidfd → connection
    print("ready", flush=True)
    while True:
        for key, _ in events.select():
            ready = key.fileobj
            if ready is sys.stdin:
                # Closed: the tests have ended or were killed.
                for pid in running.values():
                    os.kill(pid, signal.SIGKILL)
                return
            if ready is listener:
                connection, _ = listener.accept()
                connection.send(ENVIRONMENT)
                events.register(connection, selectors.EVENT_READ)
            elif ready in processes:
                connection = processes.pop(ready)
                events.unregister(ready)
                os.close(ready)
                _, status = os.waitpid(running.pop(connection), 0)
                if connection.fileno() >= 0:
                    events.unregister(connection)
                    try:
                        connection.send(json.dumps(os.waitstatus_to_exitcode(status)).encode())
                    except OSError:
                        pass
                    connection.close()
            else:
                try:
                    message, descriptors, _, _ = socket.recv_fds(ready, 1 << 20, 3)
                except OSError:
                    message, descriptors = b"", []
                if not message:
                    events.unregister(ready)
                    ready.close()
                    if ready in running:
                        os.kill(running[ready], signal.SIGKILL)
                    continue
                pid = os.fork()
                if pid == 0:
                    for each in list(events.get_map().values()):
                        if each.fileobj is not sys.stdin:
                            os.close(each.fd)
                    worker(json.loads(message), descriptors)
                for descriptor in descriptors:
                    os.close(descriptor)
                running[ready] = pid
                process = os.pidfd_open(pid)
                processes[process] = ready
                events.register(process, selectors.EVENT_READ)


main()
