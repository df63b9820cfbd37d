"""The keys that answers of /api/device-usage have at least, after the contract."""

BASE = "/api/device-usage"

USAGE = {"bytesDown", "bytesUp", "totalBytes"}
DEVICE = {
    *("mac", "name", "ip", "ips", "isActive", "lastSeen", "firstSeen", "vendor", "category"),
    *("isRandomizedMac", "isRouter", "isMonitored"),
}
NOW = {"timestamp", "source", "stale", "period"}
CURRENT_DEVICE = {"mac", "name", *USAGE, "rateDown", "rateUp"}
#: How far usage is to be trusted.
TRUST = {"quality", "reasons"}
RANGE = {"granularity", "timezone", "startDate", "endDate", "totals", "coverage", "buckets", *TRUST}
