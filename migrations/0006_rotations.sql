-- Keys that a provider made for us: where they stand there, by whose management credential they
-- were made, and when they end by themselves.
ALTER TABLE key_versions ADD COLUMN provider_place TEXT;
ALTER TABLE key_versions ADD COLUMN provider_admin TEXT;
ALTER TABLE key_versions ADD COLUMN provider_expires_at BIGINT;
CREATE INDEX key_versions_retiring ON key_versions (retired_at) WHERE state = 'retiring';
CREATE INDEX key_versions_at_provider ON key_versions (provider_key_id)
    WHERE provider_key_id IS NOT NULL;

-- How keys are replaced, one row a rotation. Whoever works on a row holds it until a time; the
-- fence is counted up by each who takes it, and who brings an old one changes nothing.
CREATE TABLE rotations (
    id           TEXT   PRIMARY KEY,
    secret       TEXT   NOT NULL,
    tenant       TEXT   NOT NULL REFERENCES tenants (id),
    service      TEXT   NOT NULL,
    cause        TEXT   NOT NULL,
    state        TEXT   NOT NULL,
    former       BIGINT,
    version      BIGINT,
    attempt      BIGINT NOT NULL,
    -- Whether the provider may have made a key for this attempt that nobody here has.
    asked        BIGINT NOT NULL,
    admin        TEXT,
    waits        BIGINT NOT NULL,
    failures     BIGINT NOT NULL,
    reason       TEXT,
    next_at      BIGINT,
    requested_by TEXT,
    created_at   BIGINT NOT NULL,
    created_key_at BIGINT,
    promoted_at  BIGINT,
    ended_at     BIGINT,
    held_by      TEXT,
    held_until   BIGINT,
    fence        BIGINT NOT NULL
);
CREATE UNIQUE INDEX rotations_one_open ON rotations (secret)
    WHERE state IN ('planned', 'created', 'tested');
CREATE INDEX rotations_due ON rotations (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX rotations_by_tenant ON rotations (tenant, id);
CREATE INDEX rotations_by_secret ON rotations (secret, id);
CREATE INDEX rotations_of_repair ON rotations (service, created_at) WHERE cause = 'repair';

-- Which node has let go of which retiring version: it takes no new pins, none is left, and what was
-- leased ends by then.
CREATE TABLE key_drains (
    secret       TEXT   NOT NULL,
    version      BIGINT NOT NULL,
    node         TEXT   NOT NULL,
    at           BIGINT NOT NULL,
    leased_until BIGINT,
    PRIMARY KEY (secret, version, node)
);

-- Keys to end at their provider. One whose answer was lost is known by its name only.
CREATE TABLE provider_revocations (
    id         TEXT   PRIMARY KEY,
    service    TEXT   NOT NULL,
    tenant     TEXT,
    admin      TEXT   NOT NULL,
    key_id     TEXT,
    place      TEXT,
    key_name   TEXT,
    looks      BIGINT NOT NULL,
    failures   BIGINT NOT NULL,
    reason     TEXT,
    next_at    BIGINT,
    held_until BIGINT,
    created_at BIGINT NOT NULL,
    done_at    BIGINT
);
CREATE INDEX provider_revocations_due ON provider_revocations (next_at) WHERE next_at IS NOT NULL;
