//! What is shown: the difference, what became of each row, the end.

use diamond_domain::TenantId;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::{
    carry_out::Done,
    plan::{Action, Plan, Row},
};
use crate::{ExitStatus, Terminal, failure::Failure, table::render};

/// What became of a row.
#[derive(Debug)]
pub enum Outcome {
    Done,
    Failed(Failure),
    NotTried(&'static str),
}

/// Tells a person as it goes, and a program all at the end.
pub struct Report {
    json: bool,
    /// Standard output is for tokens alone.
    quiet: bool,
    rows: Vec<Value>,
    counts: Counts,
    /// By whose fault the first row failed.
    status: Option<ExitStatus>,
}

#[derive(Debug, Default)]
struct Counts {
    done: usize,
    unchanged: usize,
    failed: usize,
    not_tried: usize,
}

impl Report {
    pub const fn new(json: bool, tokens_on_output: bool) -> Self {
        Self {
            json,
            quiet: tokens_on_output,
            rows: Vec::new(),
            counts: Counts {
                done: 0,
                unchanged: 0,
                failed: 0,
                not_tried: 0,
            },
            status: None,
        }
    }

    /// Shows what will change.
    pub fn plan(&self, plan: &Plan, terminal: &mut Terminal) -> Result<(), Failure> {
        if self.json {
            return Ok(());
        }
        let rows: Vec<_> = plan
            .rows()
            .filter(|(_, row)| !matches!(row.action, Action::Nothing(_)))
            .collect();
        let unchanged = plan.rows().count() - rows.len();
        if !rows.is_empty() {
            let shown = rows.iter().map(|(tenant, row)| cells(tenant, row));
            let heading = ["WHAT", "TENANT", "KIND", "NAME", "LINE", "DIFFERENCE"];
            self.line(&render(heading, shown), terminal)?;
        }
        terminal.message(&format!("{} to do, {unchanged} unchanged", rows.len()));
        Ok(())
    }

    /// Ends a run that changes nothing.
    pub fn end_of_plan(self, plan: &Plan, terminal: &mut Terminal) -> Result<(), Failure> {
        if self.json {
            let rows: Vec<Value> = plan
                .rows()
                .map(|(tenant, row)| value(tenant, row))
                .collect();
            terminal.data(&json!({ "rows": rows }).to_string())?;
        }
        let conflicts = plan
            .rows()
            .filter(|(_, row)| matches!(row.action, Action::Conflict(_)))
            .count();
        match conflicts {
            0 => Ok(()),
            count => Err(Failure::Rows {
                message: format!("{count} rows cannot be made so; nothing was changed"),
                status: ExitStatus::Conflict,
            }),
        }
    }

    /// A bar that counts tenants, where somebody sees it.
    pub fn bar(&self, tenants: usize, terminal: &Terminal) -> ProgressBar {
        let bar = terminal.bar("tenants {bar:40} {pos}/{len}");
        bar.set_length(tenants as u64);
        bar
    }

    /// Takes what became of a row.
    pub fn done(&mut self, done: Done, terminal: &mut Terminal) -> Result<(), Failure> {
        let Done {
            tenant,
            row,
            outcome,
            token,
        } = done;
        let (result, error) = match &outcome {
            Outcome::Done if matches!(row.action, Action::Nothing(_)) => {
                self.counts.unchanged += 1;
                ("unchanged", None)
            }
            Outcome::Done => {
                self.counts.done += 1;
                ("done", None)
            }
            Outcome::Failed(failure) => {
                self.counts.failed += 1;
                self.status = self.status.or(Some(failure.status()));
                ("failed", Some((failure.code(), failure.to_string())))
            }
            Outcome::NotTried(reason) => {
                self.counts.not_tried += 1;
                (
                    "not_tried",
                    Some(("not_tried".to_owned(), (*reason).to_owned())),
                )
            }
        };
        if self.json {
            let mut shown = value(&tenant, &row);
            shown["result"] = result.into();
            if let Some((code, message)) = error {
                shown["error"] = json!({ "code": code, "message": message });
            }
            if let Some(token) = &token {
                shown["token"] = token.expose().into();
            }
            self.rows.push(shown);
            return Ok(());
        }
        if let Some(token) = &token {
            let line = json!({ "tenant": tenant, "name": row.name, "token": token.expose() });
            terminal.data(&line.to_string())?;
        }
        if result == "unchanged" {
            return Ok(());
        }
        let what = describe(&tenant, &row);
        let line = match error {
            None => format!("{result}: {} {what}", row.action.as_str()),
            Some((_, reason)) => format!("{result}: {} {what}: {reason}", row.action.as_str()),
        };
        self.line(&crate::table::printable(&line), terminal)
    }

    /// Says how it ended.
    pub fn end(self, terminal: &mut Terminal) -> Result<(), Failure> {
        let Counts {
            done,
            unchanged,
            failed,
            not_tried,
        } = self.counts;
        if self.json {
            let summary = json!({
                "done": done, "unchanged": unchanged, "failed": failed, "notTried": not_tried,
            });
            terminal.data(&json!({ "rows": self.rows, "summary": summary }).to_string())?;
        }
        let counts =
            format!("{done} done, {unchanged} unchanged, {failed} failed, {not_tried} not tried");
        match self.status {
            None => {
                terminal.message(&counts);
                Ok(())
            }
            Some(status) => Err(Failure::Rows {
                message: format!(
                    "{counts}; run it again when the reason is gone: what is done stays"
                ),
                status,
            }),
        }
    }

    fn line(&self, line: &str, terminal: &mut Terminal) -> Result<(), Failure> {
        if self.quiet {
            terminal.message(line);
            return Ok(());
        }
        terminal.data(line)
    }
}

fn describe(tenant: &TenantId, row: &Row) -> String {
    let kind = row.kind.as_str();
    let place = row
        .line
        .map_or_else(String::new, |line| format!(" (line {line})"));
    if row.name.is_empty() {
        format!("{kind} {tenant}{place}")
    } else {
        format!("{kind} {tenant}/{}{place}", row.name)
    }
}

fn cells(tenant: &TenantId, row: &Row) -> [String; 6] {
    let difference = match &row.action {
        Action::Conflict(reason) => reason.clone(),
        Action::CreateToken {
            instead_of: Some(id),
            ..
        } => format!("instead of {id}, whose text was lost"),
        _ => row
            .changes
            .iter()
            .map(|change| format!("{}: {} -> {}", change.field, change.from, change.to))
            .collect::<Vec<_>>()
            .join("; "),
    };
    [
        row.action.as_str().to_owned(),
        tenant.to_string(),
        row.kind.as_str().to_owned(),
        row.name.clone(),
        row.line
            .map_or_else(|| "-".to_owned(), |line| line.to_string()),
        difference,
    ]
}

fn value(tenant: &TenantId, row: &Row) -> Value {
    let mut shown = json!({
        "line": row.line, "tenantId": tenant, "kind": row.kind, "action": row.action.as_str(),
    });
    if !row.name.is_empty() {
        shown["name"] = row.name.clone().into();
    }
    if !row.changes.is_empty() {
        shown["changes"] = json!(row.changes);
    }
    if let Action::Conflict(reason) = &row.action {
        shown["reason"] = reason.clone().into();
    }
    shown
}
