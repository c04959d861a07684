"""The door of time: `schedule.py` says what runs how often, `jobs.py` calls one flow each. The engine is Procrastinate."""
