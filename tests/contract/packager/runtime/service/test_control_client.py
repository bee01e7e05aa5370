"""Orders to what answers on the control port, and is no Ringside."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from packager.errors import SetupError
from packager.runtime.service import control_client


@contextmanager
def answering(response: bytes) -> Iterator[str]:
    """A server that sends these bytes to its first client."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(response)

        thread = Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"220 mail.example ESMTP\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n[",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[1]",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\n<html>",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 99\r\n\r\n<html>",
    ],
)
def test_any_response_gives_one_line(response: bytes) -> None:
    with answering(response) as base, pytest.raises(SetupError) as caught:
        control_client.listed(control_client.ControlPort(base), "tv")
    assert str(caught.value).isprintable()
