//! One key value under two tenants is found by its tag, a keyed hash under the installation's root:
//! across puts and imports, and among the keys that were there before.

use std::collections::BTreeSet;

use diamond_db::key_tags::{self, KeyTag};
use diamond_domain::{Alarm, AlarmCode, SecretName, SecretValue, SecretVersion, TenantId};
use diamond_secrets::SecretError;
use zeroize::Zeroizing;

use crate::{App, AppError};

/// How many versions are tagged in one go.
const BATCH: u32 = 200;

/// Makes tags. Whoever lacks its key learns nothing from a tag, not even by guessing values.
#[derive(Clone)]
pub struct KeyTagger(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for KeyTagger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyTagger(…)")
    }
}

impl KeyTagger {
    /// With this key, which is for nothing else.
    #[must_use]
    pub const fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self(key)
    }

    fn tag(&self, value: &SecretValue) -> [u8; 32] {
        *blake3::keyed_hash(&self.0, value.expose().as_bytes()).as_bytes()
    }
}

impl App {
    /// The other tenants that have this value in a live key.
    pub(super) async fn others_with(
        &self,
        value: &SecretValue,
        own: &TenantId,
    ) -> Result<BTreeSet<TenantId>, AppError> {
        let parts = self.parts();
        let tag = parts.key_tagger.tag(value);
        let names = diamond_db::system::secrets_with_tag(&parts.db, &tag).await?;
        let tenants = names.iter().filter_map(SecretName::tenant);
        Ok(tenants.filter(|tenant| *tenant != own).cloned().collect())
    }

    /// Whether the version has this value.
    pub(super) async fn has_value(
        &self,
        name: &SecretName,
        version: SecretVersion,
        value: &SecretValue,
    ) -> Result<bool, AppError> {
        let parts = self.parts();
        let noted = key_tags::get(&parts.db, name, version).await?;
        if let Some(noted) = noted {
            return Ok(noted == parts.key_tagger.tag(value));
        }
        match parts.secrets.get(name, version).await {
            Ok(stored) => Ok(parts.key_tagger.tag(&stored) == parts.key_tagger.tag(value)),
            Err(error @ SecretError::Unavailable(_)) => Err(error.into()),
            // What cannot be opened is to be put again.
            Err(_) => Ok(false),
        }
    }

    /// Notes the tag of a version that was put, and rings when another tenant has the same value.
    pub(super) async fn note_tag(
        &self,
        name: &SecretName,
        version: SecretVersion,
        value: &SecretValue,
    ) -> Result<(), AppError> {
        let parts = self.parts();
        let tag = KeyTag {
            name: name.clone(),
            version,
            tag: Some(parts.key_tagger.tag(value)),
        };
        key_tags::note(&parts.db, &[tag]).await?;
        self.flag_shared(name, value).await
    }

    /// Tags what was stored without one; how many there were.
    pub(crate) async fn tag_stored_keys(&self) -> Result<usize, AppError> {
        let parts = self.parts();
        let missing = diamond_db::system::keys_without_tag(&parts.db, BATCH).await?;
        let mut tags = Vec::with_capacity(missing.len());
        let mut values = Vec::with_capacity(missing.len());
        for (name, version) in missing {
            let tag = match parts.secrets.get(&name, version).await {
                Ok(value) => {
                    let tag = parts.key_tagger.tag(&value);
                    values.push((name.clone(), value));
                    Some(tag)
                }
                Err(error @ SecretError::Unavailable(_)) => return Err(error.into()),
                // It has rung already, and is not tried again and again.
                Err(_) => None,
            };
            tags.push(KeyTag { name, version, tag });
        }
        if tags.is_empty() {
            return Ok(0);
        }
        key_tags::note(&parts.db, &tags).await?;
        for (name, value) in &values {
            self.flag_shared(name, value).await?;
        }
        Ok(tags.len())
    }

    async fn flag_shared(&self, name: &SecretName, value: &SecretValue) -> Result<(), AppError> {
        let Some(own) = name.tenant() else {
            return Ok(());
        };
        let others = self.others_with(value, own).await?;
        let mut all: BTreeSet<&TenantId> = others.iter().collect();
        if all.is_empty() {
            return Ok(());
        }
        all.insert(own);
        let tenants: Vec<&str> = all.iter().map(|tenant| tenant.as_str()).collect();
        // The platform's: what tenants have in common is none of theirs to know.
        self.raise(Alarm {
            code: AlarmCode::SharedKey,
            tenant: None,
            subject: format!("{} {}", name.service(), super::put::fingerprint(value)),
            detail: format!(
                "One {} key is stored for the tenants {}: what one of them spends or loses is the \
                 other's too. Give each a key of its own.",
                name.service(),
                tenants.join(", ")
            ),
        });
        Ok(())
    }
}
