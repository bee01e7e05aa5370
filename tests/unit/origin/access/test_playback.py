import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.access.playback import (
    ELSEWHERE,
    EXPIRED,
    NO_CDN,
    NO_TOKEN,
    NOT_VALID,
    AccessDenied,
    AccessPolicy,
    TokenGrant,
    led_on,
    split_token,
)
from origin.decision.plan import Freshness, Redirect
from origin.http.cache_policy import cache_control
from origin.urls.request import parse
from packager.access.playback_token import sign
from packager.config.access import AccessConfig
from packager.config.secret import Secret
from packager.timing.ticks import MICROS, UtcMicros

KEY, OTHER, THIRD = (Secret(text * 4) for text in (b"first", b"other", b"third"))
GATE = AccessPolicy.of(AccessConfig(token_keys=(KEY, OTHER)))
EXPIRES = 1_800_000_000
NOW = UtcMicros((EXPIRES - 60) * MICROS)


def asked(prefix: str, path: str, now: UtcMicros = NOW, key: Secret = KEY) -> AccessDenied | None:
    return GATE.check(sign(key, prefix, EXPIRES), parse(path), path, now)


@pytest.mark.parametrize(
    ("prefix", "path", "denied"),
    [
        ("/live/arena", "/live/arena/index.m3u8", None),
        ("/live/arena", "/live/arena/event/fight/v0/index.m3u8", None),
        ("/live/arena", "/live/arena/1.m4s", None),
        ("/live/arena", "/live/arena2/index.m3u8", ELSEWHERE),
        ("/live/arena2", "/live/arena/index.m3u8", ELSEWHERE),
        ("/live/arena", "/live/arena2/v0/1.m4s", ELSEWHERE),
        ("/live/arena/event/fight", "/live/arena/event/fight/index.mpd", None),
        ("/live/arena/event/fight", "/live/arena/event/fight/index.ism/Manifest", None),
        ("/live/arena/event/fight", "/live/arena/event/fight2/index.mpd", ELSEWHERE),
        ("/live/arena/event/fight", "/live/arena/event/figh/index.mpd", ELSEWHERE),
        ("/live/arena/event/fight", "/live/arena/index.mpd", ELSEWHERE),
        ("/live/arena/event/fight", "/live/arena/from/1/index.mpd", ELSEWHERE),
        # Media is there once, under the channel.
        ("/live/arena/event/fight", "/live/arena/v0/1.m4s", None),
        ("/live/arena/event/fight", "/live/arena/v0/1.2.m4s", None),
        ("/live/arena/event/fight", "/live/arena/v0/init-00000000.mp4", None),
        ("/live/arena/event/fight", "/live/arena/time", None),
        (
            "/live/arena/event/fight",
            "/live/arena/index.ism/QualityLevels(1)/Fragments(video=1)",
            None,
        ),
        ("/live/arena/event/fight", "/live/arena2/v0/1.m4s", ELSEWHERE),
        ("/live/arena/event/fight", "/live/arena2/time", ELSEWHERE),
        ("/live/arena/event/fight", "/live/arena/v0/index.m3u8", ELSEWHERE),
        ("/live/arena/event/fight", "/live/arena/event/fight/../../index.m3u8", None),
    ],
)
def test_a_prefix_ends_at_a_border(prefix: str, path: str, denied: AccessDenied | None) -> None:
    assert asked(prefix, path) == denied


def test_a_path_with_parent_folders_is_no_request() -> None:
    # Such a path is under the prefix, and names nothing.
    path = "/live/arena/event/fight/../../index.m3u8"
    assert type(parse(path)).__name__ == "UnknownTarget"


@given(st.integers(-10 * MICROS, 10 * MICROS))
def test_a_token_is_good_before_it_expires(offset: int) -> None:
    now = UtcMicros(EXPIRES * MICROS + offset)
    denied = asked("/live/arena", "/live/arena/index.mpd", now)
    assert denied == (EXPIRED if offset >= 0 else None)


def test_keys_rotate() -> None:
    path = "/live/arena/index.mpd"
    assert asked("/live/arena", path, key=OTHER) is None
    assert asked("/live/arena", path, key=THIRD) == NOT_VALID


@pytest.mark.parametrize("token", ["", ".", "x", "x" * 10_000, "\udcff", "ü.ü"])
def test_text_that_is_no_token_is_not_valid(token: str) -> None:
    path = "/live/arena/index.mpd"
    assert GATE.check(token, parse(path), path, NOW) == NOT_VALID
    assert GATE.check(None, parse(path), path, NOW) == NO_TOKEN


def test_a_verified_token_gives_a_grant() -> None:
    grant = GATE.verify(sign(OTHER, "/live/arena", EXPIRES))
    assert grant == TokenGrant("/live/arena", EXPIRES)
    assert GATE.verify(sign(THIRD, "/live/arena", EXPIRES)) is None


def test_refusals_are_not_cached() -> None:
    for denied in (NO_TOKEN, NOT_VALID, EXPIRED, ELSEWHERE, NO_CDN):
        plan = denied.plan
        assert plan.status == 403
        assert plan.reason.isprintable()
        assert cache_control(plan.freshness, "cloudfront", 2) == "no-store"  # type: ignore[arg-type]


def test_nothing_is_wanted_where_nothing_is_configured() -> None:
    gate = AccessPolicy.of(AccessConfig())
    path = "/live/arena/index.mpd"
    assert gate.check(None, parse(path), path, NOW) is None
    assert gate.check("x", parse(path), path, NOW) is None
    assert gate.check_cdn(None) is None
    assert gate.cdn_of("") is None


def test_the_secret_of_a_cdn() -> None:
    gate = AccessPolicy.of(AccessConfig(cdn_secrets={"akamai": (KEY,), "fastly": (OTHER, THIRD)}))
    cdns = {None: None, "": None, "first": None, "\udcff": None}
    cdns |= {"first" * 4: "akamai", "other" * 4: "fastly", "third" * 4: "fastly"}
    for header, name in cdns.items():
        assert gate.cdn_of(header) == name
        assert gate.check_cdn(header) == (None if name else NO_CDN)


@pytest.mark.parametrize(
    ("path", "query", "token", "rest"),
    [
        ("/live/tv/index.mpd", "", None, "/live/tv/index.mpd"),
        ("/t/a.b/live/tv/index.mpd", "", "a.b", "/live/tv/index.mpd"),
        ("/t/a.b/live/tv/index.mpd", "token=c.d", "a.b", "/live/tv/index.mpd"),
        ("/live/tv/index.mpd", "x=1&token=e&token=c.d", "c.d", "/live/tv/index.mpd"),
        ("/live/tv/index.mpd", "token=", None, "/live/tv/index.mpd"),
        ("/live/tv/index.mpd", "mytoken=x", None, "/live/tv/index.mpd"),
        ("/live/tv/index.mpd", "x" * 5000 + "&token=c.d", None, "/live/tv/index.mpd"),
        ("/t//live/tv/index.mpd", "", "", "/live/tv/index.mpd"),
        ("/t/a.b", "", "a.b", ""),
        ("/t/a/t/b/live/tv/index.mpd", "", "a", "/t/b/live/tv/index.mpd"),
        ("/healthz", "", None, "/healthz"),
        ("/t", "", None, "/t"),
    ],
)
def test_where_a_token_is(path: str, query: str, token: str | None, rest: str) -> None:
    assert split_token(path, query) == (token, rest)


@given(st.text(), st.text())
def test_any_path_and_query_can_be_split(path: str, query: str) -> None:
    token, rest = split_token(path, query)
    assert path in (rest, f"/t/{token}{rest}")


def test_a_redirect_leads_on_with_the_token() -> None:
    token = sign(KEY, "/live/tv", EXPIRES)
    plan = Redirect("/live/tv/from/1/index.mpd")
    led = led_on(plan, token)
    assert led == Redirect(f"/t/{token}/live/tv/from/1/index.mpd", Freshness.CONDITION)
    assert split_token(led.location) == (token, plan.location)
    assert cache_control(led.freshness, "generic", 2) == "no-store"  # type: ignore[arg-type]
    assert plan.freshness is Freshness.MOVED


@pytest.mark.parametrize(
    "token", [None, "", "a", "a.b\r\nX: y", "a.b/../c", f"a.{'b' * 511}", "a.b\n"]
)
def test_a_redirect_without_a_valid_token_is_unchanged(token: str | None) -> None:
    plan = Redirect("/live/tv/from/1/index.mpd")
    assert led_on(plan, token) is plan
