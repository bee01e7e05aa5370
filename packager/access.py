"""Who may have a channel's media, as configured: keys of playback tokens, secrets of CDNs."""

from collections.abc import Mapping
from typing import Annotated, cast

import msgspec

from packager.errors import ConfigError
from packager.secret import Secret, hidden
from packager.track import TRACK_ID
from packager.yaml_text import convert

MOST_CDNS = 16
"""Each request is compared with all their secrets."""

_Two = Annotated[
    tuple[Secret, ...],
    msgspec.Meta(min_length=1, max_length=2, description="a secret or two of them"),
]


class AccessConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What has to be shown to be served; where a list is empty, nothing."""

    token_keys: _Two = ()
    """What playback tokens are signed with: by the first; the other is still good, or already."""
    cdn_secrets: Annotated[
        dict[str, _Two],
        msgspec.Meta(
            min_length=1,
            max_length=MOST_CDNS,
            description=f"a mapping of at most {MOST_CDNS} names of CDNs to secrets",
        ),
    ] = msgspec.field(default_factory=dict[str, _Two])
    """What a CDN sends with each request, by its name."""


def read_access(node: object, environment: Mapping[str, str], file: str, path: str) -> AccessConfig:
    """What `node`, which stands at `path` of `file`, says.

    Raises:
        ConfigError: it says nothing of the kind.
    """
    said = hidden(node, file, path, environment)
    if isinstance(said, dict):
        said = cast("dict[str, object]", said)
        if "token_keys" in said:
            said["token_keys"] = _listed(said["token_keys"])
        cdns = said.get("cdn_secrets")
        if isinstance(cdns, dict):
            # One by one: msgspec names no key of a dict in its errors.
            named = cast("dict[str, object]", cdns).items()
            said["cdn_secrets"] = {
                name: _of_cdn(name, of, file, f"{path}.cdn_secrets.{name}") for name, of in named
            }
    access = convert(said, AccessConfig, file, {}, path)
    every = [secret for secrets in access.cdn_secrets.values() for secret in secrets]
    if len(every) > len(set(every)):
        raise ConfigError(file, f"{path}.cdn_secrets", "a secret is there twice")
    return access


def _listed(node: object) -> object:
    return [node] if isinstance(node, Secret) else node


def _of_cdn(name: str, node: object, file: str, path: str) -> object:
    """The list of a CDN's secrets."""
    if TRACK_ID.fullmatch(name) is None:
        raise ConfigError(file, path, "a CDN's name is at most 32 of a-z, 0-9, - and _")
    listed = _listed(node)
    if isinstance(listed, list):
        secrets = cast("list[object]", listed)
        if len(secrets) in (1, 2) and all(isinstance(one, Secret) for one in secrets):
            return secrets
    raise ConfigError(file, path, "expected a secret or two of them")
