from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.apps import apps
from django.utils import translation

from daifa.lib import clock
from daifa.lib.money import Money
from daifa.web.kit import format as fmt
from daifa.web.kit import states

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture(autouse=True)
def noon():
    with clock.moved_to(NOON):
        yield


@pytest.mark.parametrize(
    ("language", "amount", "currency", "shown"),
    [
        ("en", "1234.5", "GBP", "£1,234.50"),
        ("en", "-5", "GBP", "-£5.00"),
        ("en", "1234", "JPY", "JP¥1,234"),
        ("en", "1234.5", "CNY", "CN¥1,234.50"),
        ("en", "0.0041", "KWD", "KWD0.004"),
        ("zh-hans", "1234.5", "CNY", "¥1,234.50"),
        ("zh-hans", "-0.5", "USD", "-US$0.50"),
        ("zh-hans", "12345678.9", "GBP", "£12,345,678.90"),
    ],
)
def test_money(language, amount, currency, shown):
    with translation.override(language):
        assert fmt.money_text(Money(Decimal(amount), currency)) == shown
        assert fmt.money_text(Decimal(amount), currency) == shown


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_money_agrees_with_babel_for_every_currency_in_use(language):
    """The quick way (one frame per currency) writes what Babel writes."""
    from babel.numbers import format_currency

    with translation.override(language):
        for currency in ("GBP", "EUR", "USD", "CNY", "JPY", "KRW", "HKD", "TWD", "CHF", "SEK", "PLN", "AUD", "SGD"):
            for amount in ("0", "1", "12.3", "-1234567.89", "999.995"):
                wanted = format_currency(Decimal(amount), currency, locale=fmt.locale())
                assert fmt.money_text(Decimal(amount), currency) == wanted, (currency, amount)


@pytest.mark.parametrize(
    ("distance", "english", "chinese"),
    [
        (timedelta(seconds=-10), "just now", "刚刚"),
        (timedelta(minutes=-1), "1 minute ago", "1 分钟前"),
        (timedelta(seconds=3599), "in 1 hour", "1 小时后"),
        (timedelta(hours=-3), "3 hours ago", "3 小时前"),
        (timedelta(days=2), "in 2 days", "2 天后"),
        (timedelta(days=-40), "13 Oct 2026", "2026年10月13日"),
    ],
)
def test_relative_times(distance, english, chinese):
    for language, shown in (("en", english), ("zh-hans", chinese)):
        with translation.override(language):
            assert fmt.relative_text(NOON + distance) == shown


def test_times_are_shown_in_the_stores_zone_with_the_exact_one_as_title():
    with translation.override("en"):
        html = fmt.when(NOON, SHANGHAI)
        assert ">22 Nov 20:00</time>" in html and 'title="22 Nov 2026, 20:00:00 CST"' in html
        assert fmt.short_text(NOON.replace(year=2025)) == "22 Nov 2025 12:00"
    with translation.override("zh-hans"):
        assert ">11月22日 20:00</time>" in fmt.when(NOON, SHANGHAI)


def test_a_deadline_warns_before_and_shouts_after():
    assert "text-red" in fmt.due(NOON - timedelta(minutes=1))
    assert "text-orange" in fmt.due(NOON + timedelta(hours=5))
    assert "text-" not in fmt.due(NOON + timedelta(days=5)).replace("text-nowrap", "")
    assert "text-red" not in fmt.due(NOON - timedelta(days=1), done=True)


def test_everything_is_escaped():
    assert "<b>" not in fmt.badge("<b>", title='"><b>')
    assert "<b>" not in fmt.state_badge("order", "<b>")


def test_every_state_of_every_process_has_a_colour_and_both_words():
    for process in states._processes().values():
        for state in process.table:
            assert states._entry(process, state), f"{process.name}: no colour for {state}"
            for language in ("en", "zh-hans"):
                with translation.override(language):
                    assert states.word(process, state) == process.words[state][language != "en"]


def test_every_headline_of_an_order_has_a_colour_and_both_words():
    from daifa.domain.orders.models import STATUSES
    from daifa.domain.orders.process import STATUS_WORDS

    assert {code for code, _words in STATUSES} == set(states.STATES["order"])
    assert {code: words[1:] for code, words in states.STATES["order"].items()} == STATUS_WORDS


def test_every_tone_named_exists():
    for table in states.STATES.values():
        assert {tone for tone, _english, _chinese in table.values()} <= set(fmt.TONES)


@pytest.mark.django_db
def test_actors_are_named_in_one_question(django_assert_num_queries):
    user = apps.get_model("people", "User").objects.create_user("emily", first_name="Emily", last_name="Wang")
    with django_assert_num_queries(1), translation.override("en"):
        names = fmt.actor_names([f"user:{user.pk}", "user:999", "job:route_lines", "import:12", "cli", "supplier:NB1"])
    assert names == {
        f"user:{user.pk}": "Emily Wang", "user:999": "Somebody (user:999)", "job:route_lines": "daifa, routing",
        "import:12": "Import 12", "cli": "Command line", "supplier:NB1": "Supplier NB1",
    }  # fmt: skip


def test_every_job_that_acts_has_words_in_both_languages():
    """Timelines say who did it; a raw name of a job ("keep standings") is nobody a merchant knows."""
    import re
    from pathlib import Path

    import daifa
    from daifa.flows.reactions import by_name

    top = Path(daifa.__file__).parent
    files = [path for path in top.rglob("*.py") if not {"tests", "migrations"} & set(path.parts)]
    acting = {name for path in files for name in re.findall(r"[\"']job:([a-z_]+)", path.read_text(encoding="utf-8"))} | set(by_name())
    assert len(acting) > 40 and not acting - set(fmt.job_words())
    with translation.override("zh-hans"):
        chinese = fmt.job_words()
    assert not [name for name, words in chinese.items() if not re.search("[\u4e00-\u9fff]", words)]
