"""Statistics of dictionaries: sums over rows and over predictions, and the contexts in which a feature fires."""
