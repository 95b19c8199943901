//! Compares each key with what the server has, and puts it.

use diamond_api_types::{
    CheckKeyRequest, CheckKeyResponse, CheckedKey, KeyVersionResponse, PutKeyRequest, SecretText,
};
use diamond_domain::{Clock as _, OperationId, SystemClock, TenantId};
use futures_util::{StreamExt as _, stream::FuturesUnordered};

use super::{Found, report::Report};
use crate::{Terminal, client::Client, failure::Failure, patience::patiently};

/// How it is done.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    pub plan: bool,
    pub validate: bool,
    pub concurrency: usize,
}

/// What became of a key.
#[derive(Debug)]
pub struct Done {
    /// Which of the keys.
    pub index: usize,
    pub result: Result<Kept, Failure>,
    /// Other tenants that have the same key at the server.
    pub shared_with: Vec<TenantId>,
}

/// What a key is at the server now, or would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// There was none.
    New,
    /// In the place of another.
    Instead,
    /// It was there.
    Unchanged,
    /// It was not looked at, because the run was given up.
    NotTried,
}

/// Works through the keys, several at one time.
pub async fn carry_out(
    found: Vec<Found>,
    client: &Client,
    manner: Manner,
    report: &mut Report,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let bar = report.bar(found.len(), terminal);
    let mut waiting = found.into_iter().enumerate();
    let mut running = FuturesUnordered::new();
    let mut stopped = false;
    loop {
        while running.len() < manner.concurrency
            && let Some((index, key)) = waiting.next()
        {
            if stopped {
                let done = Done {
                    index,
                    result: Ok(Kept::NotTried),
                    shared_with: Vec::new(),
                };
                report.done(done, terminal)?;
                continue;
            }
            running.push(one(index, key, client, manner));
        }
        let Some(done) = running.next().await else {
            break;
        };
        bar.inc(1);
        stopped |= done.result.as_ref().is_err_and(Failure::ends_everything);
        report.done(done, terminal)?;
    }
    bar.finish_and_clear();
    Ok(())
}

async fn one(index: usize, key: Found, client: &Client, manner: Manner) -> Done {
    let mut shared_with = Vec::new();
    let result = keep(&key, client, manner, &mut shared_with).await;
    Done {
        index,
        result,
        shared_with,
    }
}

async fn keep(
    key: &Found,
    client: &Client,
    manner: Manner,
    shared_with: &mut Vec<TenantId>,
) -> Result<Kept, Failure> {
    let target = &key.target;
    let (service, tenant) = (target.service.as_str(), target.tenant.as_str());
    let check = CheckKeyRequest {
        api_key: SecretText::new(key.value.clone()),
        kind: target.kind.into(),
        // A key that is put is validated then.
        validate: manner.plan && manner.validate,
    };
    let path = ["api", "keys", service, tenant, "check"];
    let checked = patiently(async || client.post(&path, &check).await).await?;
    let checked: CheckKeyResponse = checked.read()?;
    *shared_with = checked.shared_with.unwrap_or_default();
    let kept = match checked.state {
        CheckedKey::Same => return Ok(Kept::Unchanged),
        CheckedKey::Absent => Kept::New,
        CheckedKey::Other => Kept::Instead,
    };
    if manner.plan {
        return Ok(kept);
    }
    let request = PutKeyRequest {
        api_key: SecretText::new(key.value.clone()),
        validate: manner.validate,
        // Not the newest that was seen: a put that was cut off may have left a value that no
        // version shows yet.
        expected_version: None,
    };
    let path = ["api", "keys", service, tenant, target.kind.as_str()];
    // One name for all tries of this put.
    let name = OperationId::generate(SystemClock.now()).to_string();
    let answer = patiently(async || client.put(&path, &request, Some(&name)).await).await?;
    answer.read::<KeyVersionResponse>()?;
    Ok(kept)
}
