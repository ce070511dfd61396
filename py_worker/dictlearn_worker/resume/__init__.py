"""What a run has become, as one file, and back."""
