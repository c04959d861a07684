import pytest
from django.utils import translation

from daifa.lib import regions


def test_a_carriers_bare_code_is_told_by_its_name_where_it_can_mean_one_country_only():
    with translation.override("zh-hans"):
        assert [regions.scanned(one) for one in ("GB", "CA", "DE", "gb", "Leeds", "深圳", "", "ZZ")] == [
            "英国", "CA", "DE", "gb", "Leeds", "深圳", "", "ZZ",
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("kept", "english", "chinese"),
    [
        ("FR", "France", "法国"), ("gb", "United Kingdom", "英国"), ("US-CA", "California, United States", "美国 California"),
        ("浙江", "Zhejiang, China", "浙江"), ("黑龙江", "Heilongjiang, China", "黑龙江"), ("浙江/杭州", "杭州, Zhejiang, China", "浙江/杭州"),
        ("AU-NSW", "New South Wales, Australia", "澳大利亚 New South Wales"), ("–", "–", "–"), ("", "", ""), ("Atlantis", "Atlantis", "Atlantis"),
        ("XQ", "XQ", "XQ"), ("浙江省的某地", "浙江省的某地", "浙江省的某地"),
    ],
)  # fmt: skip
def test_a_place_is_kept_as_a_code_and_told_by_its_name(kept, english, chinese):
    with translation.override("en"):
        assert regions.told(kept) == english
    with translation.override("zh-hans"):
        assert regions.told(kept) == chinese
