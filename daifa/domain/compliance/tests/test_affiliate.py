"""The way without orders: who may earn commission is the rule book's word, what was earned stands in the books."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from daifa.domain.books.queries import rate_on, trial_balance
from daifa.domain.compliance import risk_commands, risk_queries
from daifa.domain.compliance.models import AffiliateEarning, PlanStep
from daifa.domain.history.commands import ensure_months
from daifa.domain.policy.commands import NewOverride, override_rules
from daifa.domain.stores.models import Store
from daifa.lib.refusal import Refused

pytestmark = pytest.mark.django_db
AT, BY, DAY = datetime(2026, 3, 5, 9, tzinfo=UTC), "user:1", date(2026, 3, 2)


@pytest.fixture
def red():
    ensure_months(date(2026, 1, 1), date(2026, 4, 1))
    return Store.objects.create(
        code="red", name="Red", kind="marketplace", channel="xiaohongshu", currency="CNY", timezone="Asia/Shanghai", created_at=AT
    )


@pytest.fixture
def link(red):
    return risk_commands.add_affiliate_link(
        store_id=red.pk, name="Mug", url="https://example.com/a", percent=Decimal(12), by=BY, at=AT
    )


def plan(store):
    risk_commands.plan_steps(
        store_id=store.pk, steps=[risk_commands.Step(kind) for kind in ("eligibility", "links", "posts", "earnings")], by=BY, at=AT
    )


def states(store):
    return dict(PlanStep.objects.filter(store=store).values_list("kind", "state"))


def check(store, followers):
    risk_commands.record_affiliate_check(store_id=store.pk, followers=followers, is_adult=True, is_clean=True, violations=0, by=BY, at=AT)


def test_a_record_with_violations_is_not_taken_down_as_clean(red):
    given = {"store_id": red.pk, "followers": 2000, "is_adult": True, "by": BY, "at": AT}
    with pytest.raises(Refused, match="2 violations of this store are recorded here"):
        risk_commands.record_affiliate_check(**given, is_clean=True, violations=2)
    assert risk_queries.affiliate_check(red.pk) is None
    risk_commands.record_affiliate_check(**given, is_clean=False, violations=2)
    assert risk_queries.affiliate_check(red.pk).followers == 2000


def earn(link, amount, *, day=DAY, currency="CNY", at=AT):
    return risk_commands.record_affiliate_earning(
        link_id=link.pk, day=day, orders=3, amount=Decimal(amount), currency=currency, by=BY, at=at
    )


def ledger(store):
    return {row.code: row.amount for row in trial_balance([store.pk]).rows if row.amount}


def test_the_line_of_followers_is_the_rule_books(red):
    line = risk_queries.followers_line("xiaohongshu", on=DAY, store_id=red.pk)
    assert (line.needed, line.rule, line.acts) == (1000, "xhs-creator-1000", False), "a trade article's line only informs"
    assert risk_queries.followers_line("amazon", on=DAY).needed is None
    plan(red)
    check(red, 640)
    assert states(red)["eligibility"] == "todo"
    override_rules(
        [NewOverride("xhs-creator-1000", "read at the platform's help", DAY, {"threshold": "500"}, red.pk)], by=BY, at=AT
    )
    assert risk_queries.followers_line("xiaohongshu", on=DAY, store_id=red.pk).needed == 500
    check(red, 640)
    assert states(red)["eligibility"] == "done", "the owner's word counts"


def test_each_step_is_done_by_what_it_asks_for(red):
    plan(red)
    link = risk_commands.add_affiliate_link(store_id=red.pk, name="Mug", url="https://example.com/a", percent=None, by=BY, at=AT)
    assert states(red) == {"eligibility": "todo", "links": "done", "posts": "todo", "earnings": "todo"}
    risk_commands.add_affiliate_post(link_id=link.pk, url="https://example.com/p", title="My mug", posted_on=DAY, by=BY, at=AT)
    earn(link, "4.50")
    assert states(red) == {"eligibility": "todo", "links": "done", "posts": "done", "earnings": "done"}


def test_what_was_earned_is_income_and_a_correction_reverses(red, link):
    earn(link, "4.50")
    assert ledger(red) == {"1100": Decimal("4.50"), "4300": Decimal("-4.50")}
    earn(link, "4.50")
    assert ledger(red)["4300"] == Decimal("-4.50"), "the same again posts nothing"
    earn(link, "6.00")
    assert ledger(red) == {"1100": Decimal("6.00"), "4300": Decimal("-6.00")}
    earn(link, "1.00", day=date(2026, 2, 27))
    [told] = risk_queries.affiliate_earned([red.pk], on=DAY)
    assert (told.amount, told.this_month, told.orders, told.posts) == (Decimal("7.00"), Decimal("6.00"), 6, 0)
    assert AffiliateEarning.objects.count() == 2


def test_what_was_told_before_commission_was_booked_is_booked_when_told_again(red, link):
    AffiliateEarning.objects.create(link=link, day=DAY, orders=3, amount=Decimal("4.50"), currency="CNY", by=BY)
    assert ledger(red) == {}
    earn(link, "4.50")
    assert ledger(red)["4300"] == Decimal("-4.50") and AffiliateEarning.objects.count() == 1


def test_another_currency_is_booked_at_the_days_rate(red, link):
    earn(link, "10", currency="USD")
    assert -ledger(red)["4300"] == round(10 * rate_on("USD", "CNY", DAY).rate, 2)


@pytest.mark.parametrize(
    ("amount", "day", "currency", "words"),
    [("-1", DAY, "CNY", "not negative"), ("1", date(2026, 3, 6), "CNY", "lies ahead"), ("1", DAY, "XXX", "no exchange rate")],
)
def test_what_is_refused_posts_nothing(red, link, amount, day, currency, words):
    with pytest.raises(Refused, match=words):
        earn(link, amount, day=day, currency=currency)
    assert ledger(red) == {} and not AffiliateEarning.objects.exists()
