import pytest

from origin.access.control_port import ControlGuard
from packager.config.schema.origin import OriginConfig
from packager.config.secret import Secret

TOKEN = "correct-horse-battery"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
OPEN = ControlGuard()
LOCKED = ControlGuard(token=Secret(TOKEN.encode()))
ORDER = "/api/channels/tv/events/fight"
HERE = {"Host": "localhost:8081"}


def status(guard: ControlGuard, method: str, path: str, headers: dict[str, str]) -> int:
    denied = guard.check(method, path, headers)
    assert denied is None or denied.reason.isprintable()
    return 200 if denied is None else denied.status


@pytest.mark.parametrize("path", ["/", "/healthz", "/page/page.js", "/players/hls.js"])
def test_the_page_is_free(path: str) -> None:
    assert status(LOCKED, "GET", path, {}) == 200


@pytest.mark.parametrize("path", ["/metrics", "/api/status", "/api/", "/api", "/none", "//", ""])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "POST", "X"])
def test_all_else_wants_the_token(path: str, method: str) -> None:
    for wrong in ("", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "\udcff"):
        assert status(LOCKED, method, path, HERE | {"Authorization": wrong}) == 401
    assert status(LOCKED, method, path, HERE) == 401
    assert status(LOCKED, method, path, HERE | BEARER) == 200
    assert status(LOCKED, method, path, HERE | {"Authorization": f"bearer  {TOKEN}"}) == 200


def test_reading_wants_nothing_where_no_token_is_set() -> None:
    for guard in (OPEN, ControlGuard("0.0.0.0"), ControlGuard("192.0.2.1")):
        for path in ("/metrics", "/api/status"):
            assert status(guard, "GET", path, {"Host": "evil.example"}) == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "control.example", "127.example"])
def test_orders_from_everywhere_want_a_token(host: str) -> None:
    for name in (host, "localhost", "127.0.0.1"):
        denied = ControlGuard(host).check("PUT", ORDER, {"Host": name})
        assert denied is not None
        assert denied.status == 403
        assert "set origin.control_token" in denied.reason
        assert (
            status(ControlGuard(host, LOCKED.token), "PUT", ORDER, {"Host": name} | BEARER) == 200
        )


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8081", "LOCALHOST:1", "127.0.0.1:8081", "127.0.0.9", "[::1]:8081"],
)
def test_orders_to_this_machine(host: str) -> None:
    for listening in ("127.0.0.1", "localhost", "::1", "127.0.0.2"):
        assert status(ControlGuard(listening), "DELETE", ORDER, {"Host": host}) == 200


@pytest.mark.parametrize(
    "host",
    [
        *[
            "",
            "evil.example",
            "evil.example:8081",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
        ],
        *["localhost:8081:1", "a@localhost", "192.0.2.1", "[::2]:1", "[localhost", "localhost/x"],
        "localhost, evil.example",
    ],
)
def test_a_name_that_was_made_to_lead_here(host: str) -> None:
    assert status(OPEN, "PUT", ORDER, {"Host": host}) == 403
    assert status(OPEN, "POST", ORDER, {"Host": host}) == 403
    assert OPEN.check_order({"Host": host}) is not None
    assert status(LOCKED, "PUT", ORDER, {"Host": host} | BEARER) == 200
    assert status(OPEN, "PUT", ORDER, {}) == 403


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 200),
        ({"Origin": "http://localhost:8081"}, 200),
        ({"Origin": "https://localhost:8081"}, 200),
        ({"Origin": "http://localhost:3000"}, 403),
        ({"Origin": "http://localhost"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://status.example"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:8081"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": ""}, 403),
    ],
)
def test_a_page_of_another_site(headers: dict[str, str], expected: int) -> None:
    assert status(OPEN, "PUT", ORDER, HERE | headers) == expected
    assert status(LOCKED, "PUT", ORDER, HERE | headers | BEARER) == expected
    assert status(OPEN, "GET", ORDER, HERE | headers) == 200


def test_as_configured() -> None:
    origin = OriginConfig(control_host="::1", control_token=LOCKED.token)
    assert ControlGuard.of(origin) == ControlGuard("::1", LOCKED.token)
    assert ControlGuard.of(OriginConfig()) == OPEN
    assert TOKEN not in repr(LOCKED)
