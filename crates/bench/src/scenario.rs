//! What is measured.

use std::{fmt, sync::Arc};

use clap::ValueEnum;
use http::{HeaderMap, HeaderValue, Uri, header};
use serde::Serialize;

use crate::{
    load::{Expectation, Load},
    parts::{
        DIRECT_KEY, SUBJECT_KEY, floor_key,
        upstream::{self, MODEL, PLAIN_TOKENS, STREAM_TOKENS, Tokens},
    },
};

/// One kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// A key is handed out.
    Key,
    /// A chat completion goes through the gateway.
    Gateway,
    /// A streamed chat completion goes through the gateway.
    GatewaySse,
}

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The provider itself, without anything between.
    Direct,
    /// The least program that could do it.
    Floor,
    /// diamond-server.
    Subject,
}

impl Scenario {
    /// Every one, in the report's order.
    pub const ALL: [Self; 3] = [Self::Key, Self::Gateway, Self::GatewaySse];

    /// What it is, for the report's heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Key => "a key is handed out",
            Self::Gateway => "a chat completion through the gateway",
            Self::GatewaySse => {
                "a streamed chat completion (53 events, unpaced) through the gateway"
            }
        }
    }

    /// Who is measured.
    pub fn roles(self) -> &'static [Role] {
        match self {
            Self::Key => &[Role::Floor, Role::Subject],
            Self::Gateway | Self::GatewaySse => &[Role::Direct, Role::Floor, Role::Subject],
        }
    }

    /// What a role is called here.
    pub fn role_name(self, role: Role) -> &'static str {
        match (self, role) {
            (_, Role::Direct) => "upstream, direct",
            (Self::Key, Role::Floor) => "bare axum",
            (_, Role::Floor) => "bare hyper proxy",
            (_, Role::Subject) => "diamond-server",
        }
    }

    /// What the provider says that each call used; `None` when it is not asked.
    pub fn tokens(self) -> Option<Tokens> {
        match self {
            Self::Key => None,
            Self::Gateway => Some(PLAIN_TOKENS),
            Self::GatewaySse => Some(STREAM_TOKENS),
        }
    }

    /// The request and its answer. `subject_token` is what diamond-server gave us.
    pub fn load(self, role: Role, subject_token: &str) -> anyhow::Result<Arc<Load>> {
        let bearer = match (self, role) {
            (_, Role::Subject) => subject_token,
            (Self::Key, _) => floor_key::BEARER,
            // The floor overwrites it, as a gateway does; the provider itself counts it.
            (_, Role::Floor | Role::Direct) => DIRECT_KEY,
        };
        let path = match (self, role) {
            (Self::Key, _) => "/api/keys/openai/bench",
            (_, Role::Subject) => "/gateway/openai/v1/chat/completions",
            (_, Role::Floor | Role::Direct) => "/v1/chat/completions",
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
            body: self.body().into(),
            expectation: self.expectation(role),
        }))
    }

    fn body(self) -> String {
        let question = "What does a key cost when it is asked for a thousand times a second?";
        let messages = format!(
            "[{{\"role\":\"system\",\"content\":\"You answer briefly.\"}},\
             {{\"role\":\"user\",\"content\":\"{question}\"}}]"
        );
        match self {
            Self::Key => r#"{"userId":"u1"}"#.to_owned(),
            Self::Gateway => {
                format!("{{\"model\":\"{MODEL}\",\"messages\":{messages},\"max_tokens\":100}}")
            }
            // With the usage asked for, so that nothing is hidden and every byte can be compared.
            Self::GatewaySse => format!(
                "{{\"model\":\"{MODEL}\",\"messages\":{messages},\"max_tokens\":100,\
                 \"stream\":true,\"stream_options\":{{\"include_usage\":true}}}}"
            ),
        }
    }

    fn expectation(self, role: Role) -> Expectation {
        match (self, role) {
            // Times are printed as short as they are exact, so lengths differ a little.
            (Self::Key, Role::Subject) => Expectation::between(150..=400, SUBJECT_KEY),
            (Self::Key, _) => Expectation::exactly(floor_key::answer_body().len(), SUBJECT_KEY),
            (Self::Gateway, _) => {
                Expectation::exactly(upstream::plain_answer().len(), "\"total_tokens\":120")
            }
            (Self::GatewaySse, _) => {
                let length = upstream::stream_events()
                    .iter()
                    .map(bytes::Bytes::len)
                    .sum();
                Expectation::exactly(length, "data: [DONE]\n\n")
            }
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "key",
            Self::Gateway => "gateway",
            Self::GatewaySse => "gateway-sse",
        })
    }
}
