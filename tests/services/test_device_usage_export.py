"""What is put around and between rows on their way into a file."""

import json
from collections.abc import Iterator

import pytest

from services.device_usage_export import _document, _lines
from utils.errors import DatabaseUnavailable

ROWS = b'{"a":1}\n{"b":2}\n{"c":3}\n'


@pytest.mark.parametrize("cut", range(1, 12))
def test_lines_become_a_list_wherever_the_chunks_are_cut(cut: int) -> None:
    chunks = [ROWS[at : at + cut] for at in range(0, len(ROWS), cut)]
    assert json.loads(b"".join(_document(chunks, b"[", b"]"))) == [{"a": 1}, {"b": 2}, {"c": 3}]


def test_no_line_is_an_empty_list() -> None:
    assert b"".join(_document([], b'{"rows":[', b"]}")) == b'{"rows":[]}'


@pytest.mark.parametrize(
    ("error", "reason"), [(DatabaseUnavailable("It is gone."), "It is gone."), (OSError("/secret"), "something went")]
)
def test_a_table_that_breaks_off_says_so_and_a_document_has_no_end(error: Exception, reason: str) -> None:
    def breaks_off() -> Iterator[bytes]:
        yield b"1,2\n"
        raise error

    table, document = _lines(breaks_off(), b""), _document(breaks_off(), b"[", b"]")
    assert next(table) == b"1,2\n"
    assert next(table).decode().splitlines()[1].startswith(f'"INCOMPLETE: {reason}')
    got = []
    for stream in (table, document):
        with pytest.raises(type(error)):
            got += list(stream)
    assert b"]" not in b"".join(got)
