"""What /api/device-usage/people takes and gives, and how the service's answer becomes it."""

from datetime import date

from pydantic import Field

from endpoints.common_schemas import IsoDate, Out, PageQuery, Share
from endpoints.device_usage_schemas import NamedOut, Reasons, UsageOrNothingOut, UsageQuality
from services.people import PeoplePage, Person, PersonDevice


class PeopleQuery(PageQuery):
    start_date: IsoDate | None = Field(default=None, description="first local day; 6 days before endDate if left out")
    end_date: IsoDate | None = Field(default=None, description="last local day, included; today if left out")


class PersonDeviceOut(UsageOrNothingOut, NamedOut):
    is_router: bool
    is_unresolved: bool = Field(description="hosts whose MAC nlbwmon could not look up, together")


class WhoOut(Out):
    person: str = Field(description='"nobody" for what is no one\'s')
    is_nobody: bool


class PersonOut(UsageOrNothingOut, WhoOut):
    devices: list[PersonDeviceOut] = Field(description="those that used most first")


class PeopleOut(Out):
    start_date: date
    end_date: date
    timezone: str
    totals: UsageOrNothingOut = Field(description="all people, nobody included, whatever the page")
    coverage: Share
    quality: UsageQuality
    reasons: Reasons
    people: list[PersonOut] = Field(description="those who used most first")


def people_view(page: PeoplePage) -> PeopleOut:
    def usage(used: PeoplePage | Person | PersonDevice) -> dict[str, int | None]:
        if not page.is_known:
            return dict.fromkeys(("bytes_down", "bytes_up", "total_bytes"))
        return {
            "bytes_down": used.bytes_down,
            "bytes_up": used.bytes_up,
            "total_bytes": used.bytes_down + used.bytes_up,
        }

    return PeopleOut(
        start_date=page.start_date,
        end_date=page.end_date,
        timezone=page.zone.key,
        totals=UsageOrNothingOut(**usage(page)),
        coverage=page.coverage,
        quality=page.trust.quality,
        reasons=list(page.trust.reasons),
        people=[
            PersonOut(
                person=person.name,
                is_nobody=person.is_nobody,
                devices=[
                    PersonDeviceOut(
                        mac=device.mac,
                        name=device.name,
                        is_router=device.is_router,
                        is_unresolved=device.is_unresolved,
                        **usage(device),
                    )
                    for device in person.devices
                ],
                **usage(person),
            )
            for person in page.people
        ],
    )
