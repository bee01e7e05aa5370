"""The device profiles that an origin knows."""

from collections.abc import Mapping

from packager.config import Config, parse_device
from packager.device import Device
from packager.shipped import shipped


def known_devices(config: Config) -> Mapping[str, Device]:
    """Those that come with Ringside and those of `config`, by name.

    Raises:
        ConfigError: one of the former cannot be used.
    """
    ours = {
        name: parse_device(file.read_text(encoding="utf-8"), file.name)
        for name, file in shipped("devices").items()
    }
    return {**ours, **config.devices}
