"""Who may ask what of the control port.

| asked for | wanted |
| --- | --- |
| the page, the players, /healthz | nothing |
| /metrics, GET of /api/ | the control token, where one is set |
| orders (PUT, DELETE) | that; without one set, that the port listens on loopback alone |

A browser on the operator's machine runs pages of strangers too. They cannot have the token. Where
none is set they are told by what browsers say of them: `Sec-Fetch-Site`, or else `Origin`; and a
stranger's name that was made to lead here (DNS rebinding) by `Host`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self

from origin.access import Denied
from packager.config import OriginConfig
from packager.secret import Secret

_FREE = re.compile(r"/|/healthz|/page/.*|/players/.*")
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_HOST = re.compile(r"(?P<name>[^:\[\]]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")

_NO_TOKEN = Denied("no token: send the control token as Authorization: Bearer", 401)
_NOT_THE_TOKEN = Denied("not the control token", 401)
_OTHER_SITE = Denied("no orders from pages of other sites")
_OPEN = Denied("no orders where the control port is not on loopback: set origin.control_token")
_OTHER_HOST = Denied(
    "no orders to this machine by that name: use localhost, or set origin.control_token"
)


@dataclass(frozen=True, slots=True)
class ControlGuard:
    """What the control port wants to be shown."""

    host: str = "127.0.0.1"
    """What the port listens on."""
    token: Secret | None = None

    @classmethod
    def of(cls, origin: OriginConfig) -> Self:
        """As it is configured."""
        return cls(origin.control_host, origin.control_token)

    def check(self, method: str, path: str, headers: Mapping[str, str]) -> Denied | None:
        """Why a request is not answered; None if it is.

        `path` is without percent-encoding; `headers` knows names in any case.
        """
        if _FREE.fullmatch(path) is not None:
            return None
        if (denied := self._check_token(headers.get("Authorization"))) is not None:
            return denied
        return None if method in _READING else self.check_order(headers)

    def _check_token(self, said: str | None) -> Denied | None:
        if self.token is None:
            return None
        scheme, _, token = (said or "").partition(" ")
        if scheme.lower() != "bearer":
            return _NO_TOKEN
        return None if self.token.matches(token.strip(" ")) else _NOT_THE_TOKEN

    def check_order(self, headers: Mapping[str, str]) -> Denied | None:
        """Why who has shown the token, or needed none, may give no orders; None if they may."""
        host = headers.get("Host", "")
        if _of_other_site(host, headers):
            return _OTHER_SITE
        if self.token is not None:
            return None
        if not _is_loopback(self.host):
            return _OPEN
        match = _HOST.fullmatch(host)
        name = match["name"].lower().strip("[]") if match else ""
        return None if name == self.host.lower() or _is_loopback(name) else _OTHER_HOST


def _of_other_site(host: str, headers: Mapping[str, str]) -> bool:
    """Whether a browser says that another site's page asks; programs say nothing."""
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    if site is not None:
        return site not in ("same-origin", "none")
    # Not the scheme: a proxy in between may speak HTTPS.
    return origin is not None and origin.partition("://")[2] != host


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
