"""Python's garbage collector, for processes that make very many values and hardly a cycle."""

import gc


def tame() -> None:
    """Leave what was loaded at the start out of garbage collection, and collect less often: looking
    through all of it takes longer than a request may.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
