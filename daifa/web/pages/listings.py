"""Listings: what each store sells, what stands against it, what waits for a person, and the files for the channels."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy
from django.utils.translation import gettext_noop as N_

from daifa.connectors.manual.listings import ENDINGS
from daifa.domain.cases import queries as cases
from daifa.domain.catalog import commands
from daifa.domain.catalog import queries as catalog
from daifa.domain.catalog.models import ListingVariant, Product, Publication, Variant
from daifa.domain.catalog.process import ACTIONS, LISTING, LISTING_FILE, PUBLICATION
from daifa.domain.policy.words import SEVERITIES, category_word
from daifa.flows import publish_listings, put_right
from daifa.flows.screen_texts import field_word
from daifa.lib.money import Money
from daifa.web.kit import (
    ActionButton,
    Badge,
    BulkAction,
    Choice,
    Column,
    Cursor,
    DetailPage,
    EmptyPanel,
    Event,
    Fact,
    FormPage,
    LinkButton,
    ListPage,
    NotePanel,
    Panel,
    Refused,
    Scope,
    TablePanel,
    TimelinePanel,
    Toggle,
    after,
    chosen_ids,
    navigation,
    page,
    states,
)
from daifa.web.kit import format as fmt
from daifa.web.pages import places
from daifa.web.pages.product_words import marked
from daifa.web.pages.runs import XLSX_TYPE, attachment

TONES = {"block": "danger", "review": "warning", "hint": "muted"}


def _word(words: dict[str, tuple[str, str]], code: str) -> str:
    return words[code][1 if fmt.is_chinese() else 0] if code in words else code


def _sentences(reasons: Any) -> str:
    return format_html_join("", '<div class="mb-1">{}</div>', ((one,) for one in publish_listings.sentences(reasons)))


# --- The list -----------------------------------------------------------------------------------------------------


def _rows(scope: Scope, filters: dict[str, Any], cursor: Cursor, limit: int) -> list[catalog.ListingRow]:
    return catalog.listing_page(
        scope.store_ids, q=filters.get("q"), state=filters.get("state"), publication=filters.get("publication"),
        against=filters.get("against", False), unlinked=filters.get("unlinked", False), cursor=cursor, limit=limit,
    )  # fmt: skip


def _marks(row: catalog.ListingRow) -> list[Badge]:
    marks = []
    if row.product_id is None:
        marks.append(Badge(_("not linked"), "danger", _("Its orders are held until somebody says which variant it is.")))
    if row.concern is not None:
        marks.append(Badge(_("against the rules"), "danger") if row.concern else Badge(_("to be looked at"), "warning"))
    if row.publication_state and row.publication_state not in ("done", "withdrawn"):
        word = states.word(PUBLICATION, row.publication_state)
        if row.publication_action != "publish":
            word = f"{_word(ACTIONS, row.publication_action)}: {word}"
        marks.append(Badge(word, states.tone(PUBLICATION, row.publication_state)))
    return marks


LISTINGS = ListPage(
    title=gettext_lazy("Listings"),
    intro=gettext_lazy("A product as one store sells it. Before it goes out its words, papers, rights and notices are looked at; what stands against it is said."),
    search=gettext_lazy("SKU in the store, words of the title"),
    order=catalog.NEWEST,
    rows=_rows,
    columns=[
        Column("title", gettext_lazy("Listing"), link=True, value=lambda row: row.title or row.sku, hint=lambda row: row.sku, wrap=True),
        Column("store_id", gettext_lazy("Store"), "store", when_many_stores=True),
        Column("skus", gettext_lazy("SKUs"), "quantity", phone=False),
        Column("price", gettext_lazy("Price from"), "money", currency="currency"),
        Column("state", gettext_lazy("State"), "state", states=LISTING),
        Column("marks", gettext_lazy("To do"), "badges", value=_marks),
    ],
    filters=[
        Choice("state", gettext_lazy("State"), lambda scope: states.choices(LISTING), tabs=True),
        Choice("publication", gettext_lazy("Publication"), lambda scope: states.choices(PUBLICATION)),
        Toggle("against", gettext_lazy("Against the rules")),
        Toggle("unlinked", gettext_lazy("Not linked only")),
    ],
    row_url=lambda row: reverse("web:listing", args=[row.id]),
    bulk=[
        BulkAction(gettext_lazy("Publish"), lambda: reverse("web:listings_publish"), icon="upload", style="primary"),
        BulkAction(gettext_lazy("Pause"), lambda: reverse("web:listings_pause"), icon="player-pause", style="warning",
                   ask=gettext_lazy("Why?")),
        BulkAction(gettext_lazy("Take off sale"), lambda: reverse("web:listings_delist"), icon="ban", style="danger",
                   ask=gettext_lazy("Why?")),
    ],
    actions=lambda scope: [
        LinkButton(_("Waiting and on their way"), reverse("web:publications"), "clock"),
        LinkButton(_("Files to upload"), reverse("web:listing_files"), "file-export"),
        LinkButton(_("List products"), reverse("web:listing_add"), "plus", "primary"),
    ],
    empty=EmptyPanel(
        gettext_lazy("No listings yet"),
        gettext_lazy("They appear with a store's product file, or when you list products here."), icon="tags",
    ),
    export="listings",
)  # fmt: skip


def _said(scope: Scope, request: HttpRequest, back: str, results: list[publish_listings.Published], done: Any) -> HttpResponse:
    """Say what became of each: how many are ready, wait, and were stopped, with the sentence of those stopped."""
    outcomes = [(product, one) for result in results for product, one in result.outcomes.items()]
    of = {state: [one for _product, one in outcomes if one.state == state] for state in ("ready", "waiting", "refused", "unchanged", "busy")}
    said = []
    if of["ready"]:
        said.append(str(done % {"n": len(of["ready"])}))
    if of["unchanged"]:
        said.append(ngettext("%(n)d is there already.", "%(n)d are there already.", len(of["unchanged"])) % {"n": len(of["unchanged"])})
    waits = ngettext("%(n)d waits for a person.", "%(n)d wait for a person.", len(of["waiting"])) % {"n": len(of["waiting"])}
    titles = dict(Product.objects.filter(pk__in=[product for product, one in outcomes if one.state in ("refused", "busy")]).values_list("pk", "title"))
    stopped = [f"{titles[product]}: {' '.join(one.sentences)}" for product, one in outcomes if one.state in ("refused", "busy")]
    return after(request, back, " ".join(said) or None, warning=waits if of["waiting"] else None, refused=stopped[:20])


def _chosen(scope: Scope, pk: int | None, request: HttpRequest) -> dict[int, list[int]]:
    """Store → products of the listings chosen, each in a store where this person may work."""
    if pk is not None:
        listing = ListingVariant.objects.filter(pk=pk).first()
        if listing is None:
            raise Http404
        scope.whole.require(listing.store_id, "operate")
    found = publish_listings.products_of([pk] if pk is not None else chosen_ids(request))
    for store in found:
        scope.whole.require(store, "operate")
    return found


@page("operate", methods=("POST",))
def publish(request: HttpRequest, scope: Scope, pk: int | None = None) -> HttpResponse:
    chosen = _chosen(scope, pk, request)
    back = reverse("web:listing", args=[pk]) if pk is not None else reverse("web:listings")
    if not chosen:
        return after(request, back, refused=[_("It is linked to no variant: say first which one it is.")])
    results = [publish_listings.publish(store_id=store, product_ids=products, by=scope.by, at=scope.at) for store, products in chosen.items()]
    return _said(scope, request, back, results, _("%(n)d may go out: by itself where the channel is connected, else in the next file."))


def _withdrawing(action: Any) -> Any:
    @page("operate", methods=("POST",))
    def view(request: HttpRequest, scope: Scope, pk: int | None = None) -> HttpResponse:
        chosen = _chosen(scope, pk, request)
        back = reverse("web:listing", args=[pk]) if pk is not None else reverse("web:listings")
        results = [
            publish_listings.withdraw_from_channel(
                store_id=store, product_ids=products, action=action, by=scope.by, at=scope.at, reason=request.POST.get("reason", "")[:300]
            )
            for store, products in chosen.items()
        ]
        done = ngettext_lazy(
            "%(n)d on its way to the channel: by itself where it is connected, else in the next file.",
            "%(n)d on their way to the channel: by itself where it is connected, else in the next file.",
            "n",
        )
        return _said(scope, request, back, results, done)

    return view


# --- One listing --------------------------------------------------------------------------------------------------


def _listing(scope: Scope, pk: int) -> ListingVariant | None:
    return ListingVariant.objects.select_related("variant__product", "store").filter(pk=pk).first()


def _product_id(listing: ListingVariant) -> int | None:
    return listing.variant.product_id if listing.variant else None


def _judged(listing: ListingVariant, scope: Scope) -> publish_listings.Judged | None:
    product = _product_id(listing)
    return publish_listings.judge(listing.store, [product], at=scope.at, by=scope.by).get(product) if product else None


def _verdict(one: publish_listings.Judged | None, listing: ListingVariant) -> Panel:
    if one is None:
        return NotePanel(_("It is linked to no variant: its orders are held, and it cannot be published from here."), tone="danger")
    if one.verdict.state == "ready":
        return NotePanel(_("Nothing stands against publishing it as it is now."), tone="success")
    said = publish_listings.sentences(one.verdict.reasons)
    tone = "danger" if one.verdict.state == "refused" else "warning"
    title = _("This stops it") if one.verdict.state == "refused" else _("It will wait for a person or a paper")
    return NotePanel(format_html_join("", "<div>{}</div>", ((sentence,) for sentence in said)), tone=tone, title=title)


def _asked_for(one: publish_listings.Judged | None, listing: ListingVariant, scope: Scope) -> list[Panel]:
    """Papers that the law asks for with such goods and the store lacks; they stop nothing before the owner made them a must."""
    category = (one.content.get("category") or "") if one is not None else ""
    day = scope.at.astimezone(scope.zone(listing.store_id)).date()
    asked = [
        f"{cases.licence_words(need.kinds)} · {cases.source_words(need)}"
        for need in cases.missing_qualifications(listing.store_id, category, day) if not need.blocks
    ] if category else []
    if not asked:
        return []
    return [
        NotePanel(
            format_html_join("", "<div>{}</div>", ((sentence,) for sentence in asked)), tone="info", title=_("Papers that such goods need by law, not in the register yet"),
            actions=[LinkButton(_("Enter a licence"), reverse("web:qualification_add"), "plus", reason=scope.why_not("operate", listing.store_id)),
                     LinkButton(_("What goods need"), reverse("web:qualification_needs"), "list")],
        )
    ]  # fmt: skip


def words_table(hits: Any) -> TablePanel:
    """Words found in a text, as kept with a verdict: what, where, and what to do."""
    return TablePanel(
        _("Words found"),
        [
            Column("field", _("In the")),
            Column("term", _("Word")),
            Column("category", _("Why")),
            Column("severity", _("What to do"), "badge"),
        ],
        [
            {"field": field_word(field), "term": term, "category": category_word(category),
             "severity": Badge(SEVERITIES[severity][1 if fmt.is_chinese() else 0], TONES[severity])}
            for field, term, category, severity, *_place in hits
        ],
        empty=_("No restricted word was found."),
    )  # fmt: skip


class _Place:
    """A hit as `marked` wants it."""

    def __init__(self, start: int, end: int) -> None:
        self.start, self.end = start, end


def _marked(content: dict[str, Any], hits: Any) -> list[Fact]:
    of_field: dict[str, list[_Place]] = {}
    for field, _term, _category, _severity, start, end in hits:
        of_field.setdefault(field, []).append(_Place(start, end))
    return [
        Fact(field_word(name), marked(content[name], of_field.get(name, [])), "html")
        for name in ("title", "description", "brand", "category")
        if content.get(name)
    ]


def _listing_panels(listing: ListingVariant, scope: Scope) -> list[Panel]:
    one = _judged(listing, scope)
    mine = catalog.listing_variants(scope.all_store_ids, listing.pk)
    product = _product_id(listing)
    concern = catalog.concern_of(listing.store_id, product)
    publications = catalog.publication_page([listing.store_id], product_id=product, limit=20) if product else []
    panels: list[Panel] = []
    if concern and listing.state == "live":
        panels.append(
            NotePanel(
                _sentences(concern["reasons"]), tone="danger" if concern["is_grave"] else "warning",
                title=_("On sale, and against the rules as they stand now") if concern["is_grave"] else _("On sale: a person should look"),
            )
        )  # fmt: skip
    if one is None or not concern or publish_listings.sentences(one.verdict.reasons) != publish_listings.sentences(concern["reasons"]):
        panels.append(_verdict(one, listing))
    panels += _asked_for(one, listing, scope)
    if one is not None and one.hits:
        panels.append(words_table(one.hits))
    panels.append(
        TablePanel(
            _("Its SKUs"),
            [
                Column("sku", _("SKU in the store"), "code"),
                Column("variant_sku", _("Our variant"), "code",
                       url=lambda row: reverse("web:variant", args=[row["variant_id"]]) if row["variant_id"] else None),
                Column("price", _("Price"), "money", currency="currency"),
                Column("state", _("State"), "state", states=LISTING),
                Column("external_id", _("Number in the channel"), "code", phone=False),
            ],
            mine,
        )
    )  # fmt: skip
    if publications:
        panels.append(
            TablePanel(
                _("Publications"),
                [
                    Column("at", _("Asked for"), "datetime", link=True),
                    Column("action", _("What"), value=lambda row: _word(ACTIONS, row["action"])),
                    Column("state", _("State"), "state", states=PUBLICATION),
                    Column("why", _("Why"), "html", value=lambda row: _sentences(row["reasons"]) if row["state"] in ("waiting", "refused") else row["decision"] or row["answer"], wrap=True, phone=False),
                ],
                publications,
                row_url=lambda row: reverse("web:publication", args=[row["id"]]),
            )
        )  # fmt: skip
    if product is None:
        panels.append(same_sku(listing))
    panels.append(_history([row["id"] for row in mine], [row["id"] for row in publications], listing.store_id))
    return panels


# Reasons that the flows write down in English, as they stand in the history.
WHY = {
    "uploaded": N_("a person uploaded the file"),
    "not uploaded": N_("the file was not uploaded"),
    "judged anew": N_("looked at anew"),
    "asked for anew": N_("asked for anew"),
    "changed meanwhile: to be published anew": N_("changed meanwhile: to be published anew"),
    "withdrawn by a person": N_("withdrawn by a person"),
    "not sent alone yet": N_("not sent alone yet"),
    "not to be sold there any more": N_("not to be sold there any more"),
    "the channel answered": N_("the channel answered"),
    "the channel was asked": N_("the channel was asked"),
    "a person looked": N_("a person looked on the channel"),
    "restored by the platform": N_("restored by the platform"),
    "draft_listings": N_("listed"),
    "closing": N_("the store is closing"),
    "closing withdrawn": N_("the closing was withdrawn"),
    "retired": N_("the product was retired"),
}


def _history(listings: list[int], publications: list[int], store_id: int) -> TimelinePanel:
    def event(one: catalog.Happening) -> Event:
        process = LISTING if one.kind == "listing" else PUBLICATION
        title = states.word(process, one.state_to)
        if one.kind == "publication":
            title = _("Publication: %(state)s") % {"state": title}
        return Event(
            one.at, title, by=one.by, why=_(WHY[one.reason]) if one.reason in WHY else one.reason, tone=states.tone(process, one.state_to),
            url=reverse("web:publication", args=[one.thing]) if one.kind == "publication" else None,
        )  # fmt: skip

    return TimelinePanel(
        _("History"), [event(one) for one in catalog.history_of(listings, publications)], empty=_("Nothing has happened to it yet."),
        store_id=store_id,
    )  # fmt: skip


def same_sku(listing: ListingVariant) -> TablePanel:
    """Variants whose SKU is the same, or differs in capitals only: to choose from."""
    near = Variant.objects.filter(sku__iexact=listing.sku).select_related("product")[:5]
    return TablePanel(
        _("In the catalogue"),
        [Column("sku", _("SKU"), "code", link=True), Column("title", _("Product"), value="product__title", wrap=True)],
        list(near),
        row_url=lambda variant: reverse("web:variant", args=[variant.pk]),
        empty=_("No variant has this SKU. Import the product, or link the listing to another one."),
    )


def _title(listing: ListingVariant) -> str:
    return listing.title or (listing.variant.product.title if listing.variant else listing.sku)


def _listing_actions(listing: ListingVariant, scope: Scope) -> list[Any]:
    denied = scope.why_not("operate", listing.store_id)
    unlinked = None if listing.variant else _("It is linked to no variant: say first which one it is.")
    off = None if listing.state in ("live",) else _("It is not on sale.")
    product = _product_id(listing)
    return [
        ActionButton(_("Publish"), reverse("web:listing_publish", args=[listing.pk]), "upload", "primary", reason=denied or unlinked),
        LinkButton(_("Title and prices"), reverse("web:listing_edit", args=[listing.pk]), "pencil", reason=denied),
        *([LinkButton(_("Words of the product"), reverse("web:product_edit", args=[product]), "file-text", reason=scope.why_not_shared("operate"))] if product else []),
        LinkButton(_("Record a right"), f"{reverse('web:right_add')}?listing={listing.pk}", "key", reason=denied),
        ActionButton(_("Pause"), reverse("web:listing_pause", args=[listing.pk]), "player-pause", "warning", reason=denied or unlinked or off, ask=_("Why?")),
        ActionButton(_("Take off sale"), reverse("web:listing_delist", args=[listing.pk]), "ban", "danger", reason=denied or unlinked, ask=_("Why?")),
        LinkButton(
            _("Link to a variant") if listing.variant is None else _("Change the link"), reverse("web:listing_link", args=[listing.pk]),
            "link", "primary" if listing.variant is None else "", reason=denied,
        ),
    ]  # fmt: skip


LISTING_PAGE = DetailPage(
    load=_listing,
    title=lambda listing, scope: _title(listing),
    back=(gettext_lazy("Listings"), lambda: reverse("web:listings")),
    badges=lambda listing, scope: [fmt.state_badge("listing", listing.state)],
    actions=_listing_actions,
    facts=lambda listing, scope: [
        *(_marked(one.content, one.hits) if (one := _judged(listing, scope)) else [Fact(_("Title"), listing.title)]),
        Fact(_("SKU in the store"), listing.sku, "code"),
        Fact(_("Price"), Money(listing.price, listing.currency or listing.store.currency) if listing.price is not None else None, "money"),
        Fact(_("Our variant"), listing.variant.sku if listing.variant else _("not linked: its orders are held"), "code" if listing.variant else "text",
             url=reverse("web:variant", args=[listing.variant_id]) if listing.variant else None),
    ],
    panels=_listing_panels,
)  # fmt: skip


class LinkForm(forms.Form):
    sku = forms.CharField(
        label=gettext_lazy("SKU of our variant"), max_length=80, required=False,
        help_text=gettext_lazy("Exactly as in the catalogue, capitals included. Empty takes the link off."),
    )  # fmt: skip


def _link(scope: Scope, listing: ListingVariant, data: dict[str, Any], *, by: str, at: datetime) -> str:
    variant = None
    if data["sku"].strip():
        variant = Variant.objects.filter(sku=data["sku"].strip()).first()
        if variant is None:
            raise Refused(
                _("There is no variant %(sku)s in the catalogue; capitals matter.") % {"sku": data["sku"].strip()}, field="sku"
            )
    put_right.link_listings({listing.pk: variant.pk if variant else None}, by=by, at=at)
    return reverse("web:listing", args=[listing.pk])


LINK = FormPage(
    title=lambda listing, scope: _("Which variant is %(sku)s of %(store)s?") % {"sku": listing.sku, "store": listing.store.name},
    pretitle=lambda listing, scope: listing.title,
    form=LinkForm,
    load=_listing,
    store_id="store_id",
    initial=lambda scope, listing: {"sku": listing.variant.sku if listing.variant else ""},
    save=_link,
    success=gettext_lazy("Saved. Orders that were held for this listing are routed again."),
    submit=gettext_lazy("Link"),
    intro=gettext_lazy("Which of our variants does the store sell under this SKU? Order lines already taken keep theirs."),
    back=lambda listing: (listing.sku, reverse("web:listing", args=[listing.pk])),
    panels=lambda scope, listing: [same_sku(listing)],
)


def _edit_form(scope: Scope, listing: ListingVariant) -> type[forms.Form]:
    fields: dict[str, Any] = {
        "title": forms.CharField(
            label=gettext_lazy("Title in this store"), max_length=commands.LONGEST_TITLE, required=False,
            help_text=gettext_lazy("Empty: as in the catalogue."),
        )
    }  # fmt: skip
    for row in catalog.listing_variants(scope.all_store_ids, listing.pk):
        fields[f"price_{row['id']}"] = forms.DecimalField(
            label=_("Price of %(sku)s, %(currency)s") % {"sku": row["sku"], "currency": row["currency"] or listing.store.currency},
            required=False, min_value=0, max_digits=15, decimal_places=4,
        )  # fmt: skip
    return type("EditForm", (forms.Form,), fields)


def _edit(scope: Scope, listing: ListingVariant, data: dict[str, Any], *, by: str, at: datetime) -> str:
    mine = catalog.listing_variants(scope.all_store_ids, listing.pk)
    commands.edit_listings(
        {row["id"]: (data["title"], data[f"price_{row['id']}"]) for row in mine}, store_id=listing.store_id, by=by, at=at
    )
    return reverse("web:listing", args=[listing.pk])


EDIT = FormPage(
    title=lambda listing, scope: _("Title and prices of %(title)s") % {"title": _title(listing)},
    form=_edit_form,
    load=_listing,
    store_id="store_id",
    initial=lambda scope, listing: {
        "title": listing.title,
        **{f"price_{row['id']}": row["price"] for row in catalog.listing_variants(scope.all_store_ids, listing.pk)},
    },
    save=_edit,
    success=gettext_lazy("Saved. The channel shows it once it is published anew."),
    intro=gettext_lazy("What the channel shows changes with the next publication; the words are looked at again then."),
    back=lambda listing: (_title(listing), reverse("web:listing", args=[listing.pk])),
)


class ProductForm(forms.Form):
    title = forms.CharField(label=gettext_lazy("Title"), max_length=255)
    description = forms.CharField(label=gettext_lazy("Description"), widget=forms.Textarea(attrs={"rows": 8}), required=False, max_length=100_000)
    brand = forms.CharField(label=gettext_lazy("Brand"), max_length=120, required=False)
    category = forms.CharField(label=gettext_lazy("Category"), max_length=255, required=False)
    image = forms.CharField(label=gettext_lazy("Picture (address)"), max_length=500, required=False)


def _product(scope: Scope, pk: int) -> Product | None:
    scope.require_shared("operate")
    return Product.objects.filter(pk=pk).first()


def _edit_product(scope: Scope, product: Product, data: dict[str, Any], *, by: str, at: datetime) -> str:
    commands.edit_product(product_id=product.pk, by=by, at=at, **data)
    return reverse("web:product_words", args=[product.pk])


PRODUCT_EDIT = FormPage(
    title=lambda product, scope: _("Words of %(title)s") % {"title": product.title},
    form=ProductForm,
    load=_product,
    initial=lambda scope, product: {name: getattr(product, name) for name in commands.PRODUCT_WORDS},
    save=_edit_product,
    success=gettext_lazy("Saved. Publish it anew wherever it is sold: the words are looked at again then."),
    intro=gettext_lazy("These words are shared by all stores; a store may have a title of its own on its listing."),
    back=lambda product: (product.title, reverse("web:product_words", args=[product.pk])),
)


# --- Listing products ---------------------------------------------------------------------------------------------


def _add_form(scope: Scope, thing: Any) -> type[forms.Form]:
    class AddForm(forms.Form):
        store = forms.TypedChoiceField(label=gettext_lazy("Store"), coerce=int, choices=[(one.id, one.name) for one in scope.stores])
        products = forms.CharField(
            label=gettext_lazy("SKUs or names of products"), widget=forms.Textarea(attrs={"rows": 4}), max_length=20_000,
            help_text=gettext_lazy("One a line. A SKU lists its whole product with all its variants."),
        )
        price = forms.DecimalField(
            label=gettext_lazy("Price"), required=False, min_value=0, max_digits=15, decimal_places=4,
            help_text=gettext_lazy("For every SKU of them. Empty: as in another store of the same currency, or to be entered later."),
        )

    return AddForm


def _add(scope: Scope, thing: Any, data: dict[str, Any], *, by: str, at: datetime) -> str:
    store = scope.require(data["store"], "operate")
    made = publish_listings.draft(
        store_id=store.id, names=[line.strip() for line in data["products"].splitlines() if line.strip()], price=data["price"], by=by, at=at
    )
    if len(made) == 1:
        return reverse("web:listing", args=[made[0]])
    return reverse("web:listings") + "?state=draft"


def _not_listed(scope: Scope, thing: Any) -> list[Panel]:
    store = scope.current or (scope.stores[0] if len(scope.stores) == 1 else None)
    if store is None:
        return []
    return [
        TablePanel(
            _("Not listed in %(store)s yet") % {"store": store.name},
            [Column("handle", _("Product"), "code"), Column("title", _("Title"), wrap=True), Column("variants", _("Variants"), "quantity")],
            catalog.products_to_list(scope.all_store_ids, store.id, limit=50),
            empty=_("Every product of the catalogue is listed there."),
        )
    ]


ADD = FormPage(
    title=gettext_lazy("List products"),
    form=_add_form,
    save=_add,
    initial=lambda scope, thing: {"store": scope.current.id if scope.current else None},
    success=gettext_lazy("Listed, not published yet: look at them, then publish."),
    submit=gettext_lazy("List"),
    intro=gettext_lazy("Makes listings that are not published yet. Publishing asks the gate."),
    back=(gettext_lazy("Listings"), lambda: reverse("web:listings")),
    panels=_not_listed,
)


# --- Publications -------------------------------------------------------------------------------------------------


def _publications(scope: Scope, filters: dict[str, Any], cursor: Cursor, limit: int) -> list[dict[str, Any]]:
    return catalog.publication_page(scope.store_ids, state=filters.get("state"), cursor=cursor, limit=limit)


def _marked_title(row: dict[str, Any]) -> Any:
    found = [_Place(start, end) for field, _term, _category, _severity, start, end in row["hits"] if field == "title"]
    return marked(row["title"] or row["handle"], found if row["state"] in ("waiting", "refused", "ready") else [])


def _why(row: dict[str, Any]) -> Any:
    return _sentences(row["reasons"]) if row["state"] in ("waiting", "refused") else format_html("{}", row["decision"] or row["answer"])


PUBLICATIONS = ListPage(
    title=gettext_lazy("Publications"),
    intro=gettext_lazy("What waits for a person, what may go out, and what became of it. Letting something out is kept with your name and reason, for exactly this text and picture."),
    order=catalog.NEWEST,
    rows=_publications,
    columns=[
        Column("title", gettext_lazy("Listing"), "html", link=True, value=_marked_title, wrap=True),
        Column("why", gettext_lazy("Why"), "html", value=_why, wrap=True),
        Column("store_id", gettext_lazy("Store"), "store", when_many_stores=True),
        Column("action", gettext_lazy("What"), value=lambda row: _word(ACTIONS, row["action"]), phone=False),
        Column("state", gettext_lazy("State"), "state", states=PUBLICATION),
        Column("at", gettext_lazy("Asked for"), "ago"),
    ],
    filters=[Choice("state", gettext_lazy("State"), lambda scope: states.choices(PUBLICATION), tabs=True, default="waiting", all_label=gettext_lazy("all"))],
    row_url=lambda row: reverse("web:publication", args=[row["id"]]),
    bulk=[
        BulkAction(gettext_lazy("I looked: let it out"), lambda: reverse("web:publications_approve"), icon="check", style="primary",
                   ask=gettext_lazy("What did you look at, or which proof do you hold?")),
        BulkAction(gettext_lazy("Give back"), lambda: reverse("web:publications_return"), icon="arrow-back-up",
                   ask=gettext_lazy("What has to be changed?")),
        BulkAction(gettext_lazy("Withdraw"), lambda: reverse("web:publications_withdraw"), icon="x"),
    ],
    actions=lambda scope: [
        LinkButton(_("Files to upload"), reverse("web:listing_files"), "file-export"),
        ActionButton(_("Look again"), reverse("web:publications_judge"), "refresh"),
    ],
    empty=EmptyPanel(gettext_lazy("Nothing here"), gettext_lazy("What is published and has something against it waits here."), icon="circle-check"),
    export="publications",
)  # fmt: skip


def _publication(scope: Scope, pk: int) -> dict[str, Any] | None:
    return catalog.publication_detail(scope.whole.all_store_ids, pk)


def _publication_actions(row: dict[str, Any], scope: Scope) -> list[Any]:
    denied = scope.whole.why_not("operate", row["store_id"])
    fields = {"ids": row["id"]}
    actions: list[Any] = []
    if row["state"] == "waiting":
        paper = [one for one in row["reasons"] if one[0] not in ("goods", "brand", "look", "pictures")]
        actions += [
            ActionButton(_("I looked: let it out"), reverse("web:publications_approve"), "check", "primary", fields=fields,
                         reason=denied or (publish_listings.sentences(paper)[0] if paper else None),
                         ask=_("What did you look at, or which proof do you hold?")),
            ActionButton(_("Give back"), reverse("web:publications_return"), "arrow-back-up", fields=fields, reason=denied,
                         ask=_("What has to be changed?")),
        ]  # fmt: skip
    if row["state"] in ("waiting", "ready"):
        actions.append(ActionButton(_("Withdraw"), reverse("web:publications_withdraw"), "x", fields=fields, reason=denied))
    if row["state"] == "unknown":
        actions += [
            ActionButton(_("The channel has it"), reverse("web:publications_settle"), "check", "primary", fields={**fields, "there": "1"},
                         reason=denied, confirm=_("Did you see it there like this?")),
            ActionButton(_("It does not have it"), reverse("web:publications_settle"), "x", "warning", fields={**fields, "there": "0"},
                         reason=denied, confirm=_("Did you look there? It is sent again.")),
        ]  # fmt: skip
    if row["listings"]:
        actions.append(LinkButton(_("To the listing"), reverse("web:listing", args=[row["listings"][0]]), "tags"))
    return actions


def _publication_panels(row: dict[str, Any], scope: Scope) -> list[Panel]:
    panels: list[Panel] = []
    if row["reasons"]:
        stopped = row["state"] in ("refused", "waiting")
        panels.append(
            NotePanel(
                _sentences(row["reasons"]), tone={"refused": "danger", "waiting": "warning"}.get(row["state"], "info"),
                title=_("What stands against it") if stopped else _("What stood against it"),
            )
        )
    panels += [
        words_table(row["hits"]),
        TablePanel(
            _("Its SKUs"),
            [Column("sku", _("SKU"), "code"), Column("price", _("Price"), "money", value=lambda one: Money(Decimal(one["price"]), one["currency"]) if one["price"] else None),
             Column("options", _("Variant"), value=lambda one: " / ".join(str(value) for _name, value in one["options"]))],
            row["content"].get("variants", []),
        ),
        _history([], [row["id"]], row["store_id"]),
    ]  # fmt: skip
    return panels


PUBLICATION_PAGE = DetailPage(
    load=_publication,
    title=lambda row, scope: row["title"] or row["handle"],
    pretitle=lambda row, scope: _word(ACTIONS, row["action"]),
    back=(gettext_lazy("Publications"), lambda: reverse("web:publications")),
    badges=lambda row, scope: [fmt.state_badge(PUBLICATION, row["state"])],
    actions=_publication_actions,
    facts=lambda row, scope: [
        *_marked(row["content"], row["hits"]),
        Fact(_("Asked for"), row["at"], "datetime", hint=fmt.actor_names([row["by"]])[row["by"]], store_id=row["store_id"]),
        *([Fact(_("Decided"), row["decided_at"], "datetime", hint=f"{fmt.actor_names([row['decided_by']])[row['decided_by']]}: {row['decision']}")] if row["decided_at"] else []),
        *([Fact(_("Lists of words"), _("version %(n)d") % {"n": row["lists_id"]}, hint=_("as they read since %(day)s") % {"day": row["lists_at"].astimezone(scope.zone(row["store_id"])).date().isoformat()}, url=places.place("word_lists"))] if row["lists_id"] else []),
        *([Fact(_("Text and picture"), row["digest"][:16] + "…", "code")] if row["digest"] else []),
        *([Fact(_("File"), row["file_name"], url=reverse("web:listing_file", args=[row["file_id"]]))] if row["file_id"] else []),
        *([Fact(_("Answer"), row["answer"])] if row["answer"] else []),
    ],
    panels=_publication_panels,
)  # fmt: skip


def _decided(request: HttpRequest, scope: Scope, work: Any, said: Any) -> HttpResponse:
    """Do `work(ids)` with the chosen publications of stores this person may work, and say what was done."""
    ids = chosen_ids(request)
    rows = _stores_of(ids)
    if not rows:
        raise Http404
    for store in set(rows.values()):
        scope.whole.require(store, "operate")
    back = reverse("web:publication", args=[ids[0]]) if len(ids) == 1 else reverse("web:publications")
    try:
        result = work(list(rows))
    except Refused as refused:
        return after(request, back, refused=[refused.sentence])
    return after(request, back, said(len(result.done)) if result.done else None, refused=list(dict.fromkeys(result.refused.values()))[:20])


def _stores_of(ids: list[int]) -> dict[int, int]:
    return dict(Publication.objects.filter(pk__in=ids).values_list("pk", "store_id"))


@page("operate", methods=("POST",))
def approve(request: HttpRequest, scope: Scope) -> HttpResponse:
    reason = request.POST.get("reason", "")
    return _decided(
        request, scope, lambda ids: publish_listings.approve(ids, reason=reason, by=scope.by, at=scope.at),
        lambda n: ngettext("%(n)d may go out.", "%(n)d may go out.", n) % {"n": n},
    )  # fmt: skip


@page("operate", methods=("POST",))
def send_back(request: HttpRequest, scope: Scope) -> HttpResponse:
    reason = request.POST.get("reason", "")
    return _decided(
        request, scope, lambda ids: publish_listings.send_back(ids, reason=reason, by=scope.by, at=scope.at),
        lambda n: ngettext("%(n)d given back.", "%(n)d given back.", n) % {"n": n},
    )  # fmt: skip


@page("operate", methods=("POST",))
def withdraw(request: HttpRequest, scope: Scope) -> HttpResponse:
    return _decided(
        request, scope, lambda ids: publish_listings.withdraw(ids, by=scope.by, at=scope.at),
        lambda n: ngettext("%(n)d withdrawn.", "%(n)d withdrawn.", n) % {"n": n},
    )  # fmt: skip


@page("operate", methods=("POST",))
def settle(request: HttpRequest, scope: Scope) -> HttpResponse:
    there = request.POST.get("there") == "1"
    return _decided(
        request, scope, lambda ids: publish_listings.settle_unknown(ids, there=there, by=scope.by, at=scope.at),
        lambda n: _("It is on the channel.") if there else _("It goes out again."),
    )  # fmt: skip


@page("operate", methods=("POST",))
def judge(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Look anew at what waits in the stores in view, and at all that is on sale."""
    counts: dict[str, int] = {}
    for store in scope.store_ids:
        for state, count in publish_listings.judge_again(at=scope.at, by=scope.by, store_id=store).items():
            counts[state] = counts.get(state, 0) + count
    said = ngettext("%(n)d may go out now.", "%(n)d may go out now.", counts.get("ready", 0)) % {"n": counts.get("ready", 0)}
    return after(request, reverse("web:publications"), said)


# --- Files --------------------------------------------------------------------------------------------------------

FILES = ListPage(
    title=gettext_lazy("Files of listings"),
    intro=gettext_lazy("For channels that are not connected: download, upload to the channel, then say that you did. Every download has the same bytes."),
    order=catalog.NEWEST,
    rows=lambda scope, filters, cursor, limit: catalog.file_page(scope.store_ids, state=filters.get("state"), cursor=cursor, limit=limit),
    columns=[
        Column("name", gettext_lazy("File"), "code", link=True),
        Column("store_id", gettext_lazy("Store"), "store", when_many_stores=True),
        Column("state", gettext_lazy("State"), "state", states=LISTING_FILE),
        Column("listing_count", gettext_lazy("Listings"), "quantity"),
        Column("rows", gettext_lazy("Rows"), "quantity", phone=False),
        Column("at", gettext_lazy("Made"), "datetime"),
    ],
    filters=[Choice("state", gettext_lazy("State"), lambda scope: states.choices(LISTING_FILE), tabs=True)],
    row_url=lambda row: reverse("web:listing_file", args=[row["id"]]),
    actions=lambda scope: [ActionButton(_("Make a file of what may go out"), reverse("web:listing_files_make"), "file-plus", "primary")],
    empty=EmptyPanel(gettext_lazy("No file yet"), gettext_lazy("Publish listings, then make a file of what may go out."), icon="file-export"),
    export="listing-files",
)  # fmt: skip


def _file(scope: Scope, pk: int) -> Any:
    return catalog.listing_file(scope.whole.all_store_ids, pk)


def _file_actions(file: Any, scope: Scope) -> list[Any]:
    denied = scope.whole.why_not("operate", file.store_id)
    actions: list[Any] = [ActionButton(_("Download"), reverse("web:listing_file_download", args=[file.pk]), "download", "primary", reason=denied)]
    if file.state == "fixed":
        settle_url = reverse("web:listing_file_settle", args=[file.pk])
        actions += [
            ActionButton(_("I uploaded it"), settle_url, "check", "primary", fields={"uploaded": "1"}, reason=denied,
                         confirm=_("Did the channel take it? Its listings count as on sale from now on.")),
            ActionButton(_("Not uploaded"), settle_url, "x", fields={"uploaded": "0"}, reason=denied,
                         confirm=_("Its listings are ready again and come into the next file.")),
        ]  # fmt: skip
    return actions


FILE_PAGE = DetailPage(
    load=_file,
    title=lambda file, scope: file.name,
    back=(gettext_lazy("Files of listings"), lambda: reverse("web:listing_files")),
    badges=lambda file, scope: [fmt.state_badge(LISTING_FILE, file.state)],
    actions=_file_actions,
    facts=lambda file, scope: [
        Fact(_("Listings"), file.listing_count, "quantity"),
        Fact(_("Rows"), file.rows, "quantity"),
        Fact(_("Laid out as"), _("Shopify's product CSV") if file.layout == "shopify" else _("general workbook")),
        Fact(_("Made"), file.at, "datetime", hint=fmt.actor_names([file.by])[file.by], store_id=file.store_id),
        *([Fact(_("Said"), file.settled_at, "datetime", hint=fmt.actor_names([file.settled_by])[file.settled_by], store_id=file.store_id)] if file.settled_at else []),
        Fact("SHA-256", file.sha256[:16] + "…", "code"),
    ],
    panels=lambda file, scope: [
        TablePanel(
            _("In it"),
            [
                Column("title", _("Listing"), link=True, wrap=True),
                Column("action", _("What"), value=lambda row: _word(ACTIONS, row["action"])),
                Column("state", _("State"), "state", states=PUBLICATION),
            ],
            catalog.publication_page([file.store_id], file_id=file.pk, limit=200),
            row_url=lambda row: reverse("web:publication", args=[row["id"]]),
            note=_("The first %(count)d.") % {"count": 200} if file.listing_count > 200 else "",
            empty=_("What was in it is in a newer file."),
        )
    ],
)  # fmt: skip


@page("operate", methods=("POST",))
def make_files(request: HttpRequest, scope: Scope) -> HttpResponse:
    """One file for each store in view whose channel needs one."""
    made, refused = [], []
    for store in scope.store_ids:
        if publish_listings.speaks_for_itself(store):
            continue
        try:
            file = publish_listings.make_file(store_id=store, by=scope.by, at=scope.at)
        except Refused as error:
            refused.append(error.sentence)
        else:
            made += [file] if file else []
    if len(made) == 1:
        return after(request, reverse("web:listing_file", args=[made[0].pk]), _("The file is made."), refused=refused)
    said = ngettext("%(n)d file made.", "%(n)d files made.", len(made)) % {"n": len(made)}
    return after(
        request, reverse("web:listing_files"), said if made else None, refused=refused,
        warning=None if made or refused else _("Nothing may go out by file now: publish first, or look at what waits."),
    )  # fmt: skip


@page("operate", methods=("POST",))
def download(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    file = _file(scope, pk)
    if file is None:
        raise Http404
    scope.whole.require(file.store_id, "operate")
    return attachment(file.name, bytes(file.content), "text/csv; charset=utf-8" if ENDINGS[file.layout] == "csv" else XLSX_TYPE)


@page("operate", methods=("POST",))
def settle_file(request: HttpRequest, scope: Scope, pk: int) -> HttpResponse:
    file = _file(scope, pk)
    if file is None:
        raise Http404
    scope.whole.require(file.store_id, "operate")
    back = reverse("web:listing_file", args=[pk])
    uploaded = request.POST.get("uploaded") == "1"
    try:
        ids = publish_listings.settle_file(file_id=pk, uploaded=uploaded, by=scope.by, at=scope.at)
    except Refused as refused:
        return after(request, back, refused=[refused.sentence])
    if uploaded:
        return after(request, back, ngettext("%(n)d listing is up to date on the channel.", "%(n)d listings are up to date on the channel.", len(ids)) % {"n": len(ids)})
    return after(request, reverse("web:listing_files"), _("They may go out again with the next file."))


def _waiting(scope: Scope) -> int:
    return catalog.waiting_count(scope.all_store_ids)


navigation.count("listings", _waiting)

urlpatterns = [
    path("listings/", LISTINGS.view, name="listings"),
    path("listings/add/", ADD.view, name="listing_add"),
    path("listings/publish/", publish, name="listings_publish"),
    path("listings/pause/", _withdrawing("pause"), name="listings_pause"),
    path("listings/delist/", _withdrawing("delist"), name="listings_delist"),
    path("listings/publications/", PUBLICATIONS.view, name="publications"),
    path("listings/publications/approve/", approve, name="publications_approve"),
    path("listings/publications/return/", send_back, name="publications_return"),
    path("listings/publications/withdraw/", withdraw, name="publications_withdraw"),
    path("listings/publications/settle/", settle, name="publications_settle"),
    path("listings/publications/judge/", judge, name="publications_judge"),
    path("listings/publications/<int:pk>/", PUBLICATION_PAGE.view, name="publication"),
    path("listings/files/", FILES.view, name="listing_files"),
    path("listings/files/make/", make_files, name="listing_files_make"),
    path("listings/files/<int:pk>/", FILE_PAGE.view, name="listing_file"),
    path("listings/files/<int:pk>/download/", download, name="listing_file_download"),
    path("listings/files/<int:pk>/settle/", settle_file, name="listing_file_settle"),
    path("listings/<int:pk>/", LISTING_PAGE.view, name="listing"),
    path("listings/<int:pk>/link/", LINK.view, name="listing_link"),
    path("listings/<int:pk>/edit/", EDIT.view, name="listing_edit"),
    path("listings/<int:pk>/publish/", publish, name="listing_publish"),
    path("listings/<int:pk>/pause/", _withdrawing("pause"), name="listing_pause"),
    path("listings/<int:pk>/delist/", _withdrawing("delist"), name="listing_delist"),
    path("listings/products/<int:pk>/edit/", PRODUCT_EDIT.view, name="product_edit"),
]
