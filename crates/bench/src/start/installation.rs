//! A large installation, made through the real stores: tenants, a token for each, sealed keys.
//!
//! Names and values are the same each time; what is random by its nature (tokens, nonces, data keys)
//! is not.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use diamond_admission::AccessToken;
use diamond_db::{
    Db, DbOptions, KeyVersionRow, Tenant, TenantStatus, TokenRow,
    key_versions::{self, Activation},
    tenants, tokens,
};
use diamond_domain::{
    Clock, Payer, Scope, ScopeSet, SecretName, SecretValue, SystemClock, TenantId, Tier, TokenId,
    VersionState,
};
use diamond_secrets::{MasterKeySource, Precondition, SealedStore, SecretStore};

use crate::arguments::InstallationExtent;

/// The services whose keys there are; the first one is asked for.
const SERVICES: [&str; 5] = ["openai", "anthropic", "elevenlabs", "deepgram", "hume"];
/// How many tokens are kept, to ask with.
const HOLDERS: u32 = 100;
const TOKEN_LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);

/// Somebody who may ask for a key, and what the answer is.
#[derive(Debug)]
pub struct KeyHolder {
    pub token: String,
    pub path: String,
    pub key: String,
}

/// Fills a folder that the server has made and left. Gives some of those who may ask.
pub async fn generate(data: &Path, extent: InstallationExtent) -> anyhow::Result<Vec<KeyHolder>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let url = format!("sqlite://{}", data.join("control.db").display());
    let db = Db::connect_with(&url, DbOptions::default())
        .await
        .context("the control database cannot be opened")?;
    let master = MasterKeySource::File(data.join("master-key"));
    let secrets = SealedStore::open(db.clone(), master, Arc::clone(&clock))
        .await
        .context("the secret store cannot be opened")?;
    let kept_every = (extent.tenants / HOLDERS).max(1);
    let mut holders = Vec::new();
    for number in 0..extent.tenants {
        let tenant: TenantId = format!("tenant{number:06}").parse()?;
        let token = AccessToken::generate();
        make_tenant(&db, &*clock, &tenant, &token).await?;
        for service in SERVICES
            .iter()
            .take(usize::try_from(extent.keys_per_tenant)?)
        {
            let name: SecretName = format!("ai-{service}-{tenant}").parse()?;
            let value = value_of(&name);
            make_key(&db, &secrets, &*clock, &name, &value).await?;
            if *service == SERVICES[0] && number.is_multiple_of(kept_every) {
                holders.push(KeyHolder {
                    token: token.expose().to_owned(),
                    path: format!("/api/keys/{service}/{tenant}"),
                    key: value.expose().to_owned(),
                });
            }
        }
    }
    db.close().await;
    Ok(holders)
}

/// A value of the usual length, the same for the same name.
fn value_of(name: &SecretName) -> SecretValue {
    let hash = blake3::hash(name.to_string().as_bytes());
    SecretValue::new(format!("sk-proj-{}", hash.to_hex()))
}

async fn make_tenant(
    db: &Db,
    clock: &dyn Clock,
    tenant: &TenantId,
    token: &AccessToken,
) -> anyhow::Result<()> {
    let now = clock.now();
    let row = Tenant {
        id: tenant.clone(),
        display_name: format!("Tenant {tenant}"),
        tier: Tier::ManagedEnterprise,
        status: TenantStatus::Active,
        services: None,
        reveal: true,
        created_at: now,
        updated_at: now,
    };
    ensure!(
        tenants::create(db, &row).await?,
        "{tenant} is there already"
    );
    let row = TokenRow {
        id: TokenId::generate(now),
        hash: *token.hash().as_bytes(),
        tenant: Some(tenant.clone()),
        name: "program".to_owned(),
        owner: format!("the people of {tenant}"),
        purpose: "fetches its keys and calls through the gateway".to_owned(),
        scopes: ScopeSet::from_iter([Scope::KeysReveal, Scope::Gateway, Scope::UsageWrite]),
        user: None,
        services: None,
        addresses: Vec::new(),
        created_at: now,
        expires_at: now + TOKEN_LIFETIME,
        revoked_at: None,
        last_used_at: None,
    };
    tokens::insert(db, &row).await?;
    Ok(())
}

async fn make_key(
    db: &Db,
    secrets: &SealedStore,
    clock: &dyn Clock,
    name: &SecretName,
    value: &SecretValue,
) -> anyhow::Result<()> {
    let request_id = format!("generate/{name}");
    let put = secrets.put(name, value, Precondition::Absent, &request_id);
    let version = put.await?;
    let now = clock.now();
    let row = KeyVersionRow {
        name: name.clone(),
        version,
        state: VersionState::Active,
        payer: Payer::Platform,
        created_at: now,
        activated_at: Some(now),
        retired_at: None,
        revoked_at: None,
        created_by: None,
        request_id,
        at_provider: None,
        revealed: false,
        fingerprint: "0123456789ab".to_owned(),
    };
    let activated = key_versions::activate(db, &row).await?;
    ensure!(
        matches!(activated, Activation::Activated { .. }),
        "{name} was active already"
    );
    Ok(())
}
