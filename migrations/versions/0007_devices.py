"""Whose a device is, which MACs are one device, since when it counts, and whether it has vanished."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    ALTER TABLE devices
        -- A free label; NULL: nobody's.
        ADD person       VARCHAR(255),
        -- Its IPv4 address as lease and neighbours tell it; in ips there are older ones too.
        ADD current_ip   VARCHAR(45),
        -- The MAC of the device that this one is shown as. Never that of one that is merged itself.
        ADD merged_into  VARCHAR(17),
        -- Usage counts from the first reading at or after this moment on; NULL: from the first one that shows it.
        ADD counts_from  TIMESTAMPTZ,
        -- The first reading that did not find it active any more; NULL while it is, and before it ever was.
        ADD absent_since TIMESTAMPTZ,
        -- When it was said that it has vanished; NULL: it wasn't, or it is back.
        ADD vanished_at  TIMESTAMPTZ,
        ADD CHECK (merged_into <> device_mac),
        ADD FOREIGN KEY (router_id, merged_into) REFERENCES devices (router_id, device_mac);

    -- From now on, so that an upgrade doesn't tell at once of everything that left long ago.
    UPDATE devices SET absent_since = now() WHERE NOT is_active AND last_seen IS NOT NULL;

    -- The few that are not shown as themselves.
    CREATE INDEX idx_devices_merged ON devices (router_id, merged_into)
        WHERE merged_into IS NOT NULL OR NOT is_monitored;
    """)


def downgrade() -> None:
    op.execute("""
    DROP INDEX idx_devices_merged;
    ALTER TABLE devices DROP person, DROP current_ip, DROP merged_into, DROP counts_from, DROP absent_since,
                        DROP vanished_at;
    """)
