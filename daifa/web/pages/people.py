"""People and their roles, one's own profile, tokens for programs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from allauth.mfa.models import Authenticator
from django import forms
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from daifa.domain.people import commands as people
from daifa.domain.people import queries as people_queries
from daifa.domain.people.models import ApiToken, User
from daifa.domain.stores import commands as stores
from daifa.domain.stores.models import StoreAccess
from daifa.web.kit import (
    ActionButton,
    Badge,
    Column,
    DetailPage,
    Fact,
    FactsPanel,
    FormPage,
    HtmlPanel,
    LinkButton,
    NotePanel,
    PanelPage,
    Refused,
    TablePanel,
    after,
    page,
)

ROLES = StoreAccess.ROLES
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]

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
    own = scope.why_not_installation()
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
    scope.require_installation()
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
    scope.require_installation()
    wanted = request.POST.get("is_active") == "1"
    if pk == scope.user.pk and not wanted:
        return after(request, reverse("web:person", args=[pk]), refused=[_("You cannot switch yourself off.")])
    if people_queries.person(pk) is None:
        raise Http404
    refused = people.switch_users([pk], is_active=wanted, by=scope.by, at=scope.at)
    done = _("They may come in again.") if wanted else _("They are kept out from now on.")
    return after(request, reverse("web:person", args=[pk]), None if refused else done, refused=refused)


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

urlpatterns = [
    path("people/", PEOPLE.view, name="people"),
    path("people/add/", add_person, name="person_add"),
    path("people/access/", ACCESS.view, name="access_add"),
    path("people/<int:pk>/", PERSON.view, name="person"),
    path("people/<int:pk>/roles/", ROLES_PAGE.view, name="person_roles"),
    path("people/<int:pk>/link/", login_link, name="person_link"),
    path("people/<int:pk>/switch/", switch_person, name="person_switch"),
    path("profile/", PROFILE.view, name="profile"),
    path("profile/tokens/add/", add_token, name="token_add"),
    path("profile/tokens/<int:pk>/", TOKEN.view, name="token"),
    path("profile/tokens/<int:pk>/revoke/", revoke_token, name="token_revoke"),
]
