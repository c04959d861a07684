"""kill -9 at random moments: the shop goes on where it stopped; nothing is bought, said, shipped or posted twice or lost."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.db import connection, connections

from daifa.lib import clock
from tests import cast
from tests.living_shop import FILES, ORDERS

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ROOT = Path(__file__).parents[2]
SEED = int(os.environ.get("KILL_SEED", "0")) or random.randrange(10**6)
KILLS = 7


def url_of(name: str) -> str:
    parts = urlsplit(os.environ["DATABASE_URL"])
    return urlunsplit(parts._replace(path=f"/{name}"))


@pytest.fixture
def apart(tmp_path):
    """A database of its own on the server of the tests; yields the environment to work there."""
    test_database = connection.settings_dict["NAME"]
    name = f"{test_database}_kill_{os.getpid()}"
    connections.close_all()
    with psycopg.connect(url_of("postgres"), autocommit=True) as server:
        # Whatever a thread of an earlier test left open, or the server's own cleaning, would forbid the copy.
        server.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", (test_database,))
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{test_database}"')
    try:
        yield os.environ | {
            "DATABASE_URL": url_of(name), "DAIFA_HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "daifa.config.settings",
            "DAIFA_LOG_LEVEL": "ERROR", "PYTHONPATH": str(ROOT),
        }  # fmt: skip
    finally:
        with psycopg.connect(url_of("postgres"), autocommit=True) as server:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def run(environment, *words, **more) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, *words], env=environment, cwd=ROOT, text=True, **more)


def checked(environment) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "tests.living_shop", "check"], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_killed_at_random_moments_the_shop_loses_and_doubles_nothing(apart):
    print(f"KILL_SEED={SEED}")  # the moments again, as far as the machine allows
    dice = random.Random(SEED)
    killed = 0
    while True:
        process = run(apart, "-m", "tests.living_shop", "live", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        if process.stdout.readline() == "alive\n" and killed < KILLS:
            try:
                process.wait(dice.uniform(0.05, 0.5))  # its whole life takes a few seconds
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                killed += 1
        _, complaint = process.communicate(timeout=90)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, complaint
    assert killed >= 3, "it was over before it could be killed"
    found = checked(apart)
    orders = ORDERS * FILES
    assert found["audit"] == []
    assert set(found["imports"]) == {"done"}
    assert found["orders"] == {"delivered": orders}
    assert found["purchases"] == {"closed": 2 * orders} and found["purchases_of_order"] == {"2": orders}
    assert (found["taken"], found["taken_at_most"], found["unknown_there"]) == (orders, 1, 0)
    assert set(found["runs"]) == {"placed"} and all(times == 1 for times in found["run_mails"].values())
    assert found["parcels"] == {"delivered": 2 * orders} and found["numbers"] == 2 * orders
    assert found["parcels_of_order"] == {"2": orders} and found["notices"] == {"1": 2 * orders}
    told = found["messages"]
    assert sum(n for what, n in told.items() if what.startswith("order_received")) == orders
    assert sum(n for what, n in told.items() if what.startswith("dispatched")) == 2 * orders
    sent = sum(n for what, n in told.items() if what.endswith(" sent"))
    doubted = sum(n for what, n in told.items() if what.endswith((" unknown", " sending")))
    assert sent <= found["letters"] <= sent + doubted, "a letter for each that was sent, none besides those in doubt"
    assert doubted <= killed * 100
    assert (found["entries"]["order_paid"], found["entries"]["purchase_accepted"]) == (orders, 2 * orders)
    assert found["entries"]["parcel_handed_over"] == 2 * orders


def test_the_worker_killed_in_the_middle_of_its_work(apart, tmp_path):
    environment, orders = apart, 150
    assert run(environment, "-m", "tests.living_shop", "open").wait(60) == 0
    (tmp_path / "orders.csv").write_bytes(cast.order_file([f"w{n}" for n in range(orders)], at=clock.now()))
    subprocess.run(
        [sys.executable, "-m", "daifa.cli.main", "import", "orders", str(tmp_path / "orders.csv"), "--store", "gifts"],
        env=environment, cwd=ROOT, check=True, timeout=60, capture_output=True,
    )  # fmt: skip
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as watch:

        def count(query: str) -> int:
            return watch.execute(query).fetchone()[0]

        def until(query: str, number: int, seconds: float) -> None:
            ends = time.monotonic() + seconds
            while count(query) < number:
                assert time.monotonic() < ends, f"{query}: {count(query)} of {number}"
                time.sleep(0.02)

        output = (tmp_path / "worker.log").open("w")
        worker = run(environment, "-m", "daifa.worker", stdout=output, stderr=output)
        try:
            until("SELECT count(*) FROM purchasing_purchaseorder", 1, 40)
            worker.send_signal(signal.SIGKILL)
            worker.wait(10)
            worker = run(environment, "-m", "daifa.worker", stdout=output, stderr=output)
            until("SELECT count(*) FROM purchasing_placementattempt WHERE state = 'accepted' AND run_id IS NULL", orders, 50)
            until("SELECT count(*) FROM buyer_messages_message WHERE kind = 'order_received' AND state = 'sent'", orders, 50)
        finally:
            worker.send_signal(signal.SIGTERM)
            try:
                worker.wait(15)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
            output.close()
    found = checked(environment)
    assert found["audit"] == []
    assert (found["taken"], found["taken_at_most"]) == (orders, 1) and found["purchases_of_order"] == {"2": orders}
    assert found["entries"]["order_paid"] == orders
