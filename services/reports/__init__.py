"""What was used in a day, a week, a month: for people, on a few pages.

- `reports` puts one together for a `report_period`; `report_page` lays it out; `pdf_report` prints it
"""
