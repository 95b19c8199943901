-- The control state. One text for SQLite and PostgreSQL:
--   times are BIGINT microseconds since 1970 UTC, flags are BIGINT 0 or 1,
--   hashes are lower-case hexadecimal TEXT, lists are JSON TEXT.

-- This installation's own name, made at the first start.
CREATE TABLE installation (
    singleton  BIGINT PRIMARY KEY CHECK (singleton = 1),
    id         TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);

-- Every committed change of tenants, tokens and key versions, in commit order and without gaps:
-- the writer holds the head's row from its number to its commit.
CREATE TABLE change_head (
    singleton BIGINT PRIMARY KEY CHECK (singleton = 1),
    sequence  BIGINT NOT NULL
);
INSERT INTO change_head (singleton, sequence) VALUES (1, 0);

CREATE TABLE changes (
    sequence BIGINT PRIMARY KEY,
    kind     TEXT NOT NULL CHECK (kind IN ('tenant', 'token', 'key')),
    subject  TEXT NOT NULL
);

CREATE TABLE tenants (
    id           TEXT   PRIMARY KEY,
    display_name TEXT   NOT NULL,
    tier         TEXT   NOT NULL,
    status       TEXT   NOT NULL,
    services     TEXT,
    reveal       BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL
);

-- A token without a tenant is the platform's own.
CREATE TABLE tokens (
    id           TEXT   PRIMARY KEY,
    hash         TEXT   NOT NULL UNIQUE,
    tenant       TEXT   REFERENCES tenants (id),
    name         TEXT   NOT NULL,
    owner        TEXT   NOT NULL,
    purpose      TEXT   NOT NULL,
    scopes       TEXT   NOT NULL,
    user_id      TEXT,
    services     TEXT,
    addresses    TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    revoked_at   BIGINT,
    last_used_at BIGINT
);
CREATE INDEX tokens_by_tenant ON tokens (COALESCE(tenant, ''), id);

-- What is known of each version of a provider credential; its value is in the secret store.
CREATE TABLE key_versions (
    name            TEXT   NOT NULL,
    version         BIGINT NOT NULL,
    tenant          TEXT   REFERENCES tenants (id),
    state           TEXT   NOT NULL,
    payer           TEXT   NOT NULL,
    created_at      BIGINT NOT NULL,
    activated_at    BIGINT,
    retired_at      BIGINT,
    revoked_at      BIGINT,
    created_by      TEXT,
    request_id      TEXT   NOT NULL,
    provider_key_id TEXT,
    revealed        BIGINT NOT NULL,
    fingerprint     TEXT   NOT NULL,
    PRIMARY KEY (name, version)
);
CREATE INDEX key_versions_by_tenant ON key_versions (COALESCE(tenant, ''), name, version);
CREATE UNIQUE INDEX key_versions_one_active ON key_versions (name) WHERE state = 'active';

-- Raises with the same code, tenant and subject are one row until it is closed.
CREATE TABLE alarms (
    id            TEXT   PRIMARY KEY,
    code          TEXT   NOT NULL,
    tenant        TEXT,
    subject       TEXT   NOT NULL,
    detail        TEXT   NOT NULL,
    first_seen_at BIGINT NOT NULL,
    last_seen_at  BIGINT NOT NULL,
    count         BIGINT NOT NULL,
    state         TEXT   NOT NULL
);
CREATE UNIQUE INDEX alarms_joined ON alarms (code, COALESCE(tenant, ''), subject)
    WHERE state <> 'closed';
CREATE INDEX alarms_by_tenant ON alarms (COALESCE(tenant, ''), id);

-- The head of each node's audit chain, so that a cut tail is found.
CREATE TABLE audit_anchors (
    chain    TEXT   PRIMARY KEY,
    sequence BIGINT NOT NULL,
    hash     TEXT   NOT NULL,
    at       BIGINT NOT NULL
);
