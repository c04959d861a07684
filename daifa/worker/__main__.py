"""`python -m daifa.worker`: one worker process. Start as many as there are cores; they share the work."""

from __future__ import annotations

import os
import sys


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "daifa.config.settings")
    from daifa.config import database

    try:
        database.ensure_database()
    except database.DatabaseUnavailable as why:
        print(why, file=sys.stderr)
        return 1
    import django

    django.setup()
    from procrastinate.contrib.django import app

    from daifa.domain.stores.commands import ensure_installation
    from daifa.flows.one_clock import live_clock
    from daifa.lib import clock
    from daifa.lib.refusal import Refused
    from daifa.worker import schedule  # noqa: F401  (registers the periodic jobs)
    from daifa.worker.keeping import tidy

    try:
        with live_clock():  # on this thread's connection, which stays open as long as the worker lives
            ensure_installation(clock.now())
            tidy(at=clock.now())
            worker_app = app.with_connector(app.connector.get_worker_connector())
            worker_app.run_worker(concurrency=2, delete_jobs="successful", listen_notify=True)
    except Refused as why:
        print(why.sentence, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
