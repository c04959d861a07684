from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from daifa.domain.cases.pictures import DECISIONS, WHY_WAITING
from daifa.domain.cases.process import (
    APPEAL,
    BASES,
    COMPLAINT,
    COMPLAINT_KINDS,
    CONSEQUENCES,
    DEPOSIT_MOVES,
    EVIDENCE_PACK,
    INFRINGEMENT,
    OUTCOMES,
    QUALIFICATIONS,
    RIGHTS,
    VIOLATION,
    VIOLATION_KINDS,
)
from daifa.lib.sentence_field import LongSentenceField, SentenceField


def _choices(words: dict[str, tuple[str, str]]) -> list[tuple[str, str]]:
    return [(code, english) for code, (english, _chinese) in words.items()]


class Violation(models.Model):
    """What a platform ruled against a store, once for each reference of the platform.

    `rule` is the id of the rule in the rule book, "" where none is named. Times are null where nobody knows them: an
    unknown `appeal_due_at` is asked for, an unknown `points_until` counts the points for good (`points_rule` then names
    the rule that only informs about it).
    """

    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, related_name="+")
    reference = models.CharField(max_length=80)
    rule = models.CharField(max_length=60, blank=True, db_default="")
    kind = models.CharField(max_length=20, choices=_choices(VIOLATION_KINDS))
    state = models.CharField(max_length=10, choices=VIOLATION.choices())
    title = models.CharField(max_length=300, blank=True, db_default="")  # in the platform's words
    points = models.DecimalField(max_digits=7, decimal_places=2, db_default=0)
    points_until = models.DateTimeField(null=True)
    points_rule = models.CharField(max_length=60, blank=True, db_default="")  # "" = a person said until when, or nobody
    occurred_at = models.DateTimeField(null=True)
    notified_at = models.DateTimeField()
    appeal_due_at = models.DateTimeField(null=True)  # stricter reading of the rule, or as the notice says
    appeal_until = models.DateTimeField(null=True)  # wider reading: later nothing is taken as an appeal
    appeal_rule = models.CharField(max_length=60, blank=True, db_default="")
    note = models.TextField(blank=True, db_default="")
    unknown_orders = ArrayField(models.CharField(max_length=80), default=list)  # numbers that are no orders here
    source = models.CharField(max_length=60)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["store", "reference"], name="one_violation_per_reference"),
            models.CheckConstraint(condition=Q(points__gte=0), name="points_not_negative"),
        ]


class ViolationOrder(models.Model):
    """An order a violation is about."""

    violation = models.ForeignKey(Violation, on_delete=models.CASCADE, related_name="orders")
    order = models.ForeignKey("orders.Order", on_delete=models.CASCADE, related_name="violations")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["violation", "order"], name="violation_order_once")]


class Consequence(models.Model):
    """What a violation brought: a limit from when until when, or money. Money moves are `DepositMove`."""

    violation = models.ForeignKey(Violation, on_delete=models.CASCADE, related_name="consequences")
    kind = models.CharField(max_length=20, choices=_choices(CONSEQUENCES))
    from_at = models.DateTimeField()
    until_at = models.DateTimeField(null=True)  # null: until further notice
    amount = models.DecimalField(max_digits=19, decimal_places=4, null=True)
    note = models.CharField(max_length=200, blank=True, db_default="")
    lifted_at = models.DateTimeField(null=True)


class Appeal(models.Model):
    """Our answer to a violation, round by round. What came too late is kept as a note and goes nowhere."""

    violation = models.ForeignKey(Violation, on_delete=models.CASCADE, related_name="appeals")
    round = models.SmallIntegerField()  # 0 = a note
    state = models.CharField(max_length=10, choices=APPEAL.choices())
    text = models.TextField(blank=True, db_default="")
    reference = models.CharField(max_length=80, blank=True, db_default="")
    answer = LongSentenceField(blank=True, db_default="")
    answer_due_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    by = models.CharField(max_length=60)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["violation", "round"], condition=Q(round__gt=0), name="appeal_rounds"),
            models.UniqueConstraint(
                fields=["violation"], condition=Q(state__in=["draft", "sent"]), name="one_open_appeal"
            ),
        ]


class DepositRequirement(models.Model):
    """How much the platform demands as deposit from a day on, in the store's currency. The newest one counts."""

    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, related_name="+")
    amount = models.DecimalField(max_digits=19, decimal_places=4)
    valid_from = models.DateField()
    due_at = models.DateTimeField(null=True)  # until when a shortfall is to be paid
    rule = models.CharField(max_length=60, blank=True, db_default="")
    note = models.CharField(max_length=200, blank=True, db_default="")
    by = models.CharField(max_length=60)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gte=0), name="requirement_not_negative"),
            models.UniqueConstraint(fields=["store", "valid_from"], name="one_requirement_a_day"),
        ]


class DepositMove(models.Model):
    """Money to, from or charged to the deposit, or a penalty kept from the proceeds. The fact the books post.

    `amount` is above zero, in the store's currency; `kind` says which way. `from_proceeds`: paid in out of what the
    platform owed us, not from the bank.
    """

    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=12, choices=_choices(DEPOSIT_MOVES))
    amount = models.DecimalField(max_digits=19, decimal_places=4)
    currency = models.CharField(max_length=3)
    from_proceeds = models.BooleanField(db_default=False)
    violation = models.ForeignKey(Violation, on_delete=models.PROTECT, null=True, related_name="moves")
    reference = models.CharField(max_length=80)
    note = models.CharField(max_length=200, blank=True, db_default="")
    at = models.DateTimeField()
    by = models.CharField(max_length=60)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["store", "reference"], name="deposit_move_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="deposit_move_positive"),
        ]


class Complaint(models.Model):
    """What a buyer (or the platform for him) complains about, from arrival to outcome. `text` is the buyer's own."""

    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, related_name="+")
    reference = models.CharField(max_length=80)
    order = models.ForeignKey("orders.Order", on_delete=models.CASCADE, null=True, related_name="complaints")
    aftersale_case = models.ForeignKey("aftersales.AftersaleCase", on_delete=models.SET_NULL, null=True, related_name="+")
    kind = models.CharField(max_length=20, choices=_choices(COMPLAINT_KINDS))
    state = models.CharField(max_length=10, choices=COMPLAINT.choices())
    text = models.TextField(blank=True, db_default="")
    answer = models.TextField(blank=True, db_default="")
    outcome = models.CharField(max_length=20, blank=True, db_default="", choices=_choices(OUTCOMES))
    finding = models.CharField(max_length=10, blank=True, db_default="")  # "", clean, breach
    found = models.JSONField(default=dict)  # what the parcel check or a person saw: {"words": […], "check": id …}
    rule = models.CharField(max_length=60, blank=True, db_default="")  # from which due_at comes
    due_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    source = models.CharField(max_length=60)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "reference"], name="one_complaint_per_reference")]
        indexes = [models.Index(fields=["store", "kind", "opened_at"], name="complaints_by_kind")]


class Infringement(models.Model):
    """A notice that a listing breaches somebody's right, from notice to outcome."""

    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, related_name="+")
    reference = models.CharField(max_length=80)
    listing = models.ForeignKey("catalog.ListingVariant", on_delete=models.SET_NULL, null=True, related_name="+")
    title = models.CharField(max_length=255, blank=True, db_default="")  # of the listing, as it was
    complainant = models.CharField(max_length=160, blank=True, db_default="")
    right = models.CharField(max_length=12, choices=_choices(RIGHTS))
    right_number = models.CharField(max_length=80, blank=True, db_default="")
    claim = models.TextField(blank=True, db_default="")
    state = models.CharField(max_length=12, choices=INFRINGEMENT.choices())
    counter = models.TextField(blank=True, db_default="")  # what the counter-notice says
    notified_at = models.DateTimeField()
    answer_due_at = models.DateTimeField(null=True)  # the platform's own, as the notice says
    countered_at = models.DateTimeField(null=True)
    forwarded_at = models.DateTimeField(null=True)
    restore_due_at = models.DateTimeField(null=True)  # when the platform must end its measure
    rule = models.CharField(max_length=60, blank=True, db_default="")
    ended_at = models.DateTimeField(null=True)
    source = models.CharField(max_length=60)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "reference"], name="one_infringement_per_reference")]


class ListingRight(models.Model):
    """The proof that we may use a listing's pictures or brand."""

    listing = models.ForeignKey("catalog.ListingVariant", on_delete=models.CASCADE, related_name="rights")
    right = models.CharField(max_length=12, choices=_choices(RIGHTS))
    basis = models.CharField(max_length=10, choices=_choices(BASES))
    holder = models.CharField(max_length=160, blank=True, db_default="")
    number = models.CharField(max_length=80, blank=True, db_default="")
    note = models.CharField(max_length=300, blank=True, db_default="")
    valid_from = models.DateField()
    valid_until = models.DateField(null=True)
    by = models.CharField(max_length=60)
    at = models.DateTimeField()


class Qualification(models.Model):
    """A licence of a store for a category ("" = for the store as a whole), as on its document."""

    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, related_name="qualifications")
    category = models.CharField(max_length=120, blank=True, db_default="")
    kind = models.CharField(max_length=20, choices=_choices(QUALIFICATIONS))
    number = models.CharField(max_length=80)
    holder = models.CharField(max_length=160, blank=True, db_default="")
    note = models.CharField(max_length=300, blank=True, db_default="")
    valid_from = models.DateField()
    valid_until = models.DateField(null=True)  # null: without an end
    withdrawn_on = models.DateField(null=True)
    by = models.CharField(max_length=60)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["store", "category", "kind", "number"], name="one_licence_per_number")
        ]


class QualificationNeed(models.Model):
    """The owner's word about papers: that a category needs one, or that one of daifa's own needs is a must or none.

    Musts stop publishing; what nobody decided only asks. The nearer word counts: store, channel, everywhere.
    """

    store = models.ForeignKey("stores.Store", on_delete=models.CASCADE, null=True, related_name="+")  # null: all stores
    channel = models.CharField(max_length=40)  # "" = everywhere
    category = models.CharField(max_length=120)  # "" = every category
    kind = models.CharField(max_length=20, choices=_choices(QUALIFICATIONS))
    default = models.CharField(max_length=40, blank=True, db_default="")  # id in data/needs.yaml this is about, "" = his own
    is_needed = models.BooleanField(db_default=True)  # False: the owner says it is not needed
    source = models.CharField(max_length=200)
    by = models.CharField(max_length=60)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["store", "channel", "category", "kind", "default"], nulls_distinct=False, name="one_need_each"
            )
        ]


class CaseFile(models.Model):
    """A photo or document that belongs to a case, as it came; it lies in the file store under its hash."""

    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, related_name="+")
    thing_kind = models.CharField(max_length=14)  # violation, appeal, complaint, infringement, listing_right, qualification
    thing = models.BigIntegerField()
    name = models.CharField(max_length=200)
    media_type = models.CharField(max_length=40)
    sha256 = models.CharField(max_length=64)
    size = models.IntegerField()
    note = models.CharField(max_length=200, blank=True, db_default="")
    by = models.CharField(max_length=60)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["thing_kind", "thing", "sha256"], name="case_file_once")
        ]


class PictureCover(models.Model):
    """What of a photo is covered on its copies in evidence packs: as it was read, or as a person decided.

    `basis` names what the reader knew of buyers when it read (addresses of which orders); "" = a person decided, and that
    counts for every pack. `boxes`: [left, top, right, bottom] in thousandths of the upright picture.
    """

    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, related_name="+")
    sha256 = models.CharField(max_length=64)
    folder = models.CharField(max_length=40)  # of the file store, in which the original lies
    state = models.CharField(max_length=10, choices=_choices(DECISIONS))
    why = models.CharField(max_length=12, blank=True, db_default="", choices=_choices(WHY_WAITING))
    basis = models.CharField(max_length=64, blank=True, db_default="")
    boxes = models.JSONField(default=list)
    found = models.JSONField(default=dict)  # {kind of `pictures.PRIVATE`: how many parts}
    by = models.CharField(max_length=60)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "sha256"], name="one_cover_a_picture")]


class EvidencePack(models.Model):
    """A dated PDF and ZIP with the hash of every file in it; never changed once made.

    `case_kind` and `case` name what it was made for ("" = for orders alone). `revealed`: buyers' data stand in it
    unmasked, for the reason written down. Until `made_at` it is a wish: what it is to hold, and how far reading its
    photos has come; then `name`, `sha256` and what follows say what it holds.
    """

    store = models.ForeignKey("stores.Store", on_delete=models.PROTECT, related_name="+")
    case_kind = models.CharField(max_length=14, blank=True, db_default="")
    case = models.BigIntegerField(db_default=0)
    orders = ArrayField(models.BigIntegerField(), default=list)
    state = models.CharField(max_length=10, choices=EVIDENCE_PACK.choices(), db_default="made")
    name = models.CharField(max_length=120)
    sha256 = models.CharField(max_length=64, blank=True, db_default="")
    size = models.IntegerField(db_default=0)
    language = models.CharField(max_length=10)
    contents = models.JSONField(default=list)  # [[name, sha256, bytes, what it is], …]
    left_out = models.JSONField(default=list)  # sentences in the pack's language
    gaps = models.JSONField(default=list)  # what would make the case stronger, likewise; not in the pack
    revealed = models.BooleanField(db_default=False)
    costs = models.BooleanField(db_default=False)  # what was paid to suppliers is shown
    reason = models.CharField(max_length=300, blank=True, db_default="")
    photos = models.IntegerField(db_default=0)
    photos_done = models.IntegerField(db_default=0)
    tries = models.SmallIntegerField(db_default=0)  # how often gathering was begun
    sentence = SentenceField(max_length=300, blank=True, db_default="")  # why it could not be made
    erased_at = models.DateTimeField(null=True)
    by = models.CharField(max_length=60)
    at = models.DateTimeField()  # when it was asked for
    made_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["case_kind", "case"], name="packs_of_case"),
            models.Index(fields=["id"], name="packs_gathering", condition=Q(state="gathering")),
        ]
