-- Hard limits on what a tenant may spend in a calendar period. A change of them is a change of
-- their tenant.
CREATE TABLE budgets (
    tenant       TEXT   NOT NULL REFERENCES tenants (id),
    name         TEXT   NOT NULL,
    user_id      TEXT,
    token        TEXT,
    service      TEXT,
    model        TEXT,
    period       TEXT   NOT NULL,
    measure      TEXT   NOT NULL,
    limit_usd    TEXT   NOT NULL,
    on_unbounded TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    PRIMARY KEY (tenant, name)
);
