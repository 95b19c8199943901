-- Each time this installation was brought back from a backup. Until the newest is released, nothing
-- is changed outside.
CREATE TABLE restores (
    restored_at BIGINT PRIMARY KEY,
    taken_at    BIGINT NOT NULL,
    archive     TEXT   NOT NULL,
    counts      TEXT   NOT NULL,
    released_at BIGINT,
    released_by TEXT,
    reason      TEXT
);
