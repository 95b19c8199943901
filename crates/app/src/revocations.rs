//! Revocations that take effect at once: on every node, also for what is under way.

use std::time::Duration;

use diamond_db::{NodeRow, Revocation, RevocationAcknowledgement, RevocationTarget, system};
use diamond_domain::{Alarm, AlarmCode, AlarmSink as _, NodeId, RevocationId, Scope, TenantId};
use jiff::{SignedDuration, Timestamp};

use crate::{App, AppError, RequestContext};

/// How often whoever waits for the other nodes looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A node that was not heard of for longer is called silent: three reports are missing.
const SILENT_AFTER: SignedDuration = SignedDuration::from_secs(15);
/// How long after a revocation a node that has not acknowledged it raises an alarm.
const OVERDUE_AFTER: SignedDuration = SignedDuration::from_secs(10);
/// For how long nodes are expected to acknowledge a revocation.
const EXPECTED_FOR: SignedDuration = SignedDuration::from_hours(24);
/// A node that was not heard of for longer is not named any more.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What a node makes of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeStanding {
    /// It refuses what was revoked.
    Refuses {
        /// Since when.
        at: Timestamp,
        /// How many calls it cut; `None` when it began to serve afterwards.
        calls_cut: Option<u64>,
    },
    /// It lives and has not said yet that it refuses.
    Waiting,
    /// It was not heard of lately: it may go on with what it knew.
    Silent,
    /// It was not heard of for so long that it refuses everybody by itself.
    Stale,
}

/// A node and what it makes of a revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeView {
    /// Which.
    pub node: NodeId,
    /// What it makes of it.
    pub standing: NodeStanding,
    /// When it was last heard of.
    pub last_seen_at: Timestamp,
}

/// A revocation and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationView {
    /// Its name.
    pub id: RevocationId,
    /// What was ended.
    pub target: RevocationTarget,
    /// Whose it is; `None` for the platform's.
    pub tenant: Option<TenantId>,
    /// When.
    pub at: Timestamp,
    /// How many calls were cut, as far as the nodes have said.
    pub calls_cut: u64,
    /// When the last node refused; `None` while one is missing.
    pub refused_everywhere_at: Option<Timestamp>,
    /// The nodes, by id.
    pub nodes: Vec<NodeView>,
}

impl RevocationView {
    fn of(
        revocation: Revocation,
        nodes: &[NodeRow],
        acknowledged: &[RevocationAcknowledgement],
        staleness: Duration,
        now: Timestamp,
    ) -> Self {
        let mut views: Vec<NodeView> = nodes
            .iter()
            .filter(|node| now.duration_since(node.last_seen_at) < FORGOTTEN_AFTER)
            .map(|node| NodeView {
                node: node.id,
                standing: standing(&revocation, node, acknowledged, staleness, now),
                last_seen_at: node.last_seen_at,
            })
            .collect();
        // A node that refused and stopped since counts all the same.
        for word in acknowledged {
            if !nodes.iter().any(|node| node.id == word.node) {
                views.push(NodeView {
                    node: word.node,
                    standing: refuses(word),
                    last_seen_at: word.at,
                });
            }
        }
        views.sort_by_key(|view| view.node);
        let refused_at = views.iter().map(|view| match view.standing {
            NodeStanding::Refuses { at, .. } => Some(at),
            NodeStanding::Waiting | NodeStanding::Silent => None,
            NodeStanding::Stale => Some(view.last_seen_at),
        });
        let everywhere = refused_at
            .collect::<Option<Vec<_>>>()
            .and_then(|times| times.into_iter().max());
        Self {
            id: revocation.id,
            target: revocation.target,
            tenant: revocation.tenant,
            at: revocation.at,
            calls_cut: acknowledged.iter().map(|word| word.calls_cut).sum(),
            refused_everywhere_at: everywhere,
            nodes: views,
        }
    }

    fn is(&self, standing: NodeStanding) -> impl Iterator<Item = &NodeView> {
        self.nodes
            .iter()
            .filter(move |view| view.standing == standing)
    }
}

fn refuses(word: &RevocationAcknowledgement) -> NodeStanding {
    NodeStanding::Refuses {
        at: word.at,
        calls_cut: Some(word.calls_cut),
    }
}

fn standing(
    revocation: &Revocation,
    node: &NodeRow,
    acknowledged: &[RevocationAcknowledgement],
    staleness: Duration,
    now: Timestamp,
) -> NodeStanding {
    let silent_for = now.duration_since(node.last_seen_at);
    if let Some(word) = acknowledged.iter().find(|word| word.node == node.id) {
        refuses(word)
    } else if node.acknowledged >= revocation.sequence {
        // It loaded its tables after the revocation and never served what was revoked.
        NodeStanding::Refuses {
            at: node.started_at,
            calls_cut: None,
        }
    } else if silent_for.unsigned_abs() > staleness && silent_for.is_positive() {
        NodeStanding::Stale
    } else if silent_for > SILENT_AFTER {
        NodeStanding::Silent
    } else {
        NodeStanding::Waiting
    }
}

impl App {
    /// What became of a revocation.
    ///
    /// # Errors
    /// Refused without `audit:read`; not found, also when it is a stranger's.
    pub async fn get_revocation(
        &self,
        ctx: &RequestContext,
        id: RevocationId,
    ) -> Result<RevocationView, AppError> {
        let parts = self.parts();
        let revocation = match &ctx.caller.token().tenant {
            Some(tenant) => {
                let access =
                    parts
                        .admission
                        .tenant_access(&ctx.caller, tenant, Scope::AuditRead)?;
                diamond_db::revocations::get(&parts.db, access.tenant(), id).await?
            }
            None => {
                parts
                    .admission
                    .operator_access(&ctx.caller, Scope::AuditRead)?;
                diamond_db::operator::get_revocation(&parts.db, id).await?
            }
        };
        self.view_revocation(revocation.ok_or_else(revocation_not_found)?)
            .await
    }

    /// Waits, at most so long, until every node that lives refuses what was revoked. Whoever is
    /// missing then raises an alarm.
    pub(crate) async fn see_through(
        &self,
        id: RevocationId,
        wait: Duration,
    ) -> Result<RevocationView, AppError> {
        let parts = self.parts();
        let begun = parts.clock.monotonic_nanos();
        let waited =
            || Duration::from_nanos(parts.clock.monotonic_nanos().saturating_sub(begun)) >= wait;
        let revocation = diamond_db::operator::get_revocation(&parts.db, id).await?;
        let revocation = revocation.ok_or_else(revocation_not_found)?;
        loop {
            let view = self.view_revocation(revocation.clone()).await?;
            let waiting = view.is(NodeStanding::Waiting).count();
            if waiting == 0 || waited() {
                if !wait.is_zero() {
                    self.raise_missing(&view);
                }
                return Ok(view);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Raises an alarm for each node that has not said in time that it refuses what was revoked.
    pub(crate) async fn check_revocations(&self) -> Result<(), AppError> {
        let parts = self.parts();
        let now = parts.clock.now();
        let to = now.saturating_sub(OVERDUE_AFTER).unwrap_or(now);
        let from = now.saturating_sub(EXPECTED_FOR).unwrap_or(now);
        for revocation in system::revocations_of_time(&parts.db, from, to).await? {
            let view = self.view_revocation(revocation).await?;
            self.raise_missing(&view);
        }
        Ok(())
    }

    async fn view_revocation(&self, revocation: Revocation) -> Result<RevocationView, AppError> {
        let parts = self.parts();
        let acknowledged = system::revocation_acknowledgements(&parts.db, revocation.id).await?;
        let nodes = system::serving_nodes(&parts.db).await?;
        Ok(RevocationView::of(
            revocation,
            &nodes,
            &acknowledged,
            parts.settings.snapshot_staleness,
            parts.clock.now(),
        ))
    }

    fn raise_missing(&self, view: &RevocationView) {
        let missing = view
            .is(NodeStanding::Waiting)
            .chain(view.is(NodeStanding::Silent));
        for missing in missing {
            // Once a node and revocation, however often somebody looks.
            if !self.first_missing(view.id, missing.node) {
                continue;
            }
            self.parts().alarms.raise(Alarm {
                code: AlarmCode::RevocationUnacknowledged,
                tenant: None,
                subject: missing.node.to_string(),
                detail: format!(
                    "the node {} was last heard of at {} and has not said that it refuses what \
                     {} ended: stop it, or bring back its way to the control database",
                    missing.node, missing.last_seen_at, view.id
                ),
            });
        }
    }
}

fn revocation_not_found() -> AppError {
    AppError::not_found("revocation_not_found", "there is no such revocation")
}
