"""Usage per person adds up to the history of the same days, whatever belongs to whom."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from server import Runtime
from services.buckets import Granularity
from services.context import RouterContext
from services.people import PeoplePage
from simulator.router import SimulatedRouter
from tests.homes import LAPTOP, PHONE, START, TV
from utils.errors import ValidationFailed
from utils.mac import ZERO_MAC

ROUTER = "94:83:c4:5a:10:01"


@pytest.fixture
def home(router: SimulatedRouter, read: Callable[..., None]) -> None:
    for number, mac in enumerate((PHONE, LAPTOP, TV)):
        router.add_host(mac, f"192.168.1.{number + 2}", f"host-{number}", state="REACHABLE")
    read(timedelta(0))
    for mac, down, up in ((PHONE, 1_000, 10), (LAPTOP, 300, 3), (ROUTER, 5, 5), (ZERO_MAC, 7, 0)):
        router.traffic(mac, rx=down, tx=up)
    read()


def people(runtime: Runtime, context: RouterContext, **options: object) -> PeoplePage:
    days = {"start_date": None, "end_date": None, "page": 1, "page_size": 50}
    return runtime.services.people.list_people(context, **(days | options))  # type: ignore[arg-type]


def told(page: PeoplePage) -> list[tuple[str, int, int, int]]:
    return [(person.name, person.bytes_down, person.bytes_up, len(person.devices)) for person in page.people]


def test_what_belongs_to_no_person_is_nobodys(runtime: Runtime, context: RouterContext, home: None) -> None:
    page = people(runtime, context)
    assert told(page) == [("nobody", 1_312, 18, 5)]
    assert page.people[0].is_nobody


def test_each_person_has_his_devices_and_all_of_them_add_up_to_the_history(
    runtime: Runtime, context: RouterContext, home: None
) -> None:
    for mac, person in ((PHONE, "أحمد"), (LAPTOP, "Zoë 🏠"), (TV, "Zoë 🏠")):
        runtime.services.devices.update(context, mac, {"person": person})
    page = people(runtime, context)
    assert told(page) == [("أحمد", 1_000, 10, 1), ("Zoë 🏠", 300, 3, 2), ("nobody", 12, 5, 2)]
    assert [device.mac for device in page.people[1].devices] == [LAPTOP, TV], "also the one without usage"
    history = runtime.services.history.get_history(
        context, start_date=None, end_date=None, granularity=Granularity.DAY, page=1, page_size=50
    )
    assert (page.bytes_down, page.bytes_up) == history.totals
    assert sum(person.bytes_down for person in page.people) == page.bytes_down
    assert page.coverage == history.coverage


def test_pages_are_of_people_and_the_totals_of_all(runtime: Runtime, context: RouterContext, home: None) -> None:
    runtime.services.devices.update(context, PHONE, {"person": "Anna"})
    second = people(runtime, context, page=2, page_size=1)
    assert (told(second), second.count, second.bytes_down) == ([("nobody", 312, 8, 4)], 2, 1_312)
    assert people(runtime, context, page=3, page_size=1).people == []


def test_a_merged_device_is_its_persons_and_one_out_of_monitoring_is_nobodys_business(
    runtime: Runtime, context: RouterContext, home: None
) -> None:
    runtime.services.devices.update(context, PHONE, {"person": "Anna"})
    runtime.services.devices.update(context, LAPTOP, {"person": "Bea"})
    runtime.services.merged_devices.merge(context, LAPTOP, PHONE)
    assert told(people(runtime, context)) == [("Anna", 1_300, 13, 1), ("nobody", 12, 5, 3)]
    runtime.services.devices.remove(context, PHONE, purge=False)
    assert told(people(runtime, context)) == [("nobody", 12, 5, 3)]


def test_days_that_nobody_observed_are_not_known(runtime: Runtime, context: RouterContext, home: None) -> None:
    tomorrow = START.date() + timedelta(days=1)
    page = people(runtime, context, start_date=tomorrow, end_date=tomorrow)
    assert (page.is_known, page.coverage) == (False, 0)
    assert people(runtime, context).is_known


@pytest.mark.parametrize(("first", "last"), [(1, 0), (0, 1_100)])
def test_a_range_that_is_none_or_too_long_is_refused(
    runtime: Runtime, context: RouterContext, first: int, last: int
) -> None:
    day = START.date()
    with pytest.raises(ValidationFailed) as refused:
        people(runtime, context, start_date=day + timedelta(days=first), end_date=day + timedelta(days=last))
    assert list(refused.value.details or {}) == ["startDate"]
