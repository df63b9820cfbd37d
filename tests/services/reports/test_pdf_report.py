"""The PDF: any script, nothing a name can do to it, and the same one for the same report."""

import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pypdf
import pytest

from services.accounting.notes import Quality
from services.analytics.period_comparison import PeriodUsage
from services.buckets import Granularity, Span, buckets_between
from services.chosen_days import Days
from services.device_usage_analytics import generate_usage_reports
from services.history_range import NOT_OBSERVED, BucketUsage
from services.reports.pdf_report import render_pdf
from services.reports.report_page import report_page, scale_of
from services.reports.report_period import ReportedDays, ReportPeriod
from services.reports.reports import ChartedUsage, PeriodReport
from services.usage_quality import Trust
from utils.nlbwmon_parser import DeviceTotals
from utils.time import parse_zone

ZONE = parse_zone("Europe/Berlin")
MADE = datetime(2031, 11, 17, 9, 30, tzinfo=UTC)
DAYS = Days(date(2031, 11, 10), date(2031, 11, 16))
SPAN = Span(ZONE.midnight(DAYS.first), ZONE.midnight(DAYS.last + timedelta(days=1)))


def report_of(names: list[str], **fields: Any) -> PeriodReport:
    """A week in which each of some devices used a bit less than the one before it; its third day was not observed."""
    macs = [f"02:00:00:00:00:{number:02x}" for number in range(len(names))]
    totals = {mac: DeviceTotals((100 - number) * 10**9, 10**6) for number, mac in enumerate(macs)}
    before = {mac: DeviceTotals(10**9, 10**6) for mac in macs}
    known = dict(zip(macs, names, strict=True))
    previous = Span(SPAN.start - timedelta(days=7), SPAN.start)
    usage = PeriodUsage(start=SPAN.start, end=SPAN.end, totals=totals, coverage=0.9)
    earlier = PeriodUsage(start=previous.start, end=previous.end, totals=before, coverage=1.0)
    values: dict[str, Any] = {
        "period": ReportPeriod.WEEK,
        "days": ReportedDays(days=DAYS, span=SPAN, previous=previous),
        "zone": ZONE,
        "router_name": "Home",
        "made_at": MADE,
        "told": generate_usage_reports(usage, earlier, [], known, first_seen={}),
        "people": [],
        "trust": Trust(quality=None),
        "granularity": Granularity.DAY,
        "chart": [
            ChartedUsage(
                bucket=bucket,
                usage=NOT_OBSERVED if number == 2 else BucketUsage(10**9 * (number + 1), 10**8),
                coverage=0.0 if number == 2 else 1.0,
                trust=Trust(quality=None),
            )
            for number, bucket in enumerate(buckets_between(DAYS.first, DAYS.last, Granularity.DAY, ZONE))
        ],
        "typical_day": [None, *range(23)],
        "gaps": [Span(SPAN.start + timedelta(days=2), SPAN.start + timedelta(days=3))],
        "names": known,
        "router_macs": set(),
    }
    return PeriodReport(**{**values, **fields})


def pdf_of(report: PeriodReport) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(render_pdf(report_page(report), report.made_at)))


def text_of(reader: pypdf.PdfReader) -> str:
    return "\n".join(page.extract_text() for page in reader.pages)


def fonts_of(reader: pypdf.PdfReader) -> dict[str, bool]:
    """Name of each font -> whether it is embedded."""
    found = {}
    for page in reader.pages:
        for font in page["/Resources"]["/Font"].values():
            inner = font.get_object()["/DescendantFonts"][0].get_object()
            descriptor = inner["/FontDescriptor"].get_object()
            found[str(inner["/BaseFont"]).partition("+")[2]] = bool({"/FontFile2", "/FontFile3"} & set(descriptor))
    return found


#: A name, and the font that has its letters.
SCRIPTS = {
    "客厅电视": "CJK",
    "リビングのテレビ": "CJK",
    "거실": "CJK",
    "طابعة المكتب": "Arabic",
    "מדפסת בסלון": "Hebrew",
    "เครื่องพิมพ์": "Thai",
    "देवनागरी क्षत्रिय": "Devanagari",
    "বাংলা": "Bengali",
    "தமிழ்": "Tamil",
    "తెలుగు": "Telugu",
    "ქართული": "Georgian",
    "Հայերեն": "Armenian",
    "አማርኛ": "Ethiopic",
    "ខ្មែរ": "Khmer",
    "မြန်မာ": "Myanmar",
    "ລາວ": "Lao",
    "සිංහල": "Sinhala",
    "👩‍👩‍👧🏠": "Emoji",
    "Кухня Κουζίνα": "NotoSans-",
}


@pytest.mark.parametrize(("name", "font"), SCRIPTS.items(), ids=SCRIPTS.values())
def test_a_name_in_any_script_has_letters_that_are_embedded(name: str, font: str) -> None:
    fonts = fonts_of(pdf_of(report_of([name])))
    assert any(font in one for one in fonts), fonts
    assert all(fonts.values())


@pytest.mark.parametrize("name", ["客厅电视", "Кухня", "ქართული", "Büro", "👍🏽🏠", "אבג דה"])
def test_it_can_be_copied_out_again(name: str) -> None:
    text = text_of(pdf_of(report_of([name])))
    assert any(one in text for one in (name, name[::-1], " ".join(reversed(name.split()))))


INERT = [
    "<script>alert(1)</script>",
    "<b>bold</b>",
    "=cmd|' /C calc'!A0",
    "*star* _under_ `raw` $x^2$",
    '#eval("1+1") #panic()',
    "\\u{41} \\ // no comment",
    "@label <label>",
    "%PDF-1.7 (x) Tj ET",
    "{{names}} %s",
    "\"quoted\" 'twice'",
]


@pytest.mark.parametrize("name", INERT)
def test_a_name_is_text_whatever_is_in_it(name: str) -> None:
    reader = pdf_of(report_of([name, "other"], router_name=name))
    text = text_of(reader)
    assert text.count(name) >= 3
    assert "other" in text
    assert not [one for page in reader.pages for one in page.get("/Annots", [])]


def test_control_characters_are_seen_and_do_nothing() -> None:
    text = text_of(pdf_of(report_of(["a\x00\x07\x1b[31m\r\nb", "\u202egnp.exe"])))
    assert "a���[31m��b" in text
    assert "gnp.exe" in text


@pytest.mark.parametrize("letter", ["x", "客", "ض", "👍🏽", "W"])
def test_long_names_stay_on_the_page(letter: str) -> None:
    for page in pdf_of(report_of([letter * 255] * 12, router_name=letter * 255)).pages:
        width = float(page.mediabox.width)
        ends: list[float] = []
        page.extract_text(visitor_text=lambda _text, _cm, tm, *_: ends.append(tm[4]))  # noqa: B023
        assert max(ends) < width - 40


def test_the_same_report_is_the_same_file() -> None:
    page = report_page(report_of(["客厅", "phone"]))
    assert render_pdf(page, MADE) == render_pdf(page, MADE)


def test_its_title_and_language_are_told_to_readers() -> None:
    reader = pdf_of(report_of(["phone"]))
    assert reader.metadata is not None
    assert reader.metadata.title == "Network usage of a week, 10 to 16 November 2031"
    assert reader.root_object["/Lang"] == "en"


def test_a_day_that_nobody_observed_is_told_as_a_gap() -> None:
    text = text_of(pdf_of(report_of(["phone"])))
    assert "not, or not wholly, observed" in text
    assert "Wed 12 Nov 2031, 00:00" in text
    assert "1 d" in text


def test_every_page_has_its_number() -> None:
    reader = pdf_of(report_of([f"device {number} {'x' * 200}" for number in range(30)]))
    assert len(reader.pages) > 1
    for number, page in enumerate(reader.pages, start=1):
        assert f"Page {number} of {len(reader.pages)}" in page.extract_text()


# --- what the page says ----------------------------------------------------------------------------------


def test_changes_add_what_came_and_what_went() -> None:
    section = next(one for one in report_page(report_of(["phone"]))["sections"] if one["title"] == "What changed")
    assert section["rows"][0]["cells"] == ["1.0 GB", "100.0 GB", "+99.0 GB", "+9,890.1 %"]


@pytest.mark.parametrize("largest", [0, 1, 9, 10, 11, 99, 100, 101, 5_000, 123_456_789, 10**13 - 1, 2**64])
def test_a_chart_has_two_to_five_round_steps_and_room_for_its_largest_bar(largest: int) -> None:
    step, most = scale_of(largest)
    assert largest <= most
    assert 2 <= most // step <= 5
    assert most % step == 0
    assert str(step).rstrip("0") in ("1", "2", "5")


def test_bars_of_a_chart_fill_it_and_no_more() -> None:
    for chart in report_page(report_of(["phone"]))["charts"]:
        heights = [bar["down"] + bar["up"] for bar in chart["bars"]]
        assert 0.3 < max(heights) <= 1
        assert [bar["isMissing"] for bar in chart["bars"]].count(True) == 1


def test_the_minutes_since_the_last_reading_are_not_hatched() -> None:
    chart = [replace(bar, coverage=0.9) for bar in report_of(["phone"]).chart]
    (shown, _) = report_page(report_of(["phone"], chart=chart, gaps=[]))["charts"]
    assert not shown["hasMissing"]
    gap = Span(SPAN.start + timedelta(hours=1), SPAN.start + timedelta(hours=4))
    (shown, _) = report_page(report_of(["phone"], chart=chart, gaps=[gap]))["charts"]
    assert [bar["isDoubtful"] for bar in shown["bars"]] == [True] + 6 * [False]


def test_days_of_which_only_the_sum_is_known_are_told() -> None:
    qualities = [Quality.MEASURED, Quality.RECOVERED, None, *3 * [Quality.ESTIMATED], Quality.UNKNOWN]
    chart = [
        replace(bar, trust=Trust(quality=quality))
        for bar, quality in zip(report_of(["phone"]).chart, qualities, strict=True)
    ]
    report = report_of(["phone"], chart=chart, gaps=[])
    estimated, unknown = report_page(report)["doubts"]
    assert estimated.startswith("In 3 of 7 days usage is partly an estimate: it is exact in sum, ")
    assert unknown == "In 1 of 7 days more may have been used than could be counted."
    assert unknown in text_of(pdf_of(report)).replace("\n", " ")
    assert report_page(report_of(["phone"]))["doubts"] == []
