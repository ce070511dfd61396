"""Language models: finding them, loading them through nnsight, reading their activations."""
