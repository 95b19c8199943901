//! `admin revocation:show`, and what the commands that revoke at once say.

use clap::Args;
use diamond_api_types::{NodeStanding, RevocationResponse, RevocationWaitParams, WAIT_SECONDS_MAX};
use diamond_domain::RevocationId;

use super::Session;
use crate::{
    Terminal,
    failure::Failure,
    table::{or_dash, render},
};

/// How long to wait for the nodes.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Wait {
    /// How long to wait for every node to refuse, in seconds [default: 5]
    #[arg(
        long,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u32).range(0..=i64::from(WAIT_SECONDS_MAX))
    )]
    wait: Option<u32>,
}

impl Wait {
    /// As the API takes it.
    pub const fn params(self) -> RevocationWaitParams {
        RevocationWaitParams {
            wait_seconds: self.wait,
        }
    }
}

/// Which revocation.
#[derive(Debug, Args)]
pub struct ShowArguments {
    /// Its id (rev_…)
    id: RevocationId,
}

/// Shows what became of a revocation.
pub async fn show(
    arguments: ShowArguments,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let id = arguments.id.to_string();
    let answer = session
        .client(terminal)?
        .get(&["api", "revocations", &id], &())
        .await?;
    session.present(&answer, terminal, |seen: RevocationResponse, terminal| {
        report(&seen, terminal)
    })
}

/// Says how many calls were cut, when the last node refused, and who is missing.
pub fn report(seen: &RevocationResponse, terminal: &mut Terminal) -> Result<(), Failure> {
    terminal.data(&sentence(seen))?;
    terminal.data(&render(
        ["NODE", "STANDING", "REFUSED", ">CUT", "LAST SEEN"],
        seen.nodes.iter().map(|node| {
            [
                node.node.to_string(),
                standing_text(node.standing).to_owned(),
                or_dash(node.refused_at.map(|at| format!("{at:.3}"))),
                or_dash(node.calls_cut),
                format!("{:.0}", node.last_seen_at),
            ]
        }),
    ))?;
    let missing: Vec<_> = seen
        .nodes
        .iter()
        .filter(|node| matches!(node.standing, NodeStanding::Waiting | NodeStanding::Silent))
        .map(|node| node.node.to_string())
        .collect();
    if !missing.is_empty() {
        terminal.message(&format!(
            "not every node has answered ({}): ask again with `diamond admin revocation:show {}`, \
             or stop those nodes",
            missing.join(", "),
            seen.id
        ));
    }
    Ok(())
}

fn sentence(seen: &RevocationResponse) -> String {
    let calls = match seen.calls_cut {
        1 => "1 call was cut".to_owned(),
        calls => format!("{calls} calls were cut"),
    };
    match seen.refused_everywhere_at {
        Some(at) => format!("{calls}; the last node refused at {at:.3} ({})", seen.id),
        None => format!("{calls} so far; a node is missing ({})", seen.id),
    }
}

const fn standing_text(standing: NodeStanding) -> &'static str {
    match standing {
        NodeStanding::Refuses => "refuses",
        NodeStanding::Waiting => "waiting",
        NodeStanding::Silent => "silent",
        NodeStanding::Stale => "refuses everybody",
    }
}
