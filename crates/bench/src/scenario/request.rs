//! What each scenario sends, and what it must be answered.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Uri, header};

use super::{Role, Scenario, Surface};
use crate::{
    load::{Expectation, Load, Numbered, RequestBody},
    parts::{
        DIRECT_KEY, SUBJECT_KEY, floor_key, floor_usage,
        upstream::{self, MODEL, PACED, PLAIN_TOKENS},
    },
};

impl Scenario {
    /// The request and its answer. `subject_token` is what diamond-server gave us.
    pub fn load(self, role: Role, subject_token: &str) -> anyhow::Result<Arc<Load>> {
        let bearer = match (self.surface(), role) {
            (_, Role::Subject) => subject_token,
            (Surface::Key | Surface::Usage, _) => floor_key::BEARER,
            // The floor overwrites it, as a gateway does; the provider itself counts it.
            (Surface::Gateway, _) => DIRECT_KEY,
        };
        let path = match (self.surface(), role) {
            (Surface::Key, _) => "/api/keys/openai/bench",
            (Surface::Usage, _) => "/api/usage",
            (Surface::Gateway, Role::Subject) => "/gateway/openai/v1/chat/completions",
            (Surface::Gateway, _) => "/v1/chat/completions",
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("127.0.0.1"));
        headers.insert(
            header::AUTHORIZATION,
            HeaderValue::try_from(format!("Bearer {bearer}"))?,
        );
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        Ok(Arc::new(Load {
            path: Uri::from_static(path),
            headers,
            body: self.body(),
            expectation: self.expectation(role),
        }))
    }

    fn body(self) -> RequestBody {
        let fixed = |text: String| RequestBody::Fixed(text.into());
        // With the usage asked for, so that nothing is hidden and every byte can be compared.
        let streamed = r#""stream":true,"stream_options":{"include_usage":true}"#;
        match self {
            Self::Key => fixed(r#"{"userId":"u1"}"#.to_owned()),
            Self::Gateway | Self::GatewayRate => fixed(completion("")),
            Self::GatewaySse => fixed(completion(&format!(",{streamed}"))),
            Self::GatewayPaced => fixed(completion(&format!(",{streamed},{PACED}"))),
            Self::Usage | Self::UsageBatch => {
                RequestBody::Numbered(Numbered::new(&report(), self.facts_per_request()))
            }
        }
    }

    fn expectation(self, role: Role) -> Expectation {
        match (self, role) {
            // Times are printed as short as they are exact, so lengths differ a little.
            (Self::Key, Role::Subject) => Expectation::between(150..=400, SUBJECT_KEY),
            (Self::Key, _) => Expectation::exactly(floor_key::answer_body().len(), SUBJECT_KEY),
            (Self::Gateway | Self::GatewayRate, _) => {
                Expectation::exactly(upstream::plain_answer().len(), "\"total_tokens\":120")
            }
            (Self::GatewaySse | Self::GatewayPaced, _) => {
                let length = upstream::stream_events()
                    .iter()
                    .map(bytes::Bytes::len)
                    .sum();
                Expectation::exactly(length, "data: [DONE]\n\n")
            }
            (Self::Usage, Role::Subject) => {
                Expectation::between(100..=400, "\"verdict\":\"accepted\"")
            }
            (Self::UsageBatch, Role::Subject) => {
                Expectation::between(100_000..=400_000, "\"taken\":1000,\"refused\":0")
            }
            (Self::Usage | Self::UsageBatch, _) => {
                Expectation::exactly(floor_usage::ANSWER.len(), "\"refused\":0")
            }
        }
    }
}

fn completion(more: &str) -> String {
    let question = "What does a key cost when it is asked for a thousand times a second?";
    format!(
        "{{\"model\":\"{MODEL}\",\"messages\":[\
         {{\"role\":\"system\",\"content\":\"You answer briefly.\"}},\
         {{\"role\":\"user\",\"content\":\"{question}\"}}],\"max_tokens\":100{more}}}"
    )
}

/// A report as a careful caller makes it: everything that is known of the call.
fn report() -> String {
    let (mark, tokens) = (Numbered::MARK, PLAIN_TOKENS);
    format!(
        "{{\"id\":\"bench-{mark}\",\"source\":\"bench\",\"userId\":\"u1\",\"service\":\"openai\",\
         \"model\":\"{MODEL}\",\"operation\":\"chat.completions\",\
         \"quantities\":{{\"input_tokens\":{},\"output_tokens\":{}}},\"durationMs\":412,\
         \"status\":200,\"providerRequestId\":\"req_bench_{mark}\",\"tags\":{{\"app\":\"bench\"}}}}",
        tokens.input, tokens.output
    )
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_body_is_json_of_its_facts() {
        for scenario in Scenario::ALL {
            let body = scenario.body().next();
            let body: Value = serde_json::from_slice(&body).unwrap();
            match scenario.facts_per_request() {
                1 => assert!(body.is_object(), "{scenario}"),
                facts => assert_eq!(body.as_array().unwrap().len(), facts, "{scenario}"),
            }
        }
    }

    #[test]
    fn a_stream_is_asked_for_with_its_usage() {
        for (scenario, paced) in [
            (Scenario::GatewaySse, false),
            (Scenario::GatewayPaced, true),
        ] {
            let body: Value = serde_json::from_slice(&scenario.body().next()).unwrap();
            assert_eq!(body["stream_options"]["include_usage"], true);
            assert_eq!(body.get("metadata").is_some(), paced);
        }
    }
}
