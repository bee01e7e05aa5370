"""The health check of the image passes for an origin that serves, and for no other."""

import os
import socket
import subprocess
from threading import Thread

import pytest

from tests.paths import ROOT


def checked(port: int) -> int:
    program = [ROOT / "deploy/healthcheck"]
    return subprocess.run(program, env={**os.environ, "PORT": str(port)}, check=False).returncode


def answered(answer: bytes) -> int:
    """Exit code when the origin sends `answer` and keeps the connection."""
    request, kept = bytearray(), list[socket.socket]()

    def serve() -> None:
        sock, _ = listener.accept()
        kept.append(sock)
        while b"\r\n\r\n" not in request:
            request.extend(sock.recv(1024))
        sock.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=serve)
        thread.start()
        code = checked(listener.getsockname()[1])
        thread.join()
    kept[0].close()
    assert request.startswith(b"GET /healthz HTTP/1.1\r\nHost: ")
    return code


def test_an_origin_that_serves_is_healthy() -> None:
    assert answered(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n") == 0


@pytest.mark.parametrize("answer", [b"HTTP/1.1 503 Service Unavailable\r\n\r\n", b"200\r\n"])
def test_any_other_answer_is_not(answer: bytes) -> None:
    assert answered(answer) == 1


def test_a_closed_port_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert checked(port) == 1
