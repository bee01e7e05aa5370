from pathlib import Path

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from origin.runtime.control.api import ControlHandlers
from origin.runtime.journal.follower import FollowedChannel
from packager.timing.clock import ManualClock
from tests.support.channel import GRID, channel


@pytest.mark.parametrize(("later", "status"), [(2, 200), (50, 503)])
async def test_an_origin_is_ready_while_something_is_live(
    tmp_path: Path, later: int, status: int
) -> None:
    made = channel(tmp_path)
    followed = FollowedChannel("tv", made.folder, GRID.duration * 10, GRID.duration * 300)
    followed.catch_up()
    empty = FollowedChannel("dark", tmp_path / "dark", GRID.duration * 10, GRID.duration * 300)
    now = made.grid.micros(made.journal.timeline.edge + later)
    handlers = ControlHandlers({"tv": followed, "dark": empty}, tmp_path, 1, ManualClock(now))
    async with TestServer(handlers.application()) as server, ClientSession() as session:
        async with session.get(server.make_url("/readyz")) as answer:
            assert answer.status == status
            assert answer.headers["Cache-Control"] == "no-store"
        async with session.get(server.make_url("/healthz")) as answer:
            assert answer.status == 200
    followed.close()
