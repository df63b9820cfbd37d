"""Users, routers, devices, the last reading, coverage, and the usage tables with their rollups."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    -- session_id everywhere is the durable id of the account that owns the row, not a login.
    CREATE TABLE users (
        session_id   VARCHAR(255) PRIMARY KEY,
        display_name VARCHAR(255) NOT NULL,
        created_at   TIMESTAMPTZ NOT NULL DEFAULT now()
    );

    CREATE TABLE routers (
        id                       VARCHAR(255) PRIMARY KEY,
        session_id               VARCHAR(255) NOT NULL REFERENCES users ON DELETE CASCADE,
        name                     VARCHAR(255) NOT NULL,
        host                     VARCHAR(255) NOT NULL,
        port                     INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
        username                 VARCHAR(255) NOT NULL,
        -- Password or private key, encrypted; the key is not in this database.
        credentials              BYTEA NOT NULL,
        -- Pinned at first contact, NULL before.
        host_key                 TEXT,
        -- The one pinned before the address changed: the same key there is the same router, its counters go on.
        former_host_key          TEXT,
        -- NULL until a person says it or the router told it.
        timezone                 VARCHAR(64),
        collect_interval_minutes SMALLINT NOT NULL CHECK (collect_interval_minutes IN (5, 15, 30, 60)),
        -- Schedule and claim in one: whoever collects a router first pushes this forward.
        next_collect_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
        last_attempt_at          TIMESTAMPTZ,
        -- The moment of the last stored reading; a new one is stored only on top of the one it starts from.
        last_success_at          TIMESTAMPTZ,
        consecutive_failures     INTEGER NOT NULL DEFAULT 0,
        last_error_at            TIMESTAMPTZ,
        last_error_code          VARCHAR(64),
        last_error_message       TEXT,
        created_at               TIMESTAMPTZ NOT NULL DEFAULT now(),
        updated_at               TIMESTAMPTZ NOT NULL DEFAULT now(),
        UNIQUE (session_id, host, port)
    );
    CREATE INDEX idx_routers_next_collect ON routers (next_collect_at);

    CREATE TABLE devices (
        router_id    VARCHAR(255) NOT NULL REFERENCES routers ON DELETE CASCADE,
        device_mac   VARCHAR(17) NOT NULL,
        session_id   VARCHAR(255) NOT NULL,
        -- The user's own name for it; hostname is what its DHCP lease says.
        name         VARCHAR(255),
        hostname     VARCHAR(255),
        ips          TEXT[] NOT NULL DEFAULT '{}',
        category     VARCHAR(32),
        notes        TEXT,
        is_monitored BOOLEAN NOT NULL DEFAULT true,
        is_router    BOOLEAN NOT NULL DEFAULT false,
        -- As of the last reading.
        is_active    BOOLEAN NOT NULL,
        first_seen   TIMESTAMPTZ NOT NULL,
        -- When it was last active, for one that is not: while it is, that is the router's last reading, and nothing
        -- has to be written. NULL: in the router's counters, but not active since monitoring began.
        last_seen    TIMESTAMPTZ,
        PRIMARY KEY (router_id, device_mac)
    ) WITH (fillfactor = 70);

    -- The base of the next accounting step: what the router printed, whole, and what belongs to it.
    CREATE TABLE last_readings (
        router_id         VARCHAR(255) PRIMARY KEY REFERENCES routers ON DELETE CASCADE,
        session_id        VARCHAR(255) NOT NULL,
        read_at           TIMESTAMPTZ NOT NULL,
        -- Where the usage up to this reading begins; NULL after a first reading.
        usage_since       TIMESTAMPTZ,
        -- Since when every moment lies between good readings: the running stretch of coverage.
        covered_since     TIMESTAMPTZ NOT NULL,
        period_start      DATE NOT NULL,
        period_end        DATE NOT NULL,
        uptime_s          DOUBLE PRECISION,
        boot_id           VARCHAR(64),
        -- Seconds the router's clock was ahead of ours.
        clock_skew_s      DOUBLE PRECISION,
        -- nlbwmon's setting.
        database_interval VARCHAR(64),
        -- zlib: a quarter of the size, so that a small machine's disk is written a quarter as much.
        usage_json        BYTEA NOT NULL
    );
    -- Compressed already.
    ALTER TABLE last_readings ALTER COLUMN usage_json SET STORAGE EXTERNAL;

    -- Stretches between good readings that have ended; a hole between two is a gap. The running one is in
    -- last_readings, so that a reading without a gap writes nothing here.
    CREATE TABLE coverage (
        router_id  VARCHAR(255) NOT NULL REFERENCES routers ON DELETE CASCADE,
        session_id VARCHAR(255) NOT NULL,
        start_at   TIMESTAMPTZ NOT NULL,
        end_at     TIMESTAMPTZ NOT NULL CHECK (end_at >= start_at),
        PRIMARY KEY (router_id, start_at)
    );

    -- A row per device and reading. Partitions are days (UTC), made and dropped by the server.
    CREATE TABLE device_usage_monitoring (
        id               BIGINT GENERATED ALWAYS AS IDENTITY,
        session_id       VARCHAR(255) NOT NULL,
        router_id        VARCHAR(255) NOT NULL,
        device_mac       VARCHAR(17) NOT NULL,
        device_name      VARCHAR(255),
        timestamp        TIMESTAMPTZ NOT NULL DEFAULT now(),
        -- nlbwmon's totals of its accounting period; NULL where they don't fit (2^63 and more).
        bytes_downloaded BIGINT DEFAULT 0,
        bytes_uploaded   BIGINT DEFAULT 0,
        total_bytes      BIGINT DEFAULT 0,
        -- Usage since the reading before it; NULL at a first reading.
        usage_down       BIGINT,
        usage_up         BIGINT,
        data_source      VARCHAR(50) NOT NULL DEFAULT 'nlbwmon',
        created_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
        updated_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
        -- The time before the MAC: a reading's rows lie side by side, found and written in one place.
        PRIMARY KEY (router_id, timestamp, device_mac)
    ) PARTITION BY RANGE (timestamp);

    -- Usage per device and UTC hour (per part of it where the router's midnight cuts one).
    CREATE TABLE device_usage_hourly (
        session_id     VARCHAR(255) NOT NULL,
        router_id      VARCHAR(255) NOT NULL,
        device_mac     VARCHAR(17) NOT NULL,
        slot_start     TIMESTAMPTZ NOT NULL,
        total_download BIGINT NOT NULL DEFAULT 0,
        total_upload   BIGINT NOT NULL DEFAULT 0,
        data_points    INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (router_id, slot_start, device_mac)
    ) WITH (fillfactor = 70);

    -- Usage per device over local days. span 'day': start = end; span 'period': an nlbwmon accounting period
    -- (or the part of it before monitoring began).
    CREATE TABLE device_usage_history (
        id             BIGINT GENERATED ALWAYS AS IDENTITY,
        session_id     VARCHAR(255) NOT NULL,
        router_id      VARCHAR(255) NOT NULL,
        device_mac     VARCHAR(17) NOT NULL,
        span           VARCHAR(8) NOT NULL CHECK (span IN ('day', 'period')),
        start_date     DATE NOT NULL,
        end_date       DATE NOT NULL CHECK (end_date >= start_date),
        total_download BIGINT NOT NULL DEFAULT 0,
        total_upload   BIGINT NOT NULL DEFAULT 0,
        total_usage    BIGINT NOT NULL DEFAULT 0,
        data_points    INTEGER NOT NULL DEFAULT 0,
        created_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
        PRIMARY KEY (router_id, span, start_date, device_mac)
    ) WITH (fillfactor = 70);
    """)


def downgrade() -> None:
    op.execute("""
    DROP TABLE device_usage_history, device_usage_hourly, device_usage_monitoring, coverage, last_readings,
               devices, routers, users;
    """)
