"""What a viewer or a CDN has to present to be served: keys of playback tokens, CDN secrets."""

from typing import Annotated

import msgspec

from packager.config.fields import SecretText
from packager.config.scalars import FieldNote, ListRule, MapRule

MOST_CDNS = 16
"""Each request is compared with the secrets of all CDNs."""

_TwoSecrets = Annotated[
    tuple[SecretText, ...], ListRule(1, 2, "a secret or two of them", lone=True)
]
"""Two, so that one can be replaced while the other is still in use."""


class AccessConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Access to a channel: without keys and secrets it is open to all."""

    token_keys: Annotated[_TwoSecrets, FieldNote(example="[$TOKEN_KEY]")] = ()
    """Keys of playback tokens: the first signs, all are accepted."""
    cdn_secrets: Annotated[
        dict[str, _TwoSecrets],
        MapRule(
            1,
            MOST_CDNS,
            f"a mapping of at most {MOST_CDNS} names of CDNs to secrets",
            "a CDN",
            "CDN",
        ),
        FieldNote(example="{fastly: $FASTLY_SECRET}"),
    ] = msgspec.field(default_factory=dict[str, tuple[SecretText, ...]])
    """Secrets that CDNs send with each request, by the name of the CDN."""
