"""Evidence packs: what a case needs, gathered into a dated PDF and a ZIP with the hash of every file.

Told are order, agreement, purchase, waybill trail, messages, complaints with their photos, checked parcels, test orders and the text of
the rules as they read on the day. Buyers' data are masked unless the case needs them, on photos too; what is left out is said
in the pack.
What would weaken the case because it is missing is told to the person who makes the pack, not in it.

Reading a photo takes seconds: a pack whose photos are still to be read is only written down (`ask_for_evidence`), and a job
gathers it (`gather_waiting`). Killed in the middle it is gathered again from the beginning, but what was read on photos is
kept one by one, and the pack comes whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import time
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO, StringIO
from typing import Any
from zoneinfo import ZoneInfo

from django.db import DatabaseError, transaction
from django.template import Context, Engine
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from daifa.domain.cases import commands, files, queries
from daifa.domain.cases.models import (
    Appeal,
    CaseFile,
    Complaint,
    EvidencePack,
    Infringement,
    PictureCover,
    Violation,
)
from daifa.domain.cases.pictures import Part, private_parts
from daifa.domain.cases.process import (
    APPEAL,
    BASES,
    COMPLAINT,
    COMPLAINT_KINDS,
    CONSEQUENCES,
    INFRINGEMENT,
    OUTCOMES,
    RIGHTS,
    VIOLATION,
    VIOLATION_KINDS,
)
from daifa.domain.customers.rules import masked_address
from daifa.domain.messages.process import KINDS as MESSAGE_KINDS
from daifa.domain.orders.queries import OrderDetail, order_detail
from daifa.domain.policy import queries as policy
from daifa.domain.shipping.checks import PHOTO_FOLDER
from daifa.domain.shipping.models import ParcelCheck
from daifa.domain.shipping.process import PARCEL, PARCEL_CHECK
from daifa.domain.sourcing.commands import DOCUMENT_FOLDER
from daifa.domain.sourcing.models import Agreement, AgreementDocument, Sample
from daifa.domain.sourcing.process import SAMPLE
from daifa.domain.sourcing.queries import demands_of
from daifa.domain.sourcing.rules import OWN_KINDS, missing_terms
from daifa.domain.stores.models import Store
from daifa.flows.reads.timeline import timeline
from daifa.lib import bulk, ocr, pictures
from daifa.lib.alone import alone
from daifa.lib.money import rounded
from daifa.lib.pdf import FONTS, pdf_of, picture
from daifa.lib.process import Process
from daifa.lib.redact import Marks
from daifa.lib.refusal import Refused
from daifa.lib.sheets import escape_formula

MOST_ORDERS = 50
MOST_PHOTOS = 40  # in the PDF; the ZIP holds all
A_FEW_PHOTOS = 5  # so many that were read before are copied while somebody waits
CASE_KINDS = ("violation", "complaint", "infringement")
# Chinese mobile numbers and mail addresses in free text, also of people who are not the buyer of the order.
_NUMBERS = re.compile(r"(?<!\d)1[3-9]\d(?:[ -]?\d){8}(?!\d)")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
GONE = "***"

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Section:
    """A part of the PDF: facts, tables (heads and rows), texts (heading and words), photos (caption and JPEG)."""

    title: str
    facts: list[tuple[str, str]] = field(default_factory=list)
    tables: list[tuple[str, list[str], list[list[str]]]] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    photos: list[tuple[str, bytes]] = field(default_factory=list)


@dataclass(slots=True)
class Gathered:
    """The pack, and sentences about what it lacks: for the person who made it, not in it. None yet while it is being gathered."""

    pack: EvidencePack
    gaps: list[str]


@dataclass(frozen=True, slots=True)
class _Photo:
    """A photo of the pack, to be copied into it: where in the PDF, under which name, where the original lies."""

    section: Section
    name: str
    sha256: str
    folder: str
    caption: str


@dataclass(slots=True)
class _Work:
    store: Store
    language: str
    reveal: bool
    costs: bool
    at: datetime
    marks: Marks
    zone: ZoneInfo
    sections: list[Section] = field(default_factory=list)
    files: list[tuple[str, bytes, str]] = field(default_factory=list)  # name, bytes, what it is
    gaps: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    rules: dict[str, date] = field(default_factory=dict)
    by: str = ""
    who: tuple[str, ...] = ()  # what tells who the buyers are
    basis: str = ""  # which addresses that is taken from, for what is read on photos
    originals: dict[str, tuple[str, str]] = field(default_factory=dict)  # photo in the pack → hash as received, what is covered
    stripped: int = 0
    covered: int = 0
    waiting: int = 0
    dropped: int = 0
    papers: int = 0
    shown: set[str] = field(default_factory=set)  # hashes of photos that are in it already
    case_kind: str = ""
    case: int = 0
    complaints: set[int] = field(default_factory=set)  # that are told
    breaches: set[int] = field(default_factory=set)  # checks that found something foreign: told only where the case is about it
    photos: list[_Photo] = field(default_factory=list)
    told: list[OrderDetail] = field(default_factory=list)
    subject: str = ""

    def add(self, name: str, content: bytes, what: str) -> str:
        """Put a file into the pack; returns the name it got there."""
        taken = {one[0] for one in self.files}
        stem, dot, end = name.rpartition(".")
        number = 2
        while name in taken:
            name = f"{stem}-{number}{dot}{end}"
            number += 1
        self.files.append((name, content, what))
        return name

    def serves(self, subject: str, thing: int) -> bool:
        """Is this part of the story the case is about? Other violations, complaints and our own checks are another matter."""
        if subject == "violation":
            return (self.case_kind, self.case) == ("violation", thing)
        if subject == "complaint":
            return thing in self.complaints
        return subject != "parcel_check" or thing not in self.breaches

    def words(self, text: str | None) -> str:
        """A free text as it may be shown."""
        if not text or self.reveal:
            return text or ""
        return _MAIL.sub(GONE, _NUMBERS.sub(GONE, self.marks.blanked(text)))

    def when(self, at: datetime | None) -> str:
        return at.astimezone(self.zone).strftime("%Y-%m-%d %H:%M") if at else ""

    def rule(self, rule_id: str, on: datetime | None) -> None:
        if rule_id:
            self.rules.setdefault(rule_id, (on or self.at).astimezone(self.zone).date())


def ask_for_evidence(
    *, store_id: int, order_ids: Sequence[int] = (), case_kind: str = "", case: int = 0, language: str = "en",
    reveal: bool = False, costs: bool = False, reason: str = "", by: str, at: datetime,
) -> Gathered:  # fmt: skip
    """Ask for a pack for orders of a store, or for a case (violation, complaint, infringement) and the orders behind it.

    `reveal` shows buyers' data unmasked and needs the written `reason` why the case needs them; `costs` shows what we
    paid. Made at once where no photo has to be read; else it stands as being gathered. Raises `Refused`.
    """
    pack, work = _ask(
        store_id=store_id, order_ids=order_ids, case_kind=case_kind, case=case, language=language, reveal=reveal, costs=costs,
        reason=reason, by=by, at=at,
    )  # fmt: skip
    if len(work.photos) <= A_FEW_PHOTOS and not _to_be_read(work):
        with alone(_LOCK, pack.pk) as mine:
            if mine:
                pack = _finish(pack, work, by=by, at=at)
    return Gathered(pack, list(pack.gaps))


def gather_evidence(*, at: datetime, by: str, progress: Progress | None = None, **wanted: Any) -> Gathered:
    """Make a pack and wait for it: as `ask_for_evidence`, and some seconds for each photo. Raises `Refused`.

    Killed in the middle, the worker makes it.
    """
    pack, work = _ask(by=by, at=at, **wanted)
    while pack.state == "gathering":
        with alone(_LOCK, pack.pk) as mine:
            if mine:
                pack = _finish(pack, work, by=by, at=at, progress=progress)
                continue
        time.sleep(0.3)  # the worker was quicker
        pack.refresh_from_db()
    if pack.state == "failed":
        raise Refused(pack.sentence, code="pack_not_made")
    return Gathered(pack, list(pack.gaps))


def gather_waiting(*, at: datetime, by: str = "job:gather_packs") -> dict[str, int]:
    """Gather what was asked for; counts {"made": …, "failed": …}. Each pack by one process at a time.

    One that cannot be made says why and stops nothing behind it; one that was begun too often without an end is given up.
    """
    counts = {"made": 0, "failed": 0}
    for pk in queries.packs_gathering():
        with alone(_LOCK, pk) as mine:
            if not mine:
                continue
            pack = EvidencePack.objects.get(pk=pk)
            if pack.state != "gathering":
                continue
            with translation.override(pack.language):
                try:
                    if pack.erased_at is not None:
                        raise Refused(_("The data of its buyers were erased meanwhile."), code="erased")
                    if not commands.begin_pack(pk):
                        raise Refused(_("It was begun %(times)s times and never came to its end: one of its photos may be too much for this machine.")
                                      % {"times": commands.MOST_TRIES}, code="tried_often")  # fmt: skip
                    done = _finish(pack, _tell(pack, at=at), by=by, at=at)
                except Refused as refused:
                    done = commands.give_up_pack(pk, sentence=refused.sentence, by=by, at=at)
                except DatabaseError:
                    raise  # no fault of the pack: it is tried again
                except Exception as error:
                    log.warning("Evidence pack %s could not be made: %s", pk, type(error).__name__)
                    done = commands.give_up_pack(
                        pk, sentence=_("Something unexpected happened (%(error)s). Ask for it again.") % {"error": type(error).__name__}, by=by, at=at
                    )
            counts["made" if done.state == "made" else "failed"] += 1
    return counts


Progress = Callable[[int, int], None]
"""Called with the photos that are done, and how many there are."""
_LOCK = "daifa.gathering"


def _ask(
    *, store_id: int, order_ids: Sequence[int] = (), case_kind: str = "", case: int = 0, language: str = "en",
    reveal: bool = False, costs: bool = False, reason: str = "", by: str, at: datetime,
) -> tuple[EvidencePack, _Work]:  # fmt: skip
    """Check a wish and write it down, with everything that needs no photo. Raises `Refused`."""
    if reveal and not reason.strip():
        raise Refused(
            _("Write down why this case needs the buyer's data; otherwise they stay masked."), code="reason_missing", field="reason"
        )
    if case_kind and case_kind not in CASE_KINDS:
        raise Refused(_("There is no such case."), code="no_case")
    store = Store.objects.filter(pk=store_id).first()
    if store is None:
        raise Refused(_("There is no such store."), code="no_store")
    thing = _case(store_id, case_kind, case)
    wanted = list(dict.fromkeys([*order_ids, *_orders_of(case_kind, thing)]))
    if len(wanted) > MOST_ORDERS:
        raise Refused(
            _("A pack holds at most %(most)s orders; choose those the case is about.") % {"most": MOST_ORDERS}, code="too_many"
        )
    if not wanted and thing is None:
        raise Refused(_("Say which orders or which case it is for."), code="nothing")
    with transaction.atomic():
        pack = commands.ask_pack(
            store_id=store_id, case_kind=case_kind, case=case, orders=wanted, name=f"{_stem(store, at, thing)}.zip", language=language,
            revealed=reveal, reason=reason, costs=costs, by=by, at=at,
        )  # fmt: skip
        work = _tell(pack, at=at)
        commands.count_photos(pack.pk, done=0, of=len(work.photos))
        pack.photos = len(work.photos)
    return pack, work


def _stem(store: Store, at: datetime, thing: Any) -> str:
    """What a pack is called: packs of other cases made in the same minute are called otherwise."""
    about = f"-{_safe(thing.reference)[:40]}" if thing is not None else ""
    return f"evidence-{store.code}{about}-{at.astimezone(ZoneInfo(store.timezone)):%Y%m%d-%H%M}"


def _tell(pack: EvidencePack, *, at: datetime) -> _Work:
    """Everything the pack is to say, in its language; its photos are only named. Raises `Refused`."""
    store = Store.objects.get(pk=pack.store_id)
    thing = _case(store.pk, pack.case_kind, pack.case)
    details = [order_detail([store.pk], order) for order in pack.orders]
    if any(detail is None for detail in details):
        raise Refused(_("One of the orders is not of this store."), code="no_order")
    orders = [detail for detail in details if detail is not None]
    with translation.override(pack.language):
        who = () if pack.revealed else tuple(dict.fromkeys(_who(orders)))
        work = _Work(
            store, pack.language, pack.revealed, pack.costs, at, Marks(who), ZoneInfo(store.timezone), by=pack.by, who=who,
            basis=_basis(orders), case_kind=pack.case_kind, case=pack.case, told=orders,
        )  # fmt: skip
        _choose(work, list(pack.orders), thing)
        if thing is not None:
            _tell_case(work, pack.case_kind, thing)
        for detail in orders:
            _tell_order(work, detail)
        _tell_agreements(work, orders)
        _tell_complaints(work, thing)
        _tell_checks(work, orders)
        _tell_rules(work)
        work.subject = _subject(pack.case_kind, thing, orders)
    return work


def _to_be_read(work: _Work) -> int:
    """How many photos nobody has read yet, knowing these buyers."""
    if work.reveal or ocr.why_not():
        return 0
    known = queries.covers_of(work.store.pk, [one.sha256 for one in work.photos])
    return sum(not _is_read(known.get(one.sha256), work) for one in work.photos)


def _finish(pack: EvidencePack, work: _Work, *, by: str, at: datetime, progress: Progress | None = None) -> EvidencePack:
    """Copy the photos, reading those nobody has read, and put everything together. Raises `Refused`, having said so on the pack."""
    with translation.override(pack.language):
        try:
            for number, photo in enumerate(work.photos):
                _copy_photo(work, photo)
                commands.count_photos(pack.pk, done=number + 1, of=len(work.photos))
                if progress is not None:
                    progress(number + 1, len(work.photos))
            _say_what_is_left_out(work, work.told)
            stem = _stem(work.store, at, _case(work.store.pk, work.case_kind, work.case) if work.case else None)
            content, contents = _zipped(work, stem, work.subject, pack.reason)
        except Refused as refused:
            commands.give_up_pack(pack.pk, sentence=refused.sentence, by=by, at=at)
            raise
        return commands.finish_pack(
            pack.pk, name=f"{stem}.zip", content=content, contents=contents, left_out=work.left_out, gaps=work.gaps, by=by, at=at
        )


# --- What it is about ---------------------------------------------------------------------------------------------


def _case(store_id: int, kind: str, case: int) -> Any:
    if not kind:
        return None
    model: Any = {"violation": Violation, "complaint": Complaint, "infringement": Infringement}[kind]
    found = model.objects.filter(pk=case, store_id=store_id).first()
    if found is None:
        raise Refused(_("There is no such case."), code="no_case")
    return found


def _choose(work: _Work, orders: Sequence[int], thing: Any) -> None:
    """Which complaints are told, and which of our own findings are not: they serve no case but that of the complaint itself."""
    complaints = Complaint.objects.filter(store=work.store, order_id__in=orders)
    if isinstance(thing, Complaint):
        complaints = Complaint.objects.filter(pk=thing.pk)
    work.complaints = set(complaints.values_list("pk", flat=True))
    if work.case_kind:
        found = ParcelCheck.objects.filter(store=work.store, order_id__in=orders, state="breach")
        if isinstance(thing, Complaint):  # its own photos are the matter of the case
            own = CaseFile.objects.filter(thing_kind="complaint", thing=thing.pk).values_list("sha256", flat=True)
            found = found.exclude(sha256__in=list(own))
        work.breaches = set(found.values_list("pk", flat=True))
        if work.breaches:
            work.gaps.append(
                ngettext(
                    "%(count)s check of these parcels found something foreign. It is no matter of this case and not in the pack; see to the supplier.",
                    "%(count)s checks of these parcels found something foreign. They are no matter of this case and not in the pack; see to the supplier.",
                    len(work.breaches),
                )
                % {"count": len(work.breaches)}
            )


def _orders_of(kind: str, thing: Any) -> list[int]:
    if kind == "violation":
        return list(thing.orders.order_by("order_id").values_list("order_id", flat=True))
    if kind == "complaint" and thing.order_id:
        return [thing.order_id]
    return []


def _subject(kind: str, thing: Any, orders: Sequence[OrderDetail]) -> str:
    if thing is not None:
        return str(thing.reference)
    return ", ".join(str(detail.order["number"]) for detail in orders)


def _who(orders: Sequence[OrderDetail]) -> Iterable[str]:
    for detail in orders:
        for address in detail.addresses:
            yield from (address[name] for name in ("name", "line1", "line2", "phone", "email", "raw") if address[name])
        if detail.customer:
            yield from (detail.customer[name] for name in ("ref", "name", "email") if detail.customer[name])


def _basis(orders: Sequence[OrderDetail]) -> str:
    """Names the addresses the buyers are known by, without telling them."""
    ids = sorted(f"{detail.order['id']}.{address['version']}" for detail in orders for address in detail.addresses)
    return hashlib.sha256(" ".join(["1", *ids]).encode()).hexdigest()


# --- The parts ----------------------------------------------------------------------------------------------------


def _tell_case(work: _Work, kind: str, thing: Any) -> None:
    if kind == "violation":
        _tell_violation(work, thing)
    elif kind == "infringement":
        _tell_infringement(work, thing)


def _tell_violation(work: _Work, violation: Violation) -> None:
    section = Section(
        _("The violation"),
        [
            (_("Reference of the platform"), violation.reference),
            (_("Kind"), queries.word(VIOLATION_KINDS, violation.kind)),
            (_("In the platform's words"), work.words(violation.title)),
            (_("Happened"), work.when(violation.occurred_at)),
            (_("Notice"), work.when(violation.notified_at)),
            (_("Points"), f"{violation.points.normalize():f}"),
            (_("To be appealed by"), work.when(violation.appeal_due_at)),
            (_("State"), _state(VIOLATION, violation.state)),
        ],
    )
    consequences = [
        [queries.word(CONSEQUENCES, one.kind), work.when(one.from_at), work.when(one.until_at), _money(one.amount, work.store.currency)]
        for one in violation.consequences.order_by("from_at", "id")
    ]
    if consequences:
        section.tables.append((_("Consequences"), [_("What"), _("Begins"), _("Ends"), _("Amount")], consequences))
    appeals = list(Appeal.objects.filter(violation=violation).exclude(state__in=("note", "withdrawn")).order_by("round"))
    for appeal in appeals:
        heading = _("Appeal %(round)s (%(state)s)") % {"round": appeal.round, "state": _state(APPEAL, appeal.state)}
        section.texts.append((heading, work.words(appeal.text)))
        if appeal.answer:
            section.texts.append((_("The platform's answer"), work.words(appeal.answer)))
    if not appeals:
        work.gaps.append(_("No appeal has been written yet: its words are missing in the pack."))
    _add_files(work, section, "violation", [violation.pk], "case")
    _add_files(work, section, "appeal", [appeal.pk for appeal in appeals], "case")
    for number in violation.unknown_orders:
        work.gaps.append(_("Order %(number)s of the notice is not known here.") % {"number": number})
    work.rule(violation.rule, violation.occurred_at or violation.notified_at)
    terms = queries.appeal_terms(work.store, kind=violation.kind, on=violation.notified_at.astimezone(work.zone).date())
    for rule in terms:
        work.rule(rule.id if rule is not None else "", violation.notified_at)
    work.sections.append(section)


def _tell_infringement(work: _Work, case: Infringement) -> None:
    section = Section(
        _("The notice of a right"),
        [
            (_("Reference of the platform"), case.reference),
            (_("Listing"), case.title),
            (_("Complainant"), case.complainant),
            (_("Right"), f"{queries.word(RIGHTS, case.right)} {case.right_number}".strip()),
            (_("Notice"), work.when(case.notified_at)),
            (_("Counter-notice sent"), work.when(case.countered_at)),
            (_("Forwarded by the platform"), work.when(case.forwarded_at)),
            (_("Complainant's time ends"), work.when(case.restore_due_at)),
            (_("State"), _state(INFRINGEMENT, case.state)),
        ],
    )
    if case.claim:
        section.texts.append((_("What is claimed"), work.words(case.claim)))
    if case.counter:
        section.texts.append((_("Our counter-notice"), work.words(case.counter)))
    rights = queries.rights_of([case.listing_id]) if case.listing_id else []
    if rights:
        section.tables.append((
            _("Rights recorded on the listing"),
            [_("Right"), _("By"), _("From whom"), _("Number"), _("Valid")],
            [
                [
                    queries.word(RIGHTS, one["right"]), queries.word(BASES, one["basis"]), one["holder"], one["number"],
                    f"{one['valid_from']} – {one['valid_until'] or ''}",
                ]
                for one in rights
            ],
        ))  # fmt: skip
    else:
        work.gaps.append(_("No right is recorded on the listing."))
    _add_files(work, section, "infringement", [case.pk], "case")
    _add_files(work, section, "listing_right", [one["id"] for one in rights], "rights")
    notified = case.notified_at.astimezone(work.zone).date()
    for rule in queries.book(work.store, on=notified):
        if rule.metric == "counter_notice_days":
            work.rule(rule.id, case.notified_at)
    work.sections.append(section)


def _tell_order(work: _Work, detail: OrderDetail) -> None:
    order = detail.order
    folder = f"orders/{_safe(order['number'])}"
    address = detail.addresses[0] if detail.addresses else {}
    if address and not work.reveal:
        address = masked_address(address)
    where = ", ".join(
        str(address[name]) for name in ("name", "line1", "line2", "city", "region", "postcode", "country", "phone") if address.get(name)
    )
    section = Section(
        _("Order %(number)s") % {"number": order["number"]},
        [
            (_("Placed"), work.when(order["placed_at"])),
            (_("Paid"), work.when(order["paid_at"])),
            (_("To be dispatched by"), work.when(order["ship_by_at"])),
            (_("Total"), _money(order["total_amount"], order["currency"])),
            (_("Ship to"), where),
        ],
    )
    section.tables.append((
        _("Lines"),
        [_("SKU"), _("Title"), _("Quantity"), _("Amount")],
        [
            [line["sku"], work.words(line["title"]), str(line["quantity"]), _money(line["amount"], order["currency"])]
            for line in detail.lines
        ],
    ))  # fmt: skip
    told = {
        "number": order["number"], "placed_at": order["placed_at"], "paid_at": order["paid_at"], "ship_by_at": order["ship_by_at"],
        "currency": order["currency"], "total": order["total_amount"], "status": order["status"],
        "lines": [
            {name: line[name] for name in ("line_no", "kind", "sku", "quantity", "unit_price", "amount", "shipped", "delivered")}
            | {"title": work.words(line["title"])}
            for line in detail.lines
        ],
        "ship_to": {
            name: address.get(name, "")
            for name in ("version", "name", "line1", "line2", "city", "region", "postcode", "country", "phone", "email")
        },
    }  # fmt: skip
    work.add(f"{folder}/order.json", _json(told), _("the order as the channel gave it"))
    _tell_purchases(work, section, order["id"], folder)
    _tell_parcels(work, section, order["id"], folder)
    _tell_messages(work, section, order["id"], folder)
    _tell_aftersales(work, section, order["id"])
    happened = sorted((one for one in timeline([work.store.pk], order["id"]) if work.serves(one.subject, one.thing)), key=lambda one: one.at)
    rows = [
        [work.when(one.at), work.words(one.sentence), work.words(" · ".join(part for part in (one.detail, one.why) if part))]
        for one in happened
    ]
    if rows:
        work.add(
            f"{folder}/timeline.csv",
            _csv([_("Time"), _("What happened"), _("Details"), _("Who did it")], [[*row, _whose(one.by)] for row, one in zip(rows, happened, strict=True)]),
            _("everything that happened to the order"),
        )
        section.tables.append((_("What happened"), [_("Time"), _("What happened"), _("Details")], rows))
    work.sections.append(section)


def _whose(by: str) -> str:
    """Who did something, as far as it concerns others: no names and no numbers of accounts."""
    kind = by.partition(":")[0]
    if kind == "import":
        return _("a file")
    return (_("daifa") if kind == "job" else _("a person")) if by else ""


def _tell_purchases(work: _Work, section: Section, order: int, folder: str) -> None:
    purchases = bulk.fetch_dicts(
        """SELECT p.reference, p.their_reference, s.name AS supplier, p.state, p.units, p.accepted, p.shipped, p.at, p.placed_at,
                  p.ship_due_at, p.goods_amount, p.freight_amount, p.currency
           FROM purchasing_purchaseorder p JOIN sourcing_supplier s ON s.id = p.supplier_id WHERE p.order_id = %s ORDER BY p.id""",
        (order,),
    )
    if not purchases:
        work.gaps.append(_("%(order)s has no purchase behind it.") % {"order": section.title})
        return
    if not work.costs:
        for one in purchases:
            del one["goods_amount"], one["freight_amount"], one["currency"]
    work.add(f"{folder}/purchases.json", _json(purchases), _("what was bought for it, from whom and when"))
    section.tables.append((
        _("Purchase orders"),
        [_("Our reference"), _("Supplier"), _("Units"), _("Placed"), _("Promised"), _("Shipped")],
        [
            [one["reference"], one["supplier"], str(one["units"]), work.when(one["placed_at"]), work.when(one["ship_due_at"]),
             str(one["shipped"])]
            for one in purchases
        ],
    ))  # fmt: skip


def _tell_parcels(work: _Work, section: Section, order: int, folder: str) -> None:
    parcels = bulk.fetch_dicts(
        """SELECT id, carrier, number, state, announced_at, handed_over_at, delivered_at, is_late
           FROM shipping_parcel WHERE order_id = %s ORDER BY id""",
        (order,),
    )
    if not parcels:
        work.gaps.append(_("%(order)s has no parcel.") % {"order": section.title})
    for parcel in parcels:
        versions = bulk.fetch(
            "SELECT version, number, carrier, is_active, at FROM shipping_waybillnumber WHERE parcel_id = %s ORDER BY version",
            (parcel["id"],),
        )
        scans = bulk.fetch(
            """SELECT at, status, raw_status, place, source, seen_at FROM shipping_trackingevent
               WHERE parcel_id = %s ORDER BY at, seen_at""",
            (parcel["id"],),
        )
        if not scans:
            work.gaps.append(_("Parcel %(number)s was never scanned.") % {"number": parcel["number"]})
        heading = _("Parcel %(number)s, %(carrier)s, %(state)s") % {
            "number": parcel["number"], "carrier": parcel["carrier"] or "–", "state": _state(PARCEL, parcel["state"]),
        }  # fmt: skip
        section.tables.append((
            heading,
            [_("Scanned"), _("Status"), _("In the carrier's words"), _("Place")],
            [[work.when(at), _state(PARCEL, status), work.words(raw), work.words(place)] for at, status, raw, place, _s, _t in scans],
        ))  # fmt: skip
        work.add(
            f"{folder}/parcel-{_safe(parcel['number'])}.csv",
            _csv(
                ["scanned_at", "status", "carriers_words", "place", "source", "seen_at"],
                [[at.isoformat(), status, work.words(raw), work.words(place), source, seen.isoformat()]
                 for at, status, raw, place, source, seen in scans],
            ),
            _("scans of the parcel, each with where it came from"),
        )  # fmt: skip
        if len(versions) > 1:
            section.tables.append((
                _("Numbers it has had"), [_("Number"), _("Carrier"), _("Since")],
                [[number, carrier, work.when(at)] for _v, number, carrier, _active, at in versions],
            ))  # fmt: skip


def _tell_messages(work: _Work, section: Section, order: int, folder: str) -> None:
    messages = bulk.fetch(
        """SELECT kind, subject, body, sent_at FROM buyer_messages_message WHERE order_id = %s AND state = 'sent'
           ORDER BY sent_at, id""",
        (order,),
    )
    if not messages:
        return
    told = [
        f"{work.when(sent)}  {queries.word(MESSAGE_KINDS, kind)}\n{work.words(subject)}\n\n{work.words(body)}"
        for kind, subject, body, sent in messages
    ]
    work.add(f"{folder}/messages.txt", ("\n\n" + "-" * 60 + "\n\n").join(told).encode(), _("what the buyer was told"))
    section.tables.append((
        _("Messages to the buyer"), [_("Sent"), _("Message"), _("Subject")],
        [[work.when(sent), queries.word(MESSAGE_KINDS, kind), work.words(subject)] for kind, subject, _body, sent in messages],
    ))  # fmt: skip


def _tell_aftersales(work: _Work, section: Section, order: int) -> None:
    refunds = bulk.fetch(
        "SELECT external_ref, state, amount, currency, at FROM aftersales_refund WHERE order_id = %s ORDER BY id", (order,)
    )
    if refunds:
        section.tables.append((
            _("Refunds"), [_("Refund"), _("Date"), _("Amount")],
            [[ref, work.when(at), _money(amount, currency)] for ref, _state_, amount, currency, at in refunds],
        ))  # fmt: skip


def _tell_agreements(work: _Work, orders: Sequence[OrderDetail]) -> None:
    """The agreement that counted when each purchase was made: of those valid for the store that day the one that asked for nothing more."""
    days: dict[tuple[int, str], list[date]] = {}
    for supplier, name, day in bulk.fetch(
        """SELECT DISTINCT p.supplier_id, s.name, (p.at AT TIME ZONE %s)::date
           FROM purchasing_purchaseorder p JOIN sourcing_supplier s ON s.id = p.supplier_id
           WHERE p.order_id = ANY(%s::bigint[]) ORDER BY 2, 3""",
        (work.store.timezone, [detail.order["id"] for detail in orders]),
    ):
        days.setdefault((supplier, name), []).append(day)
    section = Section(_("Agreements with the suppliers"))
    for (supplier, name), bought in days.items():
        recorded = list(Agreement.objects.filter(supplier_id=supplier).order_by("-valid_from", "-id"))
        found, lacking = [], False
        for day in bought:
            one = _counted(work.store, recorded, day)
            lacking = lacking or one is None
            if one is not None and one not in found:
                found.append(one)
        if lacking:
            work.gaps.append(_("No agreement with %(supplier)s counted when it was bought from.") % {"supplier": name})
        for one in found:
            yes, no = _("yes"), _("no")
            section.facts += [
                (_("Supplier"), name),
                (_("Valid"), f"{one.valid_from} – {one.valid_until or ''}"),
                (_("Authorised to ship for us"), yes if one.is_authorised else no),
                (_("Neutral packing"), yes if one.neutral_packing else no),
                (_("No cards in the parcel"), yes if one.no_cards else no),
                (_("Platform's own e-waybill"), yes if one.platform_waybill else no),
                (_("Entrusted with buyers' data since"), str(one.entrusted_on or "–")),
            ]
            for paper in AgreementDocument.objects.filter(agreement=one).order_by("id"):
                content = files.read(paper.sha256, DOCUMENT_FOLDER)
                if content is None:
                    work.gaps.append(_("The paper %(name)s cannot be read any more.") % {"name": paper.name})
                else:
                    plain = pictures.without_metadata(content, paper.media_type)
                    work.stripped += plain != content
                    work.add(
                        f"agreements/{_safe(name)}-{_safe(paper.name)}", plain,
                        _("paper of the agreement; SHA-256 as received %(hash)s") % {"hash": paper.sha256},
                    )  # fmt: skip
    if section.facts:
        work.sections.append(section)


def _counted(store: Store, recorded: Sequence[Agreement], day: date) -> Agreement | None:
    """The agreement by which could be bought for the store that day, the newest where several would do; as `may_serve` asks."""
    demands = demands_of(store, on=day)
    for one in recorded:
        named = one.store_id == store.pk or (one.store_id is None and store.kind in OWN_KINDS)
        if named and one.valid_from <= day and (one.valid_until is None or day <= one.valid_until) and not missing_terms(one, demands, day):
            return one
    return None


def _tell_complaints(work: _Work, thing: Any) -> None:
    for one in Complaint.objects.filter(pk__in=work.complaints).order_by("id"):
        tells_finding = not (work.case_kind and one.finding == "breach") or one == thing
        section = Section(
            _("Complaint %(reference)s") % {"reference": one.reference},
            [
                (_("Kind"), queries.word(COMPLAINT_KINDS, one.kind)),
                (_("Opened"), work.when(one.opened_at)),
                (_("Answered"), work.when(one.answered_at)),
                (_("State"), _state(COMPLAINT, one.state)),
                (_("Outcome"), queries.word(OUTCOMES, one.outcome)),
                (_("Finding"), {"clean": _("nothing foreign in the parcel"), "breach": _("something foreign in the parcel")}.get(one.finding, "")
                 if tells_finding else ""),
            ],
        )  # fmt: skip
        if one.text:
            section.texts.append((_("In the buyer's words"), work.words(one.text)))
        if one.answer:
            section.texts.append((_("Our answer"), work.words(one.answer)))
        _add_files(work, section, "complaint", [one.pk], f"complaints/{_safe(one.reference)}")
        work.rule(one.rule, one.opened_at)
        work.sections.append(section)


def _tell_checks(work: _Work, orders: Sequence[OrderDetail]) -> None:
    """Photos of these orders' parcels that were read, and test orders of the same suppliers."""
    ids = [detail.order["id"] for detail in orders]
    suppliers = [row[0] for row in bulk.fetch(
        "SELECT DISTINCT supplier_id FROM purchasing_purchaseorder WHERE order_id = ANY(%s::bigint[])", (ids,)
    )]  # fmt: skip
    found = ParcelCheck.objects.filter(store=work.store, order_id__in=ids) | ParcelCheck.objects.filter(
        store=work.store, supplier_id__in=suppliers, about__in=("test_order", "sample")
    )
    section = Section(_("Parcels checked"))
    rows = []
    if work.case_kind:  # a test order that failed is our matter with the supplier
        found = found.exclude(pk__in=work.breaches).exclude(about__in=("test_order", "sample"), state="breach")
    for one in found.select_related("supplier").order_by("at", "id")[:MOST_PHOTOS]:
        rows.append([
            work.when(one.at), str(one.get_about_display()), one.supplier.name if one.supplier else "", _state(PARCEL_CHECK, one.state),
            work.words(one.reason),
        ])  # fmt: skip
        if one.sha256 not in work.shown and files.path_of(one.sha256, PHOTO_FOLDER).is_file():
            name = f"parcel-checks/{one.pk}-{_safe(one.name)}"
            _add_photo(work, section, name, one.sha256, PHOTO_FOLDER, f"{work.when(one.at)} · {_state(PARCEL_CHECK, one.state)}")
    if rows:
        section.tables.append(("", [_("Time"), _("What for"), _("Supplier"), _("Result"), _("Why")], rows))
    _tell_samples(work, section, suppliers)
    if section.tables:
        work.sections.append(section)


def _tell_samples(work: _Work, section: Section, suppliers: Sequence[int]) -> None:
    """Test orders from the same suppliers to our own address, and what came of them."""
    found = list(
        Sample.objects.filter(store=work.store, supplier_id__in=suppliers).exclude(ordered_at=None).select_related("supplier")
        .order_by("ordered_at", "id")[:MOST_PHOTOS]
    )  # fmt: skip
    if not found:
        return
    told = [
        {
            "supplier": one.supplier.name, "article": one.supplier_sku or one.title, "quantity": one.quantity, "ordered_at": one.ordered_at,
            "received_at": one.received_at, "carrier": one.carrier, "number": one.number, "result": one.state,
            "why": work.words(one.verdict), "judged_at": one.judged_at,
        }
        | ({"cost": one.cost, "currency": one.currency} if work.costs else {})
        for one in found
    ]  # fmt: skip
    work.add("test-orders.json", _json(told), _("test orders from the same suppliers, and what came of them"))
    section.tables.append((
        _("Test orders"),
        [_("Supplier"), _("Article"), _("Ordered"), _("Received"), _("Result"), _("Why")],
        [
            [one.supplier.name, one.supplier_sku or one.title, work.when(one.ordered_at), work.when(one.received_at),
             _state(SAMPLE, one.state), work.words(one.verdict)]
            for one in found
        ],
    ))  # fmt: skip


def _tell_rules(work: _Work) -> None:
    if not work.rules:
        return
    section = Section(_("The rules as they read then"))
    for rule_id, on in sorted(work.rules.items()):
        try:
            rule = policy.rule(rule_id, on=on, store_id=work.store.pk)
        except KeyError:
            work.gaps.append(_("The rule book has no rule %(rule)s.") % {"rule": rule_id})
            continue
        told = {
            "id": rule.id, "channel": rule.channel, "kind": rule.kind, "metric": rule.metric, "comparison": rule.comparison,
            "threshold": rule.threshold, "unit": rule.unit, "consequence": rule.consequence._asdict(), "note": rule.note._asdict(),
            "source": rule.source, "source_kind": rule.source_kind, "as_of": rule.as_of, "effective": rule.effective, "read_on": rule.read_on,
            "confidence": rule.confidence, "on": on, "acts": rule.acts,
        }  # fmt: skip
        work.add(f"rules/{_safe(rule.id)}.json", _json(told), _("a rule as it read on %(day)s") % {"day": on})
        section.facts += [
            (_("Rule"), rule.id),
            (_("On"), str(on)),
            (_("What follows"), str(rule.consequence)),
            (_("Says"), str(rule.note)),
            (_("Source"), f"{rule.source} ({rule.as_of or '–'})"),
        ]
    work.sections.append(section)


def _say_what_is_left_out(work: _Work, orders: Sequence[OrderDetail]) -> None:
    if orders and not work.reveal:
        work.left_out.append(
            _("Names, streets, phones and mail addresses of buyers are masked: this case does not need them.")
        )
    if orders and not work.costs:
        work.left_out.append(_("What we pay our suppliers is left out: it is a business secret and no matter of the case."))
    if work.stripped:
        work.left_out.append(
            _("Place, device and time written into %(count)s photos were taken out of the copies; the originals stay with us.")
            % {"count": work.stripped}
        )
    if work.covered:
        work.left_out.append(
            ngettext(
                "On %(count)s photo parts that tell who the buyer is are covered; the original stays with us, its hash stands in the index.",
                "On %(count)s photos parts that tell who the buyer is are covered; the originals stay with us, their hashes stand in the index.",
                work.covered,
            )
            % {"count": work.covered}
        )
    if missing := work.waiting + work.dropped:
        work.left_out.append(
            ngettext("%(count)s photo is left out for the buyer's privacy.", "%(count)s photos are left out for the buyer's privacy.", missing)
            % {"count": missing}
        )
    if work.waiting:
        work.gaps.append(
            ngettext(
                "%(count)s photo waits for you: nothing could be read on it, so look whether it tells who the buyer is, then make the pack again.",
                "%(count)s photos wait for you: nothing could be read on them, so look whether they tell who the buyer is, then make the pack again.",
                work.waiting,
            )
            % {"count": work.waiting}
        )
    if work.papers:
        work.left_out.append(_("Papers (PDF) are put in as they were handed in; nothing in them is covered."))
    if orders:
        work.left_out.append(_("Other orders of the same buyers are left out."))
        if work.case_kind:
            work.left_out.append(_("Other cases about these orders, and checks of our own that are no matter of this one, are left out."))


# --- Files --------------------------------------------------------------------------------------------------------


def _add_files(work: _Work, section: Section, kind: str, things: Sequence[int], folder: str) -> None:
    for file in CaseFile.objects.filter(thing_kind=kind, thing__in=list(things)).order_by("id"):
        content = files.read(file.sha256)
        if content is None:
            work.gaps.append(_("The file %(name)s cannot be read any more.") % {"name": file.name})
            continue
        name = f"{folder}/{_safe(file.name)}"
        if file.media_type == files.PDF:
            work.papers += 1
            work.add(name, content, _("paper of the case; SHA-256 as received %(hash)s") % {"hash": file.sha256})
        else:
            _add_photo(work, section, name, file.sha256, files.FOLDER, f"{file.name} · {work.when(file.at)}")


def _add_photo(work: _Work, section: Section, name: str, sha256: str, folder: str, caption: str) -> None:
    """Name a photo that goes into the pack; `_copy_photo` brings it."""
    work.shown.add(sha256)
    work.photos.append(_Photo(section, name, sha256, folder, caption))


def _copy_photo(work: _Work, photo: _Photo) -> None:
    """A copy of a photo: without what cameras write into it, private parts covered; one nobody has looked at waits."""
    content = files.read(photo.sha256, photo.folder)
    try:
        if content is None:
            raise pictures.NoPicture
        media_type = pictures.check(content).media_type
        cover = None if work.reveal else _cover(work, photo.sha256, photo.folder, content)
        if cover is not None and cover.state in ("waiting", "left_out"):
            work.waiting += cover.state == "waiting"
            work.dropped += cover.state == "left_out"
            return
        plain = pictures.without_metadata(content, media_type)
        work.stripped += plain != content
        copy = pictures.covered(content, cover.boxes) if cover is not None and cover.boxes else plain
        words = queries.private_words(cover.found) if cover is not None else ""
        small = pictures.small(copy, 1000)
    except pictures.NoPicture:
        work.gaps.append(_("The file %(name)s cannot be read any more.") % {"name": photo.name})
        return
    what = _("photo; SHA-256 as received %(hash)s") % {"hash": photo.sha256}
    if words:
        work.covered += 1
        what += "; " + _("covered: %(parts)s") % {"parts": words}
    work.originals[work.add(photo.name, copy, what)] = (photo.sha256, words)
    if sum(len(one.photos) for one in work.sections) < MOST_PHOTOS:
        caption = f"{photo.caption} · {_('covered: %(parts)s') % {'parts': words}}" if words else photo.caption
        photo.section.photos.append((caption, small))


def _is_read(known: PictureCover | None, work: _Work) -> bool:
    """A person's word, or what was read knowing the same buyers, counts for every pack."""
    return known is not None and (not known.basis or (known.basis == work.basis and known.why != "ocr_missing"))


def _cover(work: _Work, sha256: str, folder: str, content: bytes) -> PictureCover:
    """What is covered on a photo: a person's word, else what is read on it now (or was, knowing the same buyers)."""
    known = queries.covers_of(work.store.pk, [sha256]).get(sha256)
    if known is not None and _is_read(known, work):
        return known
    parts: tuple[Part, ...] = ()
    why = ""
    if ocr.why_not():
        why = "ocr_missing"
    else:
        try:
            lines = ocr.read_places(content)
            parts = tuple(private_parts(lines, work.who))
            why = "" if any(line.sure >= ocr.SURE for line in lines) else "no_text"
        except Refused:
            why = "unreadable"
        except Exception as error:  # a photo that upsets the reader must not stop the pack
            log.warning("Reading photo %s failed: %s", sha256[:12], type(error).__name__)
            why = "unreadable"
    reading = commands.Reading(sha256, folder, work.basis, parts, why)
    return commands.note_readings([reading], store_id=work.store.pk, by=work.by, at=work.at)[0]


# --- PDF and ZIP --------------------------------------------------------------------------------------------------

_PAGE = (
    """<!doctype html><html lang="{{ language }}"><head><meta charset="utf-8"><title>{{ title }}</title><style>
@page { size: A4; margin: 18mm 16mm; @bottom-left { content: "{{ foot }}"; font-size: 7.5pt; color: #667382 }
        @bottom-right { content: counter(page) " / " counter(pages); font-size: 8pt; color: #667382 } }
body { font-family: """
    + FONTS
    + """; font-size: 9.5pt; color: #182433 }
h1 { font-size: 17pt; margin: 0 } h2 { font-size: 12.5pt; margin: 8mm 0 2mm; break-after: avoid }
h3 { font-size: 10pt; margin: 4mm 0 1mm; break-after: avoid } p { margin: 1mm 0 } .grey { color: #667382 }
table { width: 100%; border-collapse: collapse; margin-bottom: 2mm } td, th { padding: 1mm 2mm 1mm 0; border-bottom: .2mm solid #dce1e7; text-align: left;
vertical-align: top; overflow-wrap: anywhere } tr { break-inside: avoid } th { font-weight: 600; color: #667382; font-size: 8.5pt } .facts td:first-child { width: 45mm; color: #667382 }
.words { white-space: pre-wrap; border-left: .6mm solid #dce1e7; padding-left: 3mm; margin: 1mm 0 3mm } .hash { font-family: monospace; font-size: 6.5pt }
figure { margin: 2mm 0; break-inside: avoid } figure img { max-width: 120mm; max-height: 110mm } figcaption { font-size: 8pt; color: #667382 }
</style></head><body>
<h1>{{ title }}</h1><p class="grey">{{ subtitle }}</p>
<table class="facts">{% for name, value in head %}<tr><td>{{ name }}</td><td>{{ value }}</td></tr>{% endfor %}</table>
{% if left_out %}<h2>{{ words.left_out }}</h2>{% for one in left_out %}<p>{{ one }}</p>{% endfor %}{% endif %}
{% for section in sections %}<h2>{{ section.title }}</h2>
{% if section.facts %}<table class="facts">{% for name, value in section.facts %}{% if value %}<tr><td>{{ name }}</td><td>{{ value }}</td></tr>{% endif %}{% endfor %}</table>{% endif %}
{% for heading, text in section.texts %}<h3>{{ heading }}</h3><div class="words">{{ text }}</div>{% endfor %}
{% for heading, columns, rows in section.tables %}{% if heading %}<h3>{{ heading }}</h3>{% endif %}<table><tr>{% for one in columns %}<th>{{ one }}</th>{% endfor %}</tr>
{% for row in rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>{% empty %}<tr><td>{{ words.none }}</td></tr>{% endfor %}</table>{% endfor %}
{% for caption, address in section.photos %}<figure><img src="{{ address }}" alt=""><figcaption>{{ caption }}</figcaption></figure>{% endfor %}
{% endfor %}
<h2>{{ words.index }}</h2><p class="grey">{{ words.index_says }}</p>
<table><tr><th>{{ words.file }}</th><th>{{ words.what }}</th><th>{{ words.bytes }}</th></tr>
{% for name, sha256, size, what in index %}<tr><td>{{ name }}<br><span class="hash">{{ sha256 }}</span></td><td>{{ what }}</td><td>{{ size }}</td></tr>{% endfor %}</table>
</body></html>"""
)


def _zipped(work: _Work, stem: str, subject: str, reason: str) -> tuple[bytes, list[tuple[str, str, int, str]]]:
    """The ZIP's bytes and its index. The PDF lists every other file; index.json also the PDF; SHA256SUMS them all."""
    index = [(name, hashlib.sha256(content).hexdigest(), len(content), what) for name, content, what in work.files]
    made = work.at.astimezone(work.zone).strftime("%Y-%m-%d %H:%M %Z")
    sections = [
        {"title": s.title, "facts": s.facts, "texts": s.texts, "tables": s.tables, "photos": [(c, picture(p)) for c, p in s.photos]}
        for s in work.sections
    ]
    page = Engine().from_string(_PAGE).render(
        Context({
            "language": work.language, "title": _("Evidence"), "subtitle": f"{work.store.name} · {subject}",
            "foot": f"{stem} · {made}".replace('"', "").replace("\\", ""),
            "head": [
                (_("Store"), f"{work.store.name} ({work.store.channel})"),
                (_("Case or orders"), subject),
                (_("Made on"), made),
                (_("Time zone of all times"), work.store.timezone),
                *([(_("Why buyers' data stand in it"), reason)] if work.reveal else []),
            ],
            "left_out": work.left_out, "sections": sections, "index": index,
            "words": {
                "left_out": _("What is left out"), "none": _("nothing recorded"), "index": _("Files of this pack"),
                "index_says": _("SHA-256 of each file as it lies in the ZIP. This PDF and the index itself stand in SHA256SUMS."),
                "file": _("File"), "what": _("What it is"), "bytes": _("Bytes"),
            },
        })
    )  # fmt: skip
    pdf = pdf_of(page, language=work.language)
    index.insert(0, ("evidence.pdf", hashlib.sha256(pdf).hexdigest(), len(pdf), _("this evidence, to be read")))
    listed = _json({
        "store": work.store.code, "about": subject, "made_at": work.at, "timezone": work.store.timezone,
        "buyers_data_shown": work.reveal, "left_out": work.left_out,
        "files": [
            dict(zip(("name", "sha256", "bytes", "what"), row, strict=True))
            | (dict(zip(("sha256_as_received", "covered"), work.originals[row[0]], strict=True)) if row[0] in work.originals else {})
            for row in index
        ],
    })  # fmt: skip
    sums = "".join(f"{row[1]}  {row[0]}\n" for row in [*index, ("index.json", hashlib.sha256(listed).hexdigest())])
    out = BytesIO()
    moment = max(work.at.astimezone(work.zone), datetime(1980, 1, 1, tzinfo=work.zone)).timetuple()[:6]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in [
            ("evidence.pdf", pdf), ("index.json", listed), ("SHA256SUMS", sums.encode()), *((name, content) for name, content, _w in work.files)
        ]:  # fmt: skip
            info = zipfile.ZipInfo(name, moment)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return out.getvalue(), index


def _state(process: Process, state: str) -> str:
    return queries.word(dict(process.words), state)


def _money(amount: Decimal | None, currency: str) -> str:
    return "" if amount is None else f"{rounded(amount, currency):f} {currency}"


def _safe(name: str) -> str:
    """A name for a file inside the ZIP: no path, nothing a file system minds."""
    plain = "".join(c if c.isalnum() or c in "._-" else "_" for c in name.replace("\\", "/").rsplit("/", 1)[-1])
    return plain.strip("._")[:80] or "file"


def _json(value: Any) -> bytes:
    def plain(one: Any) -> Any:
        if isinstance(one, Decimal):
            return f"{one:f}"
        if isinstance(one, (datetime, date)):
            return one.isoformat()
        return str(one)

    return json.dumps(value, ensure_ascii=False, indent=1, default=plain).encode()


def _csv(head: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """With a mark that spreadsheets know UTF-8 by, formulas escaped."""
    import csv

    out = StringIO()
    writer = csv.writer(out)
    writer.writerow(head)
    for row in rows:
        writer.writerow([escape_formula(str(cell)) for cell in row])
    return b"\xef\xbb\xbf" + out.getvalue().encode()
