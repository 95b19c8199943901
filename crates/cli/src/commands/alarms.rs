//! `admin alarms:list`.

use clap::{Args, ValueEnum};
use diamond_api_types::{AlarmState, Limit, ListAlarmsParams, ListAlarmsResponse};
use diamond_domain::TenantId;

use super::Session;
use crate::{
    Terminal,
    failure::Failure,
    table::{or_dash, render},
};

/// Which alarms.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// The tenant (else everybody's that the caller may see)
    #[arg(long)]
    tenant: Option<TenantId>,
    /// Only those in this state
    #[arg(long, value_enum)]
    state: Option<State>,
    /// At most so many [default: 100]
    #[arg(long)]
    limit: Option<Limit>,
}

/// Whether somebody looked.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    /// Nobody yet
    Open,
    /// Somebody does
    Acknowledged,
    /// It is over
    Closed,
}

impl From<State> for AlarmState {
    fn from(state: State) -> Self {
        match state {
            State::Open => Self::Open,
            State::Acknowledged => Self::Acknowledged,
            State::Closed => Self::Closed,
        }
    }
}

const fn state_text(state: AlarmState) -> &'static str {
    match state {
        AlarmState::Open => "open",
        AlarmState::Acknowledged => "acknowledged",
        AlarmState::Closed => "closed",
    }
}

/// Lists alarms.
pub async fn list(
    arguments: ListArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let query = ListAlarmsParams {
        tenant_id: arguments.tenant,
        state: arguments.state.map(Into::into),
        limit: arguments.limit,
    };
    let answer = session
        .client(terminal)?
        .get(&["api", "alarms"], &query)
        .await?;
    session.present(&answer, terminal, |page: ListAlarmsResponse, terminal| {
        terminal.data(&render(
            [
                "ALARM",
                "CODE",
                "STATE",
                "TENANT",
                "SUBJECT",
                ">COUNT",
                "LAST SEEN",
                "DETAIL",
            ],
            page.items.iter().map(|alarm| {
                [
                    alarm.id.clone(),
                    alarm.code.clone(),
                    state_text(alarm.state).to_owned(),
                    or_dash(alarm.tenant_id.as_ref()),
                    alarm.subject.clone(),
                    alarm.count.to_string(),
                    format!("{:.0}", alarm.last_seen_at),
                    alarm.detail.clone(),
                ]
            }),
        ))
    })
}
