"""The open door: pythonia's objects and snippets of Python, over a socket of their own."""
