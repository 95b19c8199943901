-- The embedded secret store. Sealed texts are opaque here; the crate `secrets` reads them.
-- An owner is 'platform' or 'tenant:ID'.

-- What the store needs before any key: how the master key is derived, the check value, the root.
CREATE TABLE sealed_settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE sealed_data_keys (
    owner      TEXT   PRIMARY KEY,
    wrapped    TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);

-- The newest number of each secret: where compare-and-set happens.
CREATE TABLE sealed_secrets (
    name   TEXT   PRIMARY KEY,
    owner  TEXT   NOT NULL REFERENCES sealed_data_keys (owner),
    newest BIGINT NOT NULL
);

-- A destroyed version keeps its number and loses its text.
CREATE TABLE sealed_versions (
    name         TEXT   NOT NULL REFERENCES sealed_secrets (name),
    version      BIGINT NOT NULL,
    owner        TEXT   NOT NULL,
    sealed       TEXT,
    created_at   BIGINT NOT NULL,
    destroyed_at BIGINT,
    PRIMARY KEY (name, version)
);

-- Which request made which version; the digest binds the request to its value.
CREATE TABLE sealed_requests (
    owner      TEXT   NOT NULL,
    request_id TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    digest     TEXT   NOT NULL,
    PRIMARY KEY (owner, request_id)
);
