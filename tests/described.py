"""Descriptions of implementations that tests make: TOML, written."""

from __future__ import annotations

import json
from typing import Any


def toml_file(table: dict[str, Any]) -> str:
    """The text of a file with a table's keys."""
    return "".join(f"{key} = {_toml(value)}\n" for key, value in table.items())


def _toml(value: Any) -> str:
    """A value in TOML's inline form, which is JSON's but for tables."""
    if isinstance(value, dict):
        items = ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items())
        return f"{{{items}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)
