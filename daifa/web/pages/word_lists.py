"""Versions of the lists of words, goods and brands: by which words texts were judged, and since when."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from daifa.domain.policy import queries as policy
from daifa.lib.commas import listed
from daifa.lib.sentences import joined
from daifa.web.kit import Column, LinkButton, NotePanel, Panel, PanelPage, Scope, TablePanel
from daifa.web.kit import format as fmt


def lists_note() -> Panel:
    """By which version of the lists texts are judged, and since when."""
    version = policy.lists_version()
    now = policy.lists_now()
    dates = listed(sorted(set(now.dates.values())))
    words = ngettext("%(n)d entry", "%(n)d entries", len(now.entries)) % {"n": len(now.entries)}
    if version is None:
        text = _("Lists of %(dates)s, %(words)s.") % {"dates": dates, "words": words}
    else:
        text = _("Lists of %(dates)s, %(words)s: version %(n)d, in use since %(day)s.") % {
            "dates": dates, "words": words, "n": version.pk, "day": version.at.date().isoformat(),
        }  # fmt: skip
    return NotePanel(text, tone="info", actions=[LinkButton(_("Versions"), reverse("web:word_lists"), "history")])


def _versions(request: HttpRequest, scope: Scope) -> list[Panel]:
    history = policy.lists_history()
    names = fmt.actor_names(change.version.by for change in history)

    def changed(one: policy.ListsChange) -> str:
        parts = [
            *([_("new: %(words)s") % {"words": "、".join(one.came[:20])}] if one.came else []),
            *([_("gone: %(words)s") % {"words": "、".join(one.went[:20])}] if one.went else []),
            *([_("judged otherwise: %(words)s") % {"words": "、".join(term for term, _a, _b in one.changed[:20])}] if one.changed else []),
        ]
        return joined("; ", parts, chinese="；") or (_("the first") if one.version.pk == history[-1].version.pk else _("as the one before"))

    return [
        TablePanel(
            _("Versions of the lists"),
            [
                Column("n", _("Version"), "quantity", value=lambda one: one.version.pk),
                Column("at", _("In use since"), "datetime", value=lambda one: one.version.at, hint=lambda one: names.get(one.version.by, "")),
                Column("dates", _("Date of the files"), value=lambda one: listed(sorted(set(one.version.dates.values()))), phone=False),
                Column("entries", _("Words in all"), "quantity", value=lambda one: len(one.version.entries)),
                Column("changed", _("What changed"), value=changed, wrap=True),
                Column("digest", "SHA-256", "code", value=lambda one: one.version.digest[:12], phone=False),
            ],
            history,
            empty=_("Texts have not been looked at yet."),
            note=_("Each verdict about a listing names the version it was given by."),
        )
    ]  # fmt: skip


LISTS = PanelPage(
    title=gettext_lazy("Lists of words, goods and brands"),
    panels=_versions,
    intro=gettext_lazy("By which words texts were judged, and since when."),
)

urlpatterns = [path("words/lists/", LISTS.view, name="word_lists")]
