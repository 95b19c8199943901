-- The nodes of this installation: which serve, and how far each has followed the change log.
CREATE TABLE nodes (
    id           TEXT   PRIMARY KEY,
    started_at   BIGINT NOT NULL,
    stopped_at   BIGINT,
    last_seen_at BIGINT NOT NULL,
    acknowledged BIGINT NOT NULL
);

-- What was ended at once, calls under way included. Each comes with the change of its sequence, so
-- that a node that follows the log meets it exactly once.
CREATE TABLE revocations (
    id       TEXT   PRIMARY KEY,
    sequence BIGINT NOT NULL UNIQUE,
    kind     TEXT   NOT NULL CHECK (kind IN ('tenant', 'token', 'key')),
    subject  TEXT   NOT NULL,
    version  BIGINT,
    tenant   TEXT,
    at       BIGINT NOT NULL
);
CREATE INDEX revocations_by_time ON revocations (at);

-- Which node refused since when, and how many calls it cut.
CREATE TABLE revocation_acknowledgements (
    revocation TEXT   NOT NULL REFERENCES revocations (id),
    node       TEXT   NOT NULL,
    at         BIGINT NOT NULL,
    calls_cut  BIGINT NOT NULL,
    PRIMARY KEY (revocation, node)
);
