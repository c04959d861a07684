from daifa.lib.process import Process

VIOLATION = Process(
    name="violation",
    kind=50,
    table_name="cases_violation",
    table={
        "active": ["appealed", "lifted", "expired"],
        "appealed": ["upheld", "reduced", "lifted", "active"],
        "upheld": ["appealed", "lifted", "expired"],
        "reduced": ["appealed", "lifted", "expired"],
        "lifted": [],
        "expired": ["lifted"],
    },
    starts=["active"],
    words={
        "active": ("in force", "生效中"),
        "appealed": ("appealed", "申诉中"),
        "upheld": ("upheld", "维持处罚"),
        "reduced": ("reduced", "减轻处罚"),
        "lifted": ("lifted", "已撤销"),
        "expired": ("expired", "已到期"),
    },
)

APPEAL = Process(
    name="appeal",
    kind=51,
    table_name="cases_appeal",
    table={
        "draft": ["sent", "withdrawn"],
        "sent": ["won", "partly_won", "lost", "withdrawn"],
        "won": [],
        "partly_won": [],
        "lost": [],
        "withdrawn": [],
        "note": [],
    },
    starts=["draft", "note"],
    words={
        "draft": ("being written", "撰写中"),
        "sent": ("sent", "已提交"),
        "won": ("won", "申诉成功"),
        "partly_won": ("won in part", "部分成功"),
        "lost": ("lost", "申诉失败"),
        "withdrawn": ("withdrawn", "已撤回"),
        "note": ("kept as a note", "仅作备注"),
    },
)

COMPLAINT = Process(
    name="complaint",
    kind=52,
    table_name="cases_complaint",
    table={
        "open": ["answered", "escalated", "resolved", "rejected"],
        "answered": ["escalated", "resolved", "rejected"],
        "escalated": ["answered", "resolved", "rejected"],
        "resolved": ["closed"],
        "rejected": ["closed", "escalated"],
        "closed": [],
    },
    starts=["open"],
    words={
        "open": ("open", "待处理"),
        "answered": ("answered", "已回复买家"),
        "escalated": ("before the platform", "平台介入"),
        "resolved": ("settled with the buyer", "已解决"),
        "rejected": ("not upheld", "不成立"),
        "closed": ("closed", "已结案"),
    },
)

INFRINGEMENT = Process(
    name="infringement",
    kind=53,
    table_name="cases_infringement",
    table={
        "notified": ["taken_down", "countered", "conceded", "retracted"],
        "taken_down": ["countered", "conceded", "retracted"],
        "countered": ["forwarded", "conceded", "retracted", "upheld"],
        "forwarded": ["sued", "restored", "conceded", "retracted", "upheld"],
        "sued": ["restored", "upheld", "retracted"],
        "restored": [],
        "upheld": [],
        "conceded": [],
        "retracted": [],
    },
    starts=["notified", "taken_down"],
    words={
        "notified": ("notice received", "收到通知"),
        "taken_down": ("taken down", "已被下架"),
        "countered": ("counter-notice sent", "已提交不侵权声明"),
        "forwarded": ("counter-notice forwarded", "平台已转送声明"),
        "sued": ("complainant went to court or the authority", "对方已起诉或投诉"),
        "restored": ("restored", "已恢复"),
        "upheld": ("stays down", "维持下架"),
        "conceded": ("conceded", "我方认可下架"),
        "retracted": ("notice retracted", "对方撤回通知"),
    },
)

EVIDENCE_PACK = Process(
    name="evidence_pack",
    kind=54,
    table_name="cases_evidencepack",
    table={"gathering": ["made", "failed"], "made": [], "failed": ["gathering"]},
    starts=["gathering"],
    words={
        "gathering": ("being gathered", "正在生成"),
        "made": ("made", "已生成"),
        "failed": ("could not be made", "未能生成"),
    },
)

# What a violation is about; the words a platform uses for it are in `rules.KIND_WORDS`.
VIOLATION_KINDS: dict[str, tuple[str, str]] = {
    "late_dispatch": ("late dispatch", "延迟发货"),
    "late_tracking": ("tracking overdue", "物流超时"),
    "invalid_tracking": ("invalid or foreign tracking", "虚假或无效单号"),
    "out_of_stock": ("out of stock", "缺货"),
    "no_source": ("reselling without goods of one's own", "无货源经营"),
    "wrong_goods": ("wrong or missing goods", "错发漏发"),
    "counterfeit": ("counterfeit", "售假"),
    "infringement": ("infringement", "侵权"),
    "false_claims": ("false or forbidden claims", "虚假宣传或违禁词"),
    "diversion": ("leading buyers off the platform", "站外引流"),
    "service": ("service or replies", "客服服务"),
    "qualification": ("missing licence", "资质缺失"),
    "compensation": ("compensation to a buyer", "消费者赔付"),
    "other": ("other", "其他"),
}

CONSEQUENCES: dict[str, tuple[str, str]] = {
    "warning": ("warning", "警告"),
    "listing_limit": ("no new listings", "限制上新"),
    "listing_removed": ("listings taken down", "商品下架"),
    "traffic_limit": ("less traffic", "限流"),
    "order_limit": ("order limit", "限制接单"),
    "funds_frozen": ("money frozen", "资金冻结"),
    "withdrawal_limit": ("no withdrawals", "限制提现"),
    "deposit_raised": ("higher deposit", "保证金上调"),
    "money_taken": ("money taken", "扣款"),
    "store_frozen": ("store frozen", "店铺冻结"),
    "other": ("other", "其他"),
}

DEPOSIT_MOVES: dict[str, tuple[str, str]] = {
    "paid_in": ("paid in", "缴存"),
    "topped_up": ("topped up", "补缴"),
    "deducted": ("deducted", "扣除"),
    "given_back": ("deduction given back", "扣款退回"),
    "withdrawn": ("excess withdrawn", "提取溢出"),
    "returned": ("returned at the end", "退店退还"),
    "penalty": ("penalty from proceeds", "货款扣罚"),
    "penalty_back": ("penalty given back", "扣罚退回"),
}

COMPLAINT_KINDS: dict[str, tuple[str, str]] = {
    "foreign_card": ("another platform's card in the parcel", "包裹内有其他平台卡片"),
    "foreign_waybill": ("another platform's waybill", "其他平台面单"),
    "foreign_message": ("another platform's message or SMS", "收到其他平台短信或消息"),
    "not_arrived": ("did not arrive", "未收到货"),
    "late": ("late", "太慢"),
    "damaged": ("damaged", "破损"),
    "wrong_item": ("wrong article", "发错货"),
    "quality": ("quality", "质量问题"),
    "not_as_described": ("not as described", "与描述不符"),
    "service": ("service", "服务态度"),
    "privacy": ("use of personal data", "个人信息"),
    "other": ("other", "其他"),
}

OUTCOMES: dict[str, tuple[str, str]] = {
    "refunded": ("refunded", "已退款"),
    "replaced": ("sent again", "已补发"),
    "compensated": ("compensated", "已赔付"),
    "explained": ("explained", "已解释"),
    "buyer_withdrew": ("buyer withdrew it", "买家撤诉"),
    "unfounded": ("unfounded", "投诉不成立"),
    "lost": ("decided against us", "平台判责"),
}

RIGHTS: dict[str, tuple[str, str]] = {
    "trademark": ("trademark", "商标"),
    "copyright": ("copyright, pictures, texts", "著作权（图文）"),
    "patent": ("patent or design", "专利或外观设计"),
    "likeness": ("likeness", "肖像"),
    "other": ("other", "其他"),
}

BASES: dict[str, tuple[str, str]] = {
    "own": ("our own", "自有"),
    "licence": ("licence of the holder", "权利人授权"),
    "supplier": ("supplier's authorisation", "供应商授权"),
    "retail": ("genuine goods, bought and resold", "正品转售"),
    "free": ("free to use", "公有领域或免费许可"),
}

QUALIFICATIONS: dict[str, tuple[str, str]] = {
    "business_licence": ("business licence", "营业执照"),
    "food_licence": ("food business licence or filing", "食品经营许可或备案"),
    "health_food": ("health food registration or filing", "保健食品注册或备案"),
    "infant_formula": ("infant formula registration", "婴配乳粉注册"),
    "medical_device_2": ("filing for class II medical devices", "第二类医疗器械经营备案"),
    "medical_device_3": ("licence for class III medical devices", "第三类医疗器械经营许可"),
    "drug_licence": ("drug business licence", "药品经营许可证"),
    "cosmetics": ("cosmetics filing or registration", "化妆品备案或注册"),
    "publication": ("publications licence", "出版物经营许可证"),
    "ccc": ("CCC certificate", "强制性产品认证（CCC）"),
    "trademark": ("trademark certificate or authorisation", "商标注册证或授权"),
    "inspection_report": ("inspection report", "质检报告"),
    "import_papers": ("import papers", "进口报关与检疫单证"),
    "other": ("other", "其他"),
}
