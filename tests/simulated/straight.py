"""A second copy of the specification's rules, which stays straight while the first is bent."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

_RULES = "specification.rules"


def rules() -> dict[str, ModuleType]:
    """The modules of the copy, by the last part of their names."""
    package = importlib.import_module("specification")
    ours = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith(_RULES)}
    try:
        return {
            name.rpartition(".")[2]: importlib.import_module(name)
            for name in ours
            if name != _RULES
        }
    finally:
        sys.modules.update(ours)
        package.rules = ours[_RULES]  # type: ignore[attr-defined]
