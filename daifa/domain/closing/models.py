import pghistory
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from daifa.domain.closing.process import (
    CLOSING,
    CLOSING_STEP,
    LIFECYCLE,
    PLATFORM_CASE,
    READMISSION,
    STANDING,
)
from daifa.lib.sentence_field import LongSentenceField, SentenceField

SCENARIOS = {
    "choice": ("by choice", "主动闭店"),
    "forced": ("forced for violations", "违规清退"),
    "rule_change": ("because a rule changed", "规则变更"),
    "no_traffic": ("because nobody comes", "无流量"),
}


class Lifecycle(models.Model):
    """One life of a store, from preparing to archived; coming back is a new one that names the one before.

    A store without a row has always been open: rows are written by the first thing that happens to its life.
    """

    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=LIFECYCLE.choices())
    previous = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+")
    began_at = models.DateTimeField()
    shut_at = models.DateTimeField(null=True)  # from here on new orders are not taken
    closed_at = models.DateTimeField(null=True)
    archived_at = models.DateTimeField(null=True)
    replaced_at = models.DateTimeField(null=True)  # when the next lifecycle took its place

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["store"], condition=Q(replaced_at=None), name="one_current_lifecycle")
        ]


class Standing(models.Model):
    """What the platform thinks of a store in one of its lives: normal, warned, restricted, frozen.

    `state` follows from two findings (`rules.standing_now`): `said`, what a notice, a ruling or a person said ("" =
    nobody), and `reckoned`, what points and limits in force come to by `rule_id`. `said_over`: what was reckoned then.
    """

    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, related_name="+")
    lifecycle = models.OneToOneField(Lifecycle, on_delete=models.CASCADE, related_name="standing")
    state = models.CharField(max_length=10, choices=STANDING.choices())
    since = models.DateTimeField()
    reason = SentenceField(max_length=300, blank=True, db_default="")
    said = models.CharField(max_length=10, blank=True, db_default="")
    said_over = models.CharField(max_length=10, db_default="normal")
    reckoned = models.CharField(max_length=10, db_default="normal")
    rule_id = models.CharField(max_length=60, blank=True, db_default="")


class Closing(models.Model):
    """One way towards the end of a store: its scenario, its steps, its dates. At most one goes on in a store.

    `params` hold what the scenario needs: the day of a notice, the day a rule takes effect, rounds of appeal …
    """

    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, related_name="+")
    lifecycle = models.ForeignKey(Lifecycle, on_delete=models.PROTECT, related_name="closings")
    number = models.SmallIntegerField()  # 1, 2 … in its store
    scenario = models.CharField(max_length=12, choices=[(code, words[0]) for code, words in SCENARIOS.items()])
    state = models.CharField(max_length=12, choices=CLOSING.choices())
    reason = models.CharField(max_length=500)
    params = models.JSONField(default=dict)
    started_at = models.DateTimeField()
    started_by = models.CharField(max_length=60)
    applied_at = models.DateTimeField(null=True)  # asked of the platform: cannot be taken back
    ended_at = models.DateTimeField(null=True)
    violations = models.ManyToManyField("cases.Violation", related_name="closings")  # behind a removal: its appeals are theirs

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["store"], condition=Q(state__in=["threatened", "running"]), name="one_closing_at_a_time"
            ),
            models.UniqueConstraint(fields=["store", "number"], name="closing_numbers"),
        ]


class ClosingStep(models.Model):
    """One step of a closing, as declared in `steps.py`; `due_on` from its calendar, with the rule the day comes from.

    A step that takes long is `asked_at` by a person and done by the worker: `parts_done` of `parts` orders so far.
    """

    closing = models.ForeignKey(Closing, on_delete=models.CASCADE, related_name="steps")
    code = models.CharField(max_length=24)
    position = models.SmallIntegerField()
    state = models.CharField(max_length=12, choices=CLOSING_STEP.choices())
    due_on = models.DateField(null=True)
    rule_id = models.CharField(max_length=60, blank=True, db_default="")
    outcome = models.CharField(max_length=20, blank=True, db_default="")
    not_before = models.DateTimeField(null=True)  # done by itself from then on: the quiet hour that was chosen
    asked_at = models.DateTimeField(null=True)
    asked_by = models.CharField(max_length=60, blank=True, db_default="")
    parts = models.IntegerField(db_default=0)
    parts_done = models.IntegerField(db_default=0)
    stopped = LongSentenceField(blank=True, db_default="")  # why it stands still, as a sentence
    done_at = models.DateTimeField(null=True)
    done_by = models.CharField(max_length=60, blank=True, db_default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["closing", "code"], name="closing_step_once")]
        indexes = [models.Index(fields=["asked_at"], name="steps_asked", condition=Q(asked_at__isnull=False))]


class StepEvidence(models.Model):
    """What shows that a step was done, undone or left out; only ever added. `facts` are counts and sums, no names."""

    step = models.ForeignKey(ClosingStep, on_delete=models.CASCADE, related_name="evidence")
    what = models.CharField(max_length=12)  # done, undone, not_needed, note
    note = SentenceField(max_length=1000, blank=True, db_default="")
    reference = models.CharField(max_length=120, blank=True, db_default="")  # the platform's number
    facts = models.JSONField(default=dict)
    file_name = models.CharField(max_length=160, blank=True, db_default="")
    sha256 = models.CharField(max_length=64, blank=True, db_default="")
    at = models.DateTimeField()
    by = models.CharField(max_length=60)


@pghistory.track()
class StatusPage(models.Model):
    """The public page of a store: its address, whether it is switched on, and where buyers turn to."""

    store = models.OneToOneField("stores.Store", on_delete=models.CASCADE, related_name="status_page")
    slug = models.SlugField(_("address"), max_length=60, unique=True)
    is_on = models.BooleanField(_("switched on"), default=False)
    contact = models.CharField(_("where buyers turn to"), max_length=160, blank=True, default="")
    changed_at = models.DateTimeField()


class Readmission(models.Model):
    """The way back of a store that was closed: what was healed, with proof, over a plan of steps."""

    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, related_name="+")
    closing = models.ForeignKey(Closing, on_delete=models.PROTECT, related_name="readmissions")
    lifecycle = models.OneToOneField(Lifecycle, on_delete=models.PROTECT, null=True, related_name="+")  # the new one
    state = models.CharField(max_length=12, choices=READMISSION.choices())
    cause = models.CharField(max_length=500)
    healed = models.TextField(blank=True, db_default="")
    answer = models.CharField(max_length=500, blank=True, db_default="")  # of the platform
    months = models.SmallIntegerField(db_default=4)
    started_at = models.DateTimeField()
    started_by = models.CharField(max_length=60)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["store"],
                condition=Q(state__in=["planned", "applied", "refused"]),
                name="one_readmission_at_a_time",
            )
        ]


class ComebackStep(models.Model):
    """One step of a comeback plan, with its day and the proof that it was done."""

    readmission = models.ForeignKey(Readmission, on_delete=models.CASCADE, related_name="steps")
    code = models.CharField(max_length=24)
    position = models.SmallIntegerField()
    due_on = models.DateField()
    proof = models.CharField(max_length=1000, blank=True, db_default="")
    done_at = models.DateTimeField(null=True)
    done_by = models.CharField(max_length=60, blank=True, db_default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["readmission", "code"], name="comeback_step_once")]


class ComebackPaper(models.Model):
    """A paper or picture that shows that a step of a comeback plan was done; it lies in the file store under its hash."""

    step = models.ForeignKey(ComebackStep, on_delete=models.CASCADE, related_name="papers")
    name = models.CharField(max_length=160)
    media_type = models.CharField(max_length=80)
    sha256 = models.CharField(max_length=64)
    size = models.IntegerField()  # bytes
    by = models.CharField(max_length=60)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["step", "sha256"], name="comeback_paper_once")]


class PaperTakenAway(models.Model):
    """A paper that was put beside a step by mistake and taken away again: that it was there, without its name and bytes."""

    step = models.ForeignKey(ComebackStep, on_delete=models.CASCADE, related_name="papers_taken_away")
    media_type = models.CharField(max_length=80)
    sha256 = models.CharField(max_length=64)
    size = models.IntegerField()  # bytes
    recorded_by = models.CharField(max_length=60)
    recorded_at = models.DateTimeField()
    by = models.CharField(max_length=60)
    at = models.DateTimeField()


class Traffic(models.Model):
    """How often a store was shown and visited on a day of its time zone, as entered or read from a file. Null = not said."""

    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, related_name="+")
    day = models.DateField()
    impressions = models.BigIntegerField(null=True)
    visits = models.BigIntegerField(null=True)
    source = models.CharField(max_length=60)  # "by hand", "file:name"
    by = models.CharField(max_length=60)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["store", "day"], name="traffic_once_a_day"),
            models.CheckConstraint(condition=Q(impressions__gte=0) | Q(impressions=None), name="impressions_not_negative"),
            models.CheckConstraint(condition=Q(visits__gte=0) | Q(visits=None), name="visits_not_negative"),
        ]


class PastClosing(models.Model):
    """A store that ended before daifa closed any: for the analytics only. `store` is null where it was never kept here."""

    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, null=True, related_name="+")
    name = models.CharField(max_length=120)
    scenario = models.CharField(max_length=12, choices=[(code, words[0]) for code, words in SCENARIOS.items()])
    began_on = models.DateField()
    closed_on = models.DateField(null=True)
    currency = models.CharField(max_length=3)
    deposit_held = models.DecimalField(max_digits=19, decimal_places=4, db_default=0)
    deposit_returned = models.DecimalField(max_digits=19, decimal_places=4, null=True)
    deposit_on = models.DateField(null=True)
    note = models.CharField(max_length=300, blank=True, db_default="")
    source = models.CharField(max_length=60)
    by = models.CharField(max_length=60)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "began_on"], name="past_closing_once")]


class PlatformCase(models.Model):
    """The platform's file on one store, as its stand-in keeps it: a request, a ruling, a review.

    `closing`: the shop's closing that is about this case; what the desk decides settles its steps and no other's.
    """

    KINDS = {
        "request": ("closing asked for by the store", "店铺申请关店"),
        "violation": ("removal for violations", "违规清退"),
        "category": ("category newly regulated", "类目新规"),
        "dormancy": ("dormant account", "长期未活跃"),
    }

    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=10, choices=[(code, words[0]) for code, words in KINDS.items()])
    reference = models.CharField(max_length=24, unique=True)
    state = models.CharField(max_length=14, choices=PLATFORM_CASE.choices())
    reason = models.CharField(max_length=500)
    appeals = models.SmallIntegerField(db_default=0)
    most_appeals = models.SmallIntegerField(db_default=1)
    opened_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)  # end of an appeal's time, of the public notice, the quiet hour
    ended_at = models.DateTimeField(null=True)
    violations = models.ManyToManyField("cases.Violation", related_name="+")
    closing = models.ForeignKey(Closing, on_delete=models.SET_NULL, null=True, related_name="platform_cases")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["store", "kind"], condition=Q(ended_at=None), name="one_platform_case_of_a_kind"
            )
        ]


class PlatformEvent(models.Model):
    """One entry of a platform case, only ever added: together they are the history of the dispute."""

    case = models.ForeignKey(PlatformCase, on_delete=models.CASCADE, related_name="events")
    what = models.CharField(max_length=24)
    note = SentenceField(max_length=500, blank=True, db_default="")
    at = models.DateTimeField()
    by = models.CharField(max_length=60)

    @property
    def store_id(self) -> int:
        """Whose it is: its times are shown in that store's zone."""
        return int(self.case.store_id)
