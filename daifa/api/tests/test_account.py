"""What watches the account, through the API: clocks, health, rules, risks, cases, deposit, evidence, closing, exit index."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from daifa.api.tests.conftest import photo
from daifa.domain.orders.models import Order
from daifa.domain.stores.models import Store, StoreAccess
from daifa.lib import clock

V1 = "/api/v1"


def post(client, path, body, status=200):
    answer = client.post(V1 + path, json.dumps(body), content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer.json()


def get(client, path, status=200):
    answer = client.get(V1 + path)
    assert answer.status_code == status, answer.content
    return answer.json()


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def client(as_user):
    return as_user("owner")


@pytest.fixture
def on_xiaohongshu(shop):
    """The first store sells on a marketplace whose rules the book knows."""
    Store.objects.filter(pk=shop.first).update(kind="marketplace", channel="xiaohongshu", country="CN")
    return shop.first


def says(told, code=None):
    """An error in the one shape, with a sentence."""
    assert set(told) == {"code", "sentence", "field"} and told["sentence"].endswith("."), told
    assert code is None or told["code"] == code, told
    return told["sentence"]


# --- Clocks, findings, health -------------------------------------------------------------------------------------


def test_clocks_run_with_the_money_at_stake_and_are_read_page_by_page(shop, client, on_xiaohongshu):
    Order.objects.filter(store_id=shop.first).exclude(status__in=["delivered", "cancelled", "closed"]).update(paid_at=clock.now())
    done = post(client, f"/stores/{shop.first}/clocks/reckon", {})
    assert done["clocks"] > 0
    assert post(client, f"/stores/{shop.first}/clocks/reckon", {})["changed"] == 0, "the same rows give the same clocks"
    seen, after = [], ""
    for _page in range(40):
        page = get(client, f"/clocks?limit=7{after}")
        seen += page["items"]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert len(seen) == len({one["id"] for one in seen}) == done["clocks"]
    assert [one["due_at"] for one in seen] == sorted(one["due_at"] for one in seen)
    first = seen[0]
    assert get(client, f"/clocks?order_id={first['order_id']}&kind={first['kind']}")["items"][0]["rule"] == first["rule"]
    assert get(client, f"/clocks?store_id={shop.second}")["items"] == []
    totals = get(client, "/clocks/totals")
    assert totals["overdue"] + totals["within_a_day"] + totals["informing"] <= done["clocks"]
    assert sum(one["count"] for one in get(client, "/clocks/running-out")) == totals["overdue"] + totals["within_a_day"]
    assert get(client, "/parcel-findings")["items"] is not None
    says(get(client, "/clocks?after=nonsense", 422), "bad_cursor")
    says(get(client, "/clocks?state=lost", 422))


def test_how_a_store_ships_is_the_owners_word(shop, as_user, client, on_xiaohongshu):
    address = f"/stores/{shop.first}/dispatch-mode"
    assert get(client, address)["mode"] is None
    assert post(client, address, {"mode": "spot"})["mode"] == "spot"
    says(post(client, address, {"mode": "promised"}, 409), "hours_missing")
    says(post(client, address, {"mode": "spot", "variants": [10**12]}, 409), "no_variant")
    says(post(client, address, {"mode": "by_pigeon"}, 422))
    says(post(as_user("operator"), address, {"mode": "spot"}, 403), "forbidden")


def test_health_names_lines_and_keeps_a_trend(shop, client, on_xiaohongshu):
    told = get(client, f"/stores/{shop.first}/health")
    assert told["channel"] == "xiaohongshu"
    lines = [one for one in told["metrics"] if one["rule"]]
    assert lines and all(one["words"] and one["text"] for one in lines)
    assert post(client, f"/stores/{shop.first}/health/keep", {})["figures"] > 0
    kept = [one for one in lines if get(client, f"/stores/{shop.first}/health/trend?rule={one['rule']}")]
    assert kept
    assert get(client, f"/stores/{shop.first}/health/trend?rule=nothing") == []
    assert {one["store_id"] for one in get(client, "/near-lines")} <= {shop.first}
    says(get(client, f"/stores/{shop.first}/health/trend?days=0", 422))


# --- Rules --------------------------------------------------------------------------------------------------------


def test_rules_are_listed_by_channel_and_one_is_explained(shop, client, on_xiaohongshu):
    channels = {one["name"]: one for one in get(client, "/rule-channels")}
    assert channels["xiaohongshu"]["act"] <= channels["xiaohongshu"]["rules"]
    seen, after = [], ""
    while True:
        page = get(client, f"/rules?channel=xiaohongshu&limit=20{after}")
        seen += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert len(seen) == channels["xiaohongshu"]["rules"] and seen == sorted(set(seen))
    assert {one["acts"] for one in get(client, "/rules?channel=xiaohongshu&acts=false")["items"]} == {False}
    own = {one["channel"] for one in get(client, f"/rules?store_id={shop.first}&limit=200")["items"]}
    assert {"xiaohongshu", "law_cn"} <= own
    rule = get(client, "/rules/xhs-ship-spot-domestic")
    assert rule["source"] and rule["line"] and [one["store_id"] for one in rule["stores"]] == [shop.first]
    assert rule["acts"] or rule["why_not"].endswith(".")
    says(get(client, "/rules/no-such-rule", 404), "not_found")
    says(get(client, f"/rules?store_id={shop.second}", 404), "not_found")
    assert isinstance(get(client, "/rule-changes"), list)


def test_what_will_change_says_what_it_would_mean(shop, client, as_user, on_xiaohongshu):
    day = (clock.now() + timedelta(days=9)).date().isoformat()
    for rule, changes in (("xhs-ship-spot-domestic", {"threshold": "1"}), ("xhs-comp-late-le48", {"threshold": "2"})):
        post(client, f"/rules/{rule}/words", {"store_id": shop.first, "reason": "notice", "valid_from": day, "changes": changes})
    money, hours = get(client, f"/rule-changes?store_id={shop.first}")
    assert (hours["rule"], hours["on"], hours["what"]) == ("xhs-ship-spot-domestic", day, "changes")
    assert hours["orders"] == hours["clocks"] == len(hours["order_numbers"]) and hours["means"]
    assert money["clocks"] is None and money["at_stake_before"].keys() == money["at_stake_after"].keys() and money["means"]
    assert get(as_user("neighbour"), "/rule-changes") == [], "of one's own stores only"


def test_the_owners_word_about_a_rule_stays_beside_the_files(shop, client, as_user, on_xiaohongshu):
    address = "/rules/xhs-ship-spot-domestic/words"
    before = get(client, "/rules/xhs-ship-spot-domestic")["threshold"]
    told = post(client, address, {"store_id": shop.first, "reason": "Read it today.", "changes": {"threshold": "40"}})
    assert told["threshold"] == ["40"] and told["words"][0]["changes"] == {"threshold": "40"}
    assert get(client, "/rules/xhs-ship-spot-domestic")["threshold"] == before, "only for that store"
    says(post(client, address, {"store_id": shop.first, "reason": "x", "changes": {"threshold": "soon"}}, 409))
    says(post(client, address, {"reason": "For all stores."}, 403), "forbidden")
    word = told["words"][0]["id"]
    assert post(client, f"/rule-words/{word}/withdraw", {})["done"] == [word]
    assert post(client, f"/rule-words/{word}/withdraw", {})["done"] == []
    says(post(as_user("neighbour"), f"/rule-words/{word}/withdraw", {}, 404))


# --- Violations, points, deposit ----------------------------------------------------------------------------------


def test_a_violation_is_taken_once_appealed_and_answered(shop, client):
    now = clock.now()
    order = Order.objects.filter(store_id=shop.first).first()
    given = {
        "store_id": shop.first, "reference": "V-77", "kind": "late_dispatch", "notified_at": now.isoformat(), "points": "2",
        "orders": [order.number, "nobody-knows"], "appeal_due_at": (now + timedelta(days=1)).isoformat(), "money": "5.00",
        "consequences": [{"kind": "listing_limit", "from_at": now.isoformat()}],
    }  # fmt: skip
    told = post(client, "/violations", given, 201)
    assert [one["number"] for one in told["orders"]] == [order.number] and told["unknown_orders"] == ["nobody-knows"]
    assert told["moves"][0]["amount"] == {"amount": "5.00", "currency": "GBP"}
    again = post(client, "/violations", given, 200)
    assert again["id"] == told["id"] and len(again["moves"]) == 1
    assert [one["id"] for one in get(client, "/violations?state=open&q=V-7")["items"]] == [told["id"]]
    points = get(client, f"/stores/{shop.first}/points")
    assert points["total"] == "2.00" and points["by_kind"] == {"late_dispatch": "2.00"}
    assert [one["kind"] for one in get(client, "/limits")] == ["listing_limit"]
    open_ = post(client, f"/violations/{told['id']}/appeals", {"text": "The carrier scanned it in time."}, 201)
    [appeal] = open_["appeals"]
    says(post(client, f"/violations/{told['id']}/appeals", {"text": "Twice."}, 409))
    post(client, f"/appeals/{appeal['id']}/send", {"reference": "A-1"})
    says(post(client, f"/appeals/{appeal['id']}/answer", {"outcome": "partly_won"}, 409))
    won = post(client, f"/appeals/{appeal['id']}/answer", {"outcome": "won", "answer": "Right."})
    assert won["state"] == "lifted"
    assert get(client, f"/stores/{shop.first}/points")["total"] in ("0", "0.00")


def test_an_appeal_after_its_deadline_is_refused_or_kept_as_a_note(shop, client):
    now = clock.now()
    given = {"store_id": shop.first, "reference": "V-78", "notified_at": (now - timedelta(days=40)).isoformat(),
             "appeal_due_at": (now - timedelta(days=10)).isoformat()}  # fmt: skip
    number = post(client, "/violations", given, 201)["id"]
    assert get(client, f"/violations/{number}")["why_not_appeal"].endswith(".")
    says(post(client, f"/violations/{number}/appeals", {"text": "Too late?"}, 409), "late")
    kept = post(client, f"/violations/{number}/appeals", {"text": "Too late.", "keep_as_note": True}, 201)
    assert kept["appeals"][0]["round"] == 0 and kept["state"] == "active"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"kind": "bad_mood"}, None),
        ({"notified_at": "0001-01-01T00:00:00Z"}, None),
        ({"notified_at": "2190-01-01T00:00:00Z"}, "date_in_future"),
        ({"rule": "no-such-rule"}, "unknown_rule"),
        ({"money": "5.001"}, "amount_too_fine"),
        ({"points": "-1"}, None),
        ({"reference": ""}, None),
    ],
)
def test_a_violation_that_cannot_be_is_refused_with_a_sentence(shop, client, wrong, code):
    given = {"store_id": shop.first, "reference": "V-1", "notified_at": clock.now().isoformat()} | wrong
    says(post(client, "/violations", given, 409 if code else 422), code)
    assert get(client, "/violations")["items"] == []


def test_money_of_a_violation_is_for_who_keeps_the_books(shop, as_user):
    given = {"store_id": shop.first, "reference": "V-1", "notified_at": clock.now().isoformat(), "money": "5"}
    says(post(as_user("operator"), "/violations", given, 403), "forbidden")
    assert post(as_user("operator"), "/violations", given | {"money": None}, 201)["moves"] == []


def test_texts_of_cases_are_for_owners_and_operators(shop, as_user):
    given = {"store_id": shop.first, "reference": "V-1", "notified_at": clock.now().isoformat(), "title": "Ada Smith waited",
             "note": "Ada Smith", "appeal_due_at": (clock.now() + timedelta(days=1)).isoformat()}  # fmt: skip
    number = post(as_user("operator"), "/violations", given, 201)["id"]
    complaint = {"store_id": shop.first, "kind": "late", "text": "Ada Smith waits", "opened_at": clock.now().isoformat()}
    case = post(as_user("operator"), "/complaints", complaint, 201)["id"]
    for address in (f"/violations/{number}", f"/complaints/{case}", "/violations", "/complaints"):
        assert "Ada Smith" not in json.dumps(get(as_user("viewer"), address)), address
        assert "Ada Smith" not in json.dumps(get(as_user("bookkeeper"), address)), address
    assert "Ada Smith" in json.dumps(get(as_user("operator"), f"/complaints/{case}"))


def test_the_deposit_moves_once_for_each_reference(shop, as_user):
    client, address = as_user("bookkeeper"), f"/stores/{shop.first}/deposit"
    move = {"kind": "paid_in", "amount": "500.00", "at": clock.now().isoformat(), "reference": "bank-1"}
    assert post(client, f"{address}/moves", move, 201)["held"]["amount"] == "500.00"
    assert post(client, f"{address}/moves", move, 200)["held"]["amount"] == "500.00"
    required = post(client, f"{address}/requirement", {"amount": "800", "valid_from": str(clock.now().date())})
    assert required["short"] == {"amount": "300.00", "currency": "GBP"}
    says(post(client, f"{address}/moves", move | {"kind": "deducted", "amount": "900", "reference": "x"}, 409))
    says(post(client, f"{address}/moves", move | {"reference": ""}, 422))
    says(post(as_user("operator"), f"{address}/moves", move, 403), "forbidden")
    assert [one["reference"] for one in get(client, "/deposit-moves?kind=paid_in")["items"]] == ["bank-1"]


# --- Complaints, rights, papers, packs ----------------------------------------------------------------------------


def test_a_complaint_with_its_photo_runs_to_an_outcome_and_into_a_pack(shop, client, as_user):
    from daifa.flows.gather_evidence import gather_waiting

    order = Order.objects.filter(store_id=shop.first, status="delivered").first()
    given = {"store_id": shop.first, "kind": "foreign_card", "text": "A card of a foreign shop.", "opened_at": clock.now().isoformat(),
             "reference": "C-9", "order": order.number}  # fmt: skip
    case = post(client, "/complaints", given, 201)
    assert post(client, "/complaints", given, 200)["id"] == case["id"]
    says(post(client, "/complaints", given | {"reference": "C-10", "order": "nobody-knows"}, 409), "no_order")
    address = f"{V1}/case-files/complaint/{case['id']}"
    added = client.post(address, {"files": [SimpleUploadedFile("card.png", photo()), SimpleUploadedFile("evil.png", b"MZ")]}).json()
    assert len(added["done"]) == 1 and len(added["refused"]) == 1 and added["refused"][0].endswith(".")
    assert client.post(address, {"files": SimpleUploadedFile("same.png", photo())}).json()["done"] == added["done"]
    answer = client.get(f"{V1}/case-files/{added['done'][0]}")
    assert b"".join(answer.streaming_content) == photo() and answer["X-Content-Type-Options"] == "nosniff"
    assert post(client, f"/complaints/{case['id']}/finding", {"finding": "breach"})["finding"] == "breach"
    post(client, f"/complaints/{case['id']}/answer", {"answer": "We are sorry."})
    says(post(client, f"/complaints/{case['id']}/answer", {"answer": " "}, 409))
    pack = post(client, "/evidence", {"store_id": shop.first, "case_kind": "complaint", "case_id": case["id"], "language": "en"}, 201)
    assert (pack["state"], pack["photos"], pack["made_at"]) == ("gathering", 1, None), "the photo is read first"
    says(get(client, f"/evidence/{pack['id']}/file", 409), "not_made")
    says(post(client, f"/evidence/{pack['id']}/again", {}, 409), "wrong_state")
    assert gather_waiting(at=clock.now())["made"] == 1
    pack = get(client, f"/evidence/{pack['id']}")
    assert pack["state"] == "made" and any(one["name"].endswith(".pdf") for one in pack["contents"])
    bytes_ = b"".join(client.get(f"{V1}/evidence/{pack['id']}/file").streaming_content)
    assert bytes_[:2] == b"PK" and len(bytes_) == pack["size"]
    assert [one["id"] for one in get(client, "/evidence")["items"]] == [pack["id"]]
    assert get(client, f"/complaints/{case['id']}")["packs"][0]["id"] == pack["id"]
    says(get(as_user("viewer"), "/evidence", 403), "forbidden")
    says(post(client, "/evidence", {"store_id": shop.first}, 409))
    says(post(client, "/evidence", {"store_id": shop.first, "case_kind": "complaint"}, 422), "case_incomplete")
    says(post(client, "/evidence", {"store_id": shop.first, "orders": ["nobody-knows"]}, 409), "no_order")
    assert post(client, "/complaints/close", {"complaint_ids": [case["id"]]})["done"] == []
    assert post(client, f"/complaints/{case['id']}/settle", {"outcome": "refunded"})["outcome"] == "refunded"
    assert post(client, "/complaints/close", {"complaint_ids": [case["id"]]})["done"] == [case["id"]]
    says(post(client, f"/complaints/{case['id']}/settle", {"outcome": "refunded"}, 409))


def test_a_notice_needs_a_proof_before_it_is_countered(shop, client):
    from daifa.domain.catalog.models import ListingVariant

    listing = ListingVariant.objects.create(store_id=shop.first, sku="NOTED", title="A mug", created_at=clock.now())
    given = {"store_id": shop.first, "reference": "N-1", "right": "trademark", "notified_at": clock.now().isoformat(), "sku": listing.sku}
    case = post(client, "/infringements", given, 201)
    assert case["listing_id"] == listing.pk and post(client, "/infringements", given, 200)["id"] == case["id"]
    says(post(client, "/infringements", given | {"reference": "N-2", "sku": "nothing-like-it"}, 409), "no_listing")
    step = f"/infringements/{case['id']}/step"
    says(post(client, step, {"to": "countered", "text": "It is genuine."}, 409), "proof_missing")
    right = {"store_id": shop.first, "skus": [listing.sku], "right": "trademark", "basis": "retail", "valid_from": "2026-01-01"}
    [proof] = post(client, "/listing-rights", right, 201)["done"]
    assert client.post(f"{V1}/case-files/listing_right/{proof}", {"files": SimpleUploadedFile("p.png", photo())}).status_code == 200
    told = post(client, step, {"to": "countered", "text": "It is genuine."})
    assert (told["state"], [one["id"] for one in told["rights"]]) == ("countered", [proof])
    assert post(client, step, {"to": "forwarded"})["forwarded_at"]
    says(post(client, step, {"to": "notified"}, 422))


def test_licences_are_entered_renewed_and_missed(shop, client, on_xiaohongshu):
    given = {"store_id": shop.first, "kind": "food_licence", "category": "食品", "number": "JY1", "valid_from": "2025-01-01",
             "valid_until": "2026-01-01"}  # fmt: skip
    made = post(client, "/qualifications", given, 201)
    assert post(client, "/qualifications", given | {"valid_until": "2199-01-01"}, 201)["id"] == made["id"], "a renewal"
    says(post(client, "/qualifications", given | {"valid_until": "2024-01-01"}, 409), "times_crossed")
    address = f"/stores/{shop.first}/missing-qualifications?category="
    assert "food_licence" not in {kind for one in get(client, address + "食品") for kind in one["kinds"]}
    assert get(client, f"/qualifications/{made['id']}")["valid_until"] == "2199-01-01"
    post(client, f"/qualifications/{made['id']}/withdraw", {"on": str(clock.now().date())})
    assert "food_licence" in {kind for one in get(client, address + "食品") for kind in one["kinds"]}
    says(get(client, f"/stores/{shop.first}/missing-qualifications", 422))


# --- Agreements and risks -----------------------------------------------------------------------------------------


def test_an_agreement_opens_and_ends_what_a_supplier_may(shop, client, as_user):
    from daifa.domain.sourcing.models import Supplier

    made = {"code": "new", "name": "New", "currency": "CNY"}
    supplier = Supplier.objects.get(pk=post(as_user("boss"), "/suppliers", made, 201)["id"])
    gate = f"/suppliers/{supplier.pk}/may-serve/{shop.first}"
    refused = get(client, gate)
    assert not refused["may"] and refused["code"] and refused["sentence"]
    today = clock.now().date()
    given = {"supplier_id": supplier.pk, "store_id": shop.first, "valid_from": str(today - timedelta(days=2)), "is_authorised": True,
             "no_cards": True, "entrusted_on": str(today - timedelta(days=2))}  # fmt: skip
    made = post(client, "/agreements", given, 201)
    assert get(client, gate)["may"], get(client, gate)
    assert [one["id"] for one in get(client, f"/agreements?supplier_id={supplier.pk}")["items"]] == [made["id"]]
    assert get(as_user("neighbour"), f"/agreements?supplier_id={supplier.pk}")["items"] == []
    papers = f"{V1}/agreements/{made['id']}/papers"
    kept = client.post(papers, {"papers": [SimpleUploadedFile("a.png", photo()), SimpleUploadedFile("b.exe", b"MZ")]}).json()
    assert len(kept["done"]) == 1 and len(kept["refused"]) == 1
    assert b"".join(client.get(f"{papers}/{kept['done'][0]}").streaming_content) == photo()
    assert post(client, f"/agreements/{made['id']}", {"valid_from": given["valid_from"], "note": "By phone."})["note"] == "By phone."
    says(post(client, "/agreements", given | {"valid_until": "2020-01-01"}, 409), "dates_crossed")
    says(post(client, "/agreements", given | {"store_id": None}, 403), "forbidden")
    post(client, f"/agreements/{made['id']}/end", {"last_day": str(today - timedelta(days=1))})
    assert not get(client, gate)["may"]
    assert get(client, f"/suppliers/{supplier.pk}/substitutes") == []


def test_a_sign_is_counted_planned_against_and_settled(shop, client):
    case = {"store_id": shop.first, "kind": "foreign_card", "text": "拼多多的卡片", "opened_at": clock.now().isoformat(),
            "order": Order.objects.filter(store_id=shop.first).first().number}  # fmt: skip
    post(client, "/complaints", case, 201)
    post(client, f"/stores/{shop.first}/risks/count", {})
    [risk] = get(client, "/risks?kind=foreign_trace")["items"]
    assert risk["words"] and risk["unit"] == "orders"
    told = get(client, f"/risks/{risk['id']}")
    assert told["behind"][0]["order_number"] == case["order"] and told["remedies"]
    planned = post(client, f"/risks/{risk['id']}/plan", {})["done"]
    assert post(client, f"/risks/{risk['id']}/plan", {})["done"] == []
    steps = get(client, "/plan-steps?situation=orders")
    assert {one["id"] for one in steps} == set(planned)
    if planned:
        post(client, f"/plan-steps/{planned[0]}/move", {"state": "doing"})
        says(post(client, f"/plan-steps/{planned[0]}/move", {"state": "todo"}, 409), "no_change")
    assert post(client, f"/stores/{shop.first}/plan-steps", {"kind": "affiliate"}, 422)["code"] == "invalid"
    says(post(client, f"/risks/{risk['id']}/settle", {"state": "explained", "note": " "}, 409), "no_reason")
    settled = post(client, f"/risks/{risk['id']}/settle", {"state": "explained", "note": "A sample."})
    assert (settled["state"], settled["note"]) == ("explained", "A sample.")
    assert get(client, "/affiliate-links") == []


def test_a_record_is_clean_only_where_no_violation_stands(shop, client):
    looked_up = {"followers": 5000, "is_adult": True, "is_clean": True}
    checks = f"/stores/{shop.first}/affiliate-checks"
    assert post(client, checks, looked_up, 201)["missing"] == []
    post(client, "/violations", {"store_id": shop.first, "reference": "V-77", "notified_at": clock.now().isoformat()}, 201)
    says(post(client, checks, looked_up, 409), "not_clean")
    assert post(client, checks, looked_up | {"is_clean": False}, 201)["missing"] == ["clean"]


# --- Closing and the exit index -----------------------------------------------------------------------------------


def test_a_closing_is_checked_begun_once_done_step_by_step_and_taken_back(shop, client):
    store = f"/stores/{shop.first}"
    life = get(client, f"{store}/life")
    assert (life["lifecycle"], life["standing"], life["takes_orders"]) == ("open", "normal", True)
    open_ = get(client, f"{store}/closing-check")
    assert open_ and all(one["words"] and one["count"] for one in open_)
    days = get(client, f"{store}/closing-calendar?scenario=choice")
    assert [one["on"] for one in days] == sorted(one["on"] for one in days) and all(one["words"] for one in days)
    soon = {"reason": "Enough.", "wished_on": str(clock.now().date() + timedelta(days=3))}
    says(post(client, f"{store}/closings", soon, 409))
    assert get(client, "/closings") == [], "three days are refused by the calendar"
    closing = post(client, f"{store}/closings", {"reason": "Enough."}, 201)
    assert closing["state"] == "running" and not get(client, f"{store}/life")["takes_orders"]
    says(post(client, f"{store}/closings", {"reason": "Again."}, 409))
    assert len(get(client, "/closings")) == 1
    blocked = next(one for one in closing["steps"] if one["blocked_by"])
    says(client.post(f"{V1}/closing-steps/{blocked['id']}/do", {"note": "Skip ahead."}).json())
    down = next(one for one in closing["steps"] if one["code"] == "listings_down")
    assert client.post(f"{V1}/closing-steps/{down['id']}/do").status_code == 200
    undone = post(client, f"/closing-steps/{down['id']}/undo", {"note": "Too early."})
    assert [one["what"] for one in next(one for one in undone["steps"] if one["id"] == down["id"])["evidence"]] == ["undone", "done"]
    assert post(client, f"/closings/{closing['id']}/withdraw", {"reason": "We stay."})["state"] == "withdrawn"
    assert get(client, f"{store}/life")["takes_orders"]
    says(get(client, f"{store}/closing-calendar?scenario=vanish", 422))


def test_a_step_asks_for_its_evidence_and_keeps_the_document(shop, client):
    given = {"scenario": "no_traffic", "reason": "Nobody comes."}
    closing = post(client, f"/stores/{shop.first}/closings", given, 201)
    assert closing["state"] == "threatened" and get(client, f"/stores/{shop.first}/life")["takes_orders"]
    steps = {one["code"]: one for one in closing["steps"]}
    improve = f"{V1}/closing-steps/{steps['improve']['id']}/do"
    says(client.post(improve, {}).json())
    document = SimpleUploadedFile("letter.png", photo())
    answer = client.post(improve, {"note": "New pictures, two weeks of trials.", "document": document}).json()
    [step] = [one for one in answer["steps"] if one["code"] == "improve"]
    assert step["state"] == "done" and step["evidence"][0]["note"].startswith("New pictures")
    kept = client.get(f"{V1}/closing-evidence/{step['evidence'][0]['id']}/content")
    assert kept.status_code == 200, (kept.content, step)
    assert b"".join(kept.streaming_content) == photo()
    choose = f"{V1}/closing-steps/{steps['choose']['id']}/do"
    says(client.post(choose, {"note": "We stay.", "outcome": "vanish"}).json())
    assert client.post(choose, {"note": "We stay.", "outcome": "change_line"}).json()["state"] == "averted"


def test_only_an_owner_ends_a_store_or_speaks_for_it(shop, as_user):
    for who in ("operator", "bookkeeper", "viewer"):
        for path, body in (
            ("closings", {"reason": "Enough."}), ("standing", {"standing": "frozen"}), ("status-page", {"is_on": True}),
        ):  # fmt: skip
            says(post(as_user(who), f"/stores/{shop.first}/{path}", body, 403), "forbidden")
    assert get(as_user("owner"), f"/stores/{shop.first}/life")["standing"] == "normal"


def test_standing_and_public_page(shop, client, as_user):
    told = post(client, f"/stores/{shop.first}/standing", {"standing": "frozen", "reason": "Told today."})
    assert (told["standing"], told["takes_orders"], told["standing_reason"]) == ("frozen", False, "Told today.")
    page = post(client, f"/stores/{shop.first}/status-page", {"is_on": True, "slug": "our-shop", "contact": "help@example.org"})
    assert page["is_on"] and page["word"]
    says(post(as_user("boss"), f"/stores/{shop.second}/status-page", {"is_on": True, "slug": "our-shop"}, 409))


def test_the_exit_index_says_what_it_knows_or_why_not(shop, client):
    [told] = get(client, "/exit-index")
    assert told["store_id"] == shop.first and told["is_advice"]
    assert told["open_in"] or told["why_not"].endswith(".")
    post(client, f"/stores/{shop.first}/exit-index/measure", {})
    after = get(client, f"/stores/{shop.first}/exit-index")
    if after["open_in"]:
        year = after["open_in"]["12"]
        assert 0 <= year["low"] <= year["chance"] <= year["high"] <= 1 and after["drivers"]
    assert get(client, "/closures") == []


# --- Privacy ------------------------------------------------------------------------------------------------------


def test_a_person_is_found_handed_over_held_and_erased_by_owners_only(shop, client, as_user):
    from daifa.domain.orders.models import AddressVersion
    from daifa.domain.purchasing.models import PurchaseOrder

    PurchaseOrder.objects.filter(state="placed").update(state="closed")
    under_way = Order.objects.exclude(status__in=["delivered", "cancelled", "closed"]).values("customer_id")
    ended = Order.objects.filter(store_id=shop.first, status="delivered").exclude(customer_id__in=under_way)
    address = AddressVersion.objects.filter(order__in=ended).exclude(name="").first()
    person = {"name": address.name, "order_number": address.order.number}
    for who in ("operator", "bookkeeper", "viewer"):
        says(post(as_user(who), "/privacy/look", person, 403), "forbidden")
    assert post(as_user("neighbour"), "/privacy/look", person)["orders"] == []
    told = post(client, "/privacy/look", person)
    assert address.order.number in {one["number"] for one in told["orders"]} and told["places"]
    why = {one["number"]: (one["why"], one["why_words"]) for one in told["orders"]}
    assert why[address.order.number] == (["named"], "it has the number and the name asked for")
    assert {code for codes, _words in why.values() for code in codes} <= {"named", "customer", "same_email"}
    assert {one["sentence"][-1] for one in told["stays"]} <= {"."}
    zip_ = client.post(f"{V1}/privacy/export", json.dumps(person), content_type="application/json")
    assert zip_.content[:2] == b"PK" and address.name not in zip_["Content-Disposition"]
    says(post(client, "/privacy/look", {"name": address.name}, 409), "who_missing")
    says(post(client, "/privacy/export", {"email": "nobody@example.org"}, 409), "nobody")
    says(post(client, "/privacy/erase", person | {"confirm": False}, 422), "not_confirmed")
    nothing = post(client, "/privacy/erase", person | {"confirm": True})
    assert not nothing["erased"] and nothing["stays"], "nobody has said how long anything is kept"
    for store in get(client, "/privacy/retention")["unanswered"]:
        post(client, "/privacy/retention",
             {"data": store["data"], "at_least": 0, "source": "Adviser.", "store_id": store["store_id"]})  # fmt: skip
    assert get(client, "/privacy/retention")["unanswered"] == []
    held = post(client, "/privacy/hold", person | {"reason": "Court."})["orders"]
    assert held and post(client, "/privacy/hold", person | {"reason": "Court."})["orders"] == []
    assert not post(client, "/privacy/erase", person | {"confirm": True})["erased"]
    post(client, "/privacy/release", person)
    done = post(client, "/privacy/erase", person | {"confirm": True})
    assert done["erased"] and done["token"], done["stays"]
    assert not AddressVersion.objects.filter(order_id=address.order_id, name=address.name).exists()
    assert get(client, "/privacy/erasures")[0]["token"] == done["token"]


def test_a_removal_names_its_violations_and_a_word_is_taken_back(shop, client):
    given = {
        "scenario": "forced", "reason": "31 notes", "violations": ["V-1", "V-2"], "about": "no_source", "points": "2",
        "appeal_until": "2030-01-02",
    }  # fmt: skip
    post(client, f"/stores/{shop.first}/closings", {**given, "about": "nothing"}, 422)
    closing = post(client, f"/stores/{shop.first}/closings", given, 201)
    assert {day["code"]: day["on"] for day in closing["calendar"]}["appeal_until"] == "2030-01-02"
    found = get(client, f"/violations?store_id={shop.first}")
    found = found["items"] if isinstance(found, dict) else found
    assert {(one["reference"], one["kind"]) for one in found} >= {("V-1", "no_source"), ("V-2", "no_source")}
    before = get(client, f"/stores/{shop.first}/life")["standing"]
    assert before == "warned"
    assert post(client, f"/stores/{shop.first}/standing", {"standing": "frozen", "reason": "a letter"})["standing"] == "frozen"
    assert post(client, f"/stores/{shop.first}/standing", {"standing": "", "reason": "it was a mistake"})["standing"] == "normal"


def test_an_appeal_that_was_handed_in_before_is_entered_with_its_moment(shop, client, monkeypatch):
    from daifa.flows.close_store import do_steps

    noticed = (clock.now() - timedelta(days=2)).date()
    letter = {"scenario": "forced", "reason": "31 notes", "noticed_on": str(noticed), "appeal_until": str(noticed + timedelta(days=1))}
    closing = post(client, f"/stores/{shop.first}/closings", letter, 201)
    step = next(one for one in closing["steps"] if one["code"] == "appeal")
    url = f"{V1}/closing-steps/{step['id']}/do"
    given = {"note": "Corrected.", "reference": "A-1", "handed_in_at": "not a day"}
    assert client.post(url, given).status_code == 422
    seen = []
    do = do_steps.do_step
    monkeypatch.setattr(do_steps, "do_step", lambda pk, given, **how: seen.append(given) or do(pk, given, **how))
    late = client.post(url, {"note": "Corrected.", "reference": "A-1"})
    assert late.status_code == 409, "today it is too late"
    says(late.json())
    handed = clock.now() - timedelta(days=1, hours=2)
    assert client.post(url, {**given, "handed_in_at": handed.isoformat()}).status_code == 200
    assert seen[-1].handed_in_at == handed
    violation = get(client, f"/violations?store_id={shop.first}")
    violation = (violation["items"] if isinstance(violation, dict) else violation)[0]
    assert violation["state"] == "appealed"


def test_money_of_a_step_comes_in_other_currencies_too(shop, client, monkeypatch):
    from daifa.flows.close_store import do_steps

    closing = post(client, f"/stores/{shop.first}/closings", {"reason": "Enough."}, 201)
    step = next(one for one in closing["steps"] if one["code"] == "settlement")
    url = f"{V1}/closing-steps/{step['id']}/do"
    assert client.post(url, {"amount": "1", "amounts": ["12 dollars"]}).status_code == 422
    seen = []
    monkeypatch.setattr(do_steps, "do_step", lambda pk, given, **how: seen.append(given))
    assert client.post(url, {"amount": "5.50", "amounts": ["120.00 USD", "7 JPY"]}).status_code == 200
    assert seen[0].money("GBP") == {"GBP": Decimal("5.50"), "USD": Decimal("120.00"), "JPY": Decimal(7)}


def test_a_paper_of_a_way_back_is_taken_away(shop, client):
    from daifa.domain.closing.models import Lifecycle

    closing = post(client, f"/stores/{shop.first}/closings", {"reason": "Enough."}, 201)
    Lifecycle.objects.filter(store_id=shop.first).update(state="closed", closed_at=clock.now())
    plan = post(client, f"/closings/{closing['id']}/readmission", {"cause": "31 notes"}, 201)
    step = plan["steps"][0]["id"]
    kept = client.post(f"{V1}/comeback-steps/{step}/papers", {"papers": [SimpleUploadedFile("a.pdf", b"%PDF-1.4 one")]}).json()
    [paper] = kept["steps"][0]["papers"]
    away = post(client, f"/comeback-papers/{paper['id']}/take-away", {})
    assert away["steps"][0]["papers"] == []
    [gone] = away["steps"][0]["papers_taken_away"]
    assert (gone["sha256"], gone["size"], gone["media_type"]) == (paper["sha256"], 12, "application/pdf") and "name" not in gone
    says(post(client, f"/comeback-papers/{paper['id']}/take-away", {}, 404))


def test_a_new_store_is_prepared_and_opened(shop, client):
    url = f"/stores/{shop.first}"
    says(post(client, f"{url}/prepare", {}, 409))  # it has orders
    new = Store.objects.create(code="new", name="New", currency="GBP", timezone="UTC", created_at=clock.now())
    owners = StoreAccess.objects.filter(store_id=shop.first, role="owner")
    StoreAccess.objects.bulk_create(StoreAccess(user_id=one.user_id, store=new, role="owner") for one in owners)
    life = post(client, f"/stores/{new.pk}/prepare", {})
    assert (life["lifecycle"], life["takes_orders"]) == ("preparing", False)
    says(post(client, f"/stores/{new.pk}/prepare", {}, 409))
    assert post(client, f"/stores/{new.pk}/open", {})["takes_orders"]
