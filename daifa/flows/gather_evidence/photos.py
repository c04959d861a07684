"""Photos and papers: copied without what cameras write into them, parts that tell who the buyer is covered."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.utils.translation import gettext as _

from daifa.domain.cases import commands, files, queries
from daifa.domain.cases.models import (
    CaseFile,
    PictureCover,
)
from daifa.domain.cases.pictures import Part, private_parts
from daifa.flows.gather_evidence.draft import Draft, Photo, Section
from daifa.lib import ocr, pictures
from daifa.lib.refusal import Refused

MOST_PHOTOS = 40  # in the PDF; the ZIP holds all

log = logging.getLogger(__name__)


def add_files(draft: Draft, section: Section, kind: str, things: Sequence[int], folder: str) -> None:
    for file in CaseFile.objects.filter(thing_kind=kind, thing__in=list(things)).order_by("id"):
        content = files.read(file.sha256)
        if content is None:
            draft.gaps.append(_("The file %(name)s cannot be read any more.") % {"name": file.name})
            continue
        name = f"{folder}/{draft.file_name(file.name)}"
        if file.media_type == files.PDF:
            draft.papers += 1
            draft.add(name, content, _("paper of the case; SHA-256 as received %(hash)s") % {"hash": file.sha256})
        else:
            add_photo(draft, section, name, file.sha256, files.FOLDER, f"{draft.words(file.name)} · {draft.when(file.at)}")


def add_photo(draft: Draft, section: Section, name: str, sha256: str, folder: str, caption: str) -> None:
    """Name a photo that goes into the pack; `copy_photo` brings it."""
    draft.shown.add(sha256)
    draft.photos.append(Photo(section, name, sha256, folder, caption))


def copy_photo(draft: Draft, photo: Photo) -> None:
    """A copy of a photo: without what cameras write into it, private parts covered; one nobody has looked at waits."""
    content = files.read(photo.sha256, photo.folder)
    try:
        if content is None:
            raise pictures.NoPicture
        media_type = pictures.check(content).media_type
        cover = None if draft.reveal else _cover(draft, photo.sha256, photo.folder, content)
        if cover is not None and cover.state in ("waiting", "left_out"):
            draft.waiting += cover.state == "waiting"
            draft.dropped += cover.state == "left_out"
            return
        plain = pictures.without_metadata(content, media_type)
        draft.stripped += plain != content
        copy = pictures.covered(content, cover.boxes) if cover is not None and cover.boxes else plain
        words = queries.private_words(cover.found) if cover is not None else ""
        small = pictures.small(copy, 1000)
    except pictures.NoPicture:
        draft.gaps.append(_("The file %(name)s cannot be read any more.") % {"name": photo.name})
        return
    what = _("photo; SHA-256 as received %(hash)s") % {"hash": photo.sha256}
    if words:
        draft.covered += 1
        what += "; " + _("covered: %(parts)s") % {"parts": words}
    draft.originals[draft.add(photo.name, copy, what)] = (photo.sha256, words)
    if sum(len(one.photos) for one in draft.sections) < MOST_PHOTOS:
        caption = f"{photo.caption} · {_('covered: %(parts)s') % {'parts': words}}" if words else photo.caption
        photo.section.photos.append((caption, small))


def to_be_read(draft: Draft) -> int:
    """How many photos nobody has read yet, knowing these buyers."""
    if draft.reveal or ocr.why_not():
        return 0
    known = queries.covers_of(draft.store.pk, [one.sha256 for one in draft.photos])
    return sum(not _is_read(known.get(one.sha256), draft) for one in draft.photos)


def _is_read(known: PictureCover | None, draft: Draft) -> bool:
    """A person's word, or what was read knowing the same buyers, counts for every pack."""
    return known is not None and (not known.basis or (known.basis == draft.basis and known.why != "ocr_missing"))


def _cover(draft: Draft, sha256: str, folder: str, content: bytes) -> PictureCover:
    """What is covered on a photo: a person's word, else what is read on it now (or was, knowing the same buyers)."""
    known = queries.covers_of(draft.store.pk, [sha256]).get(sha256)
    if known is not None and _is_read(known, draft):
        return known
    parts: tuple[Part, ...] = ()
    why = ""
    if ocr.why_not():
        why = "ocr_missing"
    else:
        try:
            lines = ocr.read_places(content)
            parts = tuple(private_parts(lines, draft.who))
            why = "" if any(line.sure >= ocr.SURE for line in lines) else "no_text"
        except Refused:
            why = "unreadable"
        except Exception as error:  # a photo that upsets the reader must not stop the pack
            log.warning("Reading photo %s failed: %s", sha256[:12], type(error).__name__)
            why = "unreadable"
    reading = commands.Reading(sha256, folder, draft.basis, parts, why)
    return commands.note_readings([reading], store_id=draft.store.pk, by=draft.by, at=draft.at)[0]
