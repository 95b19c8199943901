//! What is measured.

mod request;

use std::{fmt, time::Duration};

use clap::ValueEnum;
use serde::Serialize;

use crate::{
    load::Pace,
    parts::upstream::{PACE, PLAIN_TOKENS, STREAM_EVENTS, STREAM_TOKENS, Tokens},
};

/// How many reports a batch carries.
const BATCH_REPORTS: usize = 1_000;
/// A batch is a megabyte in the making: more of them at once would only measure the memory.
const BATCH_CONNECTIONS_MAX: u16 = 8;

/// One kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// A key is handed out.
    Key,
    /// A chat completion goes through the gateway.
    Gateway,
    /// The same at a fixed rate.
    GatewayRate,
    /// A streamed chat completion goes through the gateway.
    GatewaySse,
    /// The same with pauses between its events.
    GatewayPaced,
    /// One usage event is reported.
    Usage,
    /// A thousand usage events are reported at once.
    UsageBatch,
}

/// Which surface it asks: that decides about the floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    Key,
    Gateway,
    Usage,
}

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The provider itself, without anything between.
    Direct,
    /// The least program that could do it.
    Floor,
    /// The same, with the records that diamond-server writes, as durable.
    DurableFloor,
    /// diamond-server.
    Subject,
}

impl Scenario {
    /// Every one, in the report's order.
    pub const ALL: [Self; 7] = [
        Self::Key,
        Self::Gateway,
        Self::GatewayRate,
        Self::GatewaySse,
        Self::GatewayPaced,
        Self::Usage,
        Self::UsageBatch,
    ];

    /// What it is, for the report's heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Key => "a key is handed out",
            Self::Gateway => "a chat completion through the gateway",
            Self::GatewayRate => "a chat completion through the gateway, at a fixed rate",
            Self::GatewaySse => {
                "a streamed chat completion (53 events, unpaced) through the gateway"
            }
            Self::GatewayPaced => {
                "a streamed chat completion (53 events, 5 ms apart) through the gateway"
            }
            Self::Usage => "one usage event is reported",
            Self::UsageBatch => "1,000 usage events are reported in one request",
        }
    }

    /// Which surface it asks.
    pub fn surface(self) -> Surface {
        match self {
            Self::Key => Surface::Key,
            Self::Gateway | Self::GatewayRate | Self::GatewaySse | Self::GatewayPaced => {
                Surface::Gateway
            }
            Self::Usage | Self::UsageBatch => Surface::Usage,
        }
    }

    /// Who is measured.
    pub fn roles(self) -> &'static [Role] {
        match self.surface() {
            Surface::Key | Surface::Usage => &[Role::Floor, Role::DurableFloor, Role::Subject],
            Surface::Gateway => &[Role::Direct, Role::Floor, Role::DurableFloor, Role::Subject],
        }
    }

    /// What a role is called here.
    pub fn role_name(self, role: Role) -> &'static str {
        match (self.surface(), role) {
            (_, Role::Direct) => "upstream, direct",
            (Surface::Gateway, Role::Floor) => "bare hyper proxy",
            (Surface::Gateway, Role::DurableFloor) => "bare hyper proxy + append",
            (_, Role::Floor) => "bare axum",
            (_, Role::DurableFloor) => "bare axum + append",
            (_, Role::Subject) => "diamond-server",
        }
    }

    /// When requests are sent; `rate` is what a fixed rate is.
    pub fn pace(self, rate: u32, connections: u16) -> Pace {
        match self {
            Self::GatewayRate => Pace::Rate(rate),
            Self::GatewayPaced => {
                let pauses = u32::try_from(STREAM_EVENTS).unwrap_or(u32::MAX);
                Pace::Staggered(PACE * pauses / u32::from(connections.max(1)))
            }
            _ => Pace::Closed,
        }
    }

    /// How many connections send when so many are asked for.
    pub fn connections(self, asked: u16) -> u16 {
        match self {
            Self::UsageBatch => asked.min(BATCH_CONNECTIONS_MAX),
            _ => asked,
        }
    }

    /// How long every target is warmed before each measurement.
    pub fn warm_up(self) -> Duration {
        Duration::from_millis(500)
    }

    /// How many facts (keys, calls, usage events) a request is.
    pub fn facts_per_request(self) -> usize {
        match self {
            Self::UsageBatch => BATCH_REPORTS,
            _ => 1,
        }
    }

    /// Whether the machine has room to spare, so that latencies say what the server adds.
    pub fn leaves_room(self) -> bool {
        matches!(self, Self::GatewayRate | Self::GatewayPaced)
    }

    /// What each fact says was used; `None` when nothing is.
    pub fn tokens(self) -> Option<Tokens> {
        match self {
            Self::Key => None,
            Self::Gateway | Self::GatewayRate | Self::Usage | Self::UsageBatch => {
                Some(PLAIN_TOKENS)
            }
            Self::GatewaySse | Self::GatewayPaced => Some(STREAM_TOKENS),
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "key",
            Self::Gateway => "gateway",
            Self::GatewayRate => "gateway-rate",
            Self::GatewaySse => "gateway-sse",
            Self::GatewayPaced => "gateway-paced",
            Self::Usage => "usage",
            Self::UsageBatch => "usage-batch",
        })
    }
}
