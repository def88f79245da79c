"""Sources on disk to search among: index, queries, answers, map, exports; called, the function ``search``.

A folder of a package is an attribute of it, so that ``skylobe.search`` cannot be a function beside the
folder of that name: here the folder itself can be called.
"""

import sys
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    def __call__(self, *given: Any, **named: Any) -> Any:  # noqa: ANN401
        """Find the sources that look most like others; see ``skylobe.search.searching.search``."""
        from skylobe.search.searching import search

        return search(*given, **named)


sys.modules[__name__].__class__ = _Room
