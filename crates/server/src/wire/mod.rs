//! The wiring: the only place that names concrete adapters. Choosing another is a setting and an
//! arm in `stores.rs`.

mod seal;
mod services;
mod settings;
mod stores;
mod volume;

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use diamond_admission::Admission;
use diamond_api::{ApiSettings, ApiState, MetricsHandle};
use diamond_app::{
    AlarmRecorder, App, AppParts, FirstStart, KeyTagger, Outbound, RefusalRecorder, RotationParts,
    Rotations, Snapshot, Witnesses, bootstrap,
};
use diamond_db::Db;
use diamond_domain::{Alarm, AlarmCode, AlarmSink, Clock, ServiceId, SystemClock};
use diamond_gateway::{Gateway, GatewayParts};
use diamond_journal::{Disk, RealDisk};
use diamond_keyring::Keyring;
use diamond_ledger::ScanLedger;
use diamond_usage::{JournalAuditSink, RecoveredCalls, UsageJournal};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::task::TaskTracker;

use crate::{
    backup::Archivist,
    config::{Config, days},
    folder::DataFolder,
    hardening::Hardening,
};
pub(crate) use seal::open_secrets;
use services::open_services;
use settings::{
    app_settings, extra_authorities, gateway_settings, rotation_settings, witness_settings,
};
use stores::{open_database, open_journal, open_witnesses};

/// What the audit chain's key is derived for.
const AUDIT_KEY: &str = "audit chain";
/// What the key that signs its checkpoints is derived for.
const CHECKPOINT_KEY: &str = "audit checkpoint";

/// What the key is derived for by which the same value is known again.
const KEY_TAG_KEY: &str = "key tag";

/// What the key is derived for by which an installation knows its backups.
pub(crate) const BACKUP_KEY: &str = "backup";

/// The system, opened and ready to serve.
pub(crate) struct System {
    pub app: App,
    pub api: axum::Router,
    pub gateway: Gateway,
    pub tasks: TaskTracker,
    pub alarms: Arc<dyn AlarmSink>,
    pub clock: Arc<dyn Clock>,
    journal: Arc<UsageJournal>,
    audit: Arc<JournalAuditSink>,
    db: Db,
}

/// Opens every store and builds the system on them.
pub(crate) async fn open(
    config: &Config,
    metrics: PrometheusHandle,
    hardening: &Hardening,
) -> anyhow::Result<System> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let tasks = TaskTracker::new();
    let data = DataFolder::open(&config.server.data_dir, config.database.url.is_empty())?;
    let folder = data.path().to_owned();

    // The journal first: its lock makes this process the folder's one owner.
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let (journal, recovered) = open_journal(config, &folder, Arc::clone(&disk), &clock).await?;
    let db = open_database(config, &folder).await?;
    let (secrets, seal) = open_secrets(config, &folder, &db, &clock, hardening).await?;
    let names = Arc::clone(journal.dictionary());
    let audit = JournalAuditSink::open(
        &folder.join("audit"),
        disk,
        secrets.derive(AUDIT_KEY),
        names,
    )
    .context("the audit log cannot be opened")?;
    let audit = Arc::new(audit);
    let installation = diamond_db::installation::get_or_create(&db, clock.now()).await?;
    let node = data.node_of(installation, &*clock)?;

    let staleness = Duration::from_secs(config.server.snapshot_staleness_seconds);
    let admission = Admission::new(Arc::clone(&clock)).with_staleness(staleness);
    let admission = Arc::new(admission);
    let keyring = Arc::new(Keyring::new(Arc::clone(&clock)));
    let alarms = Arc::new(AlarmRecorder::new(Arc::clone(&clock)));
    let secrets = Arc::new(secrets);
    let settings = app_settings(config)?;
    let snapshot = Arc::new(Snapshot::new(
        db.clone(),
        secrets.clone(),
        Arc::clone(&admission),
        Arc::clone(&keyring),
        Arc::clone(&alarms),
        Arc::clone(&clock),
        node,
        settings.overheads,
    ));
    // Before anything is served: a change of the master key knows of this node from here on, or
    // the node sees here that it lacks a key.
    secrets
        .join(node)
        .await
        .context("the master key is being changed")?;
    first_start(config, &db, &*clock, &folder).await?;
    report_recovered(&recovered, &*alarms);

    let (directory, providers, catalog) = open_services(config)?;
    let catalog = Arc::new(catalog);
    let usual = providers.iter().filter_map(|(service, provider)| {
        let address = provider.descriptor().base_url()?;
        Some((service.clone(), address.to_owned()))
    });
    let set = config.services.iter();
    let set = set.map(|(service, section)| (service.clone(), section.base_url.clone()));
    // What is set stands in the place of the usual one.
    let addresses: HashMap<ServiceId, String> = usual.chain(set).collect();
    let authorities = extra_authorities(config)?;
    let signer = || {
        diamond_secrets::SigningKey::from_seed(&secrets.derive(CHECKPOINT_KEY))
            .context("the key that signs checkpoints cannot be made")
    };
    let witnesses = Witnesses::new(
        installation,
        node,
        signer()?,
        witness_settings(&config.audit),
        open_witnesses(config, &folder, signer, &authorities)?,
    );
    let refusals = RefusalRecorder::new(
        audit.clone(),
        Arc::clone(&clock),
        Arc::clone(&alarms),
        tasks.clone(),
    );
    let gateway_parts = GatewayParts {
        admission: Arc::clone(&admission),
        keyring: Arc::clone(&keyring),
        sink: journal.clone(),
        catalog: Arc::clone(&catalog),
        providers: providers.clone(),
        clock: Arc::clone(&clock),
        alarms: alarms.clone(),
        refusals: Arc::new(refusals.clone()),
        tasks: tasks.clone(),
        settings: gateway_settings(config, addresses.clone(), authorities.clone()),
    };
    let rotation_parts = RotationParts {
        db: db.clone(),
        secrets: secrets.clone(),
        keyring: Arc::clone(&keyring),
        snapshot: Arc::clone(&snapshot),
        providers: providers.clone(),
        alarms: Arc::clone(&alarms),
        audit: audit.clone(),
        clock: Arc::clone(&clock),
        tasks: tasks.clone(),
        installation,
        node,
        settings: rotation_settings(config),
    };
    let timeout = Duration::from_secs(config.outbound.timeout_seconds);
    // The clients read the system's authorities, file by file, while the tables are read.
    let clients = tokio::task::spawn_blocking(move || {
        let outbound =
            Outbound::new(addresses, timeout, &authorities).context("no client for providers")?;
        let rotations = Rotations::new(rotation_parts, outbound.clone());
        let gateway = Gateway::new(gateway_parts, Arc::new(rotations.clone()))
            .context("the gateway cannot be built")?;
        anyhow::Ok((gateway, outbound, rotations))
    });
    snapshot
        .catch_up()
        .await
        .context("the control database cannot be read")?;
    let (gateway, outbound, rotations) = clients.await.context("the clients were not built")??;
    let backups = Archivist {
        db: db.clone(),
        journal: Arc::clone(&journal),
        audit: Arc::clone(&audit),
        folder: folder.clone(),
        installation,
        node,
        mac_key: secrets.derive(BACKUP_KEY),
        clock: Arc::clone(&clock),
        tasks: tasks.clone(),
    };
    let app = App::new(AppParts {
        backups: Arc::new(backups),
        db: db.clone(),
        custody: secrets.clone(),
        key_tagger: KeyTagger::new(secrets.derive(KEY_TAG_KEY)),
        secrets,
        seal,
        custody_news: Arc::default(),
        admission,
        keyring,
        sink: journal.clone(),
        reader: Arc::new(ScanLedger::new(Arc::clone(&journal))),
        audit: audit.clone(),
        witnesses,
        refusals,
        node,
        catalog,
        providers,
        directory,
        outbound,
        alarms: Arc::clone(&alarms),
        snapshot,
        rotations,
        tasks: tasks.clone(),
        clock: Arc::clone(&clock),
        settings,
    });
    // Before anything is served: what was spent before this start counts. When it cannot be read it
    // is tried again in the background, which says so.
    if let Err(error) = app.read_budgets().await {
        tracing::error!(error = %error, cause = ?error, "what was spent of budgets is not known yet");
    }
    let api = diamond_api::router(ApiState {
        app: app.clone(),
        metrics: MetricsHandle::new(move || metrics.render()),
        clock: Arc::clone(&clock),
        settings: ApiSettings {
            body_bytes_max: config.api.body_bytes_max,
            usage_body_bytes_max: config.api.usage_body_bytes_max,
            json_depth_max: config.api.json_depth_max,
            request_timeout: Duration::from_secs(config.api.timeout_seconds),
        },
    });
    Ok(System {
        app,
        api,
        gateway,
        tasks,
        alarms,
        clock,
        journal,
        audit,
        db,
    })
}

impl System {
    /// Makes everything durable and lets go of the stores.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        let (journal, audit) = (self.journal, self.audit);
        tokio::task::spawn_blocking(move || {
            journal
                .close_blocking()
                .context("the usage journal did not close cleanly")?;
            audit
                .close_blocking()
                .context("the audit log did not close cleanly")
        })
        .await
        .context("closing was interrupted")??;
        self.db.close().await;
        Ok(())
    }
}

async fn first_start(
    config: &Config,
    db: &Db,
    clock: &dyn Clock,
    folder: &Path,
) -> anyhow::Result<()> {
    let path = folder.join("operator-token");
    let lifetime = days(config.tokens.lifetime_days);
    match bootstrap(db, clock, lifetime, &path).await? {
        FirstStart::TokenWritten(path) => tracing::info!(
            path = %path.display(),
            "first start: an operator's token was written to operator-token; make named tokens \
             with it, then revoke it"
        ),
        FirstStart::NotTheFirst => {}
    }
    Ok(())
}

fn report_recovered(recovered: &RecoveredCalls, alarms: &dyn AlarmSink) {
    let count = recovered.lost.len();
    if count == 0 {
        return;
    }
    alarms.raise(Alarm {
        code: AlarmCode::RecoveredCalls,
        tenant: None,
        subject: "start".into(),
        detail: format!(
            "{count} calls were under way when the process died; each is a partial event at its \
             estimated cost: compare with the providers' bills"
        ),
    });
}
