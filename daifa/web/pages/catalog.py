"""Catalogue: what we sell, as what each store lists it, and by which offers it is bought."""

from __future__ import annotations

from typing import Any

from django import forms
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from daifa.domain.books.queries import currency_of
from daifa.domain.catalog import queries as catalog
from daifa.domain.catalog.models import Product
from daifa.domain.sourcing import commands as sourcing
from daifa.domain.sourcing.models import SkuMapping, Supplier, SupplierOffer
from daifa.domain.sourcing.queries import mappings_of
from daifa.flows import publish_listings, put_right, screen_texts
from daifa.flows.reads import goods
from daifa.web.kit import (
    ActionButton,
    Badge,
    Choice,
    Column,
    DetailPage,
    EmptyPanel,
    Fact,
    FormPage,
    LinkButton,
    ListPage,
    NotePanel,
    Refused,
    TablePanel,
    after,
    chosen_ids,
    page,
)
from daifa.web.kit import format as fmt

# --- The list ---------------------------------------------------------------------------------------------------


def _variants(scope, filters, cursor, limit):
    return goods.variant_list(
        scope.store_ids, q=filters.get("q"), sources=filters.get("sources"), state=filters.get("state"), cursor=cursor, limit=limit
    )


def _source_badges(row) -> list[Badge]:
    badges = []
    if row.sources:
        badges.append(Badge(ngettext("%(n)d source", "%(n)d sources", row.sources) % {"n": row.sources}, "success"))
    elif row.product_state == "active":
        badges.append(Badge(_("no source"), "danger", _("Orders of it are held until an offer is mapped.")))
    if row.proposed:
        badges.append(Badge(ngettext("%(n)d proposed", "%(n)d proposed", row.proposed) % {"n": row.proposed}, "info"))
    if row.broken:
        badges.append(Badge(ngettext("%(n)d broken", "%(n)d broken", row.broken) % {"n": row.broken}, "warning"))
    return badges


PRODUCT_STATES = [("active", _("active")), ("draft", _("draft")), ("retired", _("retired"))]

CATALOGUE = ListPage(
    title=_("Catalogue"),
    search=_("SKU, barcode, supplier's SKU, words of the title"),
    order=goods.BY_SKU,
    rows=_variants,
    columns=[
        Column("sku", _("SKU"), "code", link=True),
        Column("product_title", _("Product"), hint="title", wrap=True),
        Column("badges", _("Sources"), "badges", value=_source_badges),
        Column("listings", _("Listings"), "quantity", phone=False),
        Column("barcode", _("Barcode"), "code", phone=False),
        Column("product_state", _("State"), "state", states="product", phone=False),
    ],
    filters=[
        Choice(
            "sources", _("Sources"),
            [("missing", _("without a source")), ("proposed", _("to confirm")), ("broken", _("broken")), ("single", _("without a backup"))],
            tabs=True,
        ),
        Choice("state", _("State"), PRODUCT_STATES),
    ],
    row_url=lambda row: reverse("web:variant", args=[row.id]),
    actions=lambda scope: [
        LinkButton(_("Listings"), reverse("web:listings"), "tags"),
        LinkButton(
            _("Import products"), reverse("web:import_add", args=["products"]), "file-import", "primary",
            reason=scope.why_not_shared("operate"),
        ),
    ],
    empty=lambda scope: EmptyPanel(
        _("The catalogue is empty"),
        _("Import the product file of your shop: each row with a SKU becomes a variant that suppliers' offers can be mapped to."),
        icon="package",
        actions=[
            LinkButton(
                _("Import products"), reverse("web:import_add", args=["products"]), "file-import", "primary",
                reason=scope.why_not_shared("operate"),
            )
        ],
    ),
    export="catalogue",
)  # fmt: skip

# --- One variant ------------------------------------------------------------------------------------------------


def _variant(scope, pk: int) -> dict[str, Any] | None:
    return catalog.variant_detail(pk)


BLOCKED = {
    "mapping_broken": _("mapping broken"),
    "offer_stale": _("missing in the newest list"),
    "offer_unavailable": _("unavailable"),
    "offer_removed": _("taken out of the list"),
    "supplier_prospect": _("supplier not active yet"),
    "supplier_suspended": _("supplier suspended"),
    "supplier_ended": _("supplier ended"),
}


def _stock(row) -> str:
    one = row.candidate
    if one.stock is None:
        return ""
    if one.stock_age_days is None:
        return str(one.stock)
    age = ngettext("%(stock)s, %(n)d day old", "%(stock)s, %(n)d days old", one.stock_age_days)
    return age % {"stock": f"{one.stock:,}", "n": one.stock_age_days}


def _offers_panel(variant, scope) -> TablePanel:
    home = currency_of(scope.all_store_ids)
    rows = goods.offers_side_by_side(variant["id"], currency=home, on=scope.at.date())
    costs = [row.home_cost for row in rows if row.home_cost is not None and not row.candidate.blocked]
    cheapest = min(costs, default=None)

    def usable(row) -> Badge:
        if row.candidate.blocked:
            return Badge(BLOCKED.get(row.candidate.blocked, row.candidate.blocked), "warning")
        return Badge(_("usable"), "success")

    return TablePanel(
        _("Offers side by side"),
        [
            Column("rank", _("Rank"), "quantity", value="candidate__rank"),
            Column("supplier_name", _("Supplier"), url=lambda row: reverse("web:supplier", args=[row.candidate.supplier_id])),
            Column("supplier_sku", _("Supplier's SKU"), "code", value="candidate__supplier_sku", hint="title",
                   url=lambda row: reverse("web:offer", args=[row.candidate.offer_id])),
            Column("price", _("Price"), "money", value="candidate__price", currency="currency",
                   hint=lambda row: _("pack of %(n)d") % {"n": row.candidate.factor} if row.candidate.factor > 1 else ""),
            Column("cost", _("One piece with freight"), "money", value="cost", currency="currency"),
            Column("home_cost", _("In %(currency)s") % {"currency": home}, "html",
                   value=lambda row: _home_cost(row, home, cheapest)),
            Column("stock", _("Stock told"), value=_stock, phone=False),
            Column("days", _("Days to ship"), "quantity", phone=False,
                   value=lambda row: row.candidate.lead_days if row.candidate.lead_days is not None else row.candidate.handling_days),
            Column("usable", _("State"), "badge", value=usable),
        ],
        rows,
        empty=_("No offer is mapped to this variant: orders of it are held. Map one."),
        note=_("Rank 1 is asked first. The freight of the parcel comes on top, once for each parcel."),
    )  # fmt: skip


def _home_cost(row, home: str, cheapest) -> str:
    if row.home_cost is None:
        return fmt.EMPTY
    shown = fmt.money(row.home_cost, home)
    if row.home_cost == cheapest and not row.candidate.blocked:
        return format_html('<span class="fw-medium text-green">{}</span>', shown)
    return shown


def _evidence(row) -> str:
    evidence = row["evidence"] or {}
    if evidence.get("named_by_list") == "yes":
        return _("named by the supplier's list, row %(row)s") % {"row": evidence.get("row", "–")}
    if evidence.get("named_by_list") == "no":
        return _("the supplier's SKU is the same as ours, row %(row)s") % {"row": evidence.get("row", "–")}
    return evidence.get("note", "")


def _variant_panels(variant, scope):
    mappings = mappings_of(variant["id"])
    product = Product.objects.get(pk=variant["product_id"])
    publishing = screen_texts.may_publish_product(product)
    names = fmt.actor_names(row["by"] for row in mappings)
    proposed = [row for row in mappings if row["state"] == "proposed"]
    panels: list[Any] = []
    if proposed:
        panels.append(
            NotePanel(
                ngettext(
                    "%(n)d mapping was proposed because a list holds the same SKU. Compare the goods, then confirm it.",
                    "%(n)d mappings were proposed because lists hold the same SKU. Compare the goods, then confirm them.",
                    len(proposed),
                ) % {"n": len(proposed)},
                tone="info",
                actions=[
                    ActionButton(
                        _("Confirm"), reverse("web:mappings_verify"), "check", "primary", fields={"ids": row["id"]},
                        reason=scope.why_not_shared("operate"),
                        confirm=_("Is %(sku)s of %(supplier)s really the same thing?")
                        % {"sku": row["supplier_sku"], "supplier": row["supplier_code"]},
                    )
                    for row in proposed[:1]
                ],
            )
        )  # fmt: skip
    if not publishing.may:
        panels.append(
            NotePanel(
                publishing.sentence,
                tone="warning" if publishing.waits else "danger",
                actions=[LinkButton(_("Its words"), reverse("web:product_words", args=[product.pk]), "search")],
            )
        )
    return [
        *panels,
        _offers_panel(variant, scope),
        TablePanel(
            _("Mappings"),
            [
                Column("supplier_sku", _("Supplier's SKU"), "code", link=True, hint="supplier_code"),
                Column("version", _("Version"), "quantity"),
                Column("rank", _("Rank"), "quantity"),
                Column("factor", _("Pieces in a pack"), "quantity"),
                Column("state", _("State"), "state", states="mapping"),
                Column("evidence", _("Known from"), value=_evidence, wrap=True, phone=False),
                Column("at", _("Since"), "datetime", hint=lambda row: names.get(row["by"], ""), phone=False),
            ],
            mappings,
            row_url=lambda row: reverse("web:mapping", args=[row["id"]]),
            empty=_("Nothing is mapped yet."),
            note=_("An edit adds a version; order lines keep the one they were routed by."),
        ),
        TablePanel(
            _("Listings"),
            [
                Column("store_id", _("Store"), "store"),
                Column("sku", _("SKU in the store"), "code", link=True),
                Column("title", _("Title"), wrap=True, phone=False),
                Column("price", _("Price"), "money", currency="currency"),
                Column("state", _("State"), "state", states="listing"),
            ],
            catalog.listings_of(scope.all_store_ids, variant["id"]),
            row_url=lambda row: reverse("web:listing", args=[row["id"]]),
            empty=_("No store lists it yet. A listing appears with the store's product file, or when you list it under Listings."),
        ),
    ]


VARIANT = DetailPage(
    load=_variant,
    store_id=None,
    title=lambda variant, scope: variant["sku"],
    pretitle=lambda variant, scope: variant["product_title"],
    back=(_("Catalogue"), lambda: reverse("web:catalogue")),
    badges=lambda variant, scope: [] if variant["product_state"] == "active" else [fmt.state_badge("product", variant["product_state"])],
    actions=lambda variant, scope: [
        LinkButton(_("Its words"), reverse("web:product_words", args=[variant["product_id"]]), "search"),
        LinkButton(_("Map an offer"), reverse("web:variant_map", args=[variant["id"]]), "link", "primary", reason=scope.why_not_shared("operate")),
        ActionButton(
            _("Retire the product"), reverse("web:product_retire", args=[variant["product_id"]]), "ban", "danger",
            reason=scope.why_not_shared("operate") or (_("It is retired already.") if variant["product_state"] == "retired" else None),
            confirm=_("Retire this product with all its variants? Its listings are taken down; orders already taken go on."),
        ),
    ],
    facts=lambda variant, scope: [
        Fact(_("Product"), variant["product_title"]),
        Fact(_("Variant"), variant["title"]),
        Fact(_("SKU"), variant["sku"], "code"),
        Fact(_("Barcode"), variant["barcode"], "code"),
        Fact(_("Weight"), _("%(grams)s g") % {"grams": f"{variant['weight_g']:,}"} if variant["weight_g"] else ""),
        Fact(_("In the catalogue since"), variant["created_at"], "datetime"),
    ],
    panels=_variant_panels,
)  # fmt: skip


@page("operate", methods=("POST",))
def retire(request, scope, pk: int):
    scope.require_shared("operate")
    retired = publish_listings.retire([pk], by=scope.by, at=scope.at)
    return after(
        request, reverse("web:catalogue"), _("The product is retired.") if retired else None,
        refused=[] if retired else [_("This product is not there or was retired before.")],
    )  # fmt: skip


# --- Mapping ----------------------------------------------------------------------------------------------------


class MappingForm(forms.Form):
    supplier = forms.ModelChoiceField(Supplier.objects.none(), label=_("Supplier"), empty_label=None)
    supplier_sku = forms.CharField(label=_("Supplier's SKU"), max_length=80, help_text=_("Exactly as it stands in the supplier's list."))
    factor = forms.IntegerField(
        label=_("Pieces in a pack"), min_value=1, max_value=100_000, initial=1,
        help_text=_("How many of our pieces are one unit of the supplier."),
    )  # fmt: skip
    rank = forms.IntegerField(label=_("Rank"), min_value=1, max_value=999, initial=1, help_text=_("1 is asked first, 2 and 3 are backups."))
    note = forms.CharField(label=_("How do you know?"), max_length=200, required=False, help_text=_("For example: sample compared on 3 May."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["supplier"].queryset = Supplier.objects.exclude(state="ended").order_by("name")
        self.fields["supplier"].label_from_instance = lambda supplier: f"{supplier.name} ({supplier.code})"


def _mappable(scope, pk: int, offer: int | None = None) -> dict[str, Any] | None:
    scope.require_shared("operate")
    variant = catalog.variant_detail(pk)
    return variant and {**variant, "offer": SupplierOffer.objects.filter(pk=offer).first() if offer else None}


def _map(scope, variant, data, *, by, at):
    offer = SupplierOffer.objects.filter(supplier=data["supplier"], supplier_sku=data["supplier_sku"].strip()).first()
    if offer is None:
        raise Refused(
            _("%(supplier)s has no offer %(sku)s. Look it up in the list of offers, or import the supplier's newest list.")
            % {"supplier": data["supplier"].name, "sku": data["supplier_sku"]},
            field="supplier_sku",
        )  # fmt: skip
    put_right.map_sku(
        variant_id=variant["id"], offer_id=offer.pk, factor=data["factor"], rank=data["rank"], note=data["note"], by=by, at=at
    )
    return reverse("web:variant", args=[variant["id"]])


def _wish(scope, variant) -> dict[str, Any]:
    used = [row["rank"] for row in mappings_of(variant["id"]) if row["state"] == "verified"]
    found: dict[str, Any] = {"rank": max(used, default=0) + 1, "factor": 1}
    if variant["offer"] is not None:
        mapped = [row for row in mappings_of(variant["id"]) if row["offer_id"] == variant["offer"].pk]
        found |= {"supplier": variant["offer"].supplier_id, "supplier_sku": variant["offer"].supplier_sku}
        if mapped:
            found |= {"rank": mapped[0]["rank"], "factor": mapped[0]["factor"]}
    return found


def _map_panels(scope, variant):
    return [
        _offers_panel(variant, scope),
        TablePanel(
            _("Same SKU or same title"),
            [
                Column("supplier_sku", _("Supplier's SKU"), "code", link=True, hint="title"),
                Column("supplier_name", _("Supplier")),
                Column("price", _("Price"), "money", currency="currency"),
            ],
            goods.offers_alike(variant["id"]),
            row_url=lambda row: reverse("web:variant_map_offer", args=[variant["id"], row.id]),
            empty=_("No other offer has the same SKU or title."),
            note=_("Choose one to fill the form; compare the goods before you map it."),
        ),
    ]


MAP = FormPage(
    title=lambda variant, scope: _("Map an offer to %(sku)s") % {"sku": variant["sku"]},
    pretitle=lambda variant, scope: variant["product_title"],
    form=MappingForm,
    load=_mappable,
    initial=_wish,
    save=_map,
    success=_("Mapped. Orders that were held for want of a source are routed again."),
    submit=_("Map"),
    intro=_("From now on the variant may be bought by this offer. What was routed before keeps its mapping."),
    back=lambda variant: (variant["sku"], reverse("web:variant", args=[variant["id"]])),
    panels=_map_panels,
)


def _mapping(scope, pk: int) -> SkuMapping | None:
    return SkuMapping.objects.select_related("variant__product", "offer__supplier").filter(pk=pk).first()


def _mapping_actions(mapping, scope):
    denied = scope.why_not_shared("operate")
    settled = _("It was superseded by a newer version.") if mapping.state == "superseded" else None
    return [
        ActionButton(
            _("Confirm"), reverse("web:mappings_verify"), "check", "primary", fields={"ids": mapping.pk},
            reason=denied or (None if mapping.state == "proposed" else _("Only a proposed mapping waits for confirmation.")),
            confirm=_("Have you compared the goods? They are bought by this mapping from now on."),
        ),
        ActionButton(
            _("Unmap"), reverse("web:mapping_break", args=[mapping.pk]), "x", "danger",
            reason=denied or settled or (_("It is broken already.") if mapping.state == "broken" else None),
            ask=_("Why does it no longer hold?"),
        ),
        LinkButton(_("New version"), reverse("web:variant_map_offer", args=[mapping.variant_id, mapping.offer_id]), "pencil", reason=denied),
    ]  # fmt: skip


MAPPING = DetailPage(
    load=_mapping,
    store_id=None,
    title=lambda mapping, scope: f"{mapping.variant.sku} → {mapping.supplier_sku}",
    back=lambda mapping: (mapping.variant.sku, reverse("web:variant", args=[mapping.variant_id])),
    badges=lambda mapping, scope: [fmt.state_badge("mapping", mapping.state)],
    actions=_mapping_actions,
    facts=lambda mapping, scope: [
        Fact(_("Our variant"), mapping.variant.sku, "code", url=reverse("web:variant", args=[mapping.variant_id]), hint=mapping.variant.product.title),
        Fact(_("Offer"), mapping.supplier_sku, "code", url=reverse("web:offer", args=[mapping.offer_id]), hint=mapping.offer.title),
        Fact(_("Supplier"), mapping.offer.supplier.name, url=reverse("web:supplier", args=[mapping.offer.supplier_id])),
        Fact(_("Version"), mapping.version, "quantity"),
        Fact(_("Rank"), mapping.rank, "quantity"),
        Fact(_("Pieces in a pack"), mapping.factor, "quantity"),
        Fact(_("Known from"), _evidence({"evidence": mapping.evidence})),
        Fact(_("Recorded"), mapping.at, "datetime", hint=_who(mapping.by)),
    ],
)


def _who(by: str) -> str:
    return fmt.actor_names([by])[by]


@page("operate", methods=("POST",))
def verify(request, scope):
    scope.require_shared("operate")
    ids = chosen_ids(request)
    verified, _routed = put_right.verify_mappings(ids, by=scope.by, at=scope.at)
    left = len(ids) - len(verified)
    return after(
        request, reverse("web:catalogue"),
        ngettext("%(n)d mapping confirmed.", "%(n)d mappings confirmed.", len(verified)) % {"n": len(verified)} if verified else None,
        refused=[_("Only a proposed mapping waits for confirmation.")] if left else [],
    )  # fmt: skip


@page("operate", methods=("POST",))
def break_mapping(request, scope, pk: int):
    scope.require_shared("operate")
    broken = sourcing.break_mappings([pk], by=scope.by, at=scope.at, reason=request.POST.get("reason", "")[:300])
    return after(
        request, reverse("web:catalogue"),
        _("Unmapped. Nothing is bought by it any more; a task asks for another source.") if broken else None,
        refused=[] if broken else [_("This mapping does not hold any more already.")],
    )  # fmt: skip


urlpatterns = [
    path("catalogue/", CATALOGUE.view, name="catalogue"),
    path("catalogue/mappings/verify/", verify, name="mappings_verify"),
    path("catalogue/mappings/<int:pk>/", MAPPING.view, name="mapping"),
    path("catalogue/mappings/<int:pk>/break/", break_mapping, name="mapping_break"),
    path("catalogue/products/<int:pk>/retire/", retire, name="product_retire"),
    path("catalogue/<int:pk>/", VARIANT.view, name="variant"),
    path("catalogue/<int:pk>/map/", MAP.view, name="variant_map"),
    path("catalogue/<int:pk>/map/<int:offer>/", MAP.view, name="variant_map_offer"),
]
