//! Whole tables at once, for a node that starts.
//!
//! A row costs a driver several times what it costs the database, so here the database joins all
//! rows into one text: a line for each, its fields apart by tabs. Words of people are escaped.

use std::{borrow::Cow, collections::HashSet, hash::Hash, str::FromStr};

use diamond_domain::{Payer, SecretName, SecretVersion, ServiceId, TenantId, VersionState};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::Row as _;

use crate::{Db, DbError, Tenant, TokenRow, digest};

/// A column with words of people, in which tabs and line ends become two characters.
macro_rules! escaped {
    ($column:literal) => {
        concat!(
            "replace(replace(replace(",
            $column,
            ", '\\', '\\\\'), '\t', '\\t'), '\n', '\\n')"
        )
    };
}

/// What the keyring needs to know of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyVersionState {
    /// The secret.
    pub name: SecretName,
    /// The version of its value.
    pub version: SecretVersion,
    /// Where it is in its life.
    pub state: VersionState,
    /// Who pays the provider for what it is used for.
    pub payer: Payer,
}

/// Sealed texts of a whole table, by what they are sealed for.
#[derive(Debug, Default)]
pub struct SealedTexts(String);

impl SealedTexts {
    /// The wrapped data keys: the owner as text, the wrapped key.
    pub fn data_keys(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.lines().filter_map(|line| line.split_once('\t'))
    }

    /// The sealed values: the secret's name and the version's number, both as text and with a tab
    /// between them; the sealed text.
    pub fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.lines().filter_map(|line| line.rsplit_once('\t'))
    }
}

pub(crate) async fn tenants(db: &Db) -> Result<Vec<Tenant>, DbError> {
    const ALL: &str = concat!(
        "SELECT string_agg(concat_ws('\t', id, ",
        escaped!("display_name"),
        ", tier, status, COALESCE(services, ''), reveal, created_at, updated_at), '\n') AS lines
         FROM tenants"
    );
    read(&lines(db, ALL).await?, |fields| {
        Ok(Tenant {
            id: fields.parsed("id")?,
            display_name: fields.words("display_name")?,
            tier: fields.parsed("tier")?,
            status: fields.parsed("status")?,
            services: fields.optional_json("services")?,
            reveal: fields.flag("reveal")?,
            created_at: fields.time("created_at")?,
            updated_at: fields.time("updated_at")?,
        })
    })
}

pub(crate) async fn tokens(db: &Db) -> Result<Vec<TokenRow>, DbError> {
    const ALL: &str = concat!(
        "SELECT string_agg(concat_ws('\t', id, hash, COALESCE(tenant, ''), ",
        escaped!("name"),
        ", ",
        escaped!("owner"),
        ", ",
        escaped!("purpose"),
        ", scopes, ",
        escaped!("COALESCE(user_id, '')"),
        ", COALESCE(services, ''), addresses, created_at, expires_at,
              COALESCE(CAST(revoked_at AS TEXT), ''),
              COALESCE(CAST(last_used_at AS TEXT), '')), '\n') AS lines
         FROM tokens"
    );
    read(&lines(db, ALL).await?, |fields| {
        Ok(TokenRow {
            id: fields.parsed("id")?,
            hash: digest::from_text(fields.next("hash")?, "hash")?,
            tenant: fields.optional_parsed("tenant")?,
            name: fields.words("name")?,
            owner: fields.words("owner")?,
            purpose: fields.words("purpose")?,
            scopes: fields.json("scopes")?,
            user: match fields.words("user_id")? {
                none if none.is_empty() => None,
                user => Some(parse(&user, "user_id")?),
            },
            services: fields.optional_json("services")?,
            addresses: fields.json("addresses")?,
            created_at: fields.time("created_at")?,
            expires_at: fields.time("expires_at")?,
            revoked_at: fields.optional_time("revoked_at")?,
            last_used_at: fields.optional_time("last_used_at")?,
        })
    })
}

pub(crate) async fn key_versions(db: &Db) -> Result<Vec<KeyVersionState>, DbError> {
    const ALL: &str = "SELECT string_agg(concat_ws('\t', name, version, COALESCE(tenant, ''), state, payer), '\n')
              AS lines
         FROM key_versions";
    let mut shared = Shared::default();
    read(&lines(db, ALL).await?, |fields| {
        let name: SecretName = fields.parsed("name")?;
        let version = SecretVersion::new(fields.parsed("version")?);
        // The name decides whose it is; a row filed under another tenant must not be believed.
        if fields.next("tenant")? != name.tenant().map_or("", TenantId::as_str) {
            return Err(DbError::corrupt("column tenant of a key version"));
        }
        Ok(KeyVersionState {
            name: shared.name(name),
            version: version.ok_or_else(|| DbError::corrupt("column version"))?,
            state: fields.parsed("state")?,
            payer: fields.parsed("payer")?,
        })
    })
}

pub(crate) async fn data_keys(db: &Db) -> Result<SealedTexts, DbError> {
    const ALL: &str =
        "SELECT string_agg(concat_ws('\t', owner, wrapped), '\n') AS lines FROM sealed_data_keys";
    Ok(SealedTexts(lines(db, ALL).await?))
}

pub(crate) async fn sealed_values(db: &Db) -> Result<SealedTexts, DbError> {
    const ALL: &str = "SELECT string_agg(concat_ws('\t', name, version, sealed), '\n') AS lines
         FROM sealed_versions WHERE sealed IS NOT NULL";
    Ok(SealedTexts(lines(db, ALL).await?))
}

async fn lines(db: &Db, query: &'static str) -> Result<String, DbError> {
    let row = sqlx::query(query).fetch_one(&db.pool).await?;
    let lines: Option<String> = row.try_get("lines")?;
    Ok(lines.unwrap_or_default())
}

fn read<T>(
    lines: &str,
    mut read: impl FnMut(&mut Fields<'_>) -> Result<T, DbError>,
) -> Result<Vec<T>, DbError> {
    // Not `str::lines`, which would take a carriage return at an end for a part of the end.
    let lines = lines.split('\n').filter(|line| !line.is_empty());
    let rows = lines.map(|line| {
        let mut fields = Fields(line.split('\t'));
        let row = read(&mut fields)?;
        match fields.0.next() {
            None => Ok(row),
            Some(_) => Err(DbError::corrupt("a row with a tab in it")),
        }
    });
    rows.collect()
}

/// The fields of one line, in their order.
struct Fields<'a>(std::str::Split<'a, char>);

impl<'a> Fields<'a> {
    fn next(&mut self, column: &'static str) -> Result<&'a str, DbError> {
        let next = self.0.next();
        next.ok_or_else(|| DbError::corrupt(format!("column {column}")))
    }

    fn parsed<T: FromStr>(&mut self, column: &'static str) -> Result<T, DbError> {
        parse(self.next(column)?, column)
    }

    fn optional_parsed<T: FromStr>(&mut self, column: &'static str) -> Result<Option<T>, DbError> {
        let text = Some(self.next(column)?).filter(|text| !text.is_empty());
        text.map(|text| parse(text, column)).transpose()
    }

    fn json<T: DeserializeOwned>(&mut self, column: &'static str) -> Result<T, DbError> {
        serde_json::from_str(self.next(column)?)
            .map_err(|_| DbError::corrupt(format!("column {column}")))
    }

    fn optional_json<T: DeserializeOwned>(
        &mut self,
        column: &'static str,
    ) -> Result<Option<T>, DbError> {
        let mut ahead = self.0.clone();
        if ahead.next() == Some("") {
            self.0 = ahead;
            return Ok(None);
        }
        self.json(column).map(Some)
    }

    fn words(&mut self, column: &'static str) -> Result<String, DbError> {
        let words = unescaped(self.next(column)?);
        let words = words.ok_or_else(|| DbError::corrupt(format!("column {column}")))?;
        Ok(words.into_owned())
    }

    fn flag(&mut self, column: &'static str) -> Result<bool, DbError> {
        match self.next(column)? {
            "0" => Ok(false),
            "1" => Ok(true),
            _ => Err(DbError::corrupt(format!("column {column}"))),
        }
    }

    fn time(&mut self, column: &'static str) -> Result<Timestamp, DbError> {
        Timestamp::from_microsecond(self.parsed(column)?)
            .map_err(|_| DbError::corrupt(format!("column {column}")))
    }

    fn optional_time(&mut self, column: &'static str) -> Result<Option<Timestamp>, DbError> {
        let micros: Option<i64> = self.optional_parsed(column)?;
        let time = micros.map(Timestamp::from_microsecond).transpose();
        time.map_err(|_| DbError::corrupt(format!("column {column}")))
    }
}

fn parse<T: FromStr>(text: &str, column: &'static str) -> Result<T, DbError> {
    text.parse()
        .map_err(|_| DbError::corrupt(format!("column {column}")))
}

fn unescaped(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('\\') {
        return Some(Cow::Borrowed(text));
    }
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        plain.push(match letter {
            '\\' => match letters.next()? {
                't' => '\t',
                'n' => '\n',
                '\\' => '\\',
                _ => return None,
            },
            letter => letter,
        });
    }
    Some(Cow::Owned(plain))
}

/// The ids of many names: one copy of each.
#[derive(Default)]
struct Shared {
    services: Ids<ServiceId>,
    tenants: Ids<TenantId>,
}

impl Shared {
    fn name(&mut self, name: SecretName) -> SecretName {
        match name {
            SecretName::Dedicated { service, tenant } => SecretName::Dedicated {
                service: self.services.share(service),
                tenant: self.tenants.share(tenant),
            },
            SecretName::Customer { service, tenant } => SecretName::Customer {
                service: self.services.share(service),
                tenant: self.tenants.share(tenant),
            },
            other => other,
        }
    }
}

struct Ids<T> {
    all: HashSet<T>,
    /// Rows of one tenant mostly stand together.
    last: Option<T>,
}

impl<T> Default for Ids<T> {
    fn default() -> Self {
        Self {
            all: HashSet::new(),
            last: None,
        }
    }
}

impl<T: Clone + Eq + Hash> Ids<T> {
    fn share(&mut self, id: T) -> T {
        if let Some(last) = self.last.as_ref().filter(|last| **last == id) {
            return last.clone();
        }
        let shared = match self.all.get(&id) {
            Some(first) => first.clone(),
            None => {
                self.all.insert(id.clone());
                id
            }
        };
        self.last = Some(shared.clone());
        shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_with_tabs_and_line_ends_come_back() {
        assert_eq!(unescaped("plain words").unwrap(), "plain words");
        assert_eq!(unescaped(r"a\tb\nc\\t").unwrap(), "a\tb\nc\\t");
        assert!(unescaped(r"a\x").is_none() && unescaped("a\\").is_none());
    }

    #[test]
    fn a_line_has_just_its_fields() {
        let two = |text: &str| {
            read(text, |fields| Ok((fields.words("a")?, fields.flag("b")?))).map_err(|_| ())
        };
        assert_eq!(
            two("x\t1\ny\t0"),
            Ok(vec![("x".into(), true), ("y".into(), false)])
        );
        assert_eq!(two(""), Ok(Vec::new()));
        for bad in ["x", "x\t2", "x\t1\t"] {
            assert!(two(bad).is_err(), "{bad}");
        }
    }
}
