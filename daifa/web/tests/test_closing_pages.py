"""The pages of closing, the public status, and the platform's page: what they show, do and refuse."""

import io
import json
import re
import zipfile
from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from daifa.domain.cases import commands as cases
from daifa.domain.catalog.models import ListingVariant
from daifa.domain.closing import commands, queries
from daifa.domain.closing.models import Closing, ClosingStep, PastClosing, PlatformCase, Readmission
from daifa.domain.exit_index.commands import set_review_lines
from daifa.domain.people.models import User
from daifa.domain.stores.models import StoreAccess
from daifa.flows import close_store, platform_side
from daifa.flows.close_store import Given
from daifa.lib import clock
from tests.closing_shop import BY, open_story

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_files")]


@pytest.fixture
def story():
    return open_story(["1001"])


@pytest.fixture
def root():
    return User.objects.create_superuser("root")


def text(response) -> str:
    return re.sub(r"\s+", " ", response.content.decode())


def test_life_start_steps_and_withdrawal(story, root, as_):
    client = as_(root)
    store = story.store
    page = text(client.get("/closings/"))
    assert store.name in page and "open" in page and "normal" in page
    life = text(client.get(f"/stores/{store.pk}/life/"))
    assert "proceeds not settled with the channel" in life and "xhs-close-notice" in life

    ways = text(client.get(f"/stores/{store.pk}/life/close/"))
    assert "because nobody comes" in ways and "Averted by the licence" in ways
    assert client.get(f"/stores/{store.pk}/life/close/nonsense/").status_code == 404
    address = f"/stores/{store.pk}/life/close/choice/"
    assert "Appeals allowed" in text(client.get(f"/stores/{store.pk}/life/close/forced/")) and "Appeals allowed" not in text(client.get(address))
    soon = client.post(address, {"reason": "Change", "wished_on": "2026-11-25"})
    assert soon.status_code == 422 and "30 days of public notice" in text(soon)
    client.post(address, {"reason": "Change of plan"})
    closing = Closing.objects.get()
    page = text(client.get(f"/closings/{closing.pk}/"))
    rule = "months after the end &lt; 3 months: Deposit not yet returned"
    for words in ("What is still open", "Calendar", "Listings down", f">{rule}</a>", "xhs-close-deposit", "winding up", "Change of plan"):
        assert words in page, words
    again = client.post(address, {"reason": "again"})
    assert again.status_code == 422 and "has been going on since" in text(again)

    def step(code):
        return ClosingStep.objects.get(closing=closing, code=code)

    late = step("application")
    blocked = text(client.get(f"/closings/steps/{late.pk}/"))
    assert "First: " in blocked and "This step cannot be taken back." in blocked
    refused = client.post(f"/closings/steps/{late.pk}/", {"note": "x", "reference": "y"})
    assert refused.status_code == 422 and "First: " in text(refused)
    down = step("listings_down")
    ListingVariant.objects.create(store=store, sku="A", title="A", state="live", created_at=story.at)
    assert client.post(f"/closings/steps/{down.pk}/").status_code == 302
    assert step("listings_down").state == "done"
    shown = text(client.get(f"/closings/steps/{down.pk}/"))
    assert "listings: 1" in shown and "Take back" in shown
    client.post(f"/closings/steps/{down.pk}/undo/", {"reason": "one more day"})
    assert step("listings_down").state == "waiting"
    client.post(f"/closings/{closing.pk}/withdraw/", {"reason": "we stay"})
    closing.refresh_from_db()
    assert closing.state == "withdrawn" and queries.lifecycle(store.pk) == "open"


def worker(story, role: str) -> User:
    user = User.objects.create_user(role)
    StoreAccess.objects.create(user=user, store=story.store, role=role)
    return user


def test_each_step_is_done_by_those_who_may(story, as_):
    closing = close_store.start(store_id=story.store.pk, scenario="choice", reason="r", by=BY, at=story.at)
    people = {role: worker(story, role) for role in ("operator", "bookkeeper", "viewer")}
    may = {"listings_down": {"operator"}, "settlement": {"bookkeeper"}, "suppliers_settled": {"bookkeeper"}, "application": set(), "shred": set()}
    words = {"listings_down": "the owner and operators", "settlement": "the owner and bookkeepers", "suppliers_settled": "bookkeepers",
             "application": "the owner", "shred": "the owner"}  # fmt: skip
    for code, roles in may.items():
        address = f"/closings/steps/{closing.steps.get(code=code).pk}/"
        for role, person in sorted(people.items(), key=lambda one: one[0] in roles):
            client = as_(person)
            shown = text(client.get(address))
            if role in roles:
                assert "Do this step" in shown, (code, role)
                assert client.post(address, {}).status_code in (302, 422), (code, role)
            else:
                assert "Do this step" not in shown and f"This step may be done by: the owner{'' if words[code] == 'the owner' else ' and'}" in shown
                assert client.post(address, {"note": "x"}).status_code == 403, (code, role)
    assert closing.steps.get(code="listings_down").state == "done"
    assert as_(people["bookkeeper"]).post(f"/closings/steps/{closing.steps.get(code='listings_down').pk}/undo/", {"reason": "x"}).status_code == 403
    as_(people["operator"]).post(f"/closings/steps/{closing.steps.get(code='listings_down').pk}/undo/", {"reason": "one more day"})
    assert closing.steps.get(code="listings_down").state == "waiting"
    assert "the owner and bookkeepers" in text(as_(people["viewer"]).get(f"/closings/{closing.pk}/"))


def test_visits_and_past_closings(story, root, as_):
    from django.core.files.uploadedfile import SimpleUploadedFile

    client, store = as_(root), story.store
    page = text(client.get(f"/stores/{store.pk}/life/traffic/"))
    assert "Does anybody come?" in page and "not measured" in page and "monthly review, daifa&#x27;s own assumption" in page
    set_review_lines(store_ids=[store.pk], dormant_days=45, quiet_orders=7, quiet_active_days=4, by=BY, at=story.at)
    page = text(client.get(f"/stores/{store.pk}/life/traffic/"))
    assert "monthly review, set for this store" in page and "none came for 45 days" in page and ">8<" in page
    assert f"/exit-index/{store.pk}/lines/" in page
    assert client.post(f"/stores/{store.pk}/life/traffic/enter/", {"day": "2026-03-01", "impressions": 50, "visits": 5}).status_code == 302
    swapped = client.post(f"/stores/{store.pk}/life/traffic/enter/", {"day": "2026-03-02", "impressions": 5, "visits": 50})
    assert swapped.status_code == 422 and "are the columns swapped?" in text(swapped)
    table = SimpleUploadedFile("visits.csv", "日期,曝光量,访客数\n2026-03-03,70,7\n2036-01-01,1,1\n".encode("gbk"))
    told = text(client.post(f"/stores/{store.pk}/life/traffic/", {"file": table}, follow=True))
    assert "Rows: 1 new" in told and "2036-01-01 lies ahead" in told and "Impressions" in told
    person = worker(story, "viewer")
    viewer = as_(person)
    assert viewer.get(f"/stores/{store.pk}/life/traffic/").status_code == 200
    assert viewer.post(f"/stores/{store.pk}/life/traffic/", {}).status_code == 403
    assert viewer.post(f"/stores/{store.pk}/life/traffic/enter/", {"day": "2026-03-01"}).status_code == 403

    client = as_(root)
    past = {"store": "", "name": "Tea & Cups", "scenario": "forced", "began_on": "2024-03-01", "closed_on": "2024-04-12", "currency": "CNY",
            "deposit_held": "2000", "deposit_returned": "1500", "deposit_on": "2024-07-15"}  # fmt: skip
    assert client.post("/closings/past/record/", past).status_code == 302
    again = client.post("/closings/past/record/", past)
    assert again.status_code == 422 and "recorded already" in text(again)
    assert "Tea &amp; Cups" in text(client.get("/closings/past/")) and "Tea &amp; Cups" in text(client.get("/closures/"))
    one = PastClosing.objects.get()
    viewer = as_(person)
    assert viewer.get(f"/closings/past/{one.pk}/").status_code in (403, 404) and "Tea" not in text(viewer.get("/closings/past/"))
    client = as_(root)
    assert "1,500.00" in text(client.get(f"/closings/past/{one.pk}/"))
    client.post(f"/closings/past/{one.pk}/")
    assert not PastClosing.objects.exists()


def test_the_standing_its_causes_and_a_persons_word(story, root, as_):
    now = clock.now()
    cases.add_violations(
        [cases.NewViolation("V-9", now, "late_dispatch", consequences=(cases.NewConsequence("listing_limit", now),))],
        store=story.store, source="test", by=BY, at=now,
    )  # fmt: skip
    close_store.keep_standings(at=clock.now())
    client, address = as_(root), f"/stores/{story.store.pk}/life/"
    page = text(client.get(address))
    assert "restricted" in page and "V-9 · no new listings" in page and "What bears on it" in page and "How it moved" in page
    assert "is restricted (V-9" in text(client.get("/"))
    refused = client.post(f"{address}standing/", {"standing": "normal", "reason": ""})
    assert refused.status_code == 422 and "Say why" in text(refused)
    client.post(f"{address}standing/", {"standing": "normal", "reason": "lifted by telephone"})
    assert queries.standing(story.store.pk) == "normal"
    assert "is restricted (V-9" not in text(client.get("/"))
    client.post(f"{address}standing/", {"standing": "", "reason": "not so"})
    assert queries.standing(story.store.pk) == "restricted"


def test_a_removal_shows_its_violations_and_takes_the_one_of_the_list(story, root, as_):
    client = as_(root)
    asked = {"reason": "letter of today", "most_rounds": 1, "references": "", "kind": "no_source"}
    client.post(f"/stores/{story.store.pk}/life/close/forced/", asked)
    closing = Closing.objects.get()
    assert f"{close_store.OWN_NUMBER}{closing.pk}" in text(client.get(f"/closings/{closing.pk}/"))
    told = cases.NewViolation("V-5", clock.now(), "no_source", title="Anna Wood got a card")
    cases.add_violations([told], store=story.store, source="list", by=BY, at=clock.now())
    listed = queries.Violation.objects.get(reference="V-5")
    assert "V-5" in text(client.get(f"/closings/{closing.pk}/violations/"))
    assert client.post(f"/closings/{closing.pk}/violations/", {"violation": listed.pk}).status_code == 302
    assert queries.violations_behind(closing) == [listed]
    assert "Anna Wood got a card" in text(client.get(f"/closings/{closing.pk}/"))
    seen = text(as_(worker(story, "bookkeeper")).get(f"/closings/{closing.pk}/"))
    assert "V-5" in seen and "Anna Wood" not in seen
    client = as_(root)
    appeal = closing.steps.get(code="appeal")
    assert "V-5" in text(client.get(f"/closings/steps/{appeal.pk}/"))
    client.post(f"/closings/steps/{appeal.pk}/", {"note": "agreement attached", "reference": "A-1"})
    listed.refresh_from_db()
    assert listed.state == "appealed" and listed.appeals.get().text == "agreement attached"


def test_only_an_owner_closes_and_operators_look(story, as_):
    operator = worker(story, "operator")
    closing = close_store.start(store_id=story.store.pk, scenario="choice", reason="r", by=BY, at=story.at)
    client = as_(operator)
    assert client.get(f"/closings/{closing.pk}/").status_code == 200
    assert client.post(f"/closings/{closing.pk}/withdraw/", {"reason": "x"}).status_code == 403
    assert client.post(f"/stores/{story.store.pk}/life/status/", {"is_on": "on"}).status_code == 403


def test_a_document_is_kept_checked_and_given_back(story, root, as_):
    from django.core.files.uploadedfile import SimpleUploadedFile

    late = close_store.start(store_id=story.store.pk, scenario="forced", reason="letter", by=BY, at=story.at)
    client = as_(root)
    refused = client.post(f"/closings/steps/{late.steps.get(code='appeal').pk}/", {"note": "proof", "reference": "A-1"})
    assert refused.status_code == 422 and "The time to appeal ended on 2026-03-10 00:00" in text(refused)
    close_store.leave_out(late.steps.get(code="appeal").pk, note="too late", by=BY, at=story.at)
    close_store.do_step(late.steps.get(code="ruling").pk, Given("in our favour", outcome="reversed"), by=BY, at=story.at)

    closing = close_store.start(store_id=story.store.pk, scenario="forced", reason="letter", by=BY, at=clock.now())
    address = f"/closings/steps/{closing.steps.get(code='appeal').pk}/"
    wrong = client.post(address, {"note": "proof", "reference": "A-1", "file": SimpleUploadedFile("proof.pdf", b"no paper")})
    assert wrong.status_code == 422 and "none of the kinds kept here" in text(wrong)
    right = SimpleUploadedFile("proof.pdf", b"%PDF-1.4 paper")
    assert client.post(address, {"note": "proof", "reference": "A-1", "file": right}).status_code == 302
    kept = closing.steps.get(code="appeal").evidence.get()
    given = client.get(f"/closings/evidence/{kept.pk}/")
    assert b"".join(given.streaming_content) == b"%PDF-1.4 paper"
    assert "proof.pdf" in text(client.get(address))
    viewer = as_(worker(story, "viewer"))
    assert viewer.get(f"/closings/evidence/{kept.pk}/").status_code == 403
    seen = text(viewer.get(address))
    assert "•••" in seen and "proof.pdf" not in seen and f"/closings/evidence/{kept.pk}/" not in seen
    client = as_(root)
    ruling = closing.steps.get(code="ruling")
    assert "reversed: the store stays" in text(client.get(f"/closings/steps/{ruling.pk}/"))
    assert "撤销，继续营业" in text(as_(root, "zh-hans").get(f"/closings/steps/{ruling.pk}/"))


def test_the_public_status_page_badge_and_json(story, root, as_, client):
    store = story.store
    assert client.get("/status/example-gifts/").status_code == 404
    owner = as_(root)
    bad = owner.post(f"/stores/{store.pk}/life/status/", {"is_on": "on", "slug": "a_b", "contact": ""})
    assert bad.status_code == 422 and "small letters" in text(bad)
    owner.post(f"/stores/{store.pk}/life/status/", {"is_on": "on", "slug": "example-gifts", "contact": "service@shop.invalid"})
    client.logout()
    page = client.get("/status/example-gifts/")
    assert page.status_code == 200 and "The store is open." in text(page)
    assert page["Cache-Control"] == "public, max-age=300" and not page.cookies and "Cookie" not in page.get("Vary", "")
    assert client.get("/status/example-gifts/", headers={"if-none-match": page["ETag"]}).status_code == 304
    assert "店铺正常营业" in text(client.get("/status/example-gifts/?lang=zh"))

    close_store.start(store_id=store.pk, scenario="choice", reason="Anna Wood's plan", by=BY, at=story.at)
    told = json.loads(client.get("/status/example-gifts.json").content)
    assert (told["status"], told["takes_orders"], told["words"]["zh"]) == ("closing", False, "即将关闭")
    assert told["notice_ends"] is None, "no notice runs before the application"
    assert date.fromisoformat(told["closes_on"]) > date(2026, 4, 8)
    assert told["sentences"]["zh"] and told["sentences"]["en"][0].startswith("The store is closing")
    badge = client.get("/status/example-gifts/badge.svg?lang=zh")
    assert badge["Content-Type"].startswith("image/svg+xml") and "即将关闭" in badge.content.decode()
    shown = text(client.get("/status/example-gifts/"))
    assert "It closes on" in shown and "service@shop.invalid" in shown
    for secret in ("Anna Wood", "1001", "84.00", "anna1001"):
        assert secret not in shown + json.dumps(told)

    close_store.withdraw(queries.running_closing(store.pk).pk, reason="we stay", by=BY, at=story.at)
    commands.set_standing(store_id=store.pk, to="restricted", reason="a letter", by=BY, at=story.at)
    told = json.loads(client.get("/status/example-gifts.json").content)
    assert (told["status"], told["takes_orders"]) == ("limited", True) == ("limited", queries.may_take_orders(store.pk))
    assert "It goes on taking orders." in told["sentences"]["en"] and "目前仍正常接单。" in told["sentences"]["zh"]
    commands.set_standing(store_id=store.pk, to="frozen", reason="a letter", by=BY, at=story.at)
    told = json.loads(client.get("/status/example-gifts.json").content)
    assert (told["status"], told["takes_orders"]) == ("limited", False)
    assert "It takes no new orders for now." in text(client.get("/status/example-gifts/"))

    close_store.start(store_id=store.pk, scenario="choice", reason="Anna Wood's plan", by=BY, at=story.at)
    commands.set_standing(store_id=store.pk, to="frozen", reason="ruling", by=BY, at=story.at)
    assert json.loads(client.get("/status/example-gifts.json").content)["status"] == "closing"
    commands.set_status_page(store_id=store.pk, is_on=False, by=BY, at=story.at)
    assert client.get("/status/example-gifts.json").status_code == 404


def test_an_address_nobody_can_guess_and_a_limited_store(story, client):
    page = commands.set_status_page(store_id=story.store.pk, is_on=True, by=BY, at=story.at)
    assert re.fullmatch(r"[0-9a-f]{20}", page.slug)
    commands.set_standing(store_id=story.store.pk, to="restricted", reason="points", by=BY, at=story.at)
    assert "limited" in text(client.get(reverse("status_page", args=[page.slug])))


def test_coming_back_on_its_pages(story, root, as_):
    from daifa.domain.closing.models import Lifecycle

    closing = close_store.start(store_id=story.store.pk, scenario="choice", reason="r", by=BY, at=story.at)
    client = as_(root)
    too_early = client.post(f"/closings/{closing.pk}/come-back/", {"cause": "c", "months": 4})
    assert too_early.status_code == 422 and "has not ended" in text(too_early)
    Lifecycle.objects.filter(store=story.store).update(state="archived")  # the way there is the journeys' business
    client.post(f"/closings/{closing.pk}/come-back/", {"cause": "words in notes", "months": 4})
    plan = Readmission.objects.get()
    assert "Cause named" in text(client.get(f"/closings/back/{plan.pk}/"))
    first = queries.plan_of(plan.pk)[0]
    address = f"/closings/back/steps/{first.pk}/"
    bad = client.post(address, {"proof": "see there", "papers": [SimpleUploadedFile("x.pdf", b"MZ no paper")]})
    assert bad.status_code == 422 and "none of the kinds" in text(bad)
    papers = [SimpleUploadedFile("执照.pdf", b"%PDF-1.4 one"), SimpleUploadedFile("two.pdf", b"%PDF-1.4 two")]
    assert client.post(address, {"proof": "see there", "papers": papers}).status_code == 302
    shown = text(client.get(f"/closings/back/{plan.pk}/"))
    one, two = queries.papers_of(plan.pk)
    assert "执照.pdf" in shown and "two.pdf" in text(client.get(address))
    paper = client.get(f"/closings/back/papers/{one.pk}/")
    assert b"".join(paper.streaming_content) == b"%PDF-1.4 one" and "attachment" in paper["Content-Disposition"]
    whole = client.get(f"/closings/back/{plan.pk}/file/")
    assert zipfile.ZipFile(io.BytesIO(whole.content)).read("1-cause_named/2-two.pdf") == b"%PDF-1.4 two"
    viewer = User.objects.create_user("viewer")
    StoreAccess.objects.create(user=viewer, store=story.store, role="viewer")
    other = as_(viewer)
    assert "执照.pdf" not in text(other.get(f"/closings/back/{plan.pk}/"))
    assert {other.get(url).status_code for url in (f"/closings/back/papers/{one.pk}/", f"/closings/back/{plan.pk}/file/")} == {403}
    away = f"/closings/back/papers/{one.pk}/away/"
    assert {other.get(away).status_code, other.post(away).status_code} == {403} and len(queries.papers_of(plan.pk)) == 2
    client = as_(root)
    assert f'href="{away}"' in text(client.get(address)) and f'href="{away}"' in text(client.get(f"/closings/back/{plan.pk}/"))
    assert "PDF · 1 KB" in text(client.get(away))
    assert "stays written down" in text(client.post(away, follow=True)) and client.get(away).status_code == 404
    assert "执照.pdf" not in text(client.get(address))
    gone = text(client.get(f"/closings/back/{plan.pk}/"))
    assert "执照.pdf" not in gone and f"SHA-256 {one.sha256[:12]}" in gone and "two.pdf" in gone
    client.cookies["django_language"] = "zh-hans"
    assert "误存" in text(client.get(f"/closings/back/papers/{two.pk}/away/"))
    client.cookies["django_language"] = "en"
    client.post(f"/closings/back/{plan.pk}/apply/", {"reason": "all"}, follow=True)
    plan.refresh_from_db()
    assert plan.state == "planned"
    for step in queries.plan_of(plan.pk):
        client.post(f"/closings/back/steps/{step.pk}/", {"proof": "document"})
    client.post(f"/closings/back/{plan.pk}/apply/", {"reason": "all notes are gone"})
    assert f"/closings/back/papers/{two.pk}/away/" not in text(client.get(f"/closings/back/{plan.pk}/"))
    late = client.post(f"/closings/back/papers/{two.pk}/away/", follow=True)
    assert "not being worked on" in text(late) and len(queries.papers_of(plan.pk)) == 1
    client.post(f"/closings/back/{plan.pk}/answer/", {"reason": "welcome", "admitted": "yes"})
    assert queries.lifecycle(story.store.pk) == "preparing"
    client.post(f"/stores/{story.store.pk}/life/open/")
    assert queries.lifecycle(story.store.pk) == "open"


def test_the_platforms_page_is_there_only_where_it_is_switched_on(story, root, as_, settings):
    settings.DAIFA_PLATFORM_SIDE = False
    client = as_(root)
    assert client.get("/platform/").status_code == 404
    settings.DAIFA_PLATFORM_SIDE = True
    owner = User.objects.create_user("owner")
    StoreAccess.objects.create(user=owner, store=story.store, role="owner")
    assert as_(owner).get("/platform/").status_code == 404
    client = as_(root)
    assert "stand-in for training" in text(client.get("/platform/"))
    client.post("/platform/new/", {"store": story.store.pk, "kind": "violation", "reason": "31 notes", "most_appeals": 1})
    case = PlatformCase.objects.get()
    assert queries.running_closing(story.store.pk).scenario == "forced"
    client.post(f"/platform/{case.pk}/do/", {"what": "appeal", "reason": "corrected"})
    client.post(f"/platform/{case.pk}/do/", {"what": "reversed", "reason": "proved"})
    case.refresh_from_db()
    assert case.state == "dropped" and queries.running_closing(story.store.pk) is None
    page = text(client.get("/platform/"))
    assert "reversed" in page and "proved" in page
    client.post("/platform/new/", {"store": story.store.pk, "kind": "request", "reason": "we leave", "most_appeals": 1})
    PlatformCase.objects.filter(kind="request").update(state="received", ended_at=None)  # whatever is still open
    desk = client.get(f"/platform/{PlatformCase.objects.get(kind='request').pk}/").content.decode()
    accept, refuse = (re.search(rf'<form[^>]*>(?:(?!</form>).)*value="{what}"', desk, re.S)[0] for what in ("accept", "refuse"))
    assert "data-ask" not in accept.rpartition("<form")[2] and "data-ask" in refuse.rpartition("<form")[2]


def test_a_new_store_is_prepared_on_the_page_of_its_life(root, as_, settings):
    from daifa.domain.stores.commands import add_store

    new = add_store(code="new", name="New shop", currency="GBP", timezone="Europe/London", by=BY, at=clock.now())
    owner = as_(root)
    life = reverse("web:store_life", args=[new.pk])
    prepare = reverse("web:store_prepare", args=[new.pk])
    assert prepare in owner.get(life).content.decode()
    owner.post(prepare)
    assert queries.lifecycle(new.pk) == "preparing"
    shown = owner.get(life).content.decode()
    assert reverse("web:store_open", args=[new.pk]) in shown and prepare not in shown
    owner.post(reverse("web:store_open", args=[new.pk]))
    assert queries.lifecycle(new.pk) == "open" and prepare not in owner.get(life).content.decode()


def test_the_history_of_disputes_is_in_the_zone_of_each_store(story, root, as_, settings):
    from daifa.domain.stores.commands import add_store

    settings.DAIFA_PLATFORM_SIDE = True
    add_store(code="aaa", name="Aaa first", currency="USD", timezone="America/New_York", by=BY, at=story.at)
    platform_side.give_notice(story.store.pk, "dormancy", reason="quiet", at=story.at)
    shown = as_(root).get(reverse("web:platform")).content.decode()
    assert "CST" in shown and "EST" not in shown
