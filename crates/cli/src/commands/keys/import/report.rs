//! What became of each key; never a key.

use std::collections::{BTreeMap, BTreeSet};

use diamond_domain::TenantId;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::{
    Found, Target,
    carry_out::{Done, Kept},
};
use crate::{
    ExitStatus, Terminal,
    failure::Failure,
    table::{list_or, printable},
};

/// Tells a person as it goes, and a program all at the end.
pub struct Report {
    json: bool,
    plan: bool,
    keys: Vec<Key>,
    rows: Vec<Value>,
    counts: Counts,
    /// The first key, in their order, that failed, and by whose fault.
    first: Option<(usize, ExitStatus)>,
}

/// A key without its value.
struct Key {
    place: String,
    target: Target,
    /// Other tenants that get the same key by this very run.
    shared_with: BTreeSet<TenantId>,
}

#[derive(Default)]
struct Counts {
    new: usize,
    instead: usize,
    unchanged: usize,
    failed: usize,
    not_tried: usize,
    flagged: usize,
}

impl Report {
    pub fn new(json: bool, plan: bool, found: &[Found]) -> Self {
        let mut tenants: BTreeMap<&str, BTreeSet<&TenantId>> = BTreeMap::new();
        for key in found {
            let of = tenants.entry(key.value.expose()).or_default();
            of.insert(&key.target.tenant);
        }
        let keys = found.iter().map(|key| {
            let all = tenants.get(key.value.expose()).into_iter().flatten();
            let others = all.filter(|tenant| **tenant != &key.target.tenant);
            Key {
                place: key.place.clone(),
                target: key.target.clone(),
                shared_with: others.map(|tenant| (*tenant).clone()).collect(),
            }
        });
        Self {
            json,
            plan,
            keys: keys.collect(),
            rows: Vec::new(),
            counts: Counts::default(),
            first: None,
        }
    }

    /// A bar that counts keys, where somebody sees it.
    pub fn bar(&self, keys: usize, terminal: &Terminal) -> ProgressBar {
        let bar = terminal.bar("keys {bar:40} {pos}/{len}");
        bar.set_length(keys as u64);
        bar
    }

    /// Takes what became of a key.
    pub fn done(&mut self, done: Done, terminal: &mut Terminal) -> Result<(), Failure> {
        let Some(key) = self.keys.get_mut(done.index) else {
            return Ok(());
        };
        key.shared_with.extend(done.shared_with);
        let counts = &mut self.counts;
        let (result, error) = match &done.result {
            Ok(Kept::New) => {
                counts.new += 1;
                ("new", None)
            }
            Ok(Kept::Instead) => {
                counts.instead += 1;
                ("replaced", None)
            }
            Ok(Kept::Unchanged) => {
                counts.unchanged += 1;
                ("unchanged", None)
            }
            Ok(Kept::NotTried) => {
                counts.not_tried += 1;
                ("not_tried", None)
            }
            Err(failure) => {
                counts.failed += 1;
                if self.first.is_none_or(|(index, _)| done.index < index) {
                    self.first = Some((done.index, failure.status()));
                }
                ("failed", Some((failure.code(), failure.to_string())))
            }
        };
        counts.flagged += usize::from(!key.shared_with.is_empty());
        let Target {
            service,
            tenant,
            kind,
        } = &key.target;
        if self.json {
            let mut row = json!({
                "place": key.place, "service": service, "tenantId": tenant,
                "kind": kind.as_str(), "result": result,
            });
            if !key.shared_with.is_empty() {
                row["sharedWith"] = json!(key.shared_with);
            }
            if let Some((code, message)) = error {
                row["error"] = json!({ "code": code, "message": message });
            }
            self.rows.push(row);
            return Ok(());
        }
        let mut line = format!(
            "{result}: {service} {} key of {tenant} ({})",
            kind.as_str(),
            key.place
        );
        if let Some((_, reason)) = error {
            line = format!("{line}: {reason}");
        }
        if !key.shared_with.is_empty() {
            let others = list_or(&key.shared_with, "");
            line = format!("{line}; FLAGGED: {others} has the same key");
        }
        terminal.data(&printable(&line))
    }

    /// Says how it ended.
    pub fn end(self, terminal: &mut Terminal) -> Result<(), Failure> {
        let Counts {
            new,
            instead,
            unchanged,
            failed,
            not_tried,
            flagged,
        } = self.counts;
        if self.json {
            let summary = json!({
                "new": new, "replaced": instead, "unchanged": unchanged, "failed": failed,
                "notTried": not_tried, "flagged": flagged,
            });
            let shown = json!({ "plan": self.plan, "rows": self.rows, "summary": summary });
            terminal.data(&shown.to_string())?;
        }
        let kept = if self.plan { " (nothing was kept)" } else { "" };
        let counts = format!(
            "{new} new, {instead} replaced, {unchanged} unchanged, {failed} failed, {not_tried} not \
             tried, {flagged} flagged{kept}"
        );
        match self.first {
            None => {
                terminal.message(&counts);
                Ok(())
            }
            Some((_, status)) => Err(Failure::Rows {
                message: format!(
                    "{counts}; run it again when the reason is gone: what is done stays"
                ),
                status,
            }),
        }
    }
}
