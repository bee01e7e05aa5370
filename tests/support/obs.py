"""OBS Studio on a virtual screen, streaming a plain colour."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_NAME = "ringside"
_GLOBAL = f"""[General]
FirstRun=true
LastVersion=486539265
EnableAutoUpdates=false

[Basic]
Profile={_NAME}
ProfileDir={_NAME}
SceneCollection={_NAME}
SceneCollectionFile={_NAME}

[BasicWindow]
ShowTrayIcon=false
"""
_PROFILE = f"""[General]
Name={_NAME}

[Output]
Mode=Simple

[SimpleOutput]
VBitrate=800
ABitrate=96
StreamEncoder=x264
UseAdvanced=true
Preset=ultrafast
x264Settings=keyint=48 scenecut=0 threads=1

[Video]
BaseCX=640
BaseCY=360
OutputCX=640
OutputCY=360
FPSType=1
FPSInt=25

[Audio]
SampleRate=48000
"""
_SCENE = {
    "name": _NAME,
    "current_scene": "scene",
    "current_program_scene": "scene",
    "scene_order": [{"name": "scene"}],
    "sources": [
        {
            "id": "scene",
            "name": "scene",
            "settings": {"items": [{"name": "colour", "id": 1, "visible": True}], "id_counter": 1},
        },
        {
            "id": "color_source",
            "versioned_id": "color_source_v3",
            "name": "colour",
            "settings": {"color": 0xFF00FF00, "width": 640, "height": 360},
        },
    ],
}
_COMMAND = (
    *("xvfb-run", "--auto-servernum", "--server-args", "-screen 0 1280x800x24"),
    *("obs", "--startstreaming", "--multi", "--disable-updater"),
)


@contextmanager
def obs(home: Path, server: str, key: str) -> Iterator[None]:
    """Stream 640x360 at 25 a second, a keyframe every 1.92 s, to `server` until left.

    At the end OBS is killed without a closing message. `home` is the folder of its settings.
    """
    settings = home / ".config/obs-studio"
    profile, scenes = settings / "basic/profiles" / _NAME, settings / "basic/scenes"
    for folder in (profile, scenes):
        folder.mkdir(parents=True, exist_ok=True)
    (settings / "global.ini").write_text(_GLOBAL)
    (profile / "basic.ini").write_text(_PROFILE)
    service = {"type": "rtmp_custom", "settings": {"server": server, "key": key}}
    (profile / "service.json").write_text(json.dumps(service))
    (scenes / f"{_NAME}.json").write_text(json.dumps(_SCENE))
    at_home = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "LIBGL_ALWAYS_SOFTWARE": "1"}
    with (home / "log").open("ab") as log, subprocess.Popen(
        _COMMAND,
        env=os.environ | at_home,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    ) as running:  # fmt: skip
        try:
            yield
        finally:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
