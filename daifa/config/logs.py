"""Log lines without rows: PostgreSQL repeats values of the row in DETAIL and CONTEXT, which may be a buyer's address."""

import logging

_CARRIES_VALUES = ("DETAIL:", "CONTEXT:", "LINE ", "HINT:")


class RowlessFormatter(logging.Formatter):
    """Leaves PostgreSQL's DETAIL, CONTEXT, LINE and HINT lines out of tracebacks and messages."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if not any(mark in text for mark in _CARRIES_VALUES):
            return text
        return "\n".join(line for line in text.split("\n") if not line.lstrip().startswith(_CARRIES_VALUES))
