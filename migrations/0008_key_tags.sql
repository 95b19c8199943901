-- By a version's tag the same value under two names is found: a hash under a key that is derived
-- from the installation's root, so that it tells nothing to whoever has the database alone. NULL
-- where the value could not be opened.
CREATE TABLE key_tags (
    name    TEXT   NOT NULL,
    version BIGINT NOT NULL,
    tag     TEXT,
    PRIMARY KEY (name, version),
    FOREIGN KEY (name, version) REFERENCES key_versions (name, version)
);
CREATE INDEX key_tags_by_tag ON key_tags (tag);
