//! Control state in SQL: one portable body for SQLite and PostgreSQL.
