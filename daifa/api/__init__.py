"""The door for programs: `/api/v1/…`, one module a subject in `v1/`. Translate in, one call, translate out."""
