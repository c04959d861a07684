"""How pages name a rule of the book: by its title, with the way to its page; the id stands small beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString

from daifa.domain.policy import queries, telling
from daifa.web.pages import places

Titles = Mapping[str, str]
"""Rule → its title in the reader's language; what the book does not know is not in it. Read once for a table."""


def rule_titles(rule_ids: Iterable[str]) -> Titles:
    return {rule_id: str(title) for rule_id, title in queries.titles(rule_ids).items()}


def rule_sentences(rule_ids: Iterable[str]) -> Titles:
    """As `rule_titles`, each with what it measures: where a title alone ("Deposit not yet returned") would say the opposite."""
    return {rule_id: telling.sentence(rule) for rule_id, rule in queries.newest(rule_ids).items()}


def rule_title(rule_id: str, titles: Titles | None = None) -> str:
    """The rule's title; what the book does not know is shown as it is."""
    known = rule_titles([rule_id]) if titles is None else titles
    return known.get(rule_id, rule_id)


class RuleName(NamedTuple):
    """A rule in a list: on the page its title, in a file the title with the id behind it."""

    title: str
    rule_id: str

    def __html__(self) -> str:
        return escape(self.title)

    def __str__(self) -> str:
        return self.title if self.title == self.rule_id else f"{self.title} ({self.rule_id})"


def rule_name(rule_id: str, titles: Titles | None = None) -> RuleName:
    return RuleName(rule_title(rule_id, titles), rule_id)


def rule_link(rule_id: str, titles: Titles | None = None) -> SafeString | str:
    """Title with its page, and the id beside it; "" for no rule, an unknown one as it is."""
    title = rule_title(rule_id, titles)
    if title == rule_id:
        return rule_id
    return format_html('<a href="{}">{}</a> <span class="code">{}</span>', places.place("rule", rule_id), title, rule_id)


def rule_code(rule_id: str, titles: Titles | None = None) -> SafeString | str:
    """The id, to stand small under a title; "" where the title is the id."""
    return format_html('<span class="code">{}</span>', rule_id) if rule_title(rule_id, titles) != rule_id else ""
