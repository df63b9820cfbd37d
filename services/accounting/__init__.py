"""What a byte of usage is: the whole of the accounting, and nothing that reads or writes anything.

`account` is where to begin: it names the cases, and each case that needs more than a few lines has a module of its own.
docs/accounting.md tells the same to users, with the numbers of the tests.

- the readings: `counters` (two of them side by side), `reading_step` (with what is known besides), `periods`
- where a table began: `restored_tables` (restarts), `rollovers`, `counted_periods`, `old_copies`
- where the router's clock was set: `doubted_names` (when names prove nothing), `proven_usage` (what contents prove)
- what comes out: `usage`, `notes` (gaps, in words), `quarantine` (what no link could have carried)
- `wanted_files`: which of the router's files are needed besides
"""
