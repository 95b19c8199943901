//! Faults on request.

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::{keys::Key, service::Service};

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum FaultKind {
    /// An error instead of an answer; nothing is done and nothing billed.
    Refuse {
        status: u16,
        code: Option<String>,
        #[serde(alias = "retryAfter")]
        retry_after: Option<u64>,
    },
    /// Waits before every chunk of a stream, or before the head of any other answer.
    Slow {
        #[serde(default)]
        ms: u64,
        /// Waits before the head of a stream too.
        #[serde(default, alias = "headMs")]
        head_ms: u64,
    },
    /// The connection breaks after so many chunks or bytes of the body.
    Cut {
        #[serde(alias = "afterChunks")]
        after_chunks: Option<u64>,
        #[serde(alias = "afterBytes")]
        after_bytes: Option<u64>,
    },
    /// Acts and bills, then closes the connection without a word: the lost answer.
    Drop,
    /// Acts and bills, then answers that it failed.
    ActThenRefuse { status: u16, code: Option<String> },
    /// The key of the call is deleted before the call is looked at, as if somebody had done it at
    /// the company's own console.
    Revoke,
    /// What the call does to keys comes late: a new one does not work yet, a deleted or changed
    /// one is still what it was, and lists do not tell yet.
    Late(Lateness),
    /// Neither acts nor answers.
    Hang,
    /// Compresses streams too, where the request allows it.
    GzipSse,
    /// Announces more bytes than it sends.
    LieLength,
    /// The head says 200, then an event says that it failed.
    ErrorInStream {
        #[serde(default = "two", alias = "afterChunks")]
        after_chunks: u64,
    },
}

/// How late. It is over when every part of it is over, and nobody has to wait for a clock where
/// only uses and lists are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Lateness {
    /// So many more calls with the key meet what was before.
    pub(crate) uses: u64,
    /// So many seconds of the simulated clock.
    pub(crate) seconds: i64,
    /// So many more lists show what was before.
    pub(crate) lists: u64,
}

const fn two() -> u64 {
    2
}

/// How often it still happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Times {
    Number(u64),
    Word(Forever),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Forever {
    Forever,
}

const fn once() -> Times {
    Times::Number(1)
}

/// A fault that waits for its call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fault {
    pub(crate) service: Service,
    /// Only this operation; `api_keys.*` is every one that begins so.
    pub(crate) operation: Option<String>,
    /// Only calls with this key.
    pub(crate) key_id: Option<String>,
    /// Only calls with keys of this project, or of this organization.
    pub(crate) project_id: Option<String>,
    pub(crate) organization_id: Option<String>,
    /// Lets so many such calls pass first.
    #[serde(default)]
    pub(crate) after: u64,
    #[serde(flatten)]
    pub(crate) kind: FaultKind,
    #[serde(default = "once")]
    pub(crate) times: Times,
}

impl Fault {
    fn is_meant_for(&self, service: Service, operation: &str, key: &Key) -> bool {
        let named = |wanted: &str| match wanted.strip_suffix('*') {
            Some(beginning) => operation.starts_with(beginning),
            None => operation == wanted,
        };
        self.service == service
            && self.operation.as_deref().is_none_or(named)
            && self.key_id.as_ref().is_none_or(|id| *id == key.id)
            && (self.project_id.is_none() || self.project_id == key.project_id)
            && self
                .organization_id
                .as_ref()
                .is_none_or(|id| *id == key.organization_id)
    }
}

/// The faults that wait.
#[derive(Default)]
pub(crate) struct FaultBox {
    faults: Mutex<Vec<Fault>>,
}

impl FaultBox {
    /// Sets one more fault.
    pub(crate) fn set(&self, fault: Fault) {
        self.faults.lock().push(fault);
    }

    /// Takes every fault that waits for such a call, once.
    pub(crate) fn take(&self, service: Service, operation: &str, key: &Key) -> Vec<FaultKind> {
        let mut taken = Vec::new();
        let mut faults = self.faults.lock();
        for fault in faults.iter_mut() {
            if !fault.is_meant_for(service, operation, key) {
                continue;
            }
            if fault.after > 0 {
                fault.after -= 1;
                continue;
            }
            if let Times::Number(left) = &mut fault.times {
                if *left == 0 {
                    continue;
                }
                *left -= 1;
            }
            taken.push(fault.kind.clone());
        }
        faults.retain(|fault| fault.times != Times::Number(0));
        taken
    }

    /// The faults that wait, in the order they were set.
    pub(crate) fn list(&self) -> Vec<Fault> {
        self.faults.lock().clone()
    }

    /// Forgets all.
    pub(crate) fn clear(&self) {
        self.faults.lock().clear();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn fault(value: Value) -> Fault {
        serde_json::from_value(value).unwrap()
    }

    fn key(id: &str) -> Key {
        Key {
            id: id.to_owned(),
            ..Key::default()
        }
    }

    #[test]
    fn a_fault_happens_as_often_as_it_was_asked_for() {
        let faults = FaultBox::default();
        faults.set(fault(
            json!({"service": "openai", "kind": "drop", "times": 2}),
        ));
        let take = || {
            faults
                .take(Service::Openai, "embeddings", &key("key_1"))
                .len()
        };
        assert_eq!([take(), take(), take()], [1, 1, 0]);

        faults.set(fault(
            json!({"service": "openai", "kind": "hang", "times": "forever"}),
        ));
        assert_eq!([take(), take(), take()], [1, 1, 1]);
        faults.clear();

        faults.set(fault(
            json!({"service": "openai", "kind": "revoke", "after": 2}),
        ));
        assert_eq!([take(), take(), take(), take()], [0, 0, 1, 0]);
    }

    #[test]
    fn a_fault_waits_for_its_operation_and_key() {
        let faults = FaultBox::default();
        faults.set(fault(json!({
            "service": "openai", "operation": "embeddings", "keyId": "key_1",
            "kind": "refuse", "status": 503, "code": "server_is_overloaded",
        })));
        let take =
            |operation: &str, id: &str| faults.take(Service::Openai, operation, &key(id)).len();
        assert_eq!(take("responses", "key_1"), 0);
        assert_eq!(take("embeddings", "key_2"), 0);
        assert_eq!(take("embeddings", "key_1"), 1);
        assert!(faults.list().is_empty());
        faults.set(fault(json!({
            "service": "openai", "operation": "api_keys.*", "kind": "late", "uses": 3,
        })));
        assert_eq!(take("service_accounts.create", "key_1"), 0);
        assert_eq!(take("api_keys.create", "key_1"), 1);
    }
}
