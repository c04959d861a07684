"""The words of one product: what stands against publishing it, where each hit is, and the approval of a person."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from daifa.domain.catalog.models import Product, Variant
from daifa.domain.policy import commands
from daifa.domain.policy.words import Publishing, category_word
from daifa.flows import screen_texts
from daifa.lib.commas import listed
from daifa.web.kit import (
    ActionButton,
    Badge,
    Column,
    DetailPage,
    Fact,
    LinkButton,
    NotePanel,
    Refused,
    TablePanel,
    after,
    page,
)
from daifa.web.pages.rules import severity_badge


def marked(text: str, hits) -> Any:
    """The text with its hits marked, escaped; at most 2,000 characters."""
    parts, place = [], 0
    for hit in sorted(hits, key=lambda one: one.start):
        if hit.start < place:
            continue
        parts.append(format_html("{}<mark>{}</mark>", text[place : hit.start], text[hit.start : hit.end]))
        place = hit.end
    parts.append(format_html("{}", text[place : place + 2000]))
    return format_html_join("", "{}", ((part,) for part in parts))


def verdict_panel(found: Publishing, address: str, why_not) -> NotePanel:
    """One sentence whether the words may be published, with the button of the person who looked (posts to `address`)."""
    if found.may and not any(found.hits.values()):
        return NotePanel(_("Nothing in its words stands against publishing."), tone="success")
    if found.may:
        return NotePanel(_("It may be published: what was found is a hint, or a person looked at exactly these words."), tone="success")
    actions = []
    if found.waits:
        actions.append(
            ActionButton(
                _("I looked: publish"), address, "check", "primary",
                reason=why_not, ask=_("What did you look at, or which proof do you hold?"), fields={"digest": found.digest},
            )
        )  # fmt: skip
    return NotePanel(found.sentence, tone="warning" if found.waits else "danger", actions=actions)


def hits_table(found: Publishing) -> TablePanel:
    rows = [
        {
            "field": screen_texts.field_word(name), "term": hit.term, "category": category_word(hit.category),
            "severity": severity_badge(hit.severity), "note": str(hit.note), "basis": listed(hit.basis),
        }
        for name, hits in found.hits.items()
        for hit in hits
    ]  # fmt: skip
    return TablePanel(
        _("Words found"),
        [
            Column("field", _("In the")),
            Column("term", _("Word")),
            Column("category", _("Why")),
            Column("severity", _("What to do"), "badge"),
            Column("note", _("Note"), wrap=True, phone=False),
            Column("basis", _("Rests on"), "code", phone=False),
        ],
        rows,
        empty=_("No restricted word was found."),
        note=_("A finding asks a person to judge; it is no legal advice."),
    )


def _product(scope, pk: int) -> Product | None:
    return Product.objects.filter(pk=pk).first()


def _in_stores(product, scope) -> TablePanel:
    on = scope.at.astimezone(scope.zone()).date()
    rows = []
    for store in scope.stores:
        found = screen_texts.may_publish_in(store, product, on=on)
        badge = Badge(_("yes"), "success") if found.may else Badge(_("waits"), "warning") if found.waits else Badge(_("no"), "danger")
        rows.append({"store_id": store.pk, "may": badge, "why": found.sentence})
    return TablePanel(
        _("May it be published?"),
        [Column("store_id", _("Store"), "store"), Column("may", _("May it?"), "badge"), Column("why", _("Why not"), wrap=True)],
        rows,
    )


def _panels(product, scope):
    found = screen_texts.may_publish_product(product)
    address = reverse("web:product_words_approve", args=[product.pk])
    return [verdict_panel(found, address, scope.why_not_shared("operate")), hits_table(found), _in_stores(product, scope)]


def _facts(product, scope):
    found = screen_texts.may_publish_product(product)
    return [
        Fact(screen_texts.field_word(name), marked(text, found.hits[name]) if text else "", "html")
        for name, text in screen_texts.said_of(product).items()
    ]


def _first_variant(product: Product) -> str:
    variant = Variant.objects.filter(product=product).order_by("id").values_list("pk", flat=True).first()
    return reverse("web:variant", args=[variant]) if variant else reverse("web:catalogue")


WORDS = DetailPage(
    load=_product,
    store_id=None,
    title=lambda product, scope: product.title,
    pretitle=_("Words of a product"),
    back=(_("Words found in texts"), lambda: reverse("web:findings")),
    actions=lambda product, scope: [
        LinkButton(_("Change the words"), reverse("web:product_edit", args=[product.pk]), "pencil", "primary", reason=scope.why_not_shared("operate")),
        LinkButton(_("To the product"), _first_variant(product), "package"),
    ],
    facts=_facts,
    facts_title=_("Its words"),
    panels=_panels,
)


@page("operate", methods=("POST",))
def approve(request, scope, pk: int):
    scope.require_shared("operate")
    product = _product(scope, pk)
    if product is None:
        raise Http404
    return _approved(request, scope, screen_texts.may_publish_product(product), reverse("web:product_words", args=[pk]))


def _approved(request, scope, found: Publishing, here: str):
    if not found.waits:
        return after(request, here, None, refused=[found.sentence or _("Nothing waits for a person here.")])
    if request.POST.get("digest") != found.digest:
        return after(request, here, None, refused=[_("The words were changed meanwhile: look again.")])
    try:
        commands.approve_texts([found.digest], reason=request.POST.get("reason", ""), by=scope.by, at=scope.at)
    except Refused as refused:
        return after(request, here, None, refused=[refused.sentence])
    return after(request, here, _("It may be published."))


urlpatterns = [
    path("words/products/<int:pk>/", WORDS.view, name="product_words"),
    path("words/products/<int:pk>/approve/", approve, name="product_words_approve"),
]
