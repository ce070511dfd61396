"""The bridge: pythonia's objects and snippets of Python, over a separate socket."""
