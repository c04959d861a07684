"""Which stores somebody may work and as what; the open tasks; whether this copy may act towards the outside."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import F, QuerySet
from django.utils.translation import gettext as _

from daifa.domain.stores.models import Installation, Store, StoreAccess, Task
from daifa.domain.stores.rules import Need, allows, roles_with
from daifa.lib import bulk

# --- People and stores ------------------------------------------------------------------------------------------


def stores_of(user: Any, need: Need = "view") -> QuerySet[Store]:
    """The stores in which `user` may do `need`; a superuser all, somebody switched off or anonymous none."""
    if not getattr(user, "is_active", False):
        return Store.objects.none()
    if user.is_superuser:
        return Store.objects.all()
    return Store.objects.filter(access__user=user, access__role__in=roles_with(need))


def scope_of(user: Any, need: Need = "view") -> list[int]:
    """Ids of `stores_of`: the first argument of every query."""
    return list(stores_of(user, need).order_by("id").values_list("id", flat=True))


def whole_scope() -> list[int]:
    """Every store: for the command line and for jobs, which act for the owner of the installation."""
    return list(Store.objects.order_by("id").values_list("id", flat=True))


def role_of(user: Any, store_id: int) -> str:
    """owner, operator, bookkeeper, viewer, or "" for a stranger. A superuser is owner of every store there is."""
    if not getattr(user, "is_active", False):
        return ""
    if user.is_superuser:
        return "owner" if Store.objects.filter(pk=store_id).exists() else ""
    return StoreAccess.objects.filter(user=user, store=store_id).values_list("role", flat=True).first() or ""


def roles_of(user: Any) -> dict[int, str]:
    """store id → role, of every store `user` may see: what a page needs to know about its reader, in one query."""
    if not getattr(user, "is_active", False):
        return {}
    if user.is_superuser:
        return dict.fromkeys(Store.objects.values_list("id", flat=True), "owner")
    return dict(bulk.fetch("SELECT store_id, role FROM stores_storeaccess WHERE user_id = %s", (user.pk,)))


def may(user: Any, store_id: int | None, need: Need) -> bool:
    """True when `user` may do `need` (view, operate, books, own) in the store.

    `store_id` None = something that belongs to no single store (suppliers, products, merged runs): whoever may do it
    in every store there is.
    """
    if store_id is not None:
        return allows(role_of(user, store_id), need)
    if not getattr(user, "is_active", False):
        return False
    return user.is_superuser or bulk.fetch(  # asked on every page
        """SELECT count(*) > 0 AND count(*) = count(a.id) FROM stores_store s
           LEFT JOIN stores_storeaccess a ON a.store_id = s.id AND a.user_id = %s AND a.role = ANY(%s::text[])""",
        (user.pk, list(roles_with(need))),
    )[0][0]


def people_of(store_id: int) -> list[tuple[int, str, str, str]]:
    """(user id, user name, mail, role) of those who work a store, by name. Superusers work all and are not listed."""
    return list(
        StoreAccess.objects.filter(store=store_id)
        .order_by("user__username")
        .values_list("user_id", "user__username", "user__email", "role")
    )


# --- Tasks ------------------------------------------------------------------------------------------------------


def open_tasks_of(
    scope: Sequence[int], *, also_shared: bool = False, kinds: Sequence[str] | None = None, limit: int = 200
) -> list[Task]:
    """Open tasks of the stores in `scope`: what is due first, then by money at stake, then the oldest.

    `also_shared` adds those of no single store (a stopped import of offers, a quarantined copy). `kinds`: only these.
    """
    of_scope = Task.objects.filter(closed_at=None, store_id__in=list(scope))
    found = of_scope | Task.objects.filter(closed_at=None, store=None) if also_shared else of_scope
    if kinds is not None:
        found = found.filter(kind__in=kinds)
    return list(
        found.select_related("store").order_by(
            F("due_at").asc(nulls_last=True), F("stake").desc(nulls_last=True), "id"
        )[:limit]
    )


def store_of_task(task_id: int) -> int | None:
    """The store of a task, open or closed; None where there is no such task or it belongs to no single store."""
    return Task.objects.filter(id=task_id).values_list("store_id", flat=True).first()


# --- This copy --------------------------------------------------------------------------------------------------


def installation() -> Installation | None:
    """The row of this copy; None before `stores.commands.ensure_installation`."""
    return next(iter(bulk.instances(Installation, "id = 1")), None)


def is_quarantined() -> bool:
    """True while this copy was restored (or moved) and nobody has released it."""
    return Installation.objects.filter(pk=1, quarantined_at__isnull=False, released_at=None).exists()


def may_act_outward(at: datetime) -> bool:
    """True when this copy may place, send, or tell anybody anything at `at`. Ask before every outward call."""
    return not why_not_outward(at)


def why_not_outward(at: datetime) -> str:
    """ "" or the sentence why nothing may leave the building now."""
    rows = bulk.fetch(
        """SELECT quarantined_at, released_at, read_back_at, lease_holder, lease_until
           FROM stores_installation WHERE id = 1"""
    )
    if not rows:
        return ""
    quarantined_at, released_at, read_back_at, holder, until = rows[0]
    if quarantined_at and not released_at:
        if read_back_at:
            return _(
                "This copy was restored and is quarantined: suppliers have been asked; a person has to release it."
            )
        return _("This copy was restored and is quarantined: ask the suppliers first, then release it.")
    if holder and holder != place_of_data():
        if until and until > at:
            return _("Another copy of this installation is at work. Only one may act at a time.")
        return _("These data were copied here from another place; the worker has not taken them over yet.")
    return ""


def place_of_data() -> str:
    """Where these data physically lie, so that a copied data folder knows that it was copied. At most 80 characters.

    The server's own identifier and the number of the database; for the built-in server also the number its file
    system gave the data folder: a copy gets another one, a restart or a renamed folder keeps it.
    """
    return _place_of_data(str(connection.settings_dict["NAME"]), str(settings.DAIFA_HOME))


@lru_cache(maxsize=8)
def _place_of_data(database: str, home: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT s.system_identifier, d.oid, CASE WHEN pg_has_role('pg_read_all_settings', 'usage')
                                                      THEN current_setting('data_directory') END
               FROM pg_control_system() s, pg_database d WHERE d.datname = current_database()"""
        )
        server, oid, folder = cursor.fetchone()
    inside = Path(home) / "pg" / "PG_VERSION"
    try:
        node = inside.stat().st_ino if folder and Path(folder) == inside.parent else 0
    except OSError:
        node = 0
    return f"{server}/{oid}/{node}"
