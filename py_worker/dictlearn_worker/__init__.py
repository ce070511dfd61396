"""The worker of dictlearn: executes what TypeScript decides, with nnsight and PyTorch."""
