//! The commands, one file a noun.

pub mod alarms;
pub mod apply;
pub mod audit;
pub mod backups;
pub mod budgets;
pub mod completion;
pub mod config;
pub mod costs;
pub mod incidents;
pub mod keys;
pub mod providers;
pub mod revocations;
pub mod rotations;
pub mod seal;
pub mod services;
mod session;
pub mod tenants;
pub mod tokens;
pub mod usage;

pub use session::Session;

use crate::{
    Terminal,
    arguments::{Admin, Ai, Command, Config},
    failure::Failure,
};

/// Does what the command says.
pub async fn execute(
    command: Command,
    session: &Session<'_>,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    match command {
        Command::Apply(arguments) => apply::apply(arguments, session, terminal).await,
        Command::Ai(Ai::KeysGet(arguments)) => keys::get(arguments, session, terminal).await,
        Command::Ai(Ai::KeysPut(arguments)) => keys::put(arguments, session, terminal).await,
        Command::Ai(Ai::KeysImport(arguments)) => keys::import(arguments, session, terminal).await,
        Command::Ai(Ai::KeysList(arguments)) => keys::list(arguments, session, terminal).await,
        Command::Ai(Ai::KeysRevoke(arguments)) => keys::revoke(arguments, session, terminal).await,
        Command::Ai(Ai::KeysRotate(arguments)) => {
            rotations::rotate(arguments, session, terminal).await
        }
        Command::Ai(Ai::KeysProvision(arguments)) => {
            rotations::provision(arguments, session, terminal).await
        }
        Command::Ai(Ai::RotationsList(arguments)) => {
            rotations::list(arguments, session, terminal).await
        }
        Command::Ai(Ai::RotationShow(arguments)) => {
            rotations::show(&arguments, session, terminal).await
        }
        Command::Ai(Ai::CostsAnalyze(arguments)) => {
            costs::analyze(arguments, session, terminal).await
        }
        Command::Ai(Ai::UsageList(arguments)) => usage::list(arguments, session, terminal).await,
        Command::Ai(Ai::ServicesList) => services::list(session, terminal).await,
        Command::Ai(Ai::ServicesCheck(arguments)) => {
            services::check(arguments, session, terminal).await
        }
        Command::Admin(Admin::TenantCreate(arguments)) => {
            tenants::create(arguments, session, terminal).await
        }
        Command::Admin(Admin::TenantList(arguments)) => {
            tenants::list(arguments, session, terminal).await
        }
        Command::Admin(Admin::TokenCreate(arguments)) => {
            tokens::create(arguments, session, terminal).await
        }
        Command::Admin(Admin::TokenList(arguments)) => {
            tokens::list(arguments, session, terminal).await
        }
        Command::Admin(Admin::TokenRevoke(arguments)) => {
            tokens::revoke(arguments, session, terminal).await
        }
        Command::Admin(Admin::TenantSuspend(arguments)) => {
            tenants::suspend(arguments, session, terminal).await
        }
        Command::Admin(Admin::TenantResume(arguments)) => {
            tenants::resume(arguments, session, terminal).await
        }
        Command::Admin(Admin::BudgetPut(arguments)) => {
            budgets::put(arguments, session, terminal).await
        }
        Command::Admin(Admin::BudgetList(arguments)) => {
            budgets::list(arguments, session, terminal).await
        }
        Command::Admin(Admin::BudgetDelete(arguments)) => {
            budgets::delete(arguments, session, terminal).await
        }
        Command::Admin(Admin::RevocationShow(arguments)) => {
            revocations::show(arguments, session, terminal).await
        }
        Command::Admin(Admin::AuditVerify(arguments)) => {
            audit::verify(arguments, session, terminal).await
        }
        Command::Admin(Admin::AuditStatus) => audit::status(session, terminal).await,
        Command::Admin(Admin::AuditBeginAnew(arguments)) => {
            audit::begin_anew(arguments, session, terminal).await
        }
        Command::Admin(Admin::IncidentReport(arguments)) => {
            incidents::report(arguments, session, terminal).await
        }
        Command::Admin(Admin::SealStatus) => seal::status(session, terminal).await,
        Command::Admin(Admin::SealRekey(arguments)) => {
            seal::rekey(&arguments, session, terminal).await
        }
        Command::Admin(Admin::Backup(arguments)) => {
            backups::backup(arguments, session, terminal).await
        }
        Command::Admin(Admin::RestoreStatus) => backups::status(session, terminal).await,
        Command::Admin(Admin::RestoreRelease(arguments)) => {
            backups::release(arguments, session, terminal).await
        }
        Command::Admin(Admin::CredentialPut(arguments)) => {
            providers::put_credential(arguments, session, terminal).await
        }
        Command::Admin(Admin::ProviderSweep(arguments)) => {
            providers::sweep(&arguments, session, terminal).await
        }
        Command::Admin(Admin::AlarmsList(arguments)) => {
            alarms::list(arguments, session, terminal).await
        }
        Command::Config(Config::SetProfile(arguments)) => {
            config::set_profile(arguments, session, terminal)
        }
        Command::Config(Config::UseProfile(arguments)) => {
            config::use_profile(&arguments, session, terminal)
        }
        Command::Config(Config::List) => config::list(session, terminal),
        Command::Completion(arguments) => completion::write(&arguments, terminal),
    }
}
