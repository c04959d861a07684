"""Two stores, people in every role, and the sample pages."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def shop(db, settings):
    """gift (London) and yiwu (Shanghai), 45 tasks in turn; people by role, all in gift only."""
    from types import SimpleNamespace

    from daifa.domain.people.models import User
    from daifa.domain.stores.models import Store, StoreAccess, Task

    settings.ROOT_URLCONF = "daifa.web.tests.sample_pages"
    gift = Store.objects.create(
        code="gift", name="Gift Shop", currency="GBP", timezone="Europe/London", created_at=NOON
    )
    yiwu = Store.objects.create(
        code="yiwu", name="义乌小店", currency="CNY", timezone="Asia/Shanghai", created_at=NOON
    )
    people = {role: User.objects.create_user(role) for role in ("operator", "bookkeeper", "viewer", "owner")}
    StoreAccess.objects.bulk_create(
        StoreAccess(user=user, store=gift, role=role) for role, user in people.items()
    )
    Task.objects.bulk_create(
        Task(
            store=(gift, yiwu)[i % 2], kind=("late", "lost")[i % 3 == 0], thing_kind=f"thing{i:02d}", thing=i,
            stake=Decimal(i) if i % 5 else None, currency="GBP", opened_at=NOON - timedelta(hours=i // 2),
            due_at=NOON + timedelta(hours=i),
        )
        for i in range(90)
    )  # fmt: skip
    return SimpleNamespace(
        gift=gift, yiwu=yiwu, people=people, root=User.objects.create_superuser("root"),
        stranger=User.objects.create_user("stranger"), tasks=list(Task.objects.order_by("thing")),
    )  # fmt: skip


@pytest.fixture
def as_(client):
    """as_(user) → a client signed in as this person."""

    def sign_in(user, language="en"):
        client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        client.cookies["django_language"] = language
        return client

    return sign_in
