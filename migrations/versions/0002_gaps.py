"""What a router's counters went through: events and gaps, past accounting periods, the daemon's own start."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    ALTER TABLE last_readings
        -- Names one start of nlbwmon; NULL where the router doesn't tell.
        ADD daemon_id          VARCHAR(64),
        -- Since when no counter has moved, and how many readings in a row saw that.
        ADD unchanged_since    TIMESTAMPTZ,
        ADD unchanged_readings INTEGER NOT NULL DEFAULT 0,
        -- Rows that jumped beyond belief, with the last counters that were plausible; NULL: none.
        ADD quarantined        JSONB,
        -- What the router's settings make worth a word; NULL: nothing.
        ADD findings           JSONB;

    -- The key that a router showed in place of the pinned one, until a person accepts it.
    ALTER TABLE routers ADD presented_host_key TEXT;

    -- What happened to a router's counters: restarts, rollovers, gaps, jumps. Those with a quality say how far the
    -- usage from start_at to end_at is to be trusted; usage that no event speaks of was measured.
    CREATE TABLE events (
        id         BIGINT GENERATED ALWAYS AS IDENTITY,
        router_id  VARCHAR(255) NOT NULL REFERENCES routers ON DELETE CASCADE,
        session_id VARCHAR(255) NOT NULL,
        type       VARCHAR(32) NOT NULL,
        start_at   TIMESTAMPTZ NOT NULL,
        end_at     TIMESTAMPTZ NOT NULL CHECK (end_at >= start_at),
        device_mac VARCHAR(17),
        quality    VARCHAR(9) CHECK (quality IN ('recovered', 'estimated', 'unknown')),
        message    TEXT NOT NULL,
        PRIMARY KEY (router_id, start_at, id)
    );

    -- Accounting periods before the running one; their totals per device are in device_usage_history, span 'period'.
    CREATE TABLE accounting_periods (
        router_id  VARCHAR(255) NOT NULL REFERENCES routers ON DELETE CASCADE,
        session_id VARCHAR(255) NOT NULL,
        start_date DATE NOT NULL,
        end_date   DATE NOT NULL CHECK (end_date >= start_date),
        -- What the router calls it: its first day, or a day that its month doesn't have.
        name       VARCHAR(10) NOT NULL,
        -- pending: its archive is still to be read; complete: it was; partial: only what readings saw is known;
        -- missing: the router has no archive of it.
        state      VARCHAR(8) NOT NULL CHECK (state IN ('pending', 'complete', 'partial', 'missing')),
        PRIMARY KEY (router_id, start_date)
    );
    """)


def downgrade() -> None:
    op.execute("""
    DROP TABLE accounting_periods, events;
    ALTER TABLE routers DROP presented_host_key;
    ALTER TABLE last_readings DROP daemon_id, DROP unchanged_since, DROP unchanged_readings, DROP quarantined,
                              DROP findings;
    """)
