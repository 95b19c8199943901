//! The change log: which tenants, tokens and keys changed, in the order of the commits.
//!
//! A node that has applied everything up to a sequence asks [`crate::system::changes_after`] for
//! the rest. The numbers have no gaps, and when one is visible so are all before it.

use diamond_domain::{SecretName, TenantId, TokenId};
use sqlx::AnyConnection;

use crate::{DbError, reading::Reading};

/// What changed. The subject says whose row to read again, not how it changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ChangeSubject {
    /// A tenant was created or changed, or its budgets were.
    Tenant(TenantId),
    /// A token was created or revoked.
    Token(TokenId),
    /// A version of this secret changed its state.
    Key(SecretName),
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its place, from 1.
    pub sequence: u64,
    /// What changed.
    pub subject: ChangeSubject,
}

impl Change {
    pub(crate) fn read(row: &Reading<'_>) -> Result<Self, DbError> {
        let subject = match row.text("kind")?.as_str() {
            "tenant" => ChangeSubject::Tenant(row.parsed("subject")?),
            "token" => ChangeSubject::Token(row.parsed("subject")?),
            "key" => ChangeSubject::Key(row.parsed("subject")?),
            _ => return Err(DbError::corrupt("column kind")),
        };
        Ok(Self {
            sequence: row.number("sequence")?,
            subject,
        })
    }
}

/// Makes every other writer of the log wait until this transaction ends.
pub(crate) async fn hold_head(connection: &mut AnyConnection) -> Result<(), DbError> {
    sqlx::query("UPDATE change_head SET sequence = sequence WHERE singleton = 1")
        .execute(connection)
        .await?;
    Ok(())
}

/// Enters a change under the next number.
pub(crate) async fn append(
    connection: &mut AnyConnection,
    subject: &ChangeSubject,
) -> Result<(), DbError> {
    let (kind, text) = match subject {
        ChangeSubject::Tenant(tenant) => ("tenant", tenant.to_string()),
        ChangeSubject::Token(token) => ("token", token.to_string()),
        ChangeSubject::Key(name) => ("key", name.to_string()),
    };
    sqlx::query("UPDATE change_head SET sequence = sequence + 1 WHERE singleton = 1")
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "INSERT INTO changes (sequence, kind, subject)
         SELECT sequence, $1, $2 FROM change_head WHERE singleton = 1",
    )
    .bind(kind)
    .bind(text)
    .execute(connection)
    .await?;
    Ok(())
}
