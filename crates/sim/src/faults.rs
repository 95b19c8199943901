//! Faults on request.

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::service::Service;

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
    /// Acts and bills, then closes the connection without a word.
    Drop,
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
    /// Only this operation.
    pub(crate) operation: Option<String>,
    /// Only calls with this key.
    pub(crate) key_id: Option<String>,
    #[serde(flatten)]
    pub(crate) kind: FaultKind,
    #[serde(default = "once")]
    pub(crate) times: Times,
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
    pub(crate) fn take(&self, service: Service, operation: &str, key_id: &str) -> Vec<FaultKind> {
        let mut taken = Vec::new();
        let mut faults = self.faults.lock();
        for fault in faults.iter_mut() {
            let meant = fault.service == service
                && fault
                    .operation
                    .as_deref()
                    .is_none_or(|name| name == operation)
                && fault.key_id.as_deref().is_none_or(|id| id == key_id);
            if !meant {
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

    #[test]
    fn a_fault_happens_as_often_as_it_was_asked_for() {
        let faults = FaultBox::default();
        faults.set(fault(
            json!({"service": "openai", "kind": "drop", "times": 2}),
        ));
        let take = || faults.take(Service::Openai, "embeddings", "key_1").len();
        assert_eq!([take(), take(), take()], [1, 1, 0]);

        faults.set(fault(
            json!({"service": "openai", "kind": "hang", "times": "forever"}),
        ));
        assert_eq!([take(), take(), take()], [1, 1, 1]);
    }

    #[test]
    fn a_fault_waits_for_its_operation_and_key() {
        let faults = FaultBox::default();
        faults.set(fault(json!({
            "service": "openai", "operation": "embeddings", "keyId": "key_1",
            "kind": "refuse", "status": 503, "code": "server_is_overloaded",
        })));
        assert!(
            faults
                .take(Service::Openai, "responses", "key_1")
                .is_empty()
        );
        assert!(
            faults
                .take(Service::Openai, "embeddings", "key_2")
                .is_empty()
        );
        assert_eq!(faults.take(Service::Openai, "embeddings", "key_1").len(), 1);
        assert!(faults.list().is_empty());
    }
}
