"""What was planted in homes that live by their habits is found, and little else."""

import pytest

from services.analytics.unusual_usage import Anomaly, Sensitivity
from tests.services.habitual_homes import WEEKS, Home, Plant, home, hour

SINCE = hour((WEEKS - 3) * 168)
SEEDS = range(4)


@pytest.fixture(scope="module")
def homes() -> list[Home]:
    return [home(seed) for seed in SEEDS]


def plant_of(lived: Home, device: str, anomaly: Anomaly) -> Plant | None:
    for plant in lived.plants:
        overlaps = anomaly.at < hour(plant.first + plant.hours) and anomaly.until > hour(plant.first)
        if (plant.device, plant.direction) == (device, anomaly.direction) and overlaps:
            return plant
    return None


@pytest.mark.parametrize(("sensitivity", "most_false"), [(Sensitivity.LOW, 1), (Sensitivity.MEDIUM, 1)])
def test_all_that_was_planted_is_found_and_hardly_anything_else(
    homes: list[Home], sensitivity: Sensitivity, most_false: int
) -> None:
    wrong = []
    for lived in homes:
        found = [(device, one, plant_of(lived, device, one)) for device, one in lived.found(SINCE, sensitivity)]
        assert {plant for _, _, plant in found} >= set(lived.plants)
        wrong += [(device, one.message) for device, one, plant in found if plant is None]
    assert len(wrong) <= most_false, wrong


def test_hours_that_were_planted_in_a_row_are_one_anomaly(homes: list[Home]) -> None:
    for lived in homes[:1]:
        plants = [plant_of(lived, device, one) for device, one in lived.found(SINCE)]
        known = [plant for plant in plants if plant]
        assert len(known) == len(set(known)) == 5


def test_an_address_of_one_week_and_a_growing_device_have_nothing_unusual() -> None:
    lived = home(7)
    lived.devices = {
        name: device for name, device in lived.devices.items() if name.startswith("private") or name == "desktop"
    }
    assert lived.found(hour(0), Sensitivity.LOW) == []


def test_after_a_gap_nothing_is_unusual_for_having_been_away() -> None:
    """Nine days that nobody observed, then the weeks go on as before."""
    lived = home(2)
    camera = lived.devices["camera"]
    for number in range(900, 900 + 9 * 24):
        camera.down[number] = camera.up[number] = None
    lived.devices = {"camera": camera}
    assert lived.found(hour(800), Sensitivity.HIGH) == []
