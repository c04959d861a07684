"""docs/rules/privacy.md, row by row."""

import re
from datetime import UTC, datetime

from daifa.domain.privacy.rules import Answer, nearest, verdict
from tests.worked_tables import stories

STORIES = {story.title: story for story in stories("privacy.md")}


def day(text: str) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


def test_may_it_go():
    rows = STORIES["May it go?"].tables["order ended"]
    assert len(rows) == 12
    for row in rows:
        answer = Answer(int(row["at least"]), int(row["at most"]) if row["at most"] else None) if row["at least"] else None
        found = verdict(
            answer, ended_at=day(row["order ended"]), at=day(row["now"]), asked=row["asked for"] == "yes", holds=row["held"] == "yes"
        )
        assert (found.code, found.until, found.may) == (row["why not"], day(row["until"]), not row["why not"]), row


def test_which_answer_counts():
    story = STORIES["Which answer counts?"]
    known = {
        (int(store) if store != "*" else None, country): int(days)
        for store, country, days in re.findall(r"`(\d|\*)/(\w*)` (\d+) days", story.prose)
    }
    assert len(known) == 4
    for row in story.tables["store"]:
        assert nearest(known, int(row["store"]), row["buyer's country"]) == int(row["answer"]), row
    assert nearest({}, 1, "GB") is None
