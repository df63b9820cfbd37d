"""Answers that are saved as a file: their name, gzip for clients that take it, and an end when the client leaves."""

import zlib
from collections.abc import Iterable, Iterator

from flask import Response, current_app, request

from services.device_usage_export import Download, DownloadContent
from utils.file_names import content_disposition

#: A tenth of the size at a speed that no LAN keeps up with; better levels cost several times as much for little.
_GZIP_LEVEL = 1

#: zlib's largest window, in a gzip file.
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


class _Gzipped(Iterator[bytes]):
    """The content of a download, compressed. Only one that comes to its end has the end of a gzip file."""

    def __init__(self, content: DownloadContent) -> None:
        self._content = content
        self._parts = _compressed(content)

    def __next__(self) -> bytes:
        return next(self._parts)

    def close(self) -> None:
        self._content.close()


def as_file(download: Download, mimetype: str) -> Response:
    """The download as an answer, begun: what is wrong so far is raised. HEAD gets the headers, and nothing is read."""
    takes_gzip = request.accept_encodings.quality("gzip") > 0
    body: Iterator[bytes] = iter(())
    if request.method != "HEAD":
        content = download.open(request.environ.get("waitress.client_disconnected", lambda: False))
        body = _Gzipped(content) if takes_gzip else content
    response = current_app.response_class(body, mimetype=mimetype)
    response.headers["Content-Disposition"] = content_disposition(download.file_name)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Vary"] = "Accept-Encoding"
    if takes_gzip:
        response.headers["Content-Encoding"] = "gzip"
    return response


def _compressed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    try:
        for chunk in chunks:
            if packed := compressor.compress(chunk):
                yield packed
    except Exception:
        yield compressor.flush(zlib.Z_SYNC_FLUSH)  # what there is can be read
        raise
    yield compressor.flush()
