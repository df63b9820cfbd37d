"""MAC addresses: three spellings accepted, one kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.mac import is_canonical_mac, is_locally_administered, parse_mac

MACS = st.binary(min_size=6, max_size=6)


@given(MACS, st.sampled_from([":", "-", ""]), st.booleans(), st.sampled_from(["", " ", "\n"]))
def test_three_spellings_of_an_address_are_one(raw: bytes, separator: str, is_upper: bool, space: str) -> None:
    text = raw.hex(separator) if separator else raw.hex()

    assert parse_mac(space + (text.upper() if is_upper else text) + space) == raw.hex(":")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "aa:bb:cc:dd:ee",
        "aa:bb:cc:dd:ee:ff:00",
        "aa:bb:cc-dd:ee:ff",
        "aa-bb:cc-dd:ee-ff",
        "aabb:ccdd:eeff",
        "aabb.ccdd.eeff",
        "a:b:c:d:e:f",
        "gg:bb:cc:dd:ee:ff",
        "aabbccddeef",
        "aa bb cc dd ee ff",
        "aa:bb:cc:dd:ee:f\N{FULLWIDTH DIGIT ONE}",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="aa:bb:cc:dd:ee:ff"):
        parse_mac(text)


@given(st.text(st.characters(), max_size=20))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        mac = parse_mac(text)
    except ValueError:
        return
    assert is_canonical_mac(mac)


@pytest.mark.parametrize("text", ["AA:bb:cc:dd:ee:ff", "aa-bb-cc-dd-ee-ff", "aabbccddeeff", "aa:bb:cc:dd:ee:ff\n", ""])
def test_only_lower_case_with_colons_is_canonical(text: str) -> None:
    assert not is_canonical_mac(text)
    assert is_canonical_mac("aa:bb:cc:dd:ee:ff")


@pytest.mark.parametrize(
    ("mac", "is_local"),
    [
        ("02:11:22:33:44:01", True),
        ("da:a1:19:00:00:01", True),
        ("3c:22:fb:00:02:83", False),
        ("01:00:5e:00:00:01", False),
    ],
)
def test_an_address_tells_whether_the_device_made_it_up(mac: str, is_local: bool) -> None:
    assert is_locally_administered(mac) is is_local
