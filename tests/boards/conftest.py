"""A root folder that looks like a board's, and a server on this machine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bnncore.boards import detection

VARIABLES = (
    "BOARD",
    "XILINX_XRT",
    "BNNCORE_BITSTREAMS",
    "BNNCORE_BITSTREAMS_ACCEPT",
    "BNNCORE_FOREIGN_OVERLAY",
)


@pytest.fixture(autouse=True)
def plain_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no variable of the tester's, nor a real board or cache, matter."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("BNNCORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(detection, "_ROOT", tmp_path / "root")


@pytest.fixture
def board(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that makes this machine look like a board with that name."""

    def make(name: str | None, model: str = "Digilent PYNQ", files: dict[str, str] | None = None) -> Path:
        root = tmp_path / "root"
        contents = {
            "proc/device-tree/model": model + "\0",
            "sys/class/fpga_manager/fpga0/state": "operating\n",
            **(files or {}),
        }
        if name is not None:
            contents["proc/device-tree/chosen/pynq_board"] = name + "\0"
        for place, content in contents.items():
            (root / place).parent.mkdir(parents=True, exist_ok=True)
            (root / place).write_text(content)
        return root

    return make


class Server:
    """Files by path, and what goes wrong with them.

    Attributes:
        files: path to content.
        cut: how many of the next answers break off half way.
        lie: answers announce as many bytes as they have, but send other ones.
        asked: paths in the order in which they were asked for.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.files: dict[str, bytes] = {}
        self.cut = 0
        self.failures = 0
        self.asked: list[str] = []


@pytest.fixture
def server() -> Iterator[Server]:
    """Return a web server on 127.0.0.1."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            if state.failures:
                state.failures -= 1
                self.send_error(503)
                return
            content = state.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if state.cut:
                state.cut -= 1
                content = content[: len(content) // 2]
                self.close_connection = True
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = Server(f"http://127.0.0.1:{web.server_port}")
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    web.shutdown()
    thread.join()
    web.server_close()
