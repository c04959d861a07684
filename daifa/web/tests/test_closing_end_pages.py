"""The pages of a closing towards its end, as walked: where what is open is settled, the deposit, the way back, what buyers see."""

import html
import re
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.utils import translation

from daifa.domain.cases.commands import NewConsequence, NewViolation, add_violations
from daifa.domain.cases.models import Appeal
from daifa.domain.catalog.models import ListingVariant
from daifa.domain.closing import commands, queries
from daifa.domain.closing.models import ClosingStep, Lifecycle, PastClosing, Readmission
from daifa.domain.people.models import User
from daifa.domain.stores.models import Store, Task
from daifa.flows import close_store, platform_side
from daifa.flows.close_store import Letter
from daifa.flows.reads.today import task_words
from daifa.lib import clock
from daifa.web.kit import format as fmt
from daifa.web.pages import closing_panels, closing_steps
from tests.closing_shop import BY, answer_retention, open_story

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_files")]


@pytest.fixture
def client(as_):
    return as_(User.objects.create_superuser("root"))


def text(response) -> str:
    return html.unescape(re.sub(r"\s+", " ", response.content.decode()))


def closed_story():
    """Closed by choice, everything settled but the deposit."""
    story = open_story(["1001"])
    answer_retention(story)
    story.closing = close_store.start(store_id=story.store.pk, scenario="choice", reason="Change of plan", by=BY, at=story.at)
    story.until("2026-03-10", hour=16)
    story.do("shop_notice", "listings_down", "links_retired", "buyers_told", "orders_finished")
    story.until("2026-03-16")
    story.do("aftersales_finished")
    story.do("application", note="Change of plan", reference="XHS-77")
    story.until("2026-04-25")
    story.do("public_notice")
    story.do("closed", reference="XHS-77 closed")
    story.pay_suppliers()
    story.do("suppliers_settled")
    story.do("settlement", amount=story.proceeds())
    story.do("export")
    story.until("2026-07-27")
    return story


def test_what_is_open_leads_to_where_it_is_settled(client):
    story = open_story(["1001"])
    for code in queries.BLOCKERS:
        if code != "notice_running":  # time alone settles it
            address = closing_panels.blocker_url(code, story.store.pk)
            assert address, code
            assert client.get(address).status_code == 200, (code, address)
    for code in ("open_aftersales", "unpaid_refunds", "unshipped", "in_transit"):  # of this store only, where there are more
        page = client.get(closing_panels.blocker_url(code, story.store.pk))
        assert re.search(rf'<option value="{story.store.pk}" selected', page.content.decode()), code
    assert f'href="{closing_panels.blocker_url("deposit_held", story.store.pk)}"' in text(client.get(f"/stores/{story.store.pk}/life/"))


def test_the_amount_a_form_proposes_is_taken_as_it_stands(client):
    story = closed_story()
    row = story.step("deposit_back")
    address = f"/closings/steps/{row.pk}/"
    proposed = re.search(r'name="amount_GBP" value="([^"]*)"', text(client.get(address))).group(1)
    assert proposed == "1000.00"
    with clock.moved_to(story.at):
        answer = client.post(address, {"amount_GBP": proposed, "note": "paid to the bank"})
    assert answer.status_code == 302 and story.state("deposit_back") == "done"
    assert closing_steps.figures(row.evidence.get().facts).startswith("held: 1000.00 · kept: 0.00")


def test_a_store_that_ended_leads_to_its_closing_and_back(client):
    story = closed_story()
    story.do("deposit_back", note="paid to the bank", amount=Decimal("1000.00"))
    life = f"/stores/{story.store.pk}/life/"
    assert client.get(f"{life}close/").url == life, "it has ended: there is nothing to begin"
    page = text(client.get(life))
    assert f'href="/closings/{story.closing.pk}/"' in page and f'href="/closings/{story.closing.pk}/come-back/"' in page
    client.post(f"/closings/{story.closing.pk}/come-back/", {"cause": "31 notes", "months": "4"})
    plan = Readmission.objects.get()
    here = f"/closings/back/{plan.pk}/"
    for step in queries.plan_of(plan.pk):
        client.post(f"/closings/back/steps/{step.pk}/", {"proof": f"proof of {step.code}"})
    client.post(f"{here}apply/", {"reason": "All notes are corrected"})
    client.post(f"{here}answer/", {"reason": "Two are left", "admitted": "no"})
    client.post(f"{here}apply/", {"reason": "Those, too"})
    client.post(f"{here}answer/", {"reason": "Welcome", "admitted": "yes"})
    page = text(client.get(here))
    order = [page.index(words) for words in ("Welcome", "Those, too", "Two are left", "All notes are corrected", "proof of one_line")]
    assert order[-1] > 0 and "Two are left" in page
    assert queries.lifecycle(story.store.pk) == "preparing"
    assert f'href="/closings/{story.closing.pk}/come-back/"' not in text(client.get(life)), "it is back"


def test_an_appeal_that_was_handed_in_in_time_may_be_entered_later(client):
    story = open_story([])
    begun = clock.now() - timedelta(days=4)
    closing = close_store.start(
        store_id=story.store.pk, scenario="forced", reason="31 notes", letter=Letter(("V-1",)), by=BY, at=begun
    )
    row = ClosingStep.objects.get(closing=closing, code="appeal")
    address = f"/closings/steps/{row.pk}/"
    late = client.post(address, {"note": "24 are corrected", "reference": "AP-1"})
    assert late.status_code == 422 and "Then say when" in text(late) and 'name="handed_in_at"' in text(late)
    there = (begun + timedelta(hours=3)).astimezone(queries.ZoneInfo(story.store.timezone))
    assert client.post(address, {"note": "24 are corrected", "reference": "AP-1", "handed_in_at": f"{there:%Y-%m-%dT%H:%M}"}).status_code == 302
    row.refresh_from_db()
    sent = Appeal.objects.get()
    assert row.state == "done" and (sent.state, sent.reference) == ("sent", "AP-1")
    assert sent.sent_at == (begun + timedelta(hours=3)).replace(second=0, microsecond=0)


def test_today_names_the_step_that_is_due():
    story = open_story([])
    story.closing = close_store.start(store_id=story.store.pk, scenario="choice", reason="r", by=BY, at=story.at)
    close_store.sweep(at=story.at)
    told = {task_words(task.kind, task.params)[0] for task in Task.objects.filter(kind="closing_step")}
    assert "Listings down: this step of closing Example Gifts is due" in told and len(told) == Task.objects.filter(kind="closing_step").count()
    with translation.override("zh-hans"):
        assert "商品下架" in task_words("closing_step", {"step": "listings_down", "store": "甲"})[0]


def test_a_planned_step_says_when(client):
    story = open_story(["1001"])
    story.closing = close_store.start(store_id=story.store.pk, scenario="choice", reason="r", by=BY, at=story.at)
    ListingVariant.objects.create(store=story.store, sku="A", title="A", state="live", created_at=story.at)
    row = story.step("listings_down")
    ClosingStep.objects.filter(pk=row.pk).update(not_before=clock.now().replace(minute=0) + timedelta(hours=3))
    row.refresh_from_db()
    when = fmt.short_text(row.not_before, queries.ZoneInfo(story.store.timezone))
    assert f"planned: {when}" in text(client.get(f"/closings/{story.closing.pk}/"))
    assert f"in the next quiet hour, {when}." in text(client.get(f"/closings/steps/{row.pk}/"))
    assert closing_steps.step_said(row) == f"Planned: daifa does it by itself, {when}."


def test_what_buyers_see_has_its_addresses_and_the_shops_own_day(client, settings):
    settings.BASE_URL = "https://shop.example"
    story = open_story([])
    life = f"/stores/{story.store.pk}/life/"
    assert "badge.svg" not in text(client.get(life)), "nothing to paste before it is switched on"
    client.post(f"{life}status/", {"is_on": "on", "slug": "gifts", "contact": "help@gifts.example.com"})
    page = text(client.get(life))
    for address in ("/status/gifts/", "/status/gifts/badge.svg", "/status/gifts.json"):
        assert f'href="{address}"' in page and client.get(address).status_code == 200
    assert '<img src="https://shop.example/status/gifts/badge.svg"' in page
    # 23:30 of Sunday in London is Monday's morning in the shop.
    story.until("2026-03-15", hour=23)
    story.closing = close_store.start(store_id=story.store.pk, scenario="choice", reason="r", by=BY, at=story.at)
    queries.StatusPage.objects.update(changed_at=story.at)
    queries.Lifecycle.objects.update(shut_at=story.at)
    seen = text(client.get("/status/gifts/"))
    assert "As of 16 Mar 2026" in seen and "closing" in seen
    queries.Closing.objects.update(applied_at=story.at + timedelta(days=9))
    assert "As of 25 Mar 2026" in text(client.get("/status/gifts/")), "the notice began then"


def test_figures_of_a_step_are_named():
    said = closing_steps.figures({"rows": {"order_lines.csv": 3}, "stays": [{"data": "contact", "why": "papers_first", "orders": 2}], "more": "5.00"})
    assert "order_lines.csv: 3" in said and "stays (" in said and "more than owed: 5.00" in said


def test_months_before_a_store_began_say_nothing():
    story = open_story(["1001"])
    Store.objects.filter(pk=story.store.pk).update(created_at=story.at - timedelta(days=6))
    orders = next(line for line in queries.lines_of(story.store.pk, at=story.at) if line.measure == "orders")
    assert orders.values == (None, None, 1) and orders.is_below is None
    later = story.at + timedelta(days=90)
    orders = next(line for line in queries.lines_of(story.store.pk, at=later) if line.measure == "orders")
    assert None not in orders.values and orders.is_below


def test_times_are_told_on_the_clock_of_the_store(client, settings):
    """Also where another store, in another zone, comes first in the list."""
    settings.DAIFA_PLATFORM_SIDE = True
    story = open_story([])
    Store.objects.create(code="abroad", name="A shop abroad", currency="USD", timezone="America/New_York", created_at=story.at)
    at = clock.now().replace(hour=13, minute=5, second=0, microsecond=0) - timedelta(days=1)  # 21:05 in China
    add_violations(
        [NewViolation("V-9", at, "late_dispatch", consequences=(NewConsequence("listing_limit", at, at + timedelta(days=20)),))],
        store=story.store, source="test", by=BY, at=at,
    )  # fmt: skip
    close_store.keep_standings(at=at)
    life = text(client.get(f"/stores/{story.store.pk}/life/"))
    assert life.count("21:05") >= 3 and "08:05" not in life
    case = platform_side.give_notice(story.store.pk, "violation", reason="31 notes", at=at)
    closing = queries.running_closing(story.store.pk)
    notice = ClosingStep.objects.get(closing=closing, code="notice")
    for address in (f"/closings/steps/{notice.pk}/", f"/platform/{case.pk}/", "/platform/"):
        page = text(client.get(address))
        assert "21:05" in page and "08:05" not in page, address


def pressed(client, here: str, address: str):
    """What follows when the button on the page `here` that posts to `address` is pressed, as a browser sends it."""
    form = re.search(rf'<form method="post" action="{re.escape(address)}".*?</form>', client.get(here).content.decode(), re.S)[0]
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))  # of two of one name the later counts
    return client.post(address, fields, follow=True)


def test_what_goes_with_its_page_leads_to_a_page_that_is_there(client):
    story = open_story([])
    how = {"by": BY, "at": story.at}
    closing = close_store.start(store_id=story.store.pk, scenario="choice", reason="Change of plan", **how)
    Lifecycle.objects.filter(store=story.store).update(state="closed", closed_at=story.at)
    plan = commands.plan_readmission(closing_id=closing.pk, cause="31 notes", **how)
    step = queries.plan_of(plan.pk)[0]
    commands.add_comeback_papers(step_id=step.pk, papers=[("wrong.pdf", b"%PDF-1.4 wrong")], **how)
    away = f"/closings/back/papers/{queries.papers_of(plan.pk)[0].pk}/away/"
    after = pressed(client, away, away)
    assert after.redirect_chain[-1][0] == f"/closings/back/steps/{step.pk}/" and after.status_code == 200
    assert "stays written down" in text(after) and not queries.papers_of(plan.pk)

    past = commands.NewPast("Tea & Cups", "choice", date(2020, 1, 1), date(2021, 1, 1), "CNY", Decimal(0))
    assert commands.record_past_closings([past], source="by hand", **how).refused == []
    here = f"/closings/past/{PastClosing.objects.get().pk}/"
    after = pressed(client, here, here)
    assert after.redirect_chain[-1][0] == "/closings/past/" and after.status_code == 200 and not PastClosing.objects.exists()
