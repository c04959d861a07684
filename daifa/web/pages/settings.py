"""Stores, people and their roles, message templates, one's own profile, and this installation."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import available_timezones

from allauth.mfa.models import Authenticator
from django import forms
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from daifa.domain.history.commands import retry_parked
from daifa.domain.messages import commands as messages
from daifa.domain.messages import queries as message_queries
from daifa.domain.messages import rules as message_rules
from daifa.domain.messages.process import KINDS
from daifa.domain.people import commands as people
from daifa.domain.people import queries as people_queries
from daifa.domain.people.models import ApiToken, User
from daifa.domain.stores import commands as stores
from daifa.domain.stores import queries as store_queries
from daifa.domain.stores.models import FeeRule, Store, StoreAccess
from daifa.flows import quarantine, sample_shop
from daifa.flows.reads import installation as reads
from daifa.web.kit import (
    ActionButton,
    Badge,
    BulkAction,
    Choice,
    Column,
    DetailPage,
    EmptyPanel,
    Fact,
    FactsPanel,
    FormPage,
    HtmlPanel,
    Kpi,
    KpiPanel,
    LinkButton,
    ListPage,
    NotePanel,
    PanelPage,
    Refused,
    TablePanel,
    after,
    chosen_ids,
    page,
)
from daifa.web.kit import format as fmt

ROLES = StoreAccess.ROLES
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
WORKER_SILENT = timedelta(minutes=2)

# --- Stores -----------------------------------------------------------------------------------------------------


def _only_installation(scope) -> None:
    if not scope.is_superuser:
        raise PermissionDenied(str(_("Only the owner of this installation may do this.")))


def _why_not_installation(scope) -> Any:
    return None if scope.is_superuser else _("Only the owner of this installation may do this.")


def _why_not_add_store(scope) -> Any:
    return None if scope.may_shared("own") else _("Only somebody who owns every store may add one.")


STORES = ListPage(
    title=_("Stores"),
    order=("name", "id"),
    rows=lambda scope, filters, cursor, limit: cursor.slice(Store.objects.filter(id__in=scope.all_store_ids), limit),
    columns=[
        Column("name", _("Store"), link=True, hint="code"),
        Column("kind", _("Kind"), value=lambda store: store.get_kind_display()),
        Column("currency", _("Currency"), "code"),
        Column("timezone", _("Time zone"), phone=False),
        Column("dispatch_hours", _("Hours to dispatch"), "quantity", phone=False),
        Column("messages_allowed", _("Messages"), "yes_no", phone=False),
        Column("sample", "", "badges", value=lambda store: [Badge(_("sample shop"), "warning")] if store.is_sample else [], export=False),
    ],
    row_url=lambda store: reverse("web:store", args=[store.id]),
    actions=lambda scope: [LinkButton(_("Add a store"), reverse("web:store_add"), "plus", "primary", reason=_why_not_add_store(scope))],
    empty=lambda scope: EmptyPanel(
        _("No store yet"), _("Add the shop whose orders you want to run: your own site, or one whose files you import by hand."),
        icon="building-store",
        actions=[LinkButton(_("Add a store"), reverse("web:store_add"), "plus", "primary", reason=_why_not_add_store(scope))],
    ),
)  # fmt: skip


def _store(scope, pk: int) -> Store | None:
    return Store.objects.filter(pk=pk).first()


def _store_panels(store, scope):
    denied = scope.why_not("own", store.pk)
    books = scope.why_not("books", store.pk)
    panels: list[Any] = [
        FactsPanel(
            _("Dispatch and tracking"),
            [
                Fact(_("Hours to dispatch"), store.dispatch_hours, "quantity"),
                Fact(_("Days until a parcel is late"), store.transit_days, "quantity"),
                Fact(_("Days without a scan until it is lost"), store.lost_days, "quantity"),
                Fact(_("Lowest margin"), store.margin_floor / 100, "percent"),
                Fact(_("Units a supplier must have left over"), store.stock_buffer, "quantity"),
                Fact(_("Revenue counts"), store.get_revenue_at_display()),
            ],
        ),
        FactsPanel(
            _("Messages to buyers"),
            [
                Fact(_("We may write to buyers"), store.messages_allowed and store.kind != "marketplace", "yes_no",
                     hint=_("Buyers of a marketplace are told by it.") if store.kind == "marketplace" else ""),
                Fact(_("Review invitations"), store.review_invitations, "yes_no"),
                Fact(_("Messages on one order at most"), store.message_cap, "quantity"),
                Fact(_("Language of its buyers"), dict(LANGUAGES).get(store.language, store.language)),
                Fact(_("Answers go to"), store.reply_to),
            ],
            actions=[LinkButton(_("Templates"), f"{reverse('web:templates')}?store={store.pk}", "template")],
        ),
        TablePanel(
            _("Fees"),
            [
                Column("name", _("Fee"), link=True),
                Column("percent", _("Percent of the order's total"), "percent", value=lambda fee: fee.percent / 100),
                Column("fixed", _("Fixed amount an order"), "money", value=lambda fee: _money(fee.fixed, store.currency)),
                Column("valid_from", _("Valid from"), "date"),
                Column("refunded_on_refund", _("Given back on refunds"), "yes_no", phone=False),
            ],
            list(store.fee_rules.all()),
            row_url=lambda fee: reverse("web:fee", args=[fee.pk]),
            empty=_("No fees: the books assume that the channel keeps nothing."),
            note=_("The newest rule of each name counts. Orders already booked keep their fee."),
            actions=[LinkButton(_("Add a fee"), reverse("web:fee_add", args=[store.pk]), "plus", reason=books)],
        ),
        TablePanel(
            _("People"),
            [
                Column("username", _("User name"), value=lambda row: row[1], hint=lambda row: row[2]),
                Column("role", _("Role"), "state", states="role", value=lambda row: row[3]),
            ],
            store_queries.people_of(store.pk),
            row_url=(lambda row: reverse("web:person", args=[row[0]])) if denied is None else None,
            empty=_("Only the owner of the installation works this store."),
            actions=[LinkButton(_("Give access"), reverse("web:access_add"), "plus", reason=denied)],
        ),
    ]  # fmt: skip
    return panels


def _money(amount, currency):
    from daifa.lib.money import Money

    return Money(amount, currency)


STORE = DetailPage(
    load=lambda scope, pk: scope.whole.store(pk),
    store_id=None,  # the scope knows only stores one may see
    title=lambda store, scope: store.name,
    pretitle=lambda store, scope: store.code,
    back=(_("Stores"), lambda: reverse("web:stores")),
    badges=lambda store, scope: [Badge(_("sample shop"), "warning")] if store.is_sample else [],
    actions=lambda store, scope: [
        LinkButton(_("Edit"), reverse("web:store_edit", args=[store.pk]), "pencil", "primary", reason=scope.why_not("own", store.pk))
    ],
    facts=lambda store, scope: [
        Fact(_("Kind"), store.get_kind_display()),
        Fact(_("Channel"), store.channel, "code"),
        Fact(_("Currency"), store.currency, "code"),
        Fact(_("Time zone"), store.timezone),
        Fact(_("Country"), store.country, "code"),
        Fact(_("Added"), store.created_at, "datetime"),
    ],
    panels=_store_panels,
)  # fmt: skip


class StoreForm(forms.ModelForm):
    language = forms.ChoiceField(label=_("Language of its buyers"), choices=LANGUAGES)

    class Meta:
        model = Store
        fields = (
            "name", "kind", "currency", "timezone", "language", "country", "reply_to", "dispatch_hours", "transit_days", "lost_days",
            "margin_floor", "stock_buffer", "revenue_at", "messages_allowed", "review_invitations", "message_cap",
        )  # fmt: skip
        labels = {
            "name": _("Name"), "kind": _("Kind"), "currency": _("Currency"), "timezone": _("Time zone"), "country": _("Country"),
            "reply_to": _("Answers of buyers go to"), "dispatch_hours": _("Hours to dispatch"),
            "transit_days": _("Days until a parcel is late"), "lost_days": _("Days without a scan until it is lost"),
            "margin_floor": _("Lowest margin, percent"), "stock_buffer": _("Units a supplier must have left over"),
            "revenue_at": _("Revenue counts"), "messages_allowed": _("The channel lets us write to buyers"),
            "review_invitations": _("Invite buyers to review after delivery"), "message_cap": _("Messages on one order at most"),
        }  # fmt: skip
        help_texts = {
            "currency": _("Three letters, such as GBP. It stays once there are orders."),
            "kind": _("Marketplaces are closed to drop shipping until their rules are met: their orders are held."),
            "country": _("Two letters, such as GB."),
            "margin_floor": _("Offers that leave less are not taken; the order is held instead."),
            "revenue_at": _("It stays once there are orders."),
            "review_invitations": _("Only buyers who agreed are asked."),
        }
        widgets = {"timezone": forms.TextInput(attrs={"autocomplete": "off"})}

    def clean_timezone(self) -> str:
        zone = self.cleaned_data["timezone"].strip()
        if zone not in available_timezones():
            raise forms.ValidationError(_("%(zone)s is no time zone. Use a name such as Europe/London or Asia/Shanghai.") % {"zone": zone})
        return zone

    def _post_clean(self) -> None:
        """The command checks and saves; the form only reads."""


class NewStoreForm(StoreForm):
    code = forms.SlugField(label=_("Code"), max_length=40, help_text=_("Short, for files and programs; it stays."))
    field_order = ("code", "name")


def _addable(scope, **address):
    if sentence := _why_not_add_store(scope):
        raise PermissionDenied(str(sentence))
    return True


def _add_store(scope, thing, data, *, by, at):
    store = stores.add_store(by=by, at=at, owner_id=None if scope.is_superuser else scope.user.pk, **data)
    return reverse("web:store", args=[store.pk])


STORE_ADD = FormPage(
    title=_("Add a store"),
    form=NewStoreForm,
    load=_addable,
    needs="own",
    initial=lambda scope, thing: {
        "kind": "manual", "currency": "GBP", "timezone": "UTC", "language": "en", "dispatch_hours": 48, "transit_days": 14, "lost_days": 30,
        "margin_floor": 0, "stock_buffer": 0, "revenue_at": "handed_over", "messages_allowed": True, "message_cap": 8,
    },
    save=_add_store,
    success=_("Added. Next: import its products and orders, and record agreements with suppliers."),
    submit=_("Add"),
    back=(_("Stores"), lambda: reverse("web:stores")),
)  # fmt: skip


def _edit_store(scope, store, data, *, by, at):
    stores.edit_store(store_id=store.pk, by=by, at=at, **data)
    return reverse("web:store", args=[store.pk])


STORE_EDIT = FormPage(
    title=lambda store, scope: _("Edit %(name)s") % {"name": store.name},
    form=StoreForm,
    load=_store,
    store_id="id",
    needs="own",
    initial=lambda scope, store: {name: getattr(store, name) for name in StoreForm.Meta.fields},
    save=_edit_store,
    success=_("Saved."),
    back=lambda store: (store.name, reverse("web:store", args=[store.pk])),
)

# --- Fees -------------------------------------------------------------------------------------------------------


class FeeForm(forms.Form):
    name = forms.CharField(label=_("Fee"), max_length=80, help_text=_("As it stands on the statement of the channel or the payment provider."))
    percent = forms.DecimalField(label=_("Percent of the order's total"), min_value=0, max_value=100, decimal_places=4, initial=0)
    fixed = forms.DecimalField(label=_("Fixed amount an order"), min_value=0, decimal_places=4, max_digits=12, initial=0)
    valid_from = forms.DateField(label=_("Valid from"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    refunded_on_refund = forms.BooleanField(label=_("The percentage is given back on refunds"), required=False)


def _add_fee(scope, store, data, *, by, at):
    stores.add_fee_rule(store_id=store.pk, by=by, at=at, **data)
    return reverse("web:store", args=[store.pk])


FEE_ADD = FormPage(
    title=lambda store, scope: _("Add a fee to %(name)s") % {"name": store.name},
    form=FeeForm,
    load=_store,
    store_id="id",
    needs="books",
    initial=lambda scope, store: {"valid_from": scope.at.astimezone(scope.zone(store.pk)).date(), "percent": 0, "fixed": 0},
    save=_add_fee,
    success=_("Added. Orders booked from now on count with it."),
    submit=_("Add"),
    back=lambda store: (store.name, reverse("web:store", args=[store.pk])),
)

FEE = DetailPage(
    load=lambda scope, pk: FeeRule.objects.select_related("store").filter(pk=pk).first(),
    title=lambda fee, scope: fee.name,
    back=lambda fee: (fee.store.name, reverse("web:store", args=[fee.store_id])),
    actions=lambda fee, scope: [
        ActionButton(
            _("Remove"), reverse("web:fee_remove", args=[fee.pk]), "trash", "danger", reason=scope.why_not("books", fee.store_id),
            confirm=_("Remove this fee? What it booked stays booked."),
        )
    ],
    facts=lambda fee, scope: [
        Fact(_("Store"), fee.store.name, url=reverse("web:store", args=[fee.store_id])),
        Fact(_("Percent of the order's total"), fee.percent / 100, "percent"),
        Fact(_("Fixed amount an order"), _money(fee.fixed, fee.store.currency), "money"),
        Fact(_("Valid from"), fee.valid_from, "date"),
        Fact(_("Given back on refunds"), fee.refunded_on_refund, "yes_no"),
    ],
)


@page("books", methods=("POST",))
def remove_fee(request, scope, pk: int):
    fee = FeeRule.objects.filter(pk=pk).first()
    if fee is None:
        raise Http404
    scope.whole.require(fee.store_id, "books")
    stores.remove_fee_rules([pk], store_id=fee.store_id, by=scope.by, at=scope.at)
    response = after(request, reverse("web:store", args=[fee.store_id]), _("Removed."))
    response["Location"] = reverse("web:store", args=[fee.store_id])
    return response


# --- People -----------------------------------------------------------------------------------------------------


def _roles_by_user(scope) -> dict[int, list[StoreAccess]]:
    """user id → roles in the stores of the scope (those its reader owns)."""
    found: dict[int, list[StoreAccess]] = {}
    for access in StoreAccess.objects.filter(store__in=scope.all_store_ids).select_related("store").order_by("store__name"):
        found.setdefault(access.user_id, []).append(access)
    return found


def _people_panels(request, scope):
    roles = _roles_by_user(scope)
    everybody = [user for user in people_queries.people() if scope.is_superuser or user.pk in roles]
    secured = set(
        Authenticator.objects.filter(user__in=[user.pk for user in everybody], type=Authenticator.Type.TOTP).values_list("user_id", flat=True)
    )

    def badges(user) -> list[Badge]:
        from daifa.web.kit import states

        if user.is_superuser:
            return [Badge(_("owner of the installation"), "progress")]
        many = len(scope.stores) > 1
        return [
            Badge(f"{states.word('role', one.role)} · {one.store.name}" if many else states.word("role", one.role), states.tone("role", one.role))
            for one in roles.get(user.pk, [])
        ] or [Badge(_("no store"), "muted")]

    return [
        TablePanel(
            _("Everybody who works here"),
            [
                Column("username", _("User name"), link=True, hint="email"),
                Column("roles", _("Roles"), "badges", value=badges),
                Column("secured", _("Two-factor login"), "yes_no", value=lambda user: user.pk in secured, phone=False),
                Column("last_login", _("Last login"), "ago", phone=False),
                Column("active", _("State"), "badge",
                       value=lambda user: Badge(_("may log in"), "success") if user.is_active else Badge(_("switched off"), "muted")),
            ],
            everybody,
            row_url=lambda user: reverse("web:person", args=[user.pk]),
            note=_("Nobody signs up here by themselves: an owner adds them."),
        ),
        HtmlPanel("web/pages/roles.html", title=_("What each role may do")),
    ]  # fmt: skip


PEOPLE = PanelPage(
    title=_("People"),
    needs="own",
    panels=_people_panels,
    actions=lambda scope: [
        LinkButton(_("Give access"), reverse("web:access_add"), "key"),
        LinkButton(_("Add a person"), reverse("web:person_add"), "plus", "primary"),
    ],
)


def _person(scope, pk: int) -> User | None:
    """Somebody who works a store this owner owns; for the owner of the installation everybody."""
    user = people_queries.person(pk)
    if user is None or scope.is_superuser:
        return user
    known = StoreAccess.objects.filter(user=user, store__in=scope.all_store_ids).exists()
    return user if known else None


def _person_actions(user, scope):
    own = _why_not_installation(scope)
    return [
        LinkButton(_("Change roles"), reverse("web:person_roles", args=[user.pk]), "pencil", "primary",
                   reason=_("The owner of the installation works every store.") if user.is_superuser else None),
        ActionButton(_("Login link"), reverse("web:person_link", args=[user.pk]), "link",
                     reason=own or (None if user.is_active else _("This account is switched off.")),
                     confirm=_("Make a link with which %(name)s logs in once, within 15 minutes?") % {"name": user.username}),
        ActionButton(
            _("Switch off") if user.is_active else _("Switch on"), reverse("web:person_switch", args=[user.pk]),
            "ban" if user.is_active else "check", "danger" if user.is_active else "", fields={"is_active": "" if user.is_active else "1"},
            reason=own or (_("You cannot switch yourself off.") if user.pk == scope.user.pk else None),
            confirm=_("Keep %(name)s out? What they did stays theirs.") % {"name": user.username} if user.is_active else None,
        ),
    ]  # fmt: skip


PERSON = DetailPage(
    load=_person,
    store_id=None,
    needs="own",
    title=lambda user, scope: user.get_full_name() or user.username,
    back=(_("People"), lambda: reverse("web:people")),
    badges=lambda user, scope: [] if user.is_active else [Badge(_("switched off"), "muted")],
    actions=_person_actions,
    facts=lambda user, scope: [
        Fact(_("User name"), user.username),
        Fact(_("E-mail"), user.email),
        Fact(_("Language"), dict(LANGUAGES).get(user.language) or _("the browser's")),
        Fact(_("Added"), user.date_joined, "datetime"),
        Fact(_("Last login"), user.last_login, "datetime"),
        Fact(_("Two-factor login"), Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists(), "yes_no"),
    ],
    panels=lambda user, scope: [
        TablePanel(
            _("Roles"),
            [Column("store", _("Store"), value="store__name"), Column("role", _("Role"), "state", states="role")],
            _roles_by_user(scope).get(user.pk, []),
            empty=_("The owner of the installation works every store.") if user.is_superuser else _("No store of yours."),
        )
    ],
)


def _role_form(scope, user):
    return type("RolesForm", (forms.Form,), {
        f"store{store.id}": forms.ChoiceField(label=store.name, required=False, choices=[("", _("no access")), *ROLES])
        for store in scope.stores
    })  # fmt: skip


@transaction.atomic
def _save_roles(scope, user, data, *, by, at):
    if user.is_superuser:
        raise Refused(str(_("The owner of the installation works every store.")))
    before = {access.store_id: access.role for access in StoreAccess.objects.filter(user=user, store__in=scope.all_store_ids)}
    given = {store.id: data[f"store{store.id}"] for store in scope.stores}
    changed = {store: role for store, role in given.items() if before.get(store, "") != role}
    refused = stores.give_access([(user.pk, store, role) for store, role in changed.items() if role], by=by, at=at)
    refused += stores.take_access([(user.pk, store) for store, role in changed.items() if not role], by=by, at=at)
    if refused:
        raise Refused(refused[0])
    if any(given.values()) or scope.is_superuser:
        return reverse("web:person", args=[user.pk])
    return reverse("web:people")


ROLES_PAGE = FormPage(
    title=lambda user, scope: _("Roles of %(name)s") % {"name": user.username},
    form=_role_form,
    load=_person,
    needs="own",
    initial=lambda scope, user: {f"store{one.store_id}": one.role for one in StoreAccess.objects.filter(user=user, store__in=scope.all_store_ids)},
    save=_save_roles,
    success=_("Saved."),
    back=lambda user: (user.username, reverse("web:person", args=[user.pk])),
    panels=lambda scope, user: [HtmlPanel("web/pages/roles.html", title=_("What each role may do"))],
)


def _access_form(scope, thing):
    class AccessForm(forms.Form):
        who = forms.CharField(label=_("User name or e-mail"), max_length=254)
        store = forms.TypedChoiceField(label=_("Store"), coerce=int, choices=[(store.id, store.name) for store in scope.stores])
        role = forms.ChoiceField(label=_("Role"), choices=ROLES)

    return AccessForm


def _give(scope, thing, data, *, by, at):
    scope.require(data["store"], "own")
    who = data["who"].strip()
    user = User.objects.filter(username=who).first() or (User.objects.filter(email__iexact=who).first() if "@" in who else None)
    if user is None:
        raise Refused(str(_("Nobody here is called %(name)s. Add the person first.") % {"name": who}), field="who")
    if refused := stores.give_access([(user.pk, data["store"], data["role"])], by=by, at=at):
        raise Refused(refused[0])
    return reverse("web:person", args=[user.pk])


ACCESS = FormPage(
    title=_("Give access to a store"),
    form=_access_form,
    needs="own",
    initial=lambda scope, thing: {"store": scope.current.id if scope.current else None, "role": "operator"},
    save=_give,
    success=_("Saved."),
    submit=_("Give access"),
    intro=_("For somebody who has an account already. A role they have in the store is replaced."),
    back=(_("People"), lambda: reverse("web:people")),
    panels=lambda scope, thing: [HtmlPanel("web/pages/roles.html", title=_("What each role may do"))],
)


def _shown_once(request, title: Any, text: Any, secret: str, back: tuple[Any, str]) -> HttpResponse:
    """A secret on a page of its own: the only time it can be read. Kept in no session, no message, no log."""
    response = render(request, "web/pages/shown_once.html", {"title": title, "text": text, "secret": secret, "back": back})
    response["Cache-Control"] = "no-store"
    return response


def _form_page(request, scope, form, *, title: Any, submit: Any, intro: Any, back: tuple[Any, str]) -> HttpResponse:
    return render(
        request, "web/form.html",
        {"form": form, "scope": scope, "title": title, "submit": submit, "intro": intro, "back": back},
        status=422 if form.is_bound else 200,
    )  # fmt: skip


@sensitive_variables("token", "link")
@page("own")
def add_person(request, scope):
    """A new person: an account without a password, and a link for the first login, shown this once."""

    class PersonForm(forms.Form):
        username = forms.CharField(label=_("User name"), max_length=150)
        email = forms.EmailField(label=_("E-mail"), required=False)
        language = forms.ChoiceField(label=_("Language"), required=False, choices=[("", _("the browser's")), *LANGUAGES])
        store = forms.TypedChoiceField(
            label=_("Store"), coerce=int, empty_value=None, required=not scope.is_superuser,
            choices=[*([("", _("none yet"))] if scope.is_superuser else []), *((store.id, store.name) for store in scope.stores)],
        )  # fmt: skip
        role = forms.ChoiceField(label=_("Role"), choices=ROLES, initial="operator")

    form = PersonForm(request.POST or None, initial={"store": scope.current.id if scope.current else None, "role": "operator"})
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            with transaction.atomic():
                user, token = people.invite_user(
                    username=data["username"], email=data["email"], language=data["language"], by=scope.by, at=scope.at
                )
                if data["store"]:
                    scope.require(data["store"], "own")
                    stores.give_access([(user.pk, data["store"], data["role"])], by=scope.by, at=scope.at)
        except Refused as refused:
            form.add_error(refused.field if refused.field in form.fields else None, refused.sentence)
        else:
            link = request.build_absolute_uri(reverse("login_once", args=[token]))
            return _shown_once(
                request, _("%(name)s was added") % {"name": user.username},
                _("Send this link to the person, by a way only they read. It works once, within 7 days; then they set a password. "
                  "It is shown only now."),
                link, (_("People"), reverse("web:people")),
            )  # fmt: skip
    return _form_page(
        request, scope, form, title=_("Add a person"), submit=_("Add"),
        intro=_("The person gets a link for the first login, and sets a password then."), back=(_("People"), reverse("web:people")),
    )  # fmt: skip


@sensitive_variables("token", "link")
@page("own", methods=("POST",))
def login_link(request, scope, pk: int):
    _only_installation(scope)
    user = people_queries.person(pk)
    if user is None:
        raise Http404
    if not user.is_active:
        return after(request, reverse("web:person", args=[pk]), refused=[_("This account is switched off.")])
    link = request.build_absolute_uri(reverse("login_once", args=[people.issue_login_token(user, by=scope.by, at=scope.at)]))
    return _shown_once(
        request, _("A login link for %(name)s") % {"name": user.username},
        _("It works once, within 15 minutes, and is shown only now. Earlier links stopped working."),
        link, (_("People"), reverse("web:people")),
    )  # fmt: skip


@page("own", methods=("POST",))
def switch_person(request, scope, pk: int):
    _only_installation(scope)
    wanted = request.POST.get("is_active") == "1"
    if pk == scope.user.pk and not wanted:
        return after(request, reverse("web:person", args=[pk]), refused=[_("You cannot switch yourself off.")])
    if people_queries.person(pk) is None:
        raise Http404
    refused = people.switch_users([pk], is_active=wanted, by=scope.by, at=scope.at)
    done = _("They may come in again.") if wanted else _("They are kept out from now on.")
    return after(request, reverse("web:person", args=[pk]), None if refused else done, refused=refused)


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


def _preview(kind: str, language: str, subject: str, body: str, store_name: str) -> dict[str, Any]:
    wrong = message_rules.check_words(kind, language, subject, body)
    shown = message_rules.preview(kind, language, subject, body, store_name=store_name) if not wrong else ("", "")
    return {"wrong": wrong, "subject": shown[0], "body": shown[1], "language": message_rules.LANGUAGES[language]}


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
    name = template.store.name if template.store else ""
    other = next(
        one for one in message_queries.templates_of(template.store.pk if template.store else None)
        if one.kind == found.kind and one.language != found.language
    )  # fmt: skip
    position = 1 if fmt.is_chinese() else 0
    places = [("{{ " + key + " }}", words[position]) for key, words in message_rules.PLACEHOLDERS[found.kind].items()]
    return [
        HtmlPanel("web/pages/template_preview.html", {"preview": _preview(found.kind, found.language, found.subject, found.body, name), "live": True}),
        HtmlPanel("web/pages/template_preview.html", {"preview": _preview(other.kind, other.language, other.subject, other.body, name),
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
                       template.store.name if template.store else "")  # fmt: skip
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


# --- My profile -------------------------------------------------------------------------------------------------


def _profile_panels(request, scope):
    user = scope.user
    tokens = people_queries.api_tokens_of(user)
    secured = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists()
    has_password = user.has_usable_password()

    def state(token: ApiToken) -> Badge:
        if token.revoked_at:
            return Badge(_("revoked"), "muted")
        if token.expires_at and token.expires_at <= scope.at:
            return Badge(_("expired"), "muted")
        return Badge(_("works"), "success")

    panels: list[Any] = []
    if not has_password:
        panels.append(
            NotePanel(_("You came in by a link and have no password yet: set one, or you cannot come back without another link."), tone="warning",
                      actions=[LinkButton(_("Set a password"), reverse("account_set_password"), "key", "primary")])
        )  # fmt: skip
    return [
        *panels,
        FactsPanel(
            _("My account"),
            [
                Fact(_("User name"), user.username),
                Fact(_("E-mail"), user.email),
                Fact(_("Language"), dict(LANGUAGES).get(get_language(), get_language()), hint=_("Change it at the top of the page; it is remembered.")),
                Fact(_("Two-factor login"), secured, "yes_no"),
            ],
            actions=[
                LinkButton(_("Password"), reverse("account_change_password" if has_password else "account_set_password"), "key"),
                LinkButton(_("Two-factor login"), reverse("mfa_index"), "shield-lock", "" if secured else "primary"),
            ],
        ),
        TablePanel(
            _("My roles"),
            [Column("store", _("Store"), value=lambda row: row[0]), Column("role", _("Role"), "state", states="role", value=lambda row: row[1])],
            [(store.name, scope.roles.get(store.id, "")) for store in scope.stores],
            empty=_("You have no store yet."),
        ),
        TablePanel(
            _("API tokens"),
            [
                Column("name", _("Name"), link=True),
                Column("created_at", _("Made"), "datetime", phone=False),
                Column("last_used_at", _("Last used"), "ago"),
                Column("expires_at", _("Until"), "date", phone=False),
                Column("state", _("State"), "badge", value=state),
            ],
            tokens,
            row_url=lambda token: reverse("web:token", args=[token.pk]),
            empty=_("None. A token lets a program act for you through the API, with your roles."),
            actions=[LinkButton(_("New token"), reverse("web:token_add"), "plus")],
        ),
    ]  # fmt: skip


PROFILE = PanelPage(title=_("My profile"), panels=_profile_panels)


@sensitive_variables("token")
@page("view")
def add_token(request, scope):
    class TokenForm(forms.Form):
        name = forms.CharField(label=_("Name"), max_length=80, help_text=_("What it is for: the program or machine that will hold it."))
        days = forms.TypedChoiceField(
            label=_("It works for"), coerce=int, empty_value=None, required=False,
            choices=[(30, _("30 days")), (90, _("90 days")), (365, _("a year")), ("", _("until it is revoked"))],
        )  # fmt: skip

    back = (_("My profile"), reverse("web:profile"))
    form = TokenForm(request.POST or None, initial={"days": 90})
    if request.method == "POST" and form.is_valid():
        days = form.cleaned_data["days"]
        _row, token = people.issue_api_token(
            scope.user, name=form.cleaned_data["name"], by=scope.by, at=scope.at, expires_at=scope.at + timedelta(days=days) if days else None
        )
        return _shown_once(
            request, _("Your new token"), _("Copy it now: it is shown only this once. Send it as “Authorization: Bearer …”."), token, back
        )
    return _form_page(
        request, scope, form, title=_("New API token"), submit=_("Make it"), back=back,
        intro=_("A program that holds it may do what you may do. Revoke it when it is no longer needed."),
    )  # fmt: skip


def _token(scope, pk: int) -> ApiToken | None:
    return ApiToken.objects.filter(pk=pk, user=scope.user).first()


TOKEN = DetailPage(
    load=_token,
    store_id=None,
    title=lambda token, scope: token.name,
    pretitle=_("API token"),
    back=(_("My profile"), lambda: reverse("web:profile")),
    actions=lambda token, scope: [
        ActionButton(
            _("Revoke"), reverse("web:token_revoke", args=[token.pk]), "ban", "danger",
            reason=_("It was revoked already.") if token.revoked_at else None, confirm=_("Programs that use it stop working at once. Revoke it?"),
        )
    ],
    facts=lambda token, scope: [
        Fact(_("Name"), token.name),
        Fact(_("Made"), token.created_at, "datetime"),
        Fact(_("Last used"), token.last_used_at, "datetime"),
        Fact(_("Until"), token.expires_at, "datetime"),
        Fact(_("Revoked"), token.revoked_at, "datetime"),
    ],
)


@page("view", methods=("POST",))
def revoke_token(request, scope, pk: int):
    if _token(scope, pk) is None:
        raise Http404
    done = people.revoke_api_tokens([pk], by=scope.by, at=scope.at)
    return after(request, reverse("web:profile"), _("Revoked.") if done else None, refused=[] if done else [_("It was revoked already.")])


# --- This installation ------------------------------------------------------------------------------------------


def _installation_panels(request, scope):
    _only_installation(scope)
    here = store_queries.installation()
    health = reads.health()
    silent = health.beat_at is None or scope.at - health.beat_at > WORKER_SILENT
    panels: list[Any] = []
    if here is not None and here.quarantined_at and not here.released_at:
        questions = quarantine.questions()
        panels.append(
            NotePanel(
                _("It was restored from a backup, or copied. Nothing leaves it until the suppliers have been asked what was placed since, and you release it."),
                tone="danger", title=_("This copy is quarantined"),
                actions=[
                    ActionButton(_("Ask the suppliers"), reverse("web:installation_read_back"), "question-mark", "" if here.read_back_at else "primary"),
                    ActionButton(
                        _("Release"), reverse("web:installation_release"), "player-play", "primary" if here.read_back_at else "",
                        reason=None if here.read_back_at else _("Ask the suppliers first."),
                        confirm=_("Let this copy place, send and tell again? Be sure that no other copy is at work."),
                    ),
                ],
            )
        )  # fmt: skip
        panels.append(
            TablePanel(
                _("Ask the factories: did you get these?"),
                [Column("supplier", _("Supplier"), "code"), Column("reference", _("Reference"), "code"), Column("order", _("Order"), "code"),
                 Column("units", _("Units"), "quantity"), Column("at", _("Made"), "datetime")],
                questions[:100], empty=_("Nothing is in doubt."),
            )
        )  # fmt: skip
    elif sentence := store_queries.why_not_outward(scope.at):
        panels.append(NotePanel(sentence, tone="warning"))
    if silent:
        panels.append(
            NotePanel(
                _("No worker has been heard of lately: nothing is routed, placed, sent or tracked until one runs. Start it with “daifa up”."),
                tone="warning", title=_("The worker is silent"),
            )
        )
    panels += [
        KpiPanel([
            Kpi(_("Worker"), ngettext("%(n)d at work", "%(n)d at work", health.workers) % {"n": health.workers} if not silent else _("silent"),
                fmt.ago(health.beat_at) if health.beat_at else "", tone="red" if silent else "", icon="robot"),
            Kpi(_("Steps waiting"), fmt.quantity_text(health.owed), fmt.ago(health.owed_since) if health.owed_since else _("all done"),
                icon="hourglass", url=f"{reverse('web:reactions')}?state=pending"),
            Kpi(_("Steps that need you"), fmt.quantity_text(health.parked), _("could not be done"), tone="red" if health.parked else "",
                icon="alert-triangle", url=f"{reverse('web:reactions')}?state=parked"),
            Kpi(_("Messages waiting"), fmt.quantity_text(health.messages_waiting), icon="mail"),
        ]),
        FactsPanel(
            _("This copy"),
            [
                Fact(_("Code"), here.code if here else "–", "code", hint=_("begins our purchase references")),
                Fact(_("Since"), here.created_at if here else None, "datetime"),
                Fact(_("Released"), here.released_at if here else None, "datetime",
                     hint=fmt.actor_names([here.released_by])[here.released_by] if here and here.released_by else ""),
                Fact(_("Jobs waiting"), health.jobs_waiting, "quantity"),
                Fact(_("Jobs that failed"), health.jobs_failed, "quantity"),
                Fact(_("Database"), f"{health.database_bytes / 1048576:,.0f} MB"),
            ],
        ),
    ]  # fmt: skip
    if sample_shop.has_sample_shop():
        panels.append(
            NotePanel(
                _("The sample shop is loaded: made-up suppliers, real orders of a gift shop from long ago. Nothing of it leaves the building. "
                  "Take it out when you begin with your own stores; your own rows stay."),
                tone="info", title=_("Sample shop"),
                actions=[
                    ActionButton(
                        _("Remove the sample shop"), reverse("web:sample_remove"), "trash", "danger",
                        confirm=_("Take out the sample stores with all their orders, purchases and entries? This cannot be undone."),
                    )
                ],
            )
        )  # fmt: skip
    return panels


INSTALLATION = PanelPage(title=_("This installation"), needs="own", panels=_installation_panels)


@page("own", methods=("POST",))
def read_back(request, scope):
    _only_installation(scope)
    try:
        result = quarantine.read_back(at=scope.at, by=scope.by)
    except Refused as why:
        return after(request, reverse("web:installation"), refused=[why.sentence])
    if result.silent:
        return after(request, reverse("web:installation"), warning=_("Some suppliers did not answer; ask again later."))
    return after(request, reverse("web:installation"), _("The suppliers were asked. Look at what is in doubt, then release."))


@page("own", methods=("POST",))
def release(request, scope):
    _only_installation(scope)
    try:
        left = quarantine.release(by=scope.by, at=scope.at)
    except Refused as why:
        return after(request, reverse("web:installation"), refused=[why.sentence])
    warning = ngettext("%(n)d purchase is still in doubt; it is not sent again before you settle it.",
                       "%(n)d purchases are still in doubt; they are not sent again before you settle them.", left) % {"n": left}  # fmt: skip
    return after(request, reverse("web:installation"), _("Released."), warning=warning if left else None)


@page("own", methods=("POST",))
def remove_sample(request, scope):
    _only_installation(scope)
    try:
        rows = sample_shop.remove_sample_shop(by=scope.by, at=scope.at)
    except Refused as why:
        return after(request, reverse("web:installation"), refused=[why.sentence])
    return after(
        request, reverse("web:installation"),
        _("The sample shop was taken out: %(n)s rows.") % {"n": fmt.quantity_text(sum(rows.values()))},
    )  # fmt: skip


def _reactions(scope, filters, cursor, limit):
    _only_installation(scope)
    return reads.reaction_list(state=filters.get("state"), cursor=cursor, limit=limit)


REACTIONS = ListPage(
    title=_("Steps waiting and steps that need you"),
    intro=_("Each thing that happens owes steps: routing, booking, telling. One that fails three times waits here for a person."),
    needs="own",
    rows=_reactions,
    columns=[
        Column("reaction", _("Step"), value=lambda row: row.reaction.replace("_", " ")),
        Column("state", _("State"), "state", states="reaction"),
        Column("things", _("Things"), "quantity"),
        Column("first", _("First one"), "code", phone=False),
        Column("at", _("Since"), "datetime"),
        Column("attempts", _("Tries"), "quantity", phone=False),
        Column("reason", _("Why"), wrap=True),
    ],
    filters=[Choice("state", _("State"), [("pending", _("waiting")), ("parked", _("needs you"))], tabs=True)],
    bulk=[BulkAction(_("Try again"), lambda: reverse("web:reactions_retry"), "refresh", "primary", needs="own")],
    selectable=lambda row: row.state == "parked",
    actions=lambda scope: [LinkButton(_("This installation"), reverse("web:installation"), "arrow-left")],
    empty=EmptyPanel(_("Nothing waits"), _("All that was owed has been done."), icon="circle-check"),
)


@page("own", methods=("POST",))
def retry_reactions(request, scope):
    _only_installation(scope)
    ids = chosen_ids(request)
    with transaction.atomic():
        count = retry_parked(ids)
    done = ngettext("%(n)d is tried again.", "%(n)d are tried again.", count) % {"n": count} if count else None
    return after(request, reverse("web:reactions"), done, refused=[] if count else [_("None of them waits for a person any more.")])


urlpatterns = [
    path("stores/", STORES.view, name="stores"),
    path("stores/add/", STORE_ADD.view, name="store_add"),
    path("stores/<int:pk>/", STORE.view, name="store"),
    path("stores/<int:pk>/edit/", STORE_EDIT.view, name="store_edit"),
    path("stores/<int:pk>/fees/add/", FEE_ADD.view, name="fee_add"),
    path("stores/fees/<int:pk>/", FEE.view, name="fee"),
    path("stores/fees/<int:pk>/remove/", remove_fee, name="fee_remove"),
    path("people/", PEOPLE.view, name="people"),
    path("people/add/", add_person, name="person_add"),
    path("people/access/", ACCESS.view, name="access_add"),
    path("people/<int:pk>/", PERSON.view, name="person"),
    path("people/<int:pk>/roles/", ROLES_PAGE.view, name="person_roles"),
    path("people/<int:pk>/link/", login_link, name="person_link"),
    path("people/<int:pk>/switch/", switch_person, name="person_switch"),
    path("templates/", TEMPLATES.view, name="templates"),
    path("templates/<slug:where>/<slug:kind>/<slug:language>/", TEMPLATE.view, name="template"),
    path("templates/<slug:where>/<slug:kind>/<slug:language>/preview/", template_preview, name="template_preview"),
    path("templates/<slug:where>/<slug:kind>/<slug:language>/drop/", drop_template, name="template_drop"),
    path("profile/", PROFILE.view, name="profile"),
    path("profile/tokens/add/", add_token, name="token_add"),
    path("profile/tokens/<int:pk>/", TOKEN.view, name="token"),
    path("profile/tokens/<int:pk>/revoke/", revoke_token, name="token_revoke"),
    path("installation/", INSTALLATION.view, name="installation"),
    path("installation/read-back/", read_back, name="installation_read_back"),
    path("installation/release/", release, name="installation_release"),
    path("installation/sample/remove/", remove_sample, name="sample_remove"),
    path("installation/steps/", REACTIONS.view, name="reactions"),
    path("installation/steps/retry/", retry_reactions, name="reactions_retry"),
]
