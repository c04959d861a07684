"""What buyers are told: the words of each message, for all stores or one, with a preview."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _

from daifa.domain.messages import commands as messages
from daifa.domain.messages import queries as message_queries
from daifa.domain.messages import rules as message_rules
from daifa.domain.messages.process import KINDS
from daifa.domain.policy.words import refusal_of
from daifa.domain.stores.models import Store
from daifa.web.kit import (
    ActionButton,
    Badge,
    Column,
    FormPage,
    HtmlPanel,
    PanelPage,
    Refused,
    TablePanel,
    after,
    page,
)
from daifa.web.kit import format as fmt

# --- Message templates ------------------------------------------------------------------------------------------

SOURCES = {"store": (_("of this store"), "progress"), "common": (_("common to all stores"), "info"), "built in": (_("built in"), "muted")}


def _template_store(request, scope) -> Store | None:
    """The store whose templates are shown: the one asked for, else the chosen one; None = common to all."""
    asked = request.GET.get("store", "")
    if asked == "all":
        return None
    if asked.isdigit():
        return scope.require(int(asked), "view")
    return scope.current


def _kind_word(kind: str) -> str:
    return KINDS[kind][1 if fmt.is_chinese() else 0]


def _template_panels(request, scope):
    store = _template_store(request, scope)
    where = str(store.pk) if store else "all"
    tabs = [(f"?store={one.pk}", one.name, store is not None and one.pk == store.pk) for one in scope.stores]
    rows = message_queries.templates_of(store.pk if store else None)
    return [
        HtmlPanel("web/pages/books_tabs.html", {"tabs": [("?store=all", _("All stores"), store is None), *tabs]}),
        TablePanel(
            _("Messages to the buyers of %(store)s") % {"store": store.name} if store else _("Messages to the buyers of all stores"),
            [
                Column("kind", _("Message"), value=lambda row: _kind_word(row.kind), link=True),
                Column("language", _("Language"), value=lambda row: message_rules.LANGUAGES[row.language]),
                Column("subject", _("Subject"), wrap=True),
                Column("source", _("Words"), "badge", value=lambda row: Badge(SOURCES[row.source][0], SOURCES[row.source][1])),
            ],
            rows,
            row_url=lambda row: reverse("web:template", args=[where, row.kind, row.language]),
            note=_("A store's own words go before the common ones, and those before the built-in ones. Buyers are written to in the store's language."),
        ),
    ]  # fmt: skip


TEMPLATES = PanelPage(
    title=_("Message templates"),
    panels=_template_panels,
    intro=_("What buyers are told when their order was received, dispatched, delayed or delivered."),
)


class _Template:
    """The words of one kind and language, for a store or for all."""

    def __init__(self, store: Store | None, found: Any) -> None:
        self.store, self.found = store, found
        self.where = str(store.pk) if store else "all"

    @property
    def address(self) -> str:
        return reverse("web:template", args=[self.where, self.found.kind, self.found.language])

    @property
    def of_this_place(self) -> bool:
        """Whether these words were written here, and are not taken from somewhere wider."""
        return self.found.source == ("store" if self.store else "common")


def _template(scope, where: str, kind: str, language: str) -> _Template | None:
    if where == "all":
        store = None
    elif where.isdigit():
        store = scope.whole.require(int(where), "view")
    else:
        return None
    found = next((one for one in message_queries.templates_of(store.pk if store else None) if (one.kind, one.language) == (kind, language)), None)
    return _Template(store, found) if found is not None else None


def _why_not_template(scope, template: _Template) -> Any:
    return scope.why_not("own", template.store.pk) if template.store else scope.why_not_shared("own")


def _preview(kind: str, language: str, subject: str, body: str, store: Store | None) -> dict[str, Any]:
    wrong = message_rules.check_words(kind, language, subject, body)
    hits = messages.hits_in(messages.Words(store.pk if store else None, kind, language, subject, body))
    wrong += [sentence] if (sentence := refusal_of(hits)) else []
    shown = message_rules.preview(kind, language, subject, body, store_name=store.name if store else "") if not wrong else ("", "")
    looked_at = [f"“{hit.term}”: {hit.note}" for hit in {hit.term: hit for hit in hits if hit.severity != "block"}.values()]
    return {"wrong": wrong, "hints": looked_at, "subject": shown[0], "body": shown[1], "language": message_rules.LANGUAGES[language]}


def _template_form(scope, template: _Template):
    url = reverse("web:template_preview", args=[template.where, template.found.kind, template.found.language])
    live = {"hx-post": url, "hx-trigger": "input delay:400ms", "hx-target": "#preview", "hx-swap": "outerHTML", "hx-include": "closest form"}

    class TemplateForm(forms.Form):
        subject = forms.CharField(label=_("Subject"), max_length=200, widget=forms.TextInput(attrs=live))
        body = forms.CharField(label=_("Text"), max_length=10_000, widget=forms.Textarea(attrs={"rows": 14, **live}), strip=False)

        def clean(self) -> dict[str, Any]:
            if why := _why_not_template(scope, template):
                raise PermissionDenied(str(why))
            return super().clean()

    return TemplateForm


def _template_panels_of(scope, template: _Template):
    found = template.found
    other = next(
        one for one in message_queries.templates_of(template.store.pk if template.store else None)
        if one.kind == found.kind and one.language != found.language
    )  # fmt: skip
    position = 1 if fmt.is_chinese() else 0
    places = [("{{ " + key + " }}", words[position]) for key, words in message_rules.PLACEHOLDERS[found.kind].items()]
    return [
        HtmlPanel("web/pages/template_preview.html", {"preview": _preview(found.kind, found.language, found.subject, found.body, template.store), "live": True}),
        HtmlPanel("web/pages/template_preview.html", {"preview": _preview(other.kind, other.language, other.subject, other.body, template.store),
                                                "edit": reverse("web:template", args=[template.where, other.kind, other.language])}),
        HtmlPanel("web/pages/template_places.html", {"places": places}, title=_("What you can use")),
    ]  # fmt: skip


def _save_template(scope, template: _Template, data, *, by, at):
    if why := _why_not_template(scope, template):
        raise PermissionDenied(str(why))
    words = messages.Words(template.store.pk if template.store else None, template.found.kind, template.found.language, data["subject"], data["body"])
    saved = messages.save_templates([words], by=by, at=at)
    if saved.refused:
        raise Refused(" ".join(saved.refused[0]))
    return template.address


TEMPLATE = FormPage(
    title=lambda template, scope: f"{_kind_word(template.found.kind)} · {message_rules.LANGUAGES[template.found.language]}",
    pretitle=lambda template, scope: template.store.name if template.store else _("common to all stores"),
    form=_template_form,
    load=_template,
    needs="view",
    initial=lambda scope, template: {"subject": template.found.subject, "body": template.found.body},
    save=_save_template,
    success=_("Saved. Messages still waiting are written with these words."),
    back=lambda template: (_("Message templates"), f"{reverse('web:templates')}?store={template.where}"),
    panels=_template_panels_of,
    actions=lambda scope, template: [
        ActionButton(
            _("Back to the common words") if template.store else _("Back to the built-in words"),
            reverse("web:template_drop", args=[template.where, template.found.kind, template.found.language]), "arrow-back-up",
            reason=_why_not_template(scope, template) or (None if template.of_this_place else _("Nothing was changed here.")),
            confirm=_("Forget these words?"),
        )
    ],
)


@page("view", methods=("POST",))
def template_preview(request, scope, where: str, kind: str, language: str):
    template = _template(scope, where, kind, language)
    if template is None:
        raise Http404
    preview = _preview(kind, language, request.POST.get("subject", "")[:300], request.POST.get("body", "")[:10_001],
                       template.store)  # fmt: skip
    return render(request, "web/pages/template_preview.html", {"preview": preview, "live": True})


@page("view", methods=("POST",))
def drop_template(request, scope, where: str, kind: str, language: str):
    template = _template(scope, where, kind, language)
    if template is None:
        raise Http404
    if why := _why_not_template(scope, template):
        raise PermissionDenied(str(why))
    dropped = messages.drop_templates([template.found.id], by=scope.by, at=scope.at) if template.of_this_place else 0
    return after(request, template.address, _("Forgotten.") if dropped else None, refused=[] if dropped else [_("Nothing was changed here.")])

urlpatterns = [
    path("templates/", TEMPLATES.view, name="templates"),
    path("templates/<slug:where>/<slug:kind>/<slug:language>/", TEMPLATE.view, name="template"),
    path("templates/<slug:where>/<slug:kind>/<slug:language>/preview/", template_preview, name="template_preview"),
    path("templates/<slug:where>/<slug:kind>/<slug:language>/drop/", drop_template, name="template_drop"),
]
