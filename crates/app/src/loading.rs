//! What a node that starts takes into memory: every tenant, every token, every key.
//!
//! Keys come as they lie in the store, sealed, and are opened when they are first used: a start
//! does not wait for 50,000 ciphers, and what nobody uses is never plain in memory. A store that
//! cannot give them so is asked for each.

use std::{collections::BTreeMap, sync::Arc};

use diamond_admission::Admission;
use diamond_db::{BudgetRow, Db, KeyVersionState, system};
use diamond_domain::{SecretName, SecretValue, SecretVersion, TenantId, VersionState};
use diamond_keyring::{ClosedEntry, ClosedValue};
use diamond_secrets::{KeptValue, KeptValues};
use tokio::task::JoinSet;

use crate::{
    AlarmRecorder, AppError, Snapshot,
    snapshot::{is_hot, policy, raise_unreadable, take_token},
};

impl Snapshot {
    /// Takes everything in. Repeating it does no harm.
    pub(crate) async fn load(&self) -> Result<(), AppError> {
        // Before the tenants: none calls anything without its budgets.
        let mut budgets: BTreeMap<TenantId, Vec<BudgetRow>> = BTreeMap::new();
        for row in system::load_budgets(&self.db).await? {
            budgets.entry(row.tenant.clone()).or_default().push(row);
        }
        for (tenant, rows) in budgets {
            self.take_budgets(&tenant, rows, false);
        }
        // On another thread, while this one reads keys.
        let mut people = JoinSet::new();
        people.spawn(load_people(self.db.clone(), Arc::clone(&self.admission)));
        let versions = async { Ok::<_, AppError>(system::load_key_versions(&self.db).await?) };
        let kept = async { Ok(self.secrets.keep_all().await?) };
        let (versions, kept) = tokio::try_join!(versions, kept)?;
        let late = match kept {
            Some(kept) => self.fill(versions, &kept),
            None => versions,
        };
        for version in &late {
            self.take_key(version).await?;
        }
        match people.join_next().await {
            Some(Ok(loaded)) => loaded,
            Some(Err(error)) => Err(AppError::unavailable(
                "not_loaded",
                "tenants and tokens were not loaded",
                error,
            )),
            None => Ok(()),
        }
    }

    /// Fills the keyring. Gives back what must be asked for one by one: a version that came to be
    /// while the store was read.
    fn fill(&self, versions: Vec<KeyVersionState>, kept: &KeptValues) -> Vec<KeyVersionState> {
        let mut index = kept.index();
        let mut entries = Vec::with_capacity(versions.len());
        let mut others = Vec::new();
        for row in versions {
            let live = matches!(row.state, VersionState::Active | VersionState::Retiring);
            let kept = match live && is_hot(&row.name) {
                true => index.get(&row.name, row.version),
                false => None,
            };
            let Some(kept) = kept else {
                others.push(row);
                continue;
            };
            entries.push(ClosedEntry {
                name: row.name,
                version: row.version,
                value: Box::new(Kept {
                    value: kept,
                    alarms: Arc::clone(&self.alarms),
                }),
                state: row.state,
                payer: row.payer,
            });
        }
        self.keyring.fill(entries);
        others
    }
}

async fn load_people(db: Db, admission: Arc<Admission>) -> Result<(), AppError> {
    let tenants = async { Ok::<_, AppError>(system::load_tenants(&db).await?) };
    let tokens = async { Ok(system::load_tokens(&db).await?) };
    let (tenants, tokens) = tokio::try_join!(tenants, tokens)?;
    for tenant in &tenants {
        admission.upsert_tenant(policy(tenant));
    }
    for token in &tokens {
        take_token(&admission, token);
    }
    Ok(())
}

/// A sealed value that rings when it does not open.
struct Kept {
    value: KeptValue,
    alarms: Arc<AlarmRecorder>,
}

impl ClosedValue for Kept {
    fn open(&self, name: &SecretName, version: SecretVersion) -> Option<SecretValue> {
        match self.value.open(name, version) {
            Ok(value) => Some(value),
            Err(error) => {
                raise_unreadable(&self.alarms, name, &error);
                None
            }
        }
    }
}
