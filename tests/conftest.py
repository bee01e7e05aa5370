"""What every test shares: the hypothesis profiles and the golden files."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import Phase, settings

from tests.paths import GOLDEN

settings.register_profile("quick", max_examples=25, deadline=None)
settings.register_profile("thorough", max_examples=100, deadline=None)
settings.register_profile("few", max_examples=10, deadline=None)
settings.register_profile("raw", max_examples=50, deadline=None, phases=[Phase.generate])
settings.load_profile("quick")


@pytest.fixture(autouse=True)
def logs_as_they_were(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands that run in a test's own process leave its logs alone: its streams will be gone."""
    monkeypatch.setattr("packager.host.logs.configure", lambda *_: None)
    yield
    structlog.reset_defaults()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write the golden files instead of comparing"
    )
    parser.addoption(
        "--exhaustive", action="store_true", help="try every place that a fault can have, not some"
    )
    parser.addoption(
        "--kills", type=int, default=4, help="how often the kill test kills (%(default)s)"
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, bytes], None]:
    """Compare bytes with the golden file of a name, or write it with `--update-golden`."""

    def check(name: str, data: bytes) -> None:
        path: Path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        assert path.is_file(), f"no golden file {name}: make it with --update-golden"
        assert data.decode() == path.read_text()

    return check
