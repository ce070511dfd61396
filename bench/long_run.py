"""Estimates a run's long-term speed from a few of its steps."""

import time


class Clock:
    """Adds up a function's time and rows: refreshes are few and long, steps are many."""

    def __init__(self):
        self.seconds, self.rows = 0.0, 0

    def counted(self, take, rows):
        """`take`, with `rows` as the number of rows of one call."""

        def timed(*args, **kwargs):
            begin = time.perf_counter()
            found = take(*args, **kwargs)
            self.seconds += time.perf_counter() - begin
            self.rows += rows(found)
            return found

        return timed

    def steps_per_second(self, step, steps, batch):
        """As if each row were harvested once and read once."""
        self.seconds, self.rows = 0.0, 0
        begin = time.perf_counter()
        for _ in range(steps):
            step()
        others = (time.perf_counter() - begin - self.seconds) / steps
        assert self.rows > 0, "take enough steps for a refresh"
        return 1 / (batch * self.seconds / self.rows + others)
