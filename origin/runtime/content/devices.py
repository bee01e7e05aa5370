"""The device profiles of an origin."""

from collections.abc import Mapping

from packager.config.devices import Device
from packager.config.parse import parse_device
from packager.config.schema.origin import ServedConfig
from packager.host.shipped import shipped


def known_devices(config: ServedConfig) -> Mapping[str, Device]:
    """The built-in profiles and those of `config`, by name.

    Raises:
        ConfigError: a built-in profile is not valid.
    """
    built_in = {
        name: parse_device(file.read_text(encoding="utf-8"), file.name)
        for name, file in shipped("devices").items()
    }
    return {**built_in, **config.devices}
