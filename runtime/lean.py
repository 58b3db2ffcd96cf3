"""What a library would load by itself, and nobody here has asked for, is kept out until somebody
does.
"""

import sys
from types import ModuleType
from typing import cast

# redis-py loads it wherever it is installed, for figures of its own that nobody reads here: a tenth
# of a second and 3 MB of every process. It does without where it is told that there is none.
_METRICS_SDK = "opentelemetry.sdk.metrics"

# `None` is how a module is said not to be there.
_modules = cast("dict[str, ModuleType | None]", sys.modules)


def keep_out(module: str = _METRICS_SDK) -> None:
    """Keep a module from being loaded; to be called before anything else is."""
    _modules.setdefault(module, None)


def let_in() -> None:
    """Let redis-py load what it measures with again."""
    if _METRICS_SDK in _modules and _modules[_METRICS_SDK] is None:
        del _modules[_METRICS_SDK]
