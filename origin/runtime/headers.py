"""The headers that every answer of the public port has."""

import re
from uuid import uuid4

from aiohttp import web

from origin.answer import Answer

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
_EVERYWHERE = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": (
        "Content-Length, Content-Range, Date, ETag, Ringside-Window-Start, X-Request-ID"
    ),
    "Server": "Ringside",
}


def headers_of(answer: Answer, request: web.BaseRequest) -> dict[str, str]:
    """All headers of `answer` but those that the connection adds, always in the same order."""
    given = request.headers.get("X-Request-ID", "")
    name = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
    return {**answer.headers(), **_EVERYWHERE, "X-Request-ID": name}
