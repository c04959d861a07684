"""The PDF of a pack."""

from __future__ import annotations

from collections.abc import Sequence

from django.template import Context, Engine
from django.utils.translation import gettext as _

from daifa.flows.gather_evidence.draft import Draft
from daifa.lib.pdf import FONTS, pdf_of, picture

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


def pdf_page(draft: Draft, stem: str, subject: str, reason: str, index: Sequence[tuple[str, str, int, str]]) -> bytes:
    """The PDF: what is told, what is left out, and every other file of the pack with its hash (`index`)."""
    made = draft.at.astimezone(draft.zone).strftime("%Y-%m-%d %H:%M %Z")
    sections = [
        {"title": s.title, "facts": s.facts, "texts": s.texts, "tables": s.tables, "photos": [(c, picture(p)) for c, p in s.photos]}
        for s in draft.sections
    ]
    page = Engine().from_string(_PAGE).render(
        Context({
            "language": draft.language, "title": _("Evidence"), "subtitle": f"{draft.store.name} · {subject}",
            "foot": f"{stem} · {made}".replace('"', "").replace("\\", ""),
            "head": [
                (_("Store"), f"{draft.store.name} ({draft.store.channel})"),
                (_("Case or orders"), subject),
                (_("Made on"), made),
                (_("Time zone of all times"), draft.store.timezone),
                *([(_("Why buyers' data stand in it"), reason)] if draft.reveal else []),
            ],
            "left_out": draft.left_out, "sections": sections, "index": index,
            "words": {
                "left_out": _("What is left out"), "none": _("nothing recorded"), "index": _("Files of this pack"),
                "index_says": _("SHA-256 of each file as it lies in the ZIP. This PDF and the index itself stand in SHA256SUMS."),
                "file": _("File"), "what": _("What it is"), "bytes": _("Bytes"),
            },
        })
    )  # fmt: skip
    return pdf_of(page, language=draft.language)
