"""Pages of violations, deposit, complaints, rights, licences and evidence: what people do there, and who may."""

from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image

from daifa.domain.cases import commands, queries
from daifa.domain.cases.models import (
    Appeal,
    CaseFile,
    Complaint,
    DepositMove,
    EvidencePack,
    Infringement,
    ListingRight,
    PictureCover,
    Qualification,
    Violation,
)
from daifa.domain.catalog.models import ListingVariant
from daifa.domain.history.commands import ensure_months
from daifa.domain.people.models import User
from daifa.domain.policy import queries as policy
from daifa.domain.stores.commands import add_store
from daifa.domain.stores.models import Store, StoreAccess, Task
from daifa.flows.gather_evidence import gather_waiting
from daifa.lib import clock
from tests import cast

pytestmark = pytest.mark.django_db
AT = datetime(2026, 4, 1, 2, tzinfo=UTC)
PAGES = ("violations", "violation_add", "deposit", "complaints", "complaint_add", "infringements", "infringement_add",
         "right_add", "qualifications", "qualification_add", "evidence", "evidence_make",
         "pictures", "qualification_needs", "rights")  # fmt: skip


@pytest.fixture(autouse=True)
def _then(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"
    ensure_months(date(2026, 3, 1), date(2026, 6, 1))
    with clock.moved_to(AT):
        yield


@pytest.fixture
def store():
    return add_store(
        code="red", name="Red cups", currency="CNY", kind="marketplace", channel="xiaohongshu", country="CN",
        timezone="Asia/Shanghai", by=cast.BY, at=AT,
    )  # fmt: skip


@pytest.fixture
def as_role(client, store):
    def enter(role: str, language: str = "en"):
        user = User.objects.create_user(f"{role}-{language}", password="x", language=language)
        StoreAccess.objects.create(user=user, store=store, role=role)
        client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        client.cookies["django_language"] = language
        return client

    return enter


@pytest.fixture
def both(client, store):
    """An operator and bookkeeper of the store and of one in New York, which comes first by name."""
    far = add_store(
        code="amz", name="Amz", currency="USD", kind="marketplace", channel="amazon", country="US", timezone="America/New_York",
        by=cast.BY, at=AT,
    )  # fmt: skip
    user = User.objects.create_user("both", password="x", language="en")
    for one in (store, far):
        StoreAccess.objects.create(user=user, store=one, role="owner")
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    client.cookies["django_language"] = "en"
    return client


FORMS = (
    ("violation_add", "notified_at", {"reference": "V1", "kind": "other", "points": "0", "taken_from": "proceeds"}, Violation),
    ("complaint_add", "opened_at", {"kind": "foreign_card", "text": "a card"}, Complaint),
    ("infringement_add", "notified_at", {"reference": "I1", "right": "trademark"}, Infringement),
)


@pytest.mark.parametrize(("name", "field", "words", "model"), FORMS)
def test_a_moment_is_on_the_clock_of_the_store_that_is_chosen(both, store, name, field, words, model):
    """With stores in two zones nothing is filled in that would be read on another store's clock."""
    url = reverse(f"web:{name}")
    filled = both.get(url).content.decode().split(f'name="{field}"')[1].split(">")[0]
    value = filled.split('value="')[1].split('"')[0] if 'value="' in filled else ""
    both.post(url, {**words, "store": store.pk, field: value})
    assert getattr(model.objects.get(), field) == AT
    model.objects.all().delete()
    both.post(url, {**words, "store": store.pk, field: "2026-04-01T09:30"})  # 01:30 UTC
    assert getattr(model.objects.get(), field) == datetime(2026, 4, 1, 1, 30, tzinfo=UTC)
    model.objects.all().delete()
    said = both.post(url, {**words, "store": store.pk, field: "2026-04-01T10:30"}).content.decode()  # half an hour ahead
    assert not model.objects.exists() and "lies ahead on the clock of the store, where it is 2026-04-01 10:00" in said


@pytest.mark.parametrize(("name", "field", "words", "model"), FORMS)
def test_a_night_in_which_clocks_change(both, store, name, field, words, model):
    """An hour that one store's clock leaves out is there on the other's; of an hour that comes twice it is the first."""
    url, far = reverse(f"web:{name}"), Store.objects.get(code="amz")
    both.post(url, {**words, "store": store.pk, field: "2026-03-08T02:30"})
    assert getattr(model.objects.get(), field) == datetime(2026, 3, 7, 18, 30, tzinfo=UTC)
    model.objects.all().delete()
    said = both.post(url, {**words, "store": far.pk, field: "2026-03-08T02:30"}).content.decode()
    assert "2026-03-08 02:30 does not exist on the clock of the store" in said and not model.objects.exists()
    both.post(url, {**words, "store": far.pk, field: "2025-11-02T01:30"})
    assert getattr(model.objects.get(), field) == datetime(2025, 11, 2, 5, 30, tzinfo=UTC)


def test_a_day_is_the_day_of_the_store_that_is_chosen(both, store):
    """It is 31 March still in New York, 1 April in Shanghai."""
    both.post(reverse("web:deposit_require"), {"store": store.pk, "amount": "100"})
    assert queries.deposit(store.pk, at=AT).required.amount == 100
    page = both.get(reverse("web:deposit_move")).content.decode().split('name="date"')[1].split(">")[0]
    assert "value=" not in page
    both.post(reverse("web:deposit_move"), {"store": store.pk, "kind": "paid_in", "amount": "100"})
    assert DepositMove.objects.get().at == AT


def picture() -> bytes:
    out = BytesIO()
    Image.new("RGB", (60, 40), "white").save(out, "PNG")
    return out.getvalue()


def seen(response, status: int = 200) -> str:
    text = b"".join(response.streaming_content) if response.streaming else response.content
    assert response.status_code == status, text.decode()[:3000]
    return text.decode("utf-8", "replace")


def test_a_violation_from_entry_to_a_won_appeal(as_role, store):
    client = as_role("owner")
    seen(client.post(reverse("web:deposit_require"), {"store": store.pk, "amount": "1000", "valid_from": "2026-04-01"}), 302)
    seen(client.post(reverse("web:deposit_move"), {"store": store.pk, "kind": "paid_in", "amount": "800", "date": "2026-04-01"}), 302)
    assert "200.00" in seen(client.get(reverse("web:deposit")))
    form = {
        "store": store.pk, "reference": "V-1", "kind": "invalid_tracking", "title": "No scan", "rule": "xhs-rate-badtrack",
        "notified_at": "2026-04-01T09:00", "points": "4", "orders": "P1, P2", "money": "15", "taken_from": "proceeds",
    }  # fmt: skip
    assert "no rule nonsense" in seen(client.post(reverse("web:violation_add"), {**form, "rule": "nonsense"}), 422)
    seen(client.post(reverse("web:violation_add"), form), 302)
    assert "known already" in seen(client.post(reverse("web:violation_add"), form), 422)
    violation = Violation.objects.get()
    page = seen(client.get(reverse("web:violation", args=[violation.pk])))
    assert "P1, P2" in page and "Appeal" in page
    seen(client.post(reverse("web:violation_appeal", args=[violation.pk]), {"text": "It was scanned."}), 302)
    appeal = Appeal.objects.get()
    assert "It was scanned." in seen(client.get(reverse("web:appeal_edit", args=[appeal.pk])))
    seen(client.post(reverse("web:appeal_edit", args=[appeal.pk]), {"text": "It was scanned on 2 April."}), 302)
    assert Appeal.objects.get().text == "It was scanned on 2 April."
    seen(client.post(reverse("web:case_files", args=["appeal", appeal.pk]), {"files": SimpleUploadedFile("a.png", picture())}), 302)
    seen(client.post(reverse("web:appeal_send", args=[appeal.pk]), {"reference": "AP-1"}), 302)
    assert "stays as it was sent" in seen(client.post(reverse("web:appeal_edit", args=[appeal.pk]), {"text": "Other"}), 422)
    seen(client.post(reverse("web:violation_consequence", args=[violation.pk]), {"kind": "traffic_limit", "from_at": "2026-04-01T00:00"}), 302)
    assert "less traffic" in seen(client.get(reverse("web:violations")))
    seen(client.post(reverse("web:appeal_answer", args=[appeal.pk]), {"outcome": "won", "answer": "Right."}), 302)
    assert Violation.objects.get().state == "lifted" and Task.objects.get(kind="deduction_to_get_back").closed_at is None
    move = {"store": store.pk, "kind": "penalty_back", "amount": "15", "date": "2026-04-01", "violation": "V-1"}
    assert "more cannot come back" in seen(client.post(reverse("web:deposit_move"), {**move, "amount": "16"}), 422)
    seen(client.post(reverse("web:deposit_move"), move), 302)
    assert not Task.objects.filter(kind="deduction_to_get_back", closed_at=None).exists()
    assert DepositMove.objects.count() == 3


def test_too_late_the_form_offers_a_note(as_role, store):
    client = as_role("operator")
    form = {"store": store.pk, "reference": "V-1", "kind": "other", "notified_at": "2026-03-20T09:00", "points": "0", "taken_from": "proceeds"}
    seen(client.post(reverse("web:violation_add"), form), 302)
    violation = Violation.objects.get()
    assert "ended on 2026-03-22 00:00" in seen(client.get(reverse("web:violation", args=[violation.pk])))
    where = reverse("web:violation_appeal", args=[violation.pk])
    assert "keep_as_note" in seen(client.get(where))
    assert "can be kept as a note" in seen(client.post(where, {"text": "But …"}), 422)
    seen(client.post(where, {"text": "But …", "keep_as_note": "on"}), 302)
    assert Appeal.objects.get().state == "note"
    in_time = {"text": "But …", "keep_as_note": "on", "handed_in_at": "2026-03-21T09:00"}
    seen(client.post(where, in_time), 302)
    assert Appeal.objects.filter(state="sent", sent_at=datetime(2026, 3, 21, 1, tzinfo=UTC)).exists()
    commands.withdraw_appeal(appeal_id=Appeal.objects.get(state="sent").pk, by=cast.BY, at=AT)
    seen(client.post(reverse("web:violation_deadline", args=[violation.pk]), {"due_at": "2026-04-05T18:00"}), 302)
    assert Violation.objects.get().appeal_until == datetime(2026, 4, 5, 10, tzinfo=UTC)
    points = reverse("web:violation_points", args=[violation.pk])
    seen(client.get(points))
    seen(client.post(points, {"points": "3", "points_until": "2026-06-01T00:00", "reason": "health page"}), 302)
    assert queries.points(store.pk, at=AT).total == 3


def test_the_platforms_list_comes_in_like_every_file(as_role, store):
    client = as_role("operator")
    where = reverse("web:import_add", args=["violations"])
    assert where in seen(client.get(reverse("web:violations"))) and where in seen(client.get(reverse("web:imports_add")))
    good = "违规编号,处罚时间,违规类型,扣分\nW1,2026-03-31 10:00,虚假发货,4\nW2,nonsense,缺货,1\n".encode()
    answer = client.post(where, {"store": store.pk, "file": SimpleUploadedFile("list.csv", good)}, follow=True)
    page = seen(answer)
    assert "nonsense" in page and "处罚时间" in page and Violation.objects.get().reference == "W1"
    again = seen(client.post(where, {"store": store.pk, "file": SimpleUploadedFile("list.csv", good)}, follow=True))
    assert "violations known already" in again and Violation.objects.count() == 1
    listed = seen(client.get(reverse("web:imports") + "?kind=violations"))
    assert listed.count("list.csv") >= 2
    answer = client.post(where, {"store": store.pk, "file": SimpleUploadedFile("list.csv", b"a,b\n1,2\n")}, follow=True)
    assert "no column for reference" in seen(answer)


def test_a_rule_under_a_deadline_is_named_by_its_title_and_leads_to_its_page(as_role, store, client):
    complaint = commands.open_complaints([commands.NewComplaint("damaged", "Broken.", AT, "C-9")], store=store, source=cast.BY, by=cast.BY, at=AT).added[0]
    Complaint.objects.filter(pk=complaint).update(rule="xhs-ticket-24h")
    violation = commands.add_violations(
        [commands.NewViolation("V-9", AT, "invalid_tracking", "No scan", "xhs-rate-badtrack")], store=store, source=cast.BY, by=cast.BY, at=AT
    ).added[0]
    Violation.objects.filter(pk=violation).update(appeal_rule="words of a letter")
    client = as_role("owner")
    page = seen(client.get(reverse("web:complaint", args=[complaint])))
    link = f'<a href="{reverse("web:rule", args=["xhs-ticket-24h"])}">'
    assert f'{link}Platform may refund directly</a> <span class="code">xhs-ticket-24h</span>' in page
    seen(client.get(reverse("web:rule", args=["xhs-ticket-24h"])))
    page = seen(client.get(reverse("web:violation", args=[violation])))
    assert str(policy.rule("xhs-rate-badtrack").consequence) in page and reverse("web:rule", args=["xhs-rate-badtrack"]) in page
    assert "words of a letter" in page, "what the book does not know stays as it is"
    client.logout()
    page = seen(as_role("owner", "zh-hans").get(reverse("web:complaint", args=[complaint])))
    assert f"{link}平台可直接退款</a>" in page


def test_a_complaint_with_its_photos(as_role, store, client):
    operator = as_role("operator")
    form = {"store": store.pk, "kind": "foreign_card", "opened_at": "2026-04-01T09:00", "text": "A card of another shop"}
    wrong = {**form, "photos": [SimpleUploadedFile("a.png", picture()), SimpleUploadedFile("b.png", b"no picture")]}
    assert "b.png is not a picture" in seen(operator.post(reverse("web:complaint_add"), wrong), 422)
    assert not Complaint.objects.exists(), "nothing is written while the form is wrong"
    seen(operator.post(reverse("web:complaint_add"), {**form, "photos": [SimpleUploadedFile("a.png", picture())]}), 302)
    complaint = Complaint.objects.get()
    where = reverse("web:complaint", args=[complaint.pk])
    assert "A card of another shop" in seen(operator.get(where))
    file = CaseFile.objects.get()
    answer = operator.get(reverse("web:case_file", args=[file.pk]))
    assert answer["X-Content-Type-Options"] == "nosniff" and "sandbox" in answer["Content-Security-Policy"]
    assert b"".join(answer.streaming_content) == picture()
    seen(operator.post(reverse("web:complaint_finding", args=[complaint.pk]), {"finding": "breach"}), 302)
    seen(operator.post(reverse("web:complaint_answer", args=[complaint.pk]), {"answer": "Sorry"}), 302)
    seen(operator.post(reverse("web:complaint_escalate", args=[complaint.pk]), {"due_at": "2026-04-03T12:00"}), 302)
    seen(operator.post(reverse("web:complaint_settle", args=[complaint.pk]), {"outcome": "refunded"}), 302)
    seen(operator.post(reverse("web:complaints_close"), {"ids": [complaint.pk]}), 302)
    assert Complaint.objects.get().state == "closed" and Complaint.objects.get().finding == "breach"
    viewer = as_role("viewer")
    page = seen(viewer.get(where))
    assert "A card of another shop" not in page and "a.png" not in page
    seen(viewer.get(reverse("web:case_file", args=[file.pk])), 403)
    seen(viewer.get(reverse("web:evidence")), 403)
    seen(viewer.post(reverse("web:complaint_finding", args=[complaint.pk]), {"finding": "clean"}), 403)


def test_a_notice_a_right_and_a_counter_notice(as_role, store):
    client = as_role("operator")
    ListingVariant.objects.create(store=store, sku="CUP", title="Cup", created_at=AT)
    form = {"store": store.pk, "reference": "N-1", "sku": "CUP", "right": "copyright", "notified_at": "2026-04-01T08:00"}
    assert "no such listing" in seen(client.post(reverse("web:infringement_add"), {**form, "sku": "POT"}), 422)
    seen(client.post(reverse("web:infringement_add"), form), 302)
    case = Infringement.objects.get()
    counter = reverse("web:infringement_counter", args=[case.pk])
    assert "first proof" in seen(client.post(counter, {"text": "Our photos."}), 422)
    right = {"store": store.pk, "skus": "CUP", "right": "copyright", "basis": "own", "valid_from": "2026-01-01"}
    seen(client.post(reverse("web:right_add"), {**right, "files": [SimpleUploadedFile("proof.pdf", b"%PDF-1.4\n%%EOF")]}), 302)
    listed = seen(client.get(reverse("web:rights"), {"q": "cup"}))
    right = ListingRight.objects.get()
    assert "CUP" in listed and reverse("web:right", args=[right.pk]) in listed
    assert "proof.pdf" in seen(client.get(reverse("web:right", args=[right.pk])))
    assert "CUP" not in seen(client.get(reverse("web:rights"), {"ending": "1"}))
    seen(client.post(counter, {"text": "Our photos."}), 302)
    seen(client.post(reverse("web:infringement_step", args=[case.pk]), {"to": "forwarded"}), 302)
    page = seen(client.get(reverse("web:infringement", args=[case.pk])))
    assert "proof.pdf" in page and "E-Commerce Law 43" in page
    assert Infringement.objects.get().restore_due_at == datetime(2026, 4, 16, 16, tzinfo=UTC)


def test_licences_and_what_a_category_asks_for(as_role, store):
    client = as_role("owner")
    assert "food business licence" in seen(client.get(reverse("web:qualifications"), {"q": "零食"}))
    form = {"store": store.pk, "kind": "food_licence", "number": "JY1", "category": "零食", "valid_from": "2022-01-01", "valid_until": "2026-04-20"}
    seen(client.post(reverse("web:qualification_add"), form), 302)
    assert "ends soon" in seen(client.get(reverse("web:qualifications")))
    need = {"where": "channel:xiaohongshu", "category": "零食", "kind": "inspection_report", "is_needed": "on", "source": "Category page"}
    seen(client.post(reverse("web:qualification_need"), need), 302)
    assert "publishing waits" in seen(client.get(reverse("web:qualifications"), {"q": "零食"}))
    # One of daifa's own, for this store: a must, then struck out (which asks for the reason), then as it came.
    page = seen(client.get(reverse("web:qualification_needs")))
    assert "Food Safety Law, art. 35" in page and "fairly sure" in page and "Category page" in page
    food = reverse("web:qualification_default", args=["cosmetics"])
    assert "Cosmetics Regulation" in seen(client.get(food))
    word = {"where": f"store:{store.pk}", "standing": "must", "source": ""}
    seen(client.post(food, word), 302)
    assert any(one.blocks for one in queries.missing_qualifications(store.pk, "护肤", AT.date()))
    assert "Say where it stands" in seen(client.post(food, {**word, "standing": "not_needed"}), 422)
    seen(client.post(food, {**word, "standing": "not_needed", "source": "We sell none"}), 302)
    assert not any(one.kinds == ("cosmetics",) for one in queries.missing_qualifications(store.pk, "护肤", AT.date()))
    seen(client.post(food, {**word, "standing": "ask"}), 302)
    assert [one.blocks for one in queries.missing_qualifications(store.pk, "护肤", AT.date()) if one.kinds == ("cosmetics",)] == [False]
    own = queries.said_needs()
    assert len(own) == 1
    seen(client.post(reverse("web:qualification_need_forget", args=[own[0]["id"]])), 302)
    assert queries.said_needs() == []
    seen(client.get(reverse("web:qualification_default", args=["nonsense"])), 404)
    licence = Qualification.objects.get()
    seen(client.post(reverse("web:qualification_withdraw", args=[licence.pk])), 302)
    assert any(one.kinds == ("food_licence",) for one in queries.missing_qualifications(store.pk, "零食", AT.date()))


def test_a_pack_is_made_and_downloaded(as_role, store):
    client = as_role("operator")
    form = {"store": store.pk, "reference": "V-1", "kind": "other", "notified_at": "2026-04-01T09:00", "points": "0", "taken_from": "proceeds"}
    seen(client.post(reverse("web:violation_add"), form), 302)
    violation = Violation.objects.get()
    opened = seen(client.get(reverse("web:evidence_make"), {"store": store.pk, "kind": "violation", "case": violation.pk}))
    assert 'value="V-1"' in opened
    make = {"store": store.pk, "kind": "violation", "case": "V-1", "language": "en"}
    assert "why this case needs" in seen(client.post(reverse("web:evidence_make"), {**make, "reveal": "on"}), 422)
    assert "no such case" in seen(client.post(reverse("web:evidence_make"), {**make, "case": "V-2"}), 422)
    answer = client.post(reverse("web:evidence_make"), make, follow=True)
    if "libpango" in seen(answer, answer.status_code):
        pytest.skip("no pango here")
    assert "No appeal has been written yet" in seen(client.get(reverse("web:evidence"))) or "No appeal" in answer.content.decode()
    pack = EvidencePack.objects.get()
    file = client.get(reverse("web:evidence_file", args=[pack.pk]))
    assert file["Content-Type"] == "application/zip" and b"".join(file.streaming_content).startswith(b"PK")


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_page_opens_in_both_languages(as_role, store, language):
    client = as_role("owner", language)
    for name in PAGES:
        page = seen(client.get(reverse(f"web:{name}")))
        assert "%(" not in page, name


def test_today_leads_to_the_case(as_role, store):
    client = as_role("operator")
    form = {"store": store.pk, "reference": "V-1", "kind": "other", "notified_at": "2026-04-01T09:00", "points": "0", "taken_from": "proceeds"}
    seen(client.post(reverse("web:violation_add"), form), 302)
    page = seen(client.get(reverse("web:today")))
    assert "Violation V-1 can be appealed" in page and reverse("web:violation", args=[Violation.objects.get().pk]) in page
    assert Decimal(0) == queries.deposit(store.pk).held.amount


def test_a_shortfall_leads_to_the_deposit(as_role, store):
    client = as_role("owner")
    seen(client.post(reverse("web:deposit_require"), {"store": store.pk, "amount": "1000", "valid_from": "2026-04-01"}), 302)
    page = seen(client.get(reverse("web:today")))
    assert "The deposit of Red cups is 1000" in page and f'href="{reverse("web:deposit")}"' in page


def test_one_click_makes_the_pack_and_a_photo_nobody_could_read_waits(as_role, store, monkeypatch):
    client = as_role("operator")
    complaint = commands.open_complaints([commands.NewComplaint("damaged", "Broken.", AT, "C-7")], store=store, source=cast.BY, by=cast.BY, at=AT).added[0]
    out = BytesIO()
    Image.new("RGB", (320, 200), "white").save(out, "PNG")
    commands.attach_files([("blank.png", out.getvalue())], store_id=store.pk, thing_kind="complaint", thing=complaint, by=cast.BY, at=AT)
    page = seen(client.get(reverse("web:complaint", args=[complaint])))
    assert reverse("web:evidence_now") in page
    answer = client.post(reverse("web:evidence_now"), {"kind": "complaint", "case": str(complaint), "next": reverse("web:complaint", args=[complaint])})
    pack = EvidencePack.objects.get()
    assert answer.status_code == 302 and answer["Location"] == reverse("web:evidence_pack", args=[pack.pk])
    # The photo is still to be read: the page answers at once, the worker does the rest.
    waits = seen(client.get(answer["Location"]))
    assert "Being gathered" in waits and "Waits for the worker" in waits and reverse("web:evidence_progress", args=[pack.pk]) in waits
    assert client.get(reverse("web:evidence_file", args=[pack.pk])).status_code == 404
    asked = client.get(reverse("web:evidence_progress", args=[pack.pk]))
    assert "HX-Refresh" not in asked.headers
    assert gather_waiting(at=AT) == {"made": 1, "failed": 0}
    assert client.get(reverse("web:evidence_progress", args=[pack.pk]))["HX-Refresh"] == "true"
    told = seen(client.get(answer["Location"]))
    assert "1 photo waits for you" in told and "1 photo is left out" in told
    cover = PictureCover.objects.get()
    here = reverse("web:picture", args=[cover.pk])
    assert "Until you have said so it goes into no pack" in seen(client.get(here))
    assert here in seen(client.get(reverse("web:pictures") + "?state=waiting"))
    decide = reverse("web:picture_decide", args=[cover.pk])
    assert "Mark the fields" in seen(client.post(decide, {"decision": "boxed", "field": ["x", "320"]}, follow=True))
    client.post(decide, {"decision": "boxed", "field": ["0", "1"]})
    cover.refresh_from_db()
    assert (cover.state, cover.boxes, cover.by) == ("boxed", [[0, 0, 62.5, 50], [62.5, 0, 125, 50]], f"user:{User.objects.get().pk}")
    for name, dark in (("picture_copy", True), ("picture_original", False)):
        shown = client.get(reverse(f"web:{name}", args=[cover.pk]))
        assert shown["Content-Type"] == "image/jpeg" and shown["X-Content-Type-Options"] == "nosniff"
        assert (Image.open(BytesIO(shown.content)).getpixel((3, 3))[0] < 40) is dark
    assert seen(client.get(here)).count("checked") == 2
    client.post(decide, {"decision": "left_out"})
    cover.refresh_from_db()
    assert cover.state == "left_out"


def test_a_pack_that_could_not_be_made_says_why_and_is_asked_for_again(as_role, store):
    client = as_role("operator")
    wanted = {"store_id": store.pk, "case_kind": "", "case": 0, "orders": [], "name": "p.zip", "language": "en", "revealed": False, "reason": ""}
    pack = commands.ask_pack(**wanted, by=cast.BY, at=AT)
    commands.give_up_pack(pack.pk, sentence="The paper is torn.", by=cast.BY, at=AT)
    here = reverse("web:evidence_pack", args=[pack.pk])
    page = seen(client.get(here))
    again = reverse("web:evidence_again", args=[pack.pk])
    assert "The paper is torn." in page and again in page and "could not be made" in page
    assert "An evidence pack could not be made: The paper is torn." in seen(client.get(reverse("web:today")))
    assert here in seen(client.get(reverse("web:today"))) and "The paper is torn." in seen(client.get(reverse("web:evidence")))
    assert "it is gathered now" in seen(client.post(again, follow=True))
    assert "only one that could not be made" in seen(client.post(again, follow=True))
    assert EvidencePack.objects.get().state == "gathering" and "torn" not in seen(client.get(reverse("web:today")))


def test_an_order_has_its_pack_in_one_click(as_role, store):
    client = as_role("operator", "zh-hans")
    answer = client.post(reverse("web:evidence_now"), {"order": "999"})
    assert answer.status_code == 404
    assert client.post(reverse("web:evidence_now"), {"kind": "violation", "case": "999"}).status_code == 404


def test_a_complaint_says_something_and_the_same_one_is_taken_once(as_role, store):
    client = as_role("operator")
    where = reverse("web:complaint_add")
    form = {"store": store.pk, "kind": "foreign_card", "opened_at": "2026-04-01T09:00"}
    assert "Say what is complained of" in seen(client.post(where, {**form, "text": " "}), 422)
    assert not Complaint.objects.exists()
    seen(client.post(where, {**form, "text": "A card"}), 302)
    assert "known already" in seen(client.post(where, {**form, "text": "A card"}), 422), "sent twice"
    seen(client.post(where, {**form, "text": "Another card"}), 302)
    one = Complaint.objects.earliest("id")
    past = client.post(reverse("web:complaint_escalate", args=[one.pk]), {"due_at": "2026-03-01T09:00"})
    assert "before the complaint arrived" in seen(past, 422) and Complaint.objects.get(pk=one.pk).state == "open"


def test_money_without_a_number_that_is_sent_twice_is_taken_once(as_role, store):
    client = as_role("owner")
    where, form = reverse("web:deposit_move"), {"store": store.pk, "kind": "penalty", "amount": "15", "date": "2026-03-31"}
    seen(client.post(where, form), 302)
    assert "is entered already" in seen(client.post(where, form), 422)
    seen(client.post(where, {**form, "reference": "B-2"}), 302)
    seen(client.post(where, {**form, "amount": "16"}), 302)
    assert DepositMove.objects.count() == 3
    page = seen(client.get(reverse("web:deposit")))
    own = set(DepositMove.objects.exclude(reference="B-2").values_list("reference", flat=True))
    assert "B-2" in page and len(own) == 2 and not any(one in page for one in own), "what daifa calls a move without a number is not shown"


def test_a_notice_is_not_to_be_answered_before_it_arrived(as_role, store):
    client = as_role("operator")
    form = {"store": store.pk, "reference": "N-1", "right": "copyright", "notified_at": "2026-04-01T08:00", "answer_due_at": "2026-03-30T08:00"}
    assert "before the notice arrived" in seen(client.post(reverse("web:infringement_add"), form), 422)
    assert not Infringement.objects.exists()


def test_of_many_stores_those_with_something_on_record_are_shown(client, store):
    user = User.objects.create_user("many", password="x", language="en")
    first = [
        add_store(code=f"a{n}", name=f"A{n}", currency="CNY", kind="marketplace", channel="xiaohongshu", country="CN",
                  timezone="Asia/Shanghai", by=cast.BY, at=AT)
        for n in range(6)
    ]  # fmt: skip
    for one in (*first, store):
        StoreAccess.objects.create(user=user, store=one, role="owner")
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    client.cookies["django_language"] = "en"
    form = {"kind": "other", "notified_at": "2026-04-01T09:00", "points": "7", "taken_from": "proceeds"}
    seen(client.post(reverse("web:violation_add"), {**form, "store": store.pk, "reference": "V-1"}), 302)
    assert "Red cups: Violation points" in seen(client.get(reverse("web:violations")))
    for number, one in enumerate(first):
        seen(client.post(reverse("web:violation_add"), {**form, "store": one.pk, "reference": f"V-A{number}"}), 302)
    page = seen(client.get(reverse("web:violations")))
    assert "Other stores" in page and all(f"A{number}" in page for number in range(6))
    asked = seen(client.get(reverse("web:qualifications"), {"q": "零食"}))
    assert asked.count("Red cups") > seen(client.get(reverse("web:qualifications"))).count("Red cups"), "the seventh store is asked about, too"


def test_a_complaint_leads_to_what_was_read_and_to_the_supplier(as_role):
    from daifa.domain.shipping import checks
    from daifa.domain.stores.models import Store
    from daifa.flows.check_complaints import check_complaint_photos
    from tests import shipped_orders

    shop = shipped_orders.store(kind="marketplace", channel="xiaohongshu")
    order = shipped_orders.order(shop)
    taken = commands.open_complaints([commands.NewComplaint("foreign_card", "A card.", AT, "C-7", order.number)], store=shop, source=cast.BY, by=cast.BY, at=AT)
    commands.attach_files([("card.png", picture())], store_id=shop.pk, thing_kind="complaint", thing=taken.added[0], by=cast.BY, at=AT)
    check_complaint_photos(list(CaseFile.objects.values_list("pk", flat=True)), at=AT, by=cast.BY)
    from daifa.domain.shipping.models import ParcelCheck

    check = ParcelCheck.objects.get()
    checks.judge_photos({check.pk: ["感谢您在拼多多购买本店商品"]}, by=cast.BY, at=AT)
    user = User.objects.create_user("reader", password="x", language="en")
    StoreAccess.objects.create(user=user, store=Store.objects.get(pk=shop.pk), role="operator")
    client = as_role("operator")
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    page = seen(client.get(reverse("web:complaint", args=[taken.added[0]])))
    assert "a card: 拼多多" in page and reverse("web:parcel_check", args=[check.pk]) in page and "card.png" in page
    StoreAccess.objects.filter(user=user).update(role="viewer")
    page = seen(client.get(reverse("web:complaint", args=[taken.added[0]])))
    assert "a card: 拼多多" in page and "card.png" not in page, "what a photo is called may name somebody"
