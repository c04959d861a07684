"""Pages that only tests know, over real rows (tasks of stores): what every kit page is tested with."""

from django import forms
from django.urls import include, path, reverse
from django.utils.translation import gettext_lazy as _

from daifa.domain.stores.models import Store, Task
from daifa.web.kit import (
    ActionButton,
    Badge,
    BulkAction,
    ChartPanel,
    Choice,
    Column,
    Cursor,
    DateRange,
    DetailPage,
    EmptyPanel,
    Event,
    Fact,
    FormPage,
    Kpi,
    KpiPanel,
    LinkButton,
    ListPage,
    NotePanel,
    PanelPage,
    ProgressPanel,
    Refused,
    Scope,
    Series,
    Sort,
    TablePanel,
    Toggle,
    after,
    chosen_ids,
    count_up_to,
    page,
)


def _found(scope: Scope, filters: dict):
    tasks = Task.objects.filter(store_id__in=scope.store_ids).select_related("store")
    if "kind" in filters:
        tasks = tasks.filter(kind=filters["kind"])
    if filters.get("open"):
        tasks = tasks.filter(closed_at=None)
    if "opened_from" in filters:
        tasks = tasks.filter(opened_at__date__gte=filters["opened_from"])
    if "q" in filters:
        tasks = tasks.filter(thing_kind__icontains=filters["q"])
    return tasks


def task_rows(scope: Scope, filters: dict, cursor: Cursor, limit: int):
    return cursor.slice(_found(scope, filters), limit)


TASKS = ListPage(
    title=_("Orders"),
    rows=task_rows,
    search="Search tasks",
    sorts=[Sort("newest", "Newest", ("-opened_at", "-id")), Sort("oldest", "Oldest", ("opened_at", "id"))],
    columns=[
        Column("thing_kind", "Task", link=True, hint="kind"),
        Column("store_id", "Store", "store", when_many_stores=True),
        Column("opened_at", "Opened", "datetime"),
        Column("due_at", "Due", "due"),
        Column("stake", "At stake", "money", currency="currency"),
        Column("marks", "Marks", "badges", value=lambda task: [Badge("urgent", "danger")] if task.stake else []),
    ],
    filters=[
        Choice("kind", "Kind", [("late", "Late"), ("lost", "Lost")], tabs=True),
        Toggle("open", "Open only"),
        DateRange("opened", "Opened"),
    ],
    bulk=[BulkAction("Close them", "/sample/close/", ask="Why?"), BulkAction("Go", "/sample/close/", needs="own")],
    row_url=lambda task: reverse("sample_task", args=[task.pk]),
    total=lambda scope, filters: count_up_to(_found(scope, filters), 100),
    empty=EmptyPanel("No tasks", "Tasks appear by themselves.", actions=[LinkButton("Help", "/")]),
    export="tasks",
    limit=20,
)


def _task(scope: Scope, pk: int) -> Task | None:
    return Task.objects.filter(pk=pk).first()


TASK = DetailPage(
    load=_task,
    title=lambda task, scope: f"Task {task.pk}",
    back=("Tasks", lambda: reverse("sample_tasks")),
    badges=lambda task, scope: [Badge(task.kind, "info")],
    actions=lambda task, scope: [
        ActionButton("Close", "/sample/close/", style="primary", fields={"ids": task.pk},
                     reason=scope.why_not("operate", task.store_id), confirm="Really?"),
        ActionButton("Undo", "/sample/close/", reason="It was <shipped> already; ask for a return."),
    ],
    facts=lambda task, scope: [Fact("Opened", task.opened_at, "datetime", store_id=task.store_id)],
    panels=lambda task, scope: [
        NotePanel("Look here.", tone="warning", title="Attention"),
        TablePanel("Others", [Column("kind", "Kind"), Column("stake", "Stake", "money", currency="currency")], [task],
                   footer=[["Sum", "1"]]),
        TablePanel("When", [Column("then", "Then", "datetime")], [{"then": task.opened_at}]),
    ],
    timeline=lambda task, scope: [Event(task.opened_at, "Opened", by=scope.by, why="because")],
)  # fmt: skip


class StoreForm(forms.Form):
    name = forms.CharField(label="Name", max_length=20)
    kinds = forms.MultipleChoiceField(
        label="Kinds", choices=[("a", "A"), ("b", "B")], widget=forms.CheckboxSelectMultiple, required=False
    )


def _rename(scope: Scope, store: Store, data: dict, *, by: str, at) -> None:
    if data["name"] == "taken":
        raise Refused("A store of this name exists already.", field="name")
    if data["name"] == "closed":
        raise Refused("The store is closed.")
    Store.objects.filter(pk=store.pk).update(name=f"{data['name']} {by}")


RENAME = FormPage(
    title=lambda store, scope: f"Rename {store.name}",
    form=StoreForm,
    load=lambda scope, pk: Store.objects.filter(pk=pk).first(),
    store_id="id",
    save=_rename,
    success="Saved.",
    success_url=lambda: reverse("sample_tasks"),
    needs="own",
)

BOOKS = PanelPage(
    title="Books",
    needs="books",
    panels=lambda request, scope: [
        KpiPanel([Kpi("Stores", len(scope.store_ids), hint=", ".join(map(str, scope.store_ids)))]),
        ChartPanel("Sales </script>", ["Jan", "Feb"], [Series("Sales", [1, 2])], unit="GBP"),
    ],
)


@page("view")
def progress(request, scope):
    done = int(request.GET.get("done", 0))
    return ProgressPanel("Reading", f"{request.path}?done={done + 5}", done, 10, running=done < 10).respond(request)


@page("operate", methods=("POST",))
def close(request, scope):
    ids = chosen_ids(request)
    tasks = list(Task.objects.filter(pk__in=ids, store_id__in=scope.all_store_ids))
    Task.objects.filter(pk__in=[task.pk for task in tasks]).update(closed_at=scope.at, closed_by=scope.by)
    refused = [f"Task {pk} is not there." for pk in ids if pk not in {task.pk for task in tasks}]
    why = request.POST.get("reason", "")
    return after(request, reverse("sample_tasks"), f"{len(tasks)} closed. {why}", refused=refused)


def broken(request):
    raise RuntimeError("on purpose")


urlpatterns = [
    path("sample/", include([
        path("tasks/", TASKS.view, name="sample_tasks"),
        path("tasks/<int:pk>/", TASK.view, name="sample_task"),
        path("stores/<int:pk>/", RENAME.view, name="sample_rename"),
        path("books/", BOOKS.view, name="sample_books"),
        path("progress/", progress, name="sample_progress"),
        path("close/", close, name="sample_close"),
        path("broken/", broken, name="sample_broken"),
    ])),
    path("account/", include("allauth.account.urls")),
    path("account/2fa/", include("allauth.mfa.urls")),
    path("", include("daifa.web.urls")),
]  # fmt: skip
