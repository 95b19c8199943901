-- Changing the master key. Ids of master keys are fingerprints, which tell nothing of the key.

-- Which master key wraps an owner's data key (none was noted before this file), and whether the
-- row was found not to open, so that a change of the master key passes it by.
ALTER TABLE sealed_data_keys ADD COLUMN master TEXT;
ALTER TABLE sealed_data_keys ADD COLUMN unreadable BIGINT NOT NULL DEFAULT 0;

-- The master key that opens the store, the one that new data keys are wrapped with, and a change
-- that is under way or has ended without being written into the audit log yet (JSON).
CREATE TABLE sealed_custody (
    singleton  BIGINT PRIMARY KEY CHECK (singleton = 1),
    master     TEXT   NOT NULL,
    sealing    TEXT   NOT NULL,
    made_at    BIGINT,
    rotated_at BIGINT,
    rekey      TEXT,
    ended      TEXT
);

-- Which master keys each node holds, as it said last.
CREATE TABLE sealed_nodes (
    node    TEXT   PRIMARY KEY,
    masters TEXT   NOT NULL,
    seen_at BIGINT NOT NULL
);
