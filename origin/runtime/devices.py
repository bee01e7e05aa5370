"""The device profiles that an origin knows."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import PurePath

from packager.config import Config, parse_device
from packager.device import Device


def known_devices(config: Config) -> Mapping[str, Device]:
    """Those that come with Ringside and those of `config`, by name.

    Raises:
        ConfigError: one of the former cannot be used.
    """
    shipped = {
        PurePath(entry.name).stem: parse_device(entry.read_text(encoding="utf-8"), entry.name)
        for entry in (files("profiles") / "devices").iterdir()
        if entry.name.endswith(".yaml")
    }
    return {**shipped, **config.devices}
