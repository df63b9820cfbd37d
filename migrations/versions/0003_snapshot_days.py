"""How many raw rows each router has of each day, so that nobody has to count them."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    -- One row per router and partition of device_usage_monitoring. Written with the rows themselves, dropped with
    -- their partition.
    CREATE TABLE snapshot_days (
        router_id  VARCHAR(255) NOT NULL,
        session_id VARCHAR(255) NOT NULL,
        -- UTC.
        day        DATE NOT NULL,
        snapshots  BIGINT NOT NULL,
        -- Its first and last reading that has rows.
        oldest     TIMESTAMPTZ NOT NULL,
        newest     TIMESTAMPTZ NOT NULL,
        PRIMARY KEY (router_id, day)
    ) WITH (fillfactor = 70);

    -- Nothing is stored between the count and the commit.
    LOCK TABLE device_usage_monitoring IN SHARE MODE;
    INSERT INTO snapshot_days (router_id, session_id, day, snapshots, oldest, newest)
    SELECT router_id, session_id, (timestamp AT TIME ZONE 'UTC')::date, count(*), min(timestamp), max(timestamp)
    FROM device_usage_monitoring GROUP BY 1, 2, 3;
    """)


def downgrade() -> None:
    op.execute("DROP TABLE snapshot_days")
