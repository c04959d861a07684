"""The words used while nobody has written others: one subject and one text per kind of message and language.

They say what is known and promise nothing that we cannot keep. A row of MessageTemplate overrides them.
"""

DEFAULTS: dict[tuple[str, str], tuple[str, str]] = {
    ("order_received", "en"): (
        "We have received your order {{ order_number }}",
        """Dear {{ buyer_name }},

thank you for your order {{ order_number }} of {{ order_date }}. We have received it and are preparing it now:

{{ items }}

We will write to you again as soon as it has been dispatched. If your order travels in several parcels, you will hear about each of them.

Is something not right? Just reply to this message.

Kind regards
{{ store_name }}
""",
    ),
    ("order_received", "zh"): (
        "您的订单 {{ order_number }} 已收到",
        """{{ buyer_name }}，您好！

感谢您的惠顾。您于 {{ order_date }} 提交的订单 {{ order_number }} 我们已经收到，正在为您备货：

{{ items }}

发货后我们会第一时间通知您。如果订单分成多个包裹发出，每个包裹都会单独通知。

如信息有误或有任何疑问，直接回复本邮件即可。

{{ store_name }} 敬上
""",
    ),
    ("dispatched", "en"): (
        "Your order {{ order_number }} is on its way to you",
        """Dear {{ buyer_name }},

good news: a parcel of your order {{ order_number }} was handed over to {{ carrier }} on {{ dispatch_date }}. It contains:

{{ items }}

Tracking number: {{ number }}
Follow it here: {{ tracking_url }}

The first scan can take a day or two to appear.

Kind regards
{{ store_name }}
""",
    ),
    ("dispatched", "zh"): (
        "您的订单 {{ order_number }} 已发货",
        """{{ buyer_name }}，您好！

您的订单 {{ order_number }} 有包裹已于 {{ dispatch_date }} 交给{{ carrier }}发出，内含：

{{ items }}

运单号：{{ number }}
查询物流：{{ tracking_url }}

刚发出的包裹，物流信息可能需要一两天才会更新，请您放心。

{{ store_name }} 敬上
""",
    ),
    ("in_transit", "en"): (
        "Your parcel {{ number }} is moving",
        """Dear {{ buyer_name }},

your parcel from order {{ order_number }} has been scanned by {{ carrier }} and is on its way to you:

{{ items }}

Tracking number: {{ number }}
Where it is now: {{ tracking_url }}

Kind regards
{{ store_name }}
""",
    ),
    ("in_transit", "zh"): (
        "您的包裹 {{ number }} 正在运输途中",
        """{{ buyer_name }}，您好！

您的订单 {{ order_number }} 的包裹已由{{ carrier }}扫描，正在送往您手中：

{{ items }}

运单号：{{ number }}
查看最新位置：{{ tracking_url }}

{{ store_name }} 敬上
""",
    ),
    ("delayed", "en"): (
        "Your parcel for order {{ order_number }} is taking longer than planned",
        """Dear {{ buyer_name }},

we are sorry: your parcel {{ number }} from order {{ order_number }} has been on its way longer than we planned. It contains:

{{ items }}

We keep watching it and will settle this with {{ carrier }}. You do not have to do anything.
Where it is now: {{ tracking_url }}

If you would rather not wait, or need the goods by a certain day, please reply to this message and we will find a solution together.

Kind regards
{{ store_name }}
""",
    ),
    ("delayed", "zh"): (
        "您的订单 {{ order_number }} 的包裹比预计时间要久一些",
        """{{ buyer_name }}，您好！

非常抱歉，您的订单 {{ order_number }} 的包裹 {{ number }} 在途时间比预计的要长。内含：

{{ items }}

我们会持续跟进，并与{{ carrier }}核实处理，您无需进行任何操作。
查看最新位置：{{ tracking_url }}

如果您不想继续等待，或者急需使用，请直接回复本邮件，我们一起商量解决办法。

{{ store_name }} 敬上
""",
    ),
    ("delivered", "en"): (
        "Your parcel for order {{ order_number }} has been delivered",
        """Dear {{ buyer_name }},

{{ carrier }} reports that your parcel {{ number }} from order {{ order_number }} was delivered on {{ delivery_date }}:

{{ items }}

We hope you enjoy it. If you cannot find the parcel, or if anything in it is damaged, wrong or missing, please reply to this message (a photograph helps) and we will put it right.

Kind regards
{{ store_name }}
""",
    ),
    ("delivered", "zh"): (
        "您的订单 {{ order_number }} 的包裹已签收",
        """{{ buyer_name }}，您好！

{{ carrier }}显示，您的订单 {{ order_number }} 的包裹 {{ number }} 已于 {{ delivery_date }} 签收：

{{ items }}

希望您喜欢。如果您没有收到包裹，或者商品有破损、发错、漏发，请直接回复本邮件（附上照片更快），我们会负责处理。

{{ store_name }} 敬上
""",
    ),
    ("number_changed", "en"): (
        "New tracking number for your order {{ order_number }}",
        """Dear {{ buyer_name }},

the tracking number of your parcel from order {{ order_number }} has changed. Please use the new one from now on; the old one ({{ old_number }}) will show nothing more.

New tracking number: {{ number }}
Carrier: {{ carrier }}
Follow it here: {{ tracking_url }}

What is in the parcel has not changed:

{{ items }}

We apologise for the confusion.

Kind regards
{{ store_name }}
""",
    ),
    ("number_changed", "zh"): (
        "您的订单 {{ order_number }} 运单号有变更",
        """{{ buyer_name }}，您好！

您的订单 {{ order_number }} 的包裹更换了运单号，请以新单号为准，原单号（{{ old_number }}）不再更新。

新运单号：{{ number }}
承运商：{{ carrier }}
查询物流：{{ tracking_url }}

包裹内的商品没有变化：

{{ items }}

给您带来不便，敬请谅解。

{{ store_name }} 敬上
""",
    ),
    ("review", "en"): (
        "How did you like your order {{ order_number }}?",
        """Dear {{ buyer_name }},

your order {{ order_number }} has been delivered completely:

{{ items }}

You told us that we may ask for your opinion. Would you tell us, and other buyers, how you like it? Good or bad, a few honest words help. There is nothing to win and nothing to lose by it.

If something is wrong, please reply to this message first, so that we can put it right. If you would rather not be asked again, reply with "no more invitations".

Kind regards
{{ store_name }}
""",
    ),
    ("review", "zh"): (
        "您对订单 {{ order_number }} 还满意吗？",
        """{{ buyer_name }}，您好！

您的订单 {{ order_number }} 已全部送达：

{{ items }}

您曾同意我们邀请您评价。欢迎写下真实的使用感受，无论好坏，都能帮助我们和其他买家。评价完全自愿，也没有任何附加条件。

如果商品有问题，请先直接回复本邮件，我们会负责处理。如果您不希望再收到评价邀请，回复“不再邀请”即可。

{{ store_name }} 敬上
""",
    ),
    ("store_closing", "en"): (
        "{{ store_name }} is closing: what this means for your order {{ order_number }}",
        """Dear {{ buyer_name }},

our store closes on {{ closing_date }}. Your order {{ order_number }} is not affected: whatever is still on its way will be delivered, and what you are entitled to stays yours.

If anything in this order is damaged, wrong or missing, or if you want to return it, please tell us by {{ claims_until }}. Just reply to this message.

Thank you for having been our customer.

Kind regards
{{ store_name }}
""",
    ),
    ("store_closing", "zh"): (
        "{{ store_name }} 即将关闭：关于您的订单 {{ order_number }}",
        """{{ buyer_name }}，您好！

本店将于 {{ closing_date }} 关闭。您的订单 {{ order_number }} 不受影响：在途的包裹会继续送达，您的售后权益照旧。

如果商品有破损、发错、漏发，或者您需要退货，请在 {{ claims_until }} 之前联系我们，直接回复本邮件即可。

感谢您一直以来的支持。

{{ store_name }} 敬上
""",
    ),
}
