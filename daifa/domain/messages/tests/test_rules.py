"""Pure decisions about messages, with the worked table of docs/rules/messages.md."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from daifa.domain.messages import rules
from daifa.domain.messages.default_templates import DEFAULTS
from daifa.domain.messages.process import KINDS

AT = datetime(2026, 3, 20, 12, tzinfo=UTC)
PAGE = (Path(__file__).resolve().parents[4] / "docs/rules/messages.md").read_text()


def worked_table() -> list[list[str]]:
    lines = PAGE.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("| kind | store |")) + 2
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


@pytest.mark.parametrize("row", worked_table(), ids=lambda row: " ".join(c for c in row if c != "–"))
def test_worked_table(row):
    (
        kind,
        store,
        allowed,
        invitations,
        consent,
        history,
        units,
        cancelled,
        delivered,
        address,
        parcel,
        days,
        answer,
    ) = row

    def given(cell, usual):
        return usual if cell == "–" else cell

    facts = rules.Facts(
        store_kind=given(store, "manual"),
        messages_allowed=given(allowed, "yes") == "yes",
        review_invitations=given(invitations, "no") == "yes",
        has_consent=given(consent, "no") == "yes",
        is_history=given(history, "no") == "yes",
        units=int(given(units, 2)),
        cancelled=int(given(cancelled, 0)),
        delivered=int(given(delivered, 0)),
        email={"–": "anna@buyers.daifa.co.uk", "none": ""}.get(address, address),
        parcel_state=given(parcel, "in_transit"),
        happened_at=None
        if kind in ("delayed", "number_changed", "review", "store_closing")
        else AT - timedelta(days=int(given(days, 0))),
    )
    assert rules.why_not(kind, facts, AT) == ("" if answer == "send" else answer)


def test_the_page_names_every_reason_and_placeholder():
    for reason in ("marketplace", "not_allowed", "history", "nothing_to_ship", "cancelled", "no_email", "bad_email",
                   "review_off", "consent_missing", "overtaken", "too_late", "cap"):  # fmt: skip
        assert f"`{reason}`" in PAGE
        assert all(rules.reason_words(reason, language) != reason for language in ("en", "zh-hans"))
    for names in rules.PLACEHOLDERS.values():
        assert all(f"`{name}`" in PAGE for name in names)


@pytest.mark.parametrize("language", rules.LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_words_in_every_language(kind, language):
    subject, body = DEFAULTS[kind, language]
    assert rules.check_words(kind, language, subject, body) == []
    shown_subject, shown_body = rules.preview(kind, language, subject, body, store_name="Kiln & Loom")
    assert "{" not in shown_subject + shown_body
    assert "Kiln & Loom" in shown_body
    assert "E-10042" in shown_subject + shown_body
    chinese = any("\u4e00" <= letter <= "\u9fff" for letter in shown_subject)
    assert chinese == (language == "zh")
    if kind == "number_changed":
        old, new = (rules.example(kind, language)[name] for name in ("old_number", "number"))
        assert old in shown_body
        assert new in shown_body


@pytest.mark.parametrize(
    ("subject", "body", "said"),
    [
        ("Hi {{ order_numbr }}", "x", "order_numbr"),
        ("Hi", "{{ order.number }}", "double braces"),
        ("Hi", "{{ order_number|upper }}", "double braces"),
        ("Hi", "{{ __class__ }}", "__class__"),
        ("Hi", "{{ 7*7 }}", "double braces"),
        ("Hi", "{% if x %}", "double braces"),
        ("Hi", "{{ order_number", "double braces"),
        ("Hi", "{{{ order_number }}}x }}", "double braces"),
        ("Hi", "{{ old_number }}", "You can use: store_name"),
        ("", "x", "subject is empty"),
        ("Hi", " \n ", "text is empty"),
        ("Hi\nBcc: all@example.com", "x", "one line"),
        ("Hi\rX: y", "x", "one line"),
        ("Hi", "a\x00b", "control characters"),
        ("x" * 201, "x", "200"),
        ("Hi", "x" * 10_001, "10000"),
        ("{{ items }}", "x", "subject"),
    ],
)
def test_a_template_that_cannot_work_is_refused_with_a_sentence(subject, body, said):
    [sentence] = rules.check_words("dispatched", "en", subject, body)
    assert said in sentence


def test_unknown_kind_and_language_are_refused():
    assert "gossip" in rules.check_words("gossip", "en", "x", "y")[0]
    assert "en, zh" in rules.check_words("review", "fr", "x", "y")[0]


def test_values_are_put_in_once_and_cannot_break_the_header():
    subject, body = rules.render(
        "For {{ buyer_name }}", "{{buyer_name}}: {{ items }}",
        {"buyer_name": "Eve\r\nBcc: all@example.com {{ total }}", "items": "1 × a\n2 × b", "total": "99"}, "en",
    )  # fmt: skip
    assert subject == "For Eve Bcc: all@example.com {{ total }}"
    assert "\r" not in body
    assert "99" not in body
    assert body.endswith("1 × a\n2 × b")


def test_what_is_not_known_is_said_politely():
    assert rules.render("x", "Dear {{ buyer_name }}", {}, "en")[1] == "Dear customer"
    assert rules.render("x", "{{ buyer_name }}，您好", {"buyer_name": ""}, "zh")[1] == "尊敬的顾客，您好"


def test_a_long_subject_is_cut():
    assert len(rules.render("{{ store_name }}", "x", {"store_name": "ab " * 100}, "en")[0]) == 200


def test_days_are_the_stores_own():
    late = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)
    assert rules.day(late, "Asia/Shanghai", "zh") == "2026年3月3日"
    assert rules.day(late, "America/New_York", "en") == "2 March 2026"
    assert rules.day(None, "UTC", "en") == ""


def test_long_lists_of_goods_end():
    lines = rules.items([(f"thing\n{n}", 1) for n in range(60)]).split("\n")
    assert lines[0] == "1 × thing 0"
    assert len(lines) == rules.MAX_ITEMS + 1
    assert lines[-1] == "…"


@pytest.mark.parametrize("language", ["zh", "zh-hans", "zh-Hant", "ZH"])
def test_any_chinese_is_written_to_in_chinese(language):
    assert rules.language_of(language) == "zh"
    assert rules.language_of("de") == "en"


def test_pauses_grow_and_end():
    waits = [rules.next_try(n, AT) for n in range(1, 8)]
    assert waits[-1] is None
    assert waits[:-1] == sorted(waits[:-1])
    assert rules.tries_in("later:3") == 3
    assert rules.tries_in("later:x") == rules.tries_in("refused:550") == rules.tries_in("") == 0


def test_tracking_links_hold_any_number():
    assert rules.tracking_url("AB 1/2&c", "en") == "https://t.17track.net/en#nums=AB%201%2F2%26c"
    assert rules.tracking_url("", "zh") == ""
