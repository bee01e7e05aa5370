"""Rules of access to a channel."""

from packager.config.access import AccessConfig
from packager.config.decoding.report import FileReport
from packager.config.secret import Secret


def check_access(access: object, path: str, report: FileReport) -> None:
    """Check that every CDN secret is used once."""
    if not isinstance(access, AccessConfig):
        raise TypeError(access)
    seen: dict[Secret, str] = {}
    for name, secrets in access.cdn_secrets.items():
        place = f"{path}.cdn_secrets.{name}"
        for secret in secrets:
            other = seen.setdefault(secret, place)
            if other != place or secrets.count(secret) > 1:
                reason = f"the secret is also one of {other}"
                remedy = "give every CDN a secret of its own"
                report.broken(place, reason, remedy, *_places(place, secrets), other)
                break


def _places(path: str, secrets: tuple[Secret, ...]) -> list[str]:
    return [f"{path}[{index}]" for index in range(len(secrets))]
