from django.utils import translation

from daifa.lib.commas import listed


def test_commas_are_those_of_the_readers_language():
    with translation.override("en"):
        assert listed(["a", 2, "c"]) == "a, 2, c" == listed(["a", 2, "c"], comma="，")
    with translation.override("zh-hans"):
        assert listed(one for one in ("a", 2)) == "a、2"
        assert listed(["a", "b"], comma="，") == "a，b"
        assert listed([]) == ""
