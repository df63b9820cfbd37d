"""What schemas of several endpoints share: spelling, the envelope in the OpenAPI document, paging, checked values."""

import re
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

from services.chosen_days import EARLIEST_YEAR, LATEST_YEAR
from utils.errors import ValidationFailed
from utils.mac import parse_mac

#: Whole bytes, exact. Above 2^53 JavaScript needs a reader for big integers.
Bytes = Annotated[int, Field(ge=0, description="bytes, exact")]
NullableBytes = Annotated[int | None, Field(description="bytes, exact; null where nothing was observed")]
Share = Annotated[float, Field(ge=0, le=1, description="share that lies between good readings, 0 to 1")]


class Out(BaseModel):
    """A part of an answer: camelCase outside, made from the services' dataclasses by name."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, from_attributes=True)


class In(BaseModel):
    """A body or a query string: what isn't known is refused by name, so that a typo doesn't pass for a default."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")


class Body(In):
    """A JSON body: a number is a number there, and no text or boolean that could be meant as one."""

    model_config = ConfigDict(strict=True)


class RouterQuery(In):
    """Names the router; with one router it may be left out. The header X-Router-Id does as well."""

    router_id: str | None = Field(default=None, max_length=255, description="which router")


class Paged(In):
    """Which page of a list, and how long its pages are."""

    page: int = Field(default=1, ge=1, le=1_000_000)
    page_size: int = Field(default=50, ge=1, le=500)


class PageQuery(RouterQuery, Paged):
    """A page of something of a router's."""


class Pagination(Out):
    page: int
    page_size: int
    total_items: int
    total_pages: int


class Warned(Out):
    """Something that did not work, but did not keep the answer from being given."""

    code: str
    message: str


class RouterFreshness(Out):
    """How far what is stored of the router can be taken for the present."""

    last_reading_at: datetime | None = Field(description="the last good reading; null before the first")
    stale: bool = Field(
        description="the last attempt to read the router failed, the last good reading is older than two intervals, or "
        "its counters stand still"
    )
    warning: Warned | None = Field(description="why it is stale")


class Metadata(Out):
    """What stands beside every answer."""

    request_id: str
    router_id: str | None = None
    router: RouterFreshness | None = Field(
        default=None, description="with every success under /api/device-usage but for the exports"
    )
    pagination: Pagination | None = None


class ErrorPart(Out):
    code: str = Field(description="for programs")
    message: str = Field(description="for people")
    details: dict[str, list[str]] | None = Field(default=None, description="field -> what is wrong with it")


class Failure(Out):
    """Every failure, as the OpenAPI document shows it; utils.responses writes it."""

    success: Literal[False]
    error: ErrorPart
    metadata: Metadata


def _iso_date(value: object) -> object:
    if isinstance(value, str):
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            raise ValueError("not a date; write it as YYYY-MM-DD")
        try:
            day = date.fromisoformat(value)
        except ValueError:
            raise ValueError("there is no such day") from None
        if not EARLIEST_YEAR <= day.year <= LATEST_YEAR:
            raise ValueError(f"must lie between {EARLIEST_YEAR}-01-01 and {LATEST_YEAR}-12-31")
        return day
    raise ValueError("not a date; write it as YYYY-MM-DD")


IsoDate = Annotated[date, BeforeValidator(_iso_date)]


_PAIR = "[0-9A-Fa-f]{2}"

#: What a MAC may look like outside, for the OpenAPI document.
MAC_PATTERN = "^(" + "|".join(f"{_PAIR}({separator}{_PAIR}){{5}}" for separator in (":", "-", "")) + ")$"

#: A MAC of a query string or a body, in the one spelling used inside.
Mac = Annotated[str, AfterValidator(parse_mac), WithJsonSchema({"type": "string", "pattern": MAC_PATTERN})]


def checked_mac(text: str) -> str:
    """The MAC of a URL, in the one spelling used inside. Raises ValidationFailed."""
    try:
        return parse_mac(text)
    except ValueError as error:
        raise ValidationFailed(f"{text[:40]!r} is {error}.", details={"mac": [str(error)]}) from None
