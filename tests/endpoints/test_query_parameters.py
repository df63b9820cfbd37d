"""Query parameters with good values from all over their range: texts of every script, days of two centuries."""

from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.homes import PHONE, SOAK, Api

BASE = "/api/device-usage"

same_everywhere = settings(
    max_examples=150 * SOAK,
    derandomize=True,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

names = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40).filter(str.strip)
wildcards = st.text("%_\\'\"*?[]() .", min_size=1, max_size=10).filter(str.strip)
days = st.dates(date(2000, 1, 1), date(2200, 12, 31)) | st.dates(date(2031, 10, 1), date(2031, 11, 30))


@pytest.mark.usefixtures("used")
@same_everywhere
@given(name=names | wildcards)
def test_a_device_is_found_by_the_name_it_was_given(api: Api, name: str) -> None:
    api.data(f"{BASE}/device/{PHONE}", "PUT", json={"name": name})
    found = api.data(f"{BASE}/devices", query_string={"search": name.strip()})["devices"]
    assert PHONE in [device["mac"] for device in found]


@pytest.mark.usefixtures("used")
@same_everywhere
@given(
    where=st.sampled_from(["history", "protocols", "people", "events", "analytics/anomalies", "export/csv"]),
    first=days,
    last=days,
    extra=st.sampled_from([{}, {"granularity": "hour"}, {"granularity": "month"}, {"pageSize": "500"}]),
)
def test_any_days_are_answered_or_refused_by_name(
    api: Api, where: str, first: date, last: date, extra: dict[str, Any]
) -> None:
    query = {"startDate": first.isoformat(), "endDate": last.isoformat(), **extra}
    answer = api.client.get(f"{BASE}/{where}", query_string=query)
    if answer.status_code == 400:
        assert set(answer.get_json()["error"]["details"]) <= set(query)
    else:
        assert answer.status_code == 200, answer.text
        assert first <= last
        assert answer.get_data()
