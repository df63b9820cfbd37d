"""Usage by layer-7 protocol and address family: what each day of a device is made of."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    -- Added up over its protocols, a device's day is its row of that day in device_usage_history, to the byte. Of what
    -- was stored before this table there is no detail: that remainder is worked out when it is asked for.
    CREATE TABLE device_usage_protocols (
        session_id    VARCHAR(255) NOT NULL,
        router_id     VARCHAR(255) NOT NULL,
        -- In the router's zone.
        day           DATE NOT NULL,
        device_mac    VARCHAR(17) NOT NULL,
        -- nlbwmon's name of it.
        protocol      VARCHAR(64) NOT NULL,
        -- A column a family and not a row: half as many rows where devices speak both.
        ipv4_download BIGINT NOT NULL DEFAULT 0,
        ipv4_upload   BIGINT NOT NULL DEFAULT 0,
        ipv6_download BIGINT NOT NULL DEFAULT 0,
        ipv6_upload   BIGINT NOT NULL DEFAULT 0,
        -- A range of days lies side by side, and so does the one day that readings write to.
        PRIMARY KEY (router_id, day, device_mac, protocol)
    ) WITH (fillfactor = 70);
    """)


def downgrade() -> None:
    op.execute("DROP TABLE device_usage_protocols")
