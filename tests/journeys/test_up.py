"""`daifa up`, as a person starts, interrupts, kills and starts it again."""

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest

from daifa.config.database import Cluster

pytestmark = pytest.mark.slow


class Shop:
    """A home of its own, and the `daifa up` on it."""

    def __init__(self):
        self.home = Path(tempfile.mkdtemp(prefix="daifa-up-", dir="/tmp"))
        self.home.chmod(0o711)
        with closing(socket.socket()) as trial:
            trial.bind(("127.0.0.1", 0))
            self.port = trial.getsockname()[1]
        kept = {
            k: v for k, v in os.environ.items() if not k.startswith(("DAIFA_", "DATABASE_URL", "DJANGO_"))
        }
        self.environment = {**kept, "DAIFA_HOME": str(self.home), "PYTHONUNBUFFERED": "1"}
        self.said = self.home / "said"
        self.process = None

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "daifa.cli.main", *words]

    def up(self) -> float:
        """Start it and wait for its greeting; returns the seconds that took."""
        began = time.monotonic()
        with self.said.open("w") as said:
            self.process = subprocess.Popen(
                self.command("up", "--no-sample", "--port", str(self.port)), stdout=said, stderr=subprocess.STDOUT,
                env=self.environment, start_new_session=True,
            )  # fmt: skip
        while "Stop: Ctrl-C" not in self.said.read_text():
            assert self.process.poll() is None, self.said.read_text()
            assert time.monotonic() - began < 90, self.said.read_text()
            time.sleep(0.05)
        return time.monotonic() - began

    def left(self) -> list[str]:
        """Command lines of living processes that belong to this home."""
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    environment = (folder / "environ").read_bytes()
                    words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                if (
                    f"DAIFA_HOME={self.home}".encode() in environment.split(b"\0")
                    or f"{self.home}/pg " in words
                ):
                    found.append(words)
        return found

    def request(self, method: str, path: str, cookies: dict[str, str], body: str = "") -> tuple[int, str]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items())}
            if body:
                headers |= {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            for name, value in answer.getheaders():
                if name.lower() == "set-cookie":
                    key, _, rest = value.partition("=")
                    cookies[key] = rest.split(";")[0]
            return answer.status, answer.read().decode()

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        Cluster(self.home).stop()
        shutil.rmtree(self.home, ignore_errors=True)


@pytest.fixture
def shop():
    made = Shop()
    yield made
    made.close()


def promised() -> float:
    """A second start takes ten seconds at most; on a machine busy with other things the test is patient."""
    return 10 if os.getloadavg()[0] <= (os.cpu_count() or 1) else 45


def until_gone(shop: Shop, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while left := shop.left():
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def test_up_greets_logs_the_owner_in_recovers_and_stops_everything(shop):
    assert shop.up() < 60
    path = re.search(r"(/login/once/\S+)", shop.said.read_text())[1]
    cookies: dict[str, str] = {}
    status, page = shop.request("GET", path, cookies)
    assert status == 200
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
    status, _ = shop.request("POST", path, cookies, f"csrfmiddlewaretoken={token}")
    assert status == 302 and "daifa_session" in cookies

    # A second one on the same home, and one on the same port, are refused with a sentence.
    again = subprocess.run(
        shop.command("up", "--port", str(shop.port)),
        env=shop.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert again.returncode == 1 and "already running" in again.stderr

    # A short command beside it leaves the database running.
    listed = subprocess.run(
        shop.command("login-link"), env=shop.environment, capture_output=True, text=True, timeout=60
    )
    assert listed.returncode == 0 and "/login/once/" in listed.stdout
    assert shop.request("GET", "/healthz", {})[0] == 200

    # kill -9 of `daifa up` alone: its parts go with it, the next start recovers.
    shop.process.kill()
    shop.process.wait()
    assert shop.up() < promised()

    # kill -9 of everything at once, the database too.
    pids = [shop.process.pid, Cluster(shop.home).running()]
    pids += [int(pid) for pid in subprocess.run(
        ["pgrep", "-P", str(shop.process.pid)], capture_output=True, text=True).stdout.split()]  # fmt: skip
    for pid in set(pids):
        os.kill(pid, signal.SIGKILL)
    shop.process.wait()
    until_gone(shop, 10)  # what they had started goes too; until then the port is taken
    assert shop.up() < promised()
    status, _ = shop.request("GET", "/account/2fa/", cookies)
    assert status in (200, 302), "the session is still known"

    os.kill(shop.process.pid, signal.SIGINT)
    assert shop.process.wait(30) == 0, shop.said.read_text()
    until_gone(shop, 5)
    assert "Traceback" not in shop.said.read_text()


def test_a_busy_port_is_a_sentence(shop):
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        refused = subprocess.run(
            shop.command("up", "--port", str(port)),
            env=shop.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert refused.returncode == 1
    assert f"Cannot listen on 127.0.0.1 port {port}" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert shop.left() == []
