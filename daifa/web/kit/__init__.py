"""The machinery of the console: pages as declarations, panels, columns, filters, actions, the scope of a request.

Not here: what any page shows (`web.pages`), what may be done (`domain`, `flows`). A page module imports from here only.
"""

from daifa.lib.paging import Cursor, count_up_to
from daifa.lib.refusal import Refused
from daifa.web.kit.actions import ActionButton, BulkAction, LinkButton, after, chosen_ids, next_url, say
from daifa.web.kit.columns import Badge, Column
from daifa.web.kit.filters import Choice, DateRange, Text, Toggle
from daifa.web.kit.pages import DetailPage, FormPage, ListPage, PanelPage, Sort, forbid
from daifa.web.kit.panels import (
    ChartPanel,
    EmptyPanel,
    Event,
    Fact,
    FactsPanel,
    FormPanel,
    HtmlPanel,
    Kpi,
    KpiPanel,
    NotePanel,
    Panel,
    ProgressPanel,
    Series,
    TablePanel,
    TimelinePanel,
)
from daifa.web.kit.scope import Scope, page, scope_of

__all__ = [
    "ActionButton", "Badge", "BulkAction", "ChartPanel", "Choice", "Column", "Cursor", "DateRange", "DetailPage",
    "EmptyPanel", "Event", "Fact", "FactsPanel", "FormPage", "FormPanel", "HtmlPanel", "Kpi", "KpiPanel", "LinkButton",
    "ListPage", "NotePanel", "Panel", "PanelPage", "ProgressPanel", "Refused", "Scope", "Series", "Sort", "TablePanel",
    "Text", "TimelinePanel", "Toggle", "after", "chosen_ids", "count_up_to", "forbid", "next_url", "page", "say",
    "scope_of",
]  # fmt: skip
