"""Files of cases, what was read on photos, evidence packs from wish to file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models import F

from daifa.domain.cases import files, pictures, queries
from daifa.domain.cases.commands.taking import locked, must_have_moved
from daifa.domain.cases.models import CaseFile, EvidencePack, PictureCover
from daifa.domain.cases.process import EVIDENCE_PACK
from daifa.domain.history.commands import move, record_births, record_facts
from daifa.domain.stores.commands import NewTask, close_tasks, open_tasks
from daifa.lib import bulk, keeping
from daifa.lib.refusal import Refused
from daifa.lib.sentences import gettext as _
from daifa.lib.sentences import kept

FILE_KINDS = ("violation", "appeal", "complaint", "infringement", "listing_right", "qualification")


@transaction.atomic
def attach_files(
    contents: Sequence[tuple[str, bytes]], *, store_id: int, thing_kind: str, thing: int, note: str = "", by: str,
    at: datetime,
) -> tuple[list[int], list[str]]:  # fmt: skip
    """Keep photos and papers with a case; (ids, a sentence for each one refused). The same file twice is one.

    To a complaint only pictures can be added; what is not really one is refused. Fact: complaint_photos_added (file ids).
    """
    if thing_kind not in FILE_KINDS:
        raise ValueError(thing_kind)
    ids, refused, fresh = [], [], []
    for name, content in contents:
        try:
            kept = files.keep(name, content, images_only=thing_kind == "complaint")
        except Refused as refusal:
            refused.append(refusal.sentence)
            continue
        found, made = CaseFile.objects.get_or_create(
            thing_kind=thing_kind, thing=thing, sha256=kept.sha256,
            defaults={
                "store_id": store_id, "name": kept.name, "media_type": kept.media_type, "size": kept.size,
                "note": note[:200], "by": by, "at": at,
            },
        )  # fmt: skip
        ids.append(found.pk)
        if made:
            fresh.append(found.pk)
    if thing_kind == "complaint":
        record_facts("complaint_photos_added", fresh, at=at)
    return ids, refused


# --- Photos in evidence packs ------------------------------------------------------------------------------------
class Reading(NamedTuple):
    """What was read on a photo: the parts to be covered, or (`why`, of `pictures.WHY_WAITING`) that a person must look."""

    sha256: str
    folder: str
    basis: str
    parts: tuple[pictures.Part, ...] = ()
    why: str = ""


@transaction.atomic
def note_readings(readings: Sequence[Reading], *, store_id: int, by: str, at: datetime) -> list[PictureCover]:
    """Keep what the reader found on photos; where a person has decided, his word stays. Opens the tasks to look."""
    notes = []
    for one in sorted(readings):
        fresh = {
            "folder": one.folder, "state": "waiting" if one.why else "read", "why": one.why, "basis": one.basis, "by": by, "at": at,
            "boxes": [[round(edge, 1) for edge in part.box] for part in one.parts], "found": pictures.counted(one.parts),
        }  # fmt: skip
        cover, made = PictureCover.objects.select_for_update().get_or_create(store_id=store_id, sha256=one.sha256, defaults=fresh)
        if not made and cover.basis:
            for name, value in fresh.items():
                setattr(cover, name, value)
            cover.save()
        notes.append(cover)
    waiting = [cover for cover in notes if cover.state == "waiting"]
    open_tasks(
        [NewTask(kind="picture_to_look_at", store_id=store_id, thing_kind="picture_cover", thing=cover.pk) for cover in waiting], at=at
    )
    done = [cover.pk for cover in notes if cover.state != "waiting"]
    close_tasks(kind="picture_to_look_at", thing_kind="picture_cover", things=done, by=by, at=at)
    return notes


@transaction.atomic
def decide_pictures(
    ids: Sequence[int], *, to: str, boxes: Sequence[pictures.Box] = (), by: str, at: datetime
) -> list[int]:
    """A person's word on photos: as_is, left_out, or boxed with the parts to cover. It counts for every later pack.

    Returns those decided. Raises `Refused`.
    """
    if to not in ("as_is", "left_out", "boxed"):
        raise Refused(_("Say whether it is shown, covered or left out."), code="decision_unknown", field="decision")
    if to == "boxed" and not boxes:
        raise Refused(_("Mark the fields to be covered, or show the photo as it is."), code="boxes_missing", field="fields")
    for left, top, right, bottom in boxes:
        if not (0 <= left < right <= 1000 and 0 <= top < bottom <= 1000):
            raise Refused(_("A covered part lies outside of the photo."), code="box_wrong", field="fields")
    parts = [pictures.Part("hand", box) for box in boxes] if to == "boxed" else []
    decided = []
    for cover in PictureCover.objects.select_for_update().filter(pk__in=list(ids)).order_by("pk"):
        cover.state, cover.why, cover.basis, cover.by, cover.at = to, "", "", by, at
        cover.boxes, cover.found = [list(part.box) for part in parts], {"hand": 1} if parts else {}
        cover.save()
        decided.append(cover.pk)
    close_tasks(kind="picture_to_look_at", thing_kind="picture_cover", things=decided, by=by, at=at)
    return decided


# --- Evidence packs ----------------------------------------------------------------------------------------------
MOST_TRIES = 5
"""A pack whose gathering was cut off so often is given up: something in it stops the program each time."""


@transaction.atomic
def ask_pack(
    *, store_id: int, case_kind: str, case: int, orders: Sequence[int], name: str, language: str, revealed: bool, reason: str,
    costs: bool = False, by: str, at: datetime,
) -> EvidencePack:  # fmt: skip
    """Write down which pack is wanted; it is gathered by `flows/gather_evidence/`. `name` stands for it until then."""
    pack = EvidencePack.objects.create(
        store_id=store_id, case_kind=case_kind, case=case, orders=sorted(orders), state="gathering", name=name[:120], language=language,
        revealed=revealed, reason=reason[:300], costs=costs, by=by, at=at,
    )  # fmt: skip
    record_births(EVIDENCE_PACK, [pack.pk], "gathering", by=by, at=at)
    pack.refresh_from_db()
    return pack


@transaction.atomic
def begin_pack(pack_id: int) -> bool:
    """Count one more try to gather a pack; False once there were too many."""
    tries = bulk.fetch(
        "UPDATE cases_evidencepack SET tries = tries + 1 WHERE id = %s AND state = 'gathering' RETURNING tries", (pack_id,)
    )
    return bool(tries) and tries[0][0] <= MOST_TRIES


def count_photos(pack_id: int, *, done: int, of: int) -> None:
    """How many of its photos have been looked at."""
    bulk.execute("UPDATE cases_evidencepack SET photos_done = %s, photos = %s WHERE id = %s", (done, of, pack_id))


def finish_pack(
    pack_id: int, *, name: str, content: bytes, contents: Sequence[tuple[str, str, int, str]], left_out: Sequence[str],
    gaps: Sequence[str] = (), by: str, at: datetime,
) -> EvidencePack:  # fmt: skip
    """Store a pack's bytes under their hash and say what it holds; whoever comes second finds it made.

    The hash is written down before the file is: killed in between, the next try knows which file was left. Where the data of
    its orders were erased meanwhile nothing is kept and the pack has failed.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    with transaction.atomic():
        pack = locked(EvidencePack, pack_id)
        if pack.state != "gathering":
            return pack
        _drop_left(pack, but=sha256)
        EvidencePack.objects.filter(pk=pack_id).update(sha256=sha256)
    keeping.store("evidence", content)
    with transaction.atomic():
        pack = locked(EvidencePack, pack_id)
        if pack.erased_at is not None:
            _drop_left(pack)
            return _failed(pack, _("The data of its buyers were erased meanwhile."), by=by, at=at)
        if move(EVIDENCE_PACK, [pack_id], to="made", by=by, at=at, set_at="made_at").moved:
            EvidencePack.objects.filter(pk=pack_id).update(
                name=name[:120], size=len(content), contents=[list(row) for row in contents], left_out=list(left_out), gaps=list(gaps),
                photos_done=F("photos"), sentence="",
            )  # fmt: skip
            close_tasks(kind="pack_not_made", thing_kind="evidence_pack", things=[pack_id], by=by, at=at)
        pack.refresh_from_db()
        return pack


@transaction.atomic
def give_up_pack(pack_id: int, *, sentence: str, by: str, at: datetime) -> EvidencePack:
    """A pack that cannot be made says why, on its page and on Today; it can be asked for again."""
    pack = locked(EvidencePack, pack_id)
    if pack.state == "gathering":
        _drop_left(pack)
        _failed(pack, sentence, by=by, at=at)
    return pack


@transaction.atomic
def ask_pack_again(pack_id: int, *, by: str, at: datetime) -> EvidencePack:
    """A pack that could not be made is wanted all the same. Raises `Refused`."""
    pack = locked(EvidencePack, pack_id)
    if pack.erased_at is not None:
        raise Refused(_("The data of its buyers were erased: there is nothing to gather."), code="erased")
    if not move(EVIDENCE_PACK, [pack_id], to="gathering", by=by, at=at, sets={"tries": 0, "photos_done": 0, "sentence": ""}).moved:
        raise Refused(
            _("This pack is “%(state)s”: only one that could not be made is asked for again.")
            % {"state": queries.word(dict(EVIDENCE_PACK.words), pack.state)},
            code="wrong_state",
        )  # fmt: skip
    close_tasks(kind="pack_not_made", thing_kind="evidence_pack", things=[pack_id], by=by, at=at)
    pack.refresh_from_db()
    return pack


def _failed(pack: EvidencePack, sentence: str, *, by: str, at: datetime) -> EvidencePack:
    must_have_moved(move(EVIDENCE_PACK, [pack.pk], to="failed", by=by, at=at, sets={"sentence": kept(sentence, 300), "sha256": ""}))
    if pack.erased_at is None:
        open_tasks(
            [NewTask(kind="pack_not_made", store_id=pack.store_id, thing_kind="evidence_pack", thing=pack.pk, params={"sentence": sentence})],
            at=at,
        )  # fmt: skip
    pack.refresh_from_db()
    return pack


def _drop_left(pack: EvidencePack, *, but: str = "") -> None:
    """The file of an earlier try that never came to its end."""
    if pack.sha256 and pack.sha256 != but and not EvidencePack.objects.filter(sha256=pack.sha256).exclude(pk=pack.pk).exists():
        files.path_of(pack.sha256, "evidence").unlink(missing_ok=True)
