"""A device's kind, guessed from its name and its maker."""

import pytest

from services.devices.device_categories import DeviceCategory, guess_category
from services.devices.vendors import PRIVATE_ADDRESS, vendor_of


def guess(hostname: str | None, vendor: str | None = None, *, is_router: bool = False) -> str:
    return str(guess_category(hostname=hostname, vendor=vendor, is_router=is_router))


@pytest.mark.parametrize(
    ("hostname", "category"),
    [
        ("Annas-iPhone", "phone"),
        ("iPad-von-Tim", "phone"),
        ("Pixel-von-Jürgen", "phone"),
        ("android-5f3c9a", "phone"),
        ("SM-G991B", "phone"),
        ("ThinkPad-T14", "computer"),
        ("Gäste-MacBook", "computer"),
        ("DESKTOP-7K2Q", "computer"),
        ("eriks-pc", "computer"),
        ("diskstation", "computer"),
        ("camille-laptop", "computer"),
        ("Samsung-TV", "tv"),
        ("LGwebOSTV", "tv"),
        ("AppleTV", "tv"),
        ("客厅电视", "tv"),
        ("PS5", "console"),
        ("Nintendo-Switch", "console"),
        ("XboxOne", "console"),
        ("HP-OfficeJet", "printer"),
        ("BRW1A2B3C4D5E6F", "printer"),
        ("NPI12AB34", "printer"),
        ("Kamera-Einfahrt", "camera"),
        ("front-doorbell", "camera"),
        ("Philips-hue", "iot"),
        ("shelly1-3C61", "iot"),
        ("ESP_E1385F", "iot"),
        ("fritz.box", "network"),
        ("switch-office", "network"),
        ("Brothers-iPhone", "phone"),
        ("Brother-HL2270", "printer"),
        ("Honorine-PC", "computer"),
        ("Honor-9", "phone"),
        ("Nestor", "other"),
        ("Campus", "other"),
        ("opc", "other"),
        ("مطبخ", "other"),
        ("", "other"),
        ("\0\x1b[31m", "other"),
    ],
)
def test_a_name_tells_the_kind(hostname: str, category: str) -> None:
    assert guess(hostname) == category


@pytest.mark.parametrize(
    ("mac", "category"),
    [
        ("24:0a:c4:e1:38:5f", "iot"),
        ("ec:71:db:13:f2:a8", "camera"),
        ("f8:46:1c:09:77:d4", "console"),
        ("a4:34:d9:6f:0d:33", "computer"),
        ("94:83:c4:5a:10:01", "network"),
        ("ac:bc:32:8e:51:72", "other"),  # Apple makes everything
        ("da:a1:19:3c:07:e5", "other"),
    ],
)
def test_without_a_name_the_maker_tells_it(mac: str, category: str) -> None:
    assert guess(None, vendor_of(mac)) == category


def test_a_name_says_more_than_a_maker_and_the_router_is_the_network() -> None:
    assert guess("Annas-iPhone", "Espressif Inc.") == "phone"
    assert guess("xq17", "Espressif Inc.") == "iot"
    assert guess("Annas-iPhone", "Apple, Inc.", is_router=True) == DeviceCategory.NETWORK
    assert guess(None, "Intellirocks Co., Ltd.") == "other"  # no Intel
    assert guess(None, None) == "other"


def test_a_made_up_address_has_no_maker_whatever_the_table_says() -> None:
    for mac in ("da:a1:19:3c:07:e5", "02:07:01:00:00:00", "3a:22:fb:d0:45:1c", "fe:ff:ff:ff:ff:ff"):
        assert vendor_of(mac) == PRIVATE_ADDRESS == "private address"
    assert vendor_of("ac:bc:32:8e:51:72") == "Apple, Inc."
    assert vendor_of("ff:ff:fe:00:00:01") in (None, PRIVATE_ADDRESS)


def test_makers_of_small_blocks_are_told_apart() -> None:
    """The IEEE sells blocks of 28 and 36 bits too; their first 24 belong to nobody by themselves."""
    assert vendor_of("70:b3:d5:00:10:01") == "SOREDI touch systems GmbH"


@pytest.mark.parametrize("character", ["1", "_", "ä", "m"])
def test_a_long_name_costs_no_more_than_its_length(character: str) -> None:
    """Where a pattern begins anew at each of its characters and runs to the end, these take minutes."""
    assert guess_category(hostname=character * 100_000, vendor=None, is_router=False) is DeviceCategory.OTHER
