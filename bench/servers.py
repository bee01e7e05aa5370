"""The servers that `bench/serving.py` compares; all serve the same bodies under the same paths."""

import base64
import hashlib
import http.client
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import yaml
from live_channel import NAME, PLAYLIST_TRACK, SETS, LiveChannel
from server_process import Client, Page, Server, free_port

from packager.host.metrics_folder import clear

HERE = Path(__file__).parent
SERVER_CORE = 0
LOAD_CORE = 1
ROOT = f"/live/{NAME}/"
PLAYLIST = f"{ROOT}{PLAYLIST_TRACK}/index.m3u8"
WINDOW = "44s"
"""Segments of the rolling playlist: two kilobytes."""
_SECRET = "guards-nothing"  # noqa: S105 - a key without a use
_TOKEN_KEY = "of-the-benchmark-which-guards-nothing-at-all"  # noqa: S105 - as above


class Refused(Exception):  # noqa: N818 - an outcome, not a fault
    """A server rejects its configuration."""


class Site:
    """The served files on tmpfs, and the servers for them."""

    def __init__(self, folder: Path, channel: LiveChannel) -> None:
        """Use `folder`, whose `data` has the channel."""
        self.folder = folder
        self.channel = channel
        self._started = 0
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.files = hard
        self.start_over = ROOT + channel.start_over
        self.sets = {name: [ROOT + file for file in channel.files(name)] for name in SETS}
        self._snapshot()

    def _snapshot(self) -> None:
        """Write the playlists of the origin and the media as files."""
        origin = self.origin("snapshot", {})
        client = Client(origin.port)
        try:
            self.playlist = client.get(PLAYLIST)
            self.start_over_page = client.get(self.start_over, {"Accept-Encoding": "gzip"})
            segments = {
                path: client.get(path).headers for paths in self.sets.values() for path in paths
            }
        finally:
            client.close()
            origin.stop()
        if self.start_over_page.headers.get("content-encoding") != "gzip":
            raise SystemExit(f"{self.start_over}: {self.start_over_page}")
        www = self.folder / "www"
        self._save(www, PLAYLIST, self.playlist.body)
        self._save(www, f"{self.start_over}.gz", self.start_over_page.body)
        for path in segments:
            target = www / path[1:]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.hardlink_to(self.folder / "data" / path.removeprefix("/live/"))
        self._list_for_c(www, segments)

    def _save(self, www: Path, path: str, body: bytes) -> None:
        target = www / path[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)

    def _list_for_c(self, www: Path, segments: Mapping[str, Mapping[str, str]]) -> None:
        pages = {PLAYLIST: self.playlist.headers, self.start_over: self.start_over_page.headers}
        lines = []
        for index, (path, headers) in enumerate({**pages, **segments}.items()):
            file = www / (path[1:] + (".gz" if path == self.start_over else ""))
            names = [self.folder / f"{index}.header", self.folder / f"{index}.unchanged"]
            header_text = "".join(
                f"{name}: {value}\r\n"
                for name, value in headers.items()
                if name not in ("content-length", "x-request-id")
            )
            full = f"HTTP/1.1 200 OK\r\nContent-Length: {file.stat().st_size}\r\n{header_text}\r\n"
            names[0].write_text(full)
            names[1].write_text(f"HTTP/1.1 304 Not Modified\r\n{header_text}\r\n")
            lines.append(f"{path}\t{names[0]}\t{file}\t{headers['etag']}\t{names[1]}\n")
        (self.folder / "list").write_text("".join(lines))

    def _start(self, name: str, command: list[str], port: int, *, pinned: bool = True) -> Server:
        self._started += 1
        log = self.folder / f"{self._started}.log"
        pin = ["taskset", "-c", str(SERVER_CORE)] if pinned else []
        with log.open("ab") as out:
            process = subprocess.Popen(
                [*pin, *command], stdout=out, stderr=out, start_new_session=True
            )
        server = Server(name, port, process, (log,))
        deadline = time.monotonic() + 30
        while not _listens(port):
            if process.poll() is not None:
                raise Refused((log.read_text().strip().splitlines() or ["it ended"])[-1])
            if time.monotonic() > deadline:
                server.stop()
                raise SystemExit(f"{name} does not listen: {log.read_text()[-2000:]}")
            time.sleep(0.02)
        return server

    def compiled(self, name: str) -> Path:
        """Compile a C program of this folder."""
        program = self.folder / name
        if not program.exists():
            source = HERE / f"{name}.c"
            subprocess.run(["gcc", "-O2", "-o", str(program), str(source)], check=True)
        return program

    def limit(self) -> Server:
        """Start the C server."""
        program = self.compiled("limit")
        port = free_port()
        return self._start("c", [str(program), str(port), str(self.folder / "list")], port)

    def nginx(self, *, guarded: bool = False, pinned: bool = True) -> Server:
        """Start nginx for files; `guarded` adds a token, an access log and the headers of a CDN."""
        port = free_port()
        home = self.folder / f"nginx-{port}"
        home.mkdir()
        access = home / "access.log"
        config = home / "nginx.conf"
        config.write_text(
            _NGINX.format(
                home=home,
                files=self.files,
                connections=min(16_384, self.files - 64),
                www=self.folder / "www",
                port=port,
                view=self.start_over.rpartition("/")[0],
                log=f"{access} combined buffer=64k" if guarded else "off",
                guard=_GUARD.format(secret=_SECRET) if guarded else "",
            )
        )
        program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") or "nginx"
        command = [program, "-p", str(home), "-c", str(config)]
        server = self._start("nginx-guarded" if guarded else "nginx", command, port, pinned=pinned)
        server.logs += (access,)
        if guarded:
            server.query = _nginx_token
        return server

    def origin(
        self,
        name: str,
        settings: Mapping[str, object],
        *,
        tokens: bool = False,
        pinned: bool = True,
        supervised: bool = False,
    ) -> Server:
        """Start an origin that follows the same channel.

        `supervised`: under a supervisor that starts the number of workers of the settings.

        Raises:
            Refused: the origin does not know a setting.
        """
        port = free_port()
        home = self.folder / f"origin-{port}"
        data = home / "data"
        data.mkdir(parents=True)
        (data / NAME).symlink_to(self.folder / "data" / NAME)
        channel: dict[str, object] = {
            "source": {"type": "pattern"},
            "ladder": "sports-1080p25",
            "window": WINDOW,
            "retention": "13h",
        }
        if tokens:
            channel["access"] = {"token_keys": [_TOKEN_KEY]}
        ports = {"host": "127.0.0.1", "port": port, "control_port": free_port()}
        config = home / "bench.yaml"
        config.write_text(
            yaml.safe_dump(
                {"data": "data", "origin": {**ports, **settings}, "channels": {NAME: channel}}
            )
        )
        try:
            token = _Token(config) if tokens else None
            program = ["packager", "origin"] if supervised else ["origin"]
            command = [sys.executable, "-m", *program, "-c", str(config)]
            server = self._start(name, command, port, pinned=pinned)
        except Refused as refused:
            raise Refused(str(refused).replace(str(config), "FILE")) from None
        if token is not None:
            server.query, server.renew = token.query, token.renew
        server.after.append(lambda: clear(data))
        _wait_until_it_serves(server)
        return server


class _Token:
    """A token as `ringside token` prints it."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._said = ""
        self.renew()

    def renew(self) -> None:
        """Make a new token."""
        command = [sys.executable, "-m", "packager", "token", "-c", str(self._config), NAME]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            error = (done.stderr.strip().splitlines() or ["no word"])[-1]
            # An older Ringside, which may be measured too, has another text.
            is_unknown = "invalid choice" in error or "no command" in error
            raise Refused("no command `ringside token`" if is_unknown else error)
        self._said = f"?token={done.stdout.splitlines()[0].strip()}"

    def query(self, _: str) -> str:
        """The query of the token, which is valid for all paths of the channel."""
        return self._said


def _nginx_token(path: str) -> str:
    expires = 4_000_000_000
    digest = hashlib.md5(f"{expires}{path} {_SECRET}".encode(), usedforsecurity=False).digest()
    return f"?md5={base64.urlsafe_b64encode(digest).decode().rstrip('=')}&expires={expires}"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait_until_it_serves(server: Server) -> None:
    deadline = time.monotonic() + 30
    while True:
        page = Page(0, {}, b"")
        with suppress(OSError, http.client.HTTPException):
            client = Client(server.port)
            page = client.get(server.url(PLAYLIST))
            client.close()
        if page.status == 200:
            return
        if time.monotonic() > deadline or server.process.poll() is not None:
            server.stop()
            raise SystemExit(f"{server.name} does not serve: {page}")
        time.sleep(0.02)


def described(settings: Mapping[str, object], *, tokens: bool) -> str:
    """A configuration in one line."""
    text = json.dumps(settings) if settings else "defaults"
    return f"{text}{', tokens' if tokens else ''}"


_NGINX = """\
daemon off;
worker_processes 1;
worker_rlimit_nofile {files};
error_log stderr warn;
pid {home}/pid;
events {{ worker_connections {connections}; multi_accept on; }}
http {{
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    types {{ application/vnd.apple.mpegurl m3u8; video/mp4 m4s; }}
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    etag on;
    keepalive_timeout 75s;
    keepalive_requests 1000000000;
    open_file_cache max=10000 inactive=1h;
    open_file_cache_valid 1h;
    access_log {log};
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        root {www};
        {guard}
        location / {{ }}
        location {view}/ {{ gzip_static on; }}
    }}
}}
"""
_GUARD = """\
secure_link $arg_md5,$arg_expires;
        secure_link_md5 "$secure_link_expires$uri {secret}";
        if ($secure_link = "") {{ return 403; }}
        if ($secure_link = "0") {{ return 410; }}
        add_header Cache-Control "public, max-age=31536000, immutable";
        add_header Access-Control-Allow-Origin "*";
        add_header X-Request-ID $request_id;"""
