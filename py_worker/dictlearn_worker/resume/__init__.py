"""Saves a run's state to one file, and restores it."""
