"""From a router's answer to stored usage.

- `router_readings` is where to begin: one reading, from the round trip to what is to be stored
- what was answered: `router_answers`, `unreadable_files`, `last_commits`; how much may be: `reading_limits`
- what is stored: `reading_store` (the one transaction), `usage_rollups`, `protocol_rollups`
- `backfill`, `past_periods`: the archives of periods from before the router was known

What a byte of usage is, `services.accounting` says.
"""
