"""Publishing: the gate before a listing goes out, its way to the channel, and what brings it down again.

A listing is the listing variants of one product in one store. What is to be published is judged and written down as a
publication; what a person must look at waits; what may go out goes once: by the channel's connector, or in a file that
a person uploads and confirms. At the door the gate is asked again, so that nothing goes out by an old verdict.
"""

from daifa.flows.publish_listings.asking import Outcome, Published, publish, withdraw_from_channel
from daifa.flows.publish_listings.assortment import draft, products_of, retire
from daifa.flows.publish_listings.channels import send_listings
from daifa.flows.publish_listings.deciding import Decided, approve, send_back, settle_unknown, withdraw
from daifa.flows.publish_listings.door import judge_again
from daifa.flows.publish_listings.files import make_file, settle_file, speaks_for_itself
from daifa.flows.publish_listings.gate import Judged, judge
from daifa.flows.publish_listings.notices import follow_infringements
from daifa.flows.publish_listings.outgoing import references_of
from daifa.flows.publish_listings.reasons import sentences
from daifa.flows.publish_listings.watching import watch_listings

__all__ = [
    "Decided",
    "Judged",
    "Outcome",
    "Published",
    "approve",
    "draft",
    "follow_infringements",
    "judge",
    "judge_again",
    "make_file",
    "products_of",
    "publish",
    "references_of",
    "retire",
    "send_back",
    "send_listings",
    "sentences",
    "settle_file",
    "settle_unknown",
    "speaks_for_itself",
    "watch_listings",
    "withdraw",
    "withdraw_from_channel",
]
