"""Metrics in Prometheus' binary format: messages of io.prometheus.client.MetricFamily, each after
its length.
"""

from __future__ import annotations

from collections.abc import Iterator

CONTENT = "application/vnd.google.protobuf"
ACCEPT = f"{CONTENT}; proto=io.prometheus.client.MetricFamily; encoding=delimited"

_TYPES = ("counter", "gauge", "summary", "untyped", "histogram")
_NAME, _TYPE, _METRIC = 1, 3, 4  # fields of MetricFamily
_LABEL = 1  # field of Metric, and its name in LabelPair
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # how a field is encoded
_WIDTH = {_FIXED64: 8, _FIXED32: 4}


def described(body: bytes) -> dict[str, tuple[str | None, frozenset[str]]]:
    """The type of each metric, and the names of its labels.

    Raises:
        ValueError: it is not of that format.
    """
    found: dict[str, tuple[str | None, frozenset[str]]] = {}
    at = 0
    while at < len(body):
        length, at = _varint(body, at)
        fields = list(_fields(body[at : at + length]))
        at += length
        (name,) = (value.decode() for number, value in fields if number == _NAME)
        # a type of 0 need not be there
        kinds = [value for number, value in fields if number == _TYPE]
        kind = _TYPES[_varint(kinds[0], 0)[0]] if kinds else _TYPES[0]
        labels = frozenset(
            text.decode()
            for number, metric in fields
            if number == _METRIC
            for inner, pair in _fields(metric)
            if inner == _LABEL
            for position, text in _fields(pair)
            if position == _NAME
        )
        found[name] = (kind, labels)
    return found


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each field."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, encoding = key >> 3, key & 7
        if encoding == _VARINT:
            _, end = _varint(message, at)
        elif encoding == _BYTES:
            length, at = _varint(message, at)
            end = at + length
        elif encoding in _WIDTH:
            end = at + _WIDTH[encoding]
        else:
            raise ValueError(f"no field of a message is encoded by {encoding}")
        if end > len(message):
            raise ValueError(f"field {number} ends after its message")
        yield number, message[at:end]
        at = end


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of variable length, and where it ends."""
    value = shift = 0
    while True:
        if at >= len(data):
            raise ValueError("a number does not end")
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return value, at
