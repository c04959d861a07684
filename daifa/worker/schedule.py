"""What runs how often. Business waits are rows with a due time, swept here; the engine's own retry is for technical ones.

`react` is also woken by every commit that owes a reaction; the sweep catches a wake-up that got lost.
"""

from __future__ import annotations

from procrastinate import JobContext
from procrastinate.contrib.django import app

from daifa.worker import jobs

# cron with seconds last: every 10 seconds, every minute …
SCHEDULE = {
    jobs.react: "* * * * * */10",
    jobs.submit_purchases: "* * * * * */15",
    jobs.send_messages: "* * * * * */20",
    jobs.send_listings: "* * * * * */30",
    jobs.send_runs: "*/2 * * * *",
    jobs.ask_suppliers: "*/5 * * * *",
    jobs.track_parcels: "*/5 * * * *",
    jobs.read_photos: "* * * * *",
    jobs.gather_packs: "* * * * * 5-59/10",
    jobs.find_risks: "23 * * * *",
    jobs.keep_clocks: "3-59/5 * * * *",
    jobs.chase_suppliers: "8-59/10 * * * *",
    jobs.keep_metrics: "23 * * * *",
    jobs.sample_factories: "7,27,47 * * * *",
    jobs.keep_closings: "11 * * * *",
    jobs.keep_standings: "* * * * * 30",
    jobs.do_asked_steps: "* * * * * 8-59/15",
    jobs.watch_cases: "4-59/10 * * * *",
    jobs.tidy: "17 * * * *",
    jobs.measure_months: "40 3 * * *",
    jobs.list_words: "47 2 * * *",
    jobs.keep_retention: "23 3 * * *",
    jobs.watch_rules: "41 * * * *",
}


for _task, _cron in SCHEDULE.items():
    app.periodic(cron=_cron)(_task)


@app.periodic(cron="* * * * * */15")
@app.task(name="daifa.retry_stalled", queueing_lock="retry_stalled", pass_context=True)
async def retry_stalled(context: JobContext, timestamp: int) -> None:
    """Jobs of a killed worker run again. No `lock` here: with one it could stall itself."""
    for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=20):
        await app.job_manager.retry_job(job)
