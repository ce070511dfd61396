"""Training: loss terms, constrained Adam, steps, statistics of a batch, resampling."""
