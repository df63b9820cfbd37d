"""PostgreSQL array literals.

Passed as one parameter with a cast (``%(macs)s::text[]``), a literal of 1,000 elements is parsed about five times
faster than the ``ARRAY[...]`` psycopg2 writes for a list.
"""

from collections.abc import Iterable


def text_array(values: Iterable[str | None]) -> str:
    """``{"a","b",NULL}``, for ``::text[]`` and for whatever else is written as text (``::timestamptz[]``)."""
    return "{" + ",".join("NULL" if value is None else _quoted(value) for value in values) + "}"


def int_array(values: Iterable[int | None]) -> str:
    """``{1,2,NULL}``, for ``::bigint[]``. A value that is no integer is a ValueError."""
    return "{" + ",".join("NULL" if value is None else f"{value:d}" for value in values) + "}"


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
