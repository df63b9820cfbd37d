"""What series of usage say: pure modules, whose functions `services/device_usage_analytics.py` puts together.

- trends: `usage_trends` (where a series goes, by `rank_trend`, its `weekly_rhythm` taken out), `usage_profiles` (when a
  device is used), `month_projection` (what a month will come to)
- anomalies: `unusual_usage` (hours and days that stand out of what `usual_usage` knows), `streaming_anomalies` (of any
  series of numbers, while it arrives)
- comparisons: `period_comparison`, `change_parts` (the largest parts of a change, which add up to it), `change_words`

Series hold bytes; None is a bucket that nobody observed.
"""
