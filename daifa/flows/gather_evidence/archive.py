"""The ZIP of a pack: the PDF, every file behind it, the index, and the sums of all."""

from __future__ import annotations

import hashlib
import zipfile
from datetime import datetime
from io import BytesIO

from django.utils.translation import gettext as _

from daifa.flows.gather_evidence.draft import Draft
from daifa.flows.gather_evidence.page import pdf_page
from daifa.flows.gather_evidence.writing import json_bytes


def zipped(draft: Draft, stem: str, subject: str, reason: str) -> tuple[bytes, list[tuple[str, str, int, str]]]:
    """The ZIP's bytes and its index. The PDF lists every other file; index.json also the PDF; SHA256SUMS them all."""
    index = [(name, hashlib.sha256(content).hexdigest(), len(content), what) for name, content, what in draft.files]
    pdf = pdf_page(draft, stem, subject, reason, index)
    index.insert(0, ("evidence.pdf", hashlib.sha256(pdf).hexdigest(), len(pdf), _("this evidence, to be read")))
    listed = json_bytes({
        "store": draft.store.code, "about": subject, "made_at": draft.at, "timezone": draft.store.timezone,
        "buyers_data_shown": draft.reveal, "left_out": draft.left_out,
        "files": [
            dict(zip(("name", "sha256", "bytes", "what"), row, strict=True))
            | (dict(zip(("sha256_as_received", "covered"), draft.originals[row[0]], strict=True)) if row[0] in draft.originals else {})
            for row in index
        ],
    })  # fmt: skip
    sums = "".join(f"{row[1]}  {row[0]}\n" for row in [*index, ("index.json", hashlib.sha256(listed).hexdigest())])
    out = BytesIO()
    moment = max(draft.at.astimezone(draft.zone), datetime(1980, 1, 1, tzinfo=draft.zone)).timetuple()[:6]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in [
            ("evidence.pdf", pdf), ("index.json", listed), ("SHA256SUMS", sums.encode()), *((name, content) for name, content, _w in draft.files)
        ]:  # fmt: skip
            info = zipfile.ZipInfo(name, moment)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return out.getvalue(), index
