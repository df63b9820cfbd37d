"""Who may sign in, who is signed in, what programs may do, and who did what."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    ALTER TABLE users
        -- Who vouches for this person, and by which name; NULL for the built-in user of the local mode.
        ADD COLUMN issuer          VARCHAR(255),
        ADD COLUMN subject         VARCHAR(255),
        ADD COLUMN email           VARCHAR(320),
        ADD COLUMN last_sign_in_at TIMESTAMPTZ,
        ADD UNIQUE (issuer, subject);

    -- A browser that is signed in. As everywhere, session_id is the account; the cookie's secret is stored as a hash.
    CREATE TABLE sessions (
        id           VARCHAR(32) PRIMARY KEY,
        secret_hash  BYTEA NOT NULL UNIQUE,
        session_id   VARCHAR(255) NOT NULL REFERENCES users ON DELETE CASCADE,
        created_at   TIMESTAMPTZ NOT NULL,
        last_seen_at TIMESTAMPTZ NOT NULL,
        -- Whatever is done with it.
        expires_at   TIMESTAMPTZ NOT NULL,
        address      VARCHAR(64) NOT NULL,
        user_agent   VARCHAR(255) NOT NULL
    );
    CREATE INDEX idx_sessions_account ON sessions (session_id);

    -- A program that may act for an account.
    CREATE TABLE tokens (
        id           VARCHAR(32) PRIMARY KEY,
        secret_hash  BYTEA NOT NULL UNIQUE,
        session_id   VARCHAR(255) NOT NULL REFERENCES users ON DELETE CASCADE,
        name         VARCHAR(255) NOT NULL,
        scope        VARCHAR(16) NOT NULL CHECK (scope IN ('read', 'write')),
        created_at   TIMESTAMPTZ NOT NULL,
        expires_at   TIMESTAMPTZ NOT NULL,
        last_used_at TIMESTAMPTZ
    );
    CREATE INDEX idx_tokens_account ON tokens (session_id);

    CREATE TABLE audit_log (
        id         BIGINT GENERATED ALWAYS AS IDENTITY,
        session_id VARCHAR(255) NOT NULL REFERENCES users ON DELETE CASCADE,
        at         TIMESTAMPTZ NOT NULL,
        action     VARCHAR(64) NOT NULL,
        -- What it was done to: a router's or token's id, a MAC, the days of an export.
        subject    VARCHAR(255) NOT NULL,
        -- The browser's or program's id; empty in the local mode.
        actor      VARCHAR(64) NOT NULL,
        address    VARCHAR(64) NOT NULL,
        PRIMARY KEY (session_id, id)
    );
    """)


def downgrade() -> None:
    op.execute("""
    DROP TABLE audit_log, tokens, sessions;
    ALTER TABLE users DROP COLUMN issuer, DROP COLUMN subject, DROP COLUMN email, DROP COLUMN last_sign_in_at;
    """)
