"""Opens the bridge."""

from __future__ import annotations

from ..protocol import BridgeOpenParams, BridgeOpenResult
from ..registry import Context, method
from .door import Door


@method("bridge.open")
def bridge_open(context: Context, params: BridgeOpenParams) -> BridgeOpenResult:
    """Connects to `endpoint` and answers pythonia's messages there, on this thread, between and within other calls."""
    Door(context.objects, context.listen, params.endpoint, params.pythonia)
    return BridgeOpenResult()
