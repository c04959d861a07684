"""The map of buyers' data: every column and folder that can hold some, who sees it, and how it goes.

Data, not code: `flows/shred_places.py` erases by it, docs/rules/privacy-map.md is printed from it, and a test of the house
fails when a model gains a text, JSON or binary column that stands neither here nor among what is not personal.
"""

from __future__ import annotations

from typing import NamedTuple

from django.utils.translation import get_language

CLASSES: dict[str, tuple[str, str]] = {
    "contact": ("names, addresses, phones and mail", "姓名、地址、电话与邮箱"),
    "letters": ("messages to buyers", "发给买家的消息"),
    "papers": ("uploads and workbooks", "上传文件与采购表"),
    "disputes": ("complaints, photos and evidence", "投诉、照片与证据"),
    "backups": ("backups", "备份"),
}
"""Classes of data, each with its own time to keep. What the program writes down by itself goes with `contact`."""

HOW: dict[str, tuple[str, str]] = {
    "token": ("a token takes its place; the keyed hash stays", "以代号替换，保留带密钥的哈希"),
    "blank": ("emptied", "清空"),
    "marks": ("the person's words are taken out, the rest stays", "只去掉此人的字样，其余保留"),
    "rehash": ("the hash is made again with the installation's key", "用本安装的密钥重新计算哈希"),
    "bytes": ("the person's cells are blanked; the whole content goes once no other order needs it", "抹去此人的单元格；不再被其他订单需要时整体销毁"),
    "delete": ("deleted; its hash stays", "删除，保留哈希"),
    "kept": ("stays: it names nobody by itself", "保留：本身不指明任何人"),
    "copy": ("cannot be edited: listed with its time, and erased again when it is restored", "无法改写：列出并注明期限，恢复时再次抹除"),
}  # fmt: skip

WHO: dict[str, tuple[str, str]] = {
    "operators": ("owners and operators of the store; others see dots", "店主与运营；其他人只见圆点"),
    "supplier": ("owners and operators; the supplier, after an agreement", "店主与运营；签有协议的供应商"),
    "buyer": ("owners and operators; the buyer himself", "店主与运营；买家本人"),
    "platform": ("owners and operators; the platform, where it is handed in", "店主与运营；提交时的平台"),
    "staff": ("everybody who works the store: words of staff, in which no buyer is to be named", "该店全体员工：员工所写，不应提及买家姓名"),
    "program": ("nobody by name: technical text", "技术性文字，不面向人"),
    "owner": ("owners", "店主"),
    "step": ("those who may do the step: owners, and operators or bookkeepers", "可办理该步骤的人：店主，以及运营或财务"),
    "server": ("whoever keeps the machine", "管理服务器的人"),
}  # fmt: skip


class Place(NamedTuple):
    """Columns of a model (names separated by spaces), their class, how they go, and who sees them."""

    model: str
    fields: str
    data: str
    how: str
    who: str = "program"


class Folder(NamedTuple):
    """Files below the home of the installation; `pattern` as of `fnmatch` (a star also crosses folders)."""

    pattern: str
    data: str  # "" = no buyers' data
    how: str
    who: str
    about: str
    about_zh: str


PERSONAL: tuple[Place, ...] = (
    # --- who the buyer is -----------------------------------------------------------------------------------------
    Place("orders.AddressVersion", "name line1 line2 city postcode phone email raw token", "contact", "token", "supplier"),
    Place("orders.AddressVersion", "region", "contact", "token", "staff"),
    Place("orders.AddressVersion", "digest", "contact", "kept"),
    Place("orders.Order", "note", "contact", "blank", "supplier"),
    Place("orders.Order", "content_hash", "contact", "rehash"),
    Place("orders.OrderLine", "title", "contact", "marks", "staff"),
    Place("orders.Hold", "params", "contact", "marks", "staff"),
    Place("customers.Customer", "ref name email", "contact", "token", "operators"),
    Place("customers.Consent", "proof", "contact", "token", "operators"),
    Place("purchasing.PlacementAttempt", "request_hash", "contact", "rehash"),
    Place("purchasing.PlacementAttempt", "result proof", "contact", "marks", "staff"),
    Place("purchasing.PurchaseAnswer", "rows", "contact", "marks", "operators"),
    Place("shipping.TrackingEvent", "raw_status place", "contact", "blank", "operators"),
    Place("shipping.DispatchNotice", "answer", "contact", "marks", "staff"),
    # --- what was said to him -------------------------------------------------------------------------------------
    Place("buyer_messages.Message", "subject body", "letters", "blank", "buyer"),
    Place("buyer_messages.Message", "reason", "letters", "marks", "staff"),
    # --- papers ---------------------------------------------------------------------------------------------------
    Place("imports.ImportRow", "raw", "papers", "blank", "operators"),
    Place("imports.ImportRow", "message params document", "papers", "marks", "staff"),
    Place("imports.ImportFile", "name options sentence counts", "papers", "marks", "staff"),
    Place("purchasing.PurchaseRun", "content", "papers", "bytes", "supplier"),
    # --- disputes -------------------------------------------------------------------------------------------------
    Place("aftersales.AftersaleCase", "note", "disputes", "blank", "operators"),
    Place("aftersales.AftersaleLine", "outcome", "disputes", "marks", "staff"),
    Place("aftersales.Refund", "reason no_claim_reason", "disputes", "marks", "staff"),
    Place("cases.Complaint", "text answer", "disputes", "blank", "platform"),
    Place("compliance.AgreedDispatch", "proof said", "disputes", "blank", "platform"),
    Place("cases.Complaint", "found", "disputes", "blank", "operators"),
    Place("shipping.ParcelCheck", "name note traces", "disputes", "blank", "operators"),
    Place("shipping.ParcelCheck", "reason", "disputes", "blank", "staff"),
    Place("cases.Violation", "title note", "disputes", "marks", "platform"),
    Place("cases.Consequence", "note", "disputes", "marks", "operators"),
    Place("cases.Appeal", "text answer", "disputes", "blank", "platform"),
    Place("cases.DepositMove", "note", "disputes", "marks", "staff"),
    Place("cases.Infringement", "claim counter", "disputes", "marks", "platform"),
    Place("cases.CaseFile", "name note", "disputes", "marks", "platform"),
    Place("cases.EvidencePack", "contents left_out reason", "disputes", "marks", "platform"),
    Place("cases.EvidencePack", "gaps sentence", "disputes", "marks", "operators"),
    # --- what the program writes down by itself -------------------------------------------------------------------
    Place("stores.Task", "params", "contact", "marks", "operators"),
    Place("history.Batch", "reason", "contact", "marks", "staff"),
    Place("history.PendingReaction", "reason", "contact", "marks", "owner"),
    Place("procrastinate.ProcrastinateJob", "args lock queueing_lock", "contact", "marks", "server"),
    Place("pghistory.Context", "metadata", "contact", "marks", "server"),
    # --- words that merchants type and that could name a buyer ----------------------------------------------------
    Place("books.Entry", "memo", "contact", "marks", "staff"),
    Place("books.Expense", "note", "contact", "marks", "staff"),
    Place("books.SupplierPayment", "note", "contact", "marks", "staff"),
    Place("sourcing.Agreement", "note", "contact", "marks", "staff"),
    Place("compliance.Risk", "note", "contact", "marks", "staff"),
    Place("compliance.RiskOrder", "seen", "disputes", "marks", "operators"),
    Place("compliance.PlanStep", "note", "contact", "marks", "staff"),
    Place("policy.TextApproval", "reason", "contact", "marks", "staff"),
    Place("catalog.Publication", "decision", "contact", "marks", "operators"),
    Place("policy.TextFinding", "name term", "contact", "marks", "staff"),
    Place("closing.Closing", "reason", "contact", "marks", "staff"),
    Place("closing.ClosingStep", "stopped", "contact", "marks", "staff"),
    Place("closing.StepEvidence", "note", "contact", "marks", "staff"),
    Place("closing.StepEvidence", "file_name", "contact", "marks", "step"),
    Place("closing.PlatformCase", "reason", "contact", "marks", "platform"),
    Place("closing.PlatformEvent", "note", "contact", "marks", "platform"),
    Place("closing.Readmission", "cause healed answer", "contact", "marks", "staff"),
    Place("closing.ComebackStep", "proof", "contact", "marks", "staff"),
    Place("closing.ComebackPaper", "name", "contact", "marks", "owner"),
    Place("privacy.LegalHold", "reason", "contact", "marks", "owner"),
    Place("privacy.Erasure", "stays", "contact", "marks", "owner"),
)

FOLDERS: tuple[Folder, ...] = (
    Folder("files/imports/*", "papers", "bytes", "operators", "uploads as they came (orders, replies, tracking, lists)", "原样保存的上传文件(订单、回单、物流、价目表)"),
    Folder("files/cases/*", "disputes", "delete", "platform", "photos and documents of cases", "案件的照片与文件"),
    Folder("files/photos/*", "disputes", "delete", "operators", "photos of parcels", "包裹照片"),
    Folder("files/agreements/*", "", "kept", "operators", "agreements with suppliers", "与供应商的协议"),
    Folder("files/closing/*", "", "kept", "step", "proofs of a closing and of a readmission, the export of books and orders without names", "关店步骤与重新入驻的证明、不含姓名的账簿与订单导出"),
    Folder("files/evidence/*", "disputes", "delete", "platform", "evidence packs (PDF and ZIP)", "证据包(PDF 与 ZIP)"),
    Folder("mail/*.eml", "letters", "bytes", "buyer", "letters kept in the local mail folder: to buyers, and workbooks to suppliers", "本地邮件夹：发给买家的信、发给供应商的采购表"),
    Folder("fake/*", "", "kept", "server", "memory of the scripted supplier: references and SKUs only", "脚本供应商的记忆：只有单号与货号"),
    Folder("pg/*", "contact", "marks", "server", "the built-in database: deleted rows stay in its pages until they are tidied", "内置数据库：被删的行在整理之前仍留在数据页中"),
    Folder("erasures.jsonl", "", "kept", "server", "what was erased, by number and keyed hash", "抹除记录：只有编号与带密钥的哈希"),
    Folder("secret.key", "", "kept", "server", "the key of the installation", "本安装的密钥"),
    Folder("*.daifa", "backups", "copy", "owner", "backups written into the home", "写在主目录里的备份"),
)  # fmt: skip
"""Everything below DAIFA_HOME; a test runs the loop and finds no file elsewhere."""

ABOUT: dict[str, tuple[str, str]] = {
    "orders.AddressVersion": ("addresses of orders", "订单地址"),
    "orders.Order": ("orders: buyers' notes", "订单：买家留言"),
    "orders.OrderLine": ("order lines: titles with a buyer's wording", "订单行：含买家字样的标题"),
    "orders.Hold": ("reasons of holds", "挂起原因"),
    "customers.Customer": ("customers", "客户"),
    "customers.Consent": ("proofs of consent", "同意的凭证"),
    "purchasing.PlacementAttempt": ("attempts to place purchases", "下单尝试"),
    "purchasing.PurchaseAnswer": ("suppliers' answers", "供应商答复"),
    "purchasing.PurchaseRun": ("purchase workbooks", "采购表"),
    "shipping.TrackingEvent": ("scans: words and places", "扫描记录：文字与地点"),
    "shipping.DispatchNotice": ("dispatch notices", "发货通知"),
    "shipping.ParcelCheck": ("photos of parcels", "包裹照片"),
    "buyer_messages.Message": ("messages to buyers", "发给买家的消息"),
    "imports.ImportRow": ("rows of uploads that were refused or remarked on", "上传文件中被拒或有备注的行"),
    "imports.ImportFile": ("uploads: names and settings", "上传文件：名称与设置"),
    "aftersales.AftersaleCase": ("after-sale cases: notes", "售后：备注"),
    "aftersales.AftersaleLine": ("after-sale cases: lines", "售后：明细"),
    "aftersales.Refund": ("refunds: reasons", "退款：原因"),
    "cases.Complaint": ("complaints", "投诉"),
    "compliance.AgreedDispatch": ("agreements of buyers to a later dispatch", "买家同意延期发货的记录"),
    "cases.Violation": ("violations: notes", "违规：备注"),
    "cases.Consequence": ("consequences of violations", "违规后果"),
    "cases.Appeal": ("appeals", "申诉"),
    "cases.DepositMove": ("moves of the deposit", "保证金变动"),
    "cases.Infringement": ("infringement cases", "侵权案件"),
    "cases.CaseFile": ("files of cases: names", "案件文件：名称"),
    "cases.EvidencePack": ("evidence packs", "证据包"),
    "stores.Task": ("tasks", "待办"),
    "history.Batch": ("history: reasons", "历史：原因"),
    "history.PendingReaction": ("steps that wait: reasons", "等待的步骤：原因"),
    "procrastinate.ProcrastinateJob": ("jobs of the worker", "后台任务"),
    "pghistory.Context": ("history of edits", "修改历史"),
    "sourcing.Agreement": ("agreements with suppliers: notes", "供应商协议：备注"),
    "books.Expense": ("expenses: notes", "费用：备注"),
    "books.SupplierPayment": ("payments to suppliers: notes", "供应商付款：备注"),
    "books.Entry": ("the books: memos", "账簿：备注"),
    "compliance.Risk": ("risks: notes", "风险：备注"),
    "compliance.RiskOrder": ("orders behind a risk", "风险涉及的订单"),
    "compliance.PlanStep": ("steps of plans: notes", "计划步骤：备注"),
    "policy.TextApproval": ("approved texts: reasons", "已批准文本：原因"),
    "catalog.Publication": ("decisions about publishing", "上架审核意见"),
    "policy.TextFinding": ("words found in texts", "文本中发现的字样"),
    "closing.Closing": ("closings: reasons", "关店：原因"),
    "closing.ClosingStep": ("why a step of a closing stands still", "闭店步骤停下的原因"),
    "closing.StepEvidence": ("proofs of closing steps", "关店步骤的证明"),
    "closing.PlatformCase": ("cases at the platform: reasons", "平台案件：原因"),
    "closing.PlatformEvent": ("cases at the platform: notes", "平台案件：备注"),
    "closing.Readmission": ("readmissions", "重新入驻"),
    "closing.ComebackStep": ("proofs of readmission", "重新入驻的证明"),
    "closing.ComebackPaper": ("names of papers that prove a readmission", "重新入驻证明材料的文件名"),
    "privacy.LegalHold": ("holds by hand: reasons", "人工保留：原因"),
    "privacy.Erasure": ("erasures: what stayed", "抹除记录：保留项"),
    "mail": ("letters in the mail folder", "邮件夹中的信"),
    "files/imports": ("uploads as they came", "原样的上传文件"),
    "files/cases": ("photos of complaints", "投诉照片"),
    "files/photos": ("photos of parcels", "包裹照片"),
}
"""Words for the places, as people know them."""

CODES = frozenset((
    "currency", "country", "language", "timezone", "sha256", "source", "state", "state_from", "state_to", "kind",
    "thing_kind", "case_kind", "status", "code", "layout", "media_type", "channel", "rule", "appeal_rule", "points_rule", "connector",
    "metric", "unit", "carrier", "fx_source", "pgh_label",
    "by", "closed_by", "released_by", "recorded_by", "gone_by", "withdrawn_by", "started_by", "rule_id", "confirmed_by", "answered_by", "decided_by", "done_by", "asked_by",
))  # fmt: skip
"""Columns of these names hold codes, wherever they are; so does every column with choices."""

NOT_PERSONAL: dict[str, str] = {
    # who works here, not who buys
    "auth.Permission": "*", "auth.Group": "*", "contenttypes.ContentType": "*", "sessions.Session": "*",
    "account.EmailAddress": "*", "account.EmailConfirmation": "*", "mfa.Authenticator": "*",
    "people.User": "*", "people.LoginToken": "*", "people.ApiToken": "*",
    # views over other tables, and the engine's own
    "pghistory.Events": "*", "pghistory.MiddlewareEvents": "*", "pghistory.Context": "id",
    "procrastinate.ProcrastinateJob": "queue_name task_name", "procrastinate.ProcrastinateEvent": "*",
    "procrastinate.ProcrastinateWorker": "*", "procrastinate.ProcrastinatePeriodicDefer": "*",
    # the shop
    "stores.Store": "name reply_to", "stores.StoreAccess": "role", "stores.FeeRule": "name",
    "stores.ChannelAccount": "settings secret", "stores.Installation": "uuid lease_holder",
    "buyer_messages.MessageTemplate": "subject body",
    "catalog.Product": "handle title description brand category image", "catalog.Variant": "sku title options barcode",
    "catalog.ListingVariant": "sku external_id title",
    "catalog.Publication": "content digest reasons hits allowed answer", "catalog.ListingFile": "name content settled_by",
    "catalog.ListingConcern": "reasons", "policy.WordLists": "digest dates entries",
    "sourcing.Supplier": "name email ships_to script", "sourcing.SupplierOffer": "supplier_sku title ships_to",
    "sourcing.SkuMapping": "supplier_sku evidence", "sourcing.Agreement": "ships_from returns_to",
    "sourcing.AgreementDocument": "name", "sourcing.Sample": "supplier_sku title send_to note number verdict",
    # numbers of things; they lead to a person only through the columns above
    "orders.Order": "number", "orders.OrderLine": "external_id sku", "orders.Hold": "reason",
    "fulfilment.FulfilmentLine": "supplier_sku", "fulfilment.RoutingDecision": "decision",
    "purchasing.PurchaseRun": "name", "purchasing.PurchaseOrder": "reference their_reference",
    "purchasing.PurchaseLine": "supplier_sku", "purchasing.Reminder": "step email subject text answer", "purchasing.ReminderLine": "step",
    "purchasing.PlacementAttempt": "key",
    "shipping.Parcel": "number", "shipping.WaybillNumber": "number",
    "imports.ImportFile": "supplier_code", "imports.ImportShape": "supplier_code headings options", "customers.Consent": "purpose",
    "aftersales.AftersaleCase": "reason return_number", "aftersales.Refund": "external_ref", "aftersales.RefundLine": "sku",
    "history.PendingReaction": "reaction things",
    # the books: final; a memo may lose words
    "books.Account": "name name_zh", "books.Entry": "fact", "books.FxRate": "base quote",
    "books.Expense": "key", "books.SupplierPayment": "key",
    # platforms and rights
    "cases.Violation": "reference unknown_orders", "cases.Appeal": "reference", "cases.DepositRequirement": "note",
    "cases.DepositMove": "reference", "cases.Complaint": "reference finding",
    "cases.Infringement": "reference title complainant right_number", "cases.ListingRight": "holder number note",
    "cases.Qualification": "category number holder note", "cases.QualificationNeed": "category default",
    "cases.EvidencePack": "orders name", "cases.PictureCover": "folder basis boxes found",
    "compliance.Clock": "why", "compliance.DispatchMode": "origin", "compliance.Finding": "params", "compliance.Risk": "params",
    "compliance.ReportedFigure": "metric seen_in source",
    "compliance.Announcement": "channel title source kinds countries regions",
    "compliance.AffiliateLink": "name url", "compliance.AffiliatePost": "url title",
    "shipping.PlatformWaybill": "number", "books.BookLock": "reason",
    # the rule book and what is screened by it: the shop's own texts
    "policy.RuleFile": "name digest content", "policy.RuleBook": "digest", "policy.RuleOverride": "changes reason",
    "policy.OwnWord": "term reason", "policy.TextApproval": "digest", "policy.TextFinding": "field category severity",
    # stores as a whole
    "exit_index.BaseRate": "source", "exit_index.Said": "version chances", "exit_index.Learned": "version uses mean spread", "exit_index.StoreReview": "verdict reasons",
    "closing.Standing": "reason rule_id said said_over reckoned", "closing.Traffic": "source",
    "closing.PastClosing": "name note source", "closing.Closing": "params", "closing.ClosingStep": "outcome",
    "closing.StepEvidence": "what reference facts", "closing.StatusPage": "slug contact", "closing.PlatformCase": "reference",
    "closing.PlatformEvent": "what",
    # privacy itself: numbers and keyed hashes
    "privacy.Erasure": "uuid token orders customers people counts", "privacy.BackupTaken": "place",
    "privacy.UploadSieve": "key bits",
}  # fmt: skip

RULES_OF: dict[str, tuple[str, ...]] = {
    "contact": ("cn-pi-47", "cn-pi-13", "xhs-privacy-decrypt-abuse", "gdpr-28"),
    "letters": ("cn-pi-47", "cn-ec-62"),
    "papers": ("cn-pi-47", "xhs-privacy-no-plaintext", "cn-ec-62"),
    "disputes": ("cn-ec-62",),
    "backups": ("cn-pi-47",),
}
"""Rules of the rule book to read before answering how long a class is kept. None of them names a number of days for buyers' data."""


def place_word(place: str) -> str:
    """A place in the language in force; what has no words of its own (a history of edits) by its name."""
    return said(ABOUT.get(place, (place, place)))


def said(words: tuple[str, str]) -> str:
    """(English, 中文) in the language in force."""
    return words[1] if (get_language() or "").startswith("zh") else words[0]
