//! The words of the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    commands::{
        alarms, apply, audit, backups, budgets, completion,
        config::{SetProfile, UseProfile},
        costs, incidents, keys, providers, revocations, rotations, seal, services, tenants, tokens,
        usage,
    },
    config::ConnectionArguments,
    exit,
};

/// The command line of the Universal AI Key Manager.
#[derive(Debug, Parser)]
#[command(name = "diamond", version, after_help = exit::HELP)]
pub struct CommandLine {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
pub struct Global {
    /// Address of the server (else DIAMOND_URL, else the profile's, else this machine)
    #[arg(long, global = true, value_name = "URL")]
    url: Option<String>,
    /// Profile to use (else DIAMOND_PROFILE, else the default one)
    #[arg(long, global = true, value_name = "NAME")]
    profile: Option<String>,
    /// File that holds the access token (else DIAMOND_TOKEN, else the profile's)
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// File of certificate authorities (PEM) to trust besides the machine's (else
    /// DIAMOND_CA_FILE, else the profile's)
    #[arg(long, global = true, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// How to show data: a table for people, or exactly the API's JSON for programs
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORM")]
    pub output: OutputForm,
}

impl Global {
    /// What they say about the connection.
    pub fn connection(&self) -> ConnectionArguments {
        ConnectionArguments {
            url: self.url.clone(),
            profile: self.profile.clone(),
            token_file: self.token_file.clone(),
            ca_file: self.ca_file.clone(),
        }
    }
}

/// How data is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputForm {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make tenants, policies, budgets and tokens what a file says
    Apply(apply::Arguments),
    /// Keys, usage and costs
    #[command(subcommand)]
    Ai(Ai),
    /// Tenants, tokens, audit, alarms
    #[command(subcommand)]
    Admin(Admin),
    /// Profiles of this command line: where servers are, and tokens for them
    #[command(subcommand)]
    Config(Config),
    /// Write a completion script for a shell
    Completion(completion::Arguments),
}

/// Keys, usage and costs.
#[derive(Debug, Subcommand)]
pub enum Ai {
    /// Get a tenant's key for a service: the bare key on standard output
    #[command(name = "keys:get")]
    KeysGet(keys::GetArguments),
    /// Supply a key for a tenant; its value is read from standard input
    #[command(name = "keys:put")]
    KeysPut(keys::PutArguments),
    /// Take keys over from a table, a file of variables, or a Vault or OpenBao
    #[command(name = "keys:import")]
    KeysImport(keys::ImportArguments),
    /// List a tenant's keys and their versions; never a value
    #[command(name = "keys:list")]
    KeysList(keys::ListArguments),
    /// Revoke a version of a tenant's key
    #[command(name = "keys:revoke")]
    KeysRevoke(keys::RevokeArguments),
    /// Replace a tenant's key, or all keys of a service, without a failed request
    #[command(name = "keys:rotate")]
    KeysRotate(rotations::RotateArguments),
    /// Make a tenant's first key for a service
    #[command(name = "keys:provision")]
    KeysProvision(rotations::ProvisionArguments),
    /// List rotations, newest first
    #[command(name = "rotations:list")]
    RotationsList(rotations::ListArguments),
    /// Show a rotation
    #[command(name = "rotation:show")]
    RotationShow(rotations::ShowArguments),
    /// Show a tenant's True Production Cost
    #[command(name = "costs:analyze")]
    CostsAnalyze(costs::Arguments),
    /// List usage events
    #[command(name = "usage:list")]
    UsageList(usage::ListArguments),
    /// List the AI services: addresses, invoice items, what can be done with their keys
    #[command(name = "services:list")]
    ServicesList,
    /// Say what is wrong with a file that declares a service; exit status 7 when something is
    #[command(name = "services:check")]
    ServicesCheck(services::CheckArguments),
}

/// Tenants, tokens, audit, alarms.
#[derive(Debug, Subcommand)]
pub enum Admin {
    /// Create a tenant
    #[command(name = "tenant:create")]
    TenantCreate(tenants::CreateArguments),
    /// List tenants
    #[command(name = "tenant:list")]
    TenantList(tenants::ListArguments),
    /// Refuse everything of a tenant from now on, and cut its calls on every node
    #[command(name = "tenant:suspend")]
    TenantSuspend(tenants::SuspendArguments),
    /// Serve a suspended tenant again
    #[command(name = "tenant:resume")]
    TenantResume(tenants::ResumeArguments),
    /// Create an access token: the bare token on standard output, this once
    #[command(name = "token:create")]
    TokenCreate(tokens::CreateArguments),
    /// List access tokens; never their text
    #[command(name = "token:list")]
    TokenList(tokens::ListArguments),
    /// Revoke an access token, and cut the calls that were made with it on every node
    #[command(name = "token:revoke")]
    TokenRevoke(tokens::RevokeArguments),
    /// Limit what a tenant may spend in a period: a call that could pass the limit is refused
    #[command(name = "budget:put")]
    BudgetPut(budgets::PutArguments),
    /// List budgets and where they stand
    #[command(name = "budget:list")]
    BudgetList(budgets::ListArguments),
    /// Take a budget away
    #[command(name = "budget:delete")]
    BudgetDelete(budgets::DeleteArguments),
    /// Show which nodes refuse what was revoked, and how many calls they cut
    #[command(name = "revocation:show")]
    RevocationShow(revocations::ShowArguments),
    /// Prove the audit chain; exit status 7 when it does not hold
    #[command(name = "audit:verify")]
    AuditVerify(audit::VerifyArguments),
    /// Show how the audit chain and its witnesses stand, and the public key of its checkpoints
    #[command(name = "audit:status")]
    AuditStatus,
    /// Keep a broken audit chain as evidence and begin another
    #[command(name = "audit:begin-anew")]
    AuditBeginAnew(audit::BeginAnewArguments),
    /// List every use of a key's version, of an access token, or from an address
    #[command(name = "incident:report")]
    IncidentReport(incidents::ReportArguments),
    /// Show the master key's place, what it wraps, and how far a change of it is; never the key
    #[command(name = "seal:status")]
    SealStatus,
    /// Change the master key while everything goes on, and wait until every data key is under it
    #[command(name = "seal:rekey")]
    SealRekey(seal::RekeyArguments),
    /// Take a backup of everything that a node keeps, but for the master key
    Backup(backups::BackupArguments),
    /// Compare a restored installation with the backup that it was brought back from
    #[command(name = "restore:status")]
    RestoreStatus,
    /// End the quarantine of a restored installation
    #[command(name = "restore:release")]
    RestoreRelease(backups::ReleaseArguments),
    /// Supply the credential that keys are made with; its value is read from standard input
    #[command(name = "credential:put")]
    CredentialPut(providers::CredentialArguments),
    /// Compare a provider's keys with ours: end what is left over, report what is unknown
    #[command(name = "provider:sweep")]
    ProviderSweep(providers::SweepArguments),
    /// List alarms
    #[command(name = "alarms:list")]
    AlarmsList(alarms::ListArguments),
}

/// Profiles.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Keep a server's address and a token, which is read from standard input
    SetProfile(SetProfile),
    /// Choose the profile that is used when none is named
    UseProfile(UseProfile),
    /// List profiles; never their tokens
    List,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_words_are_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn no_argument_takes_a_token_or_a_key() {
        fn check(command: &clap::Command) {
            for argument in command.get_arguments() {
                let name = argument.get_long().unwrap_or_default();
                assert!(
                    // `incident:report --token` takes a token's public name.
                    (name == "token" && argument.get_id() == "leaked_token")
                        || !["token", "key", "api-key", "value", "secret"].contains(&name),
                    "--{name} of {} would put a secret into the process list",
                    command.get_name()
                );
            }
            command.get_subcommands().for_each(check);
        }
        check(&CommandLine::command());
    }

    #[test]
    fn the_documented_forms_are_understood() {
        for line in [
            "diamond ai keys:get hume zaxon",
            "diamond ai keys:get openai zaxon --user u1 --tier managed-starter --purpose night",
            "diamond ai keys:put openai zaxon --kind customer --no-validate --expected-version 0",
            "diamond ai keys:list zaxon --service openai",
            "diamond ai keys:revoke openai zaxon 2 --kind dedicated",
            "diamond ai keys:revoke openai zaxon 2 --now --wait 10",
            "diamond ai keys:rotate openai zaxon --reason leaked",
            "diamond ai keys:rotate --service openai --all --no-wait",
            "diamond ai keys:provision openai zaxon --tier managed-starter --requested-by u1",
            "diamond ai rotations:list --tenant zaxon --service openai --limit 5",
            "diamond ai rotation:show rot_00000000000000000000000007",
            "diamond admin credential:put openai --no-validate",
            "diamond admin credential:put openai --tenant zaxon",
            "diamond admin provider:sweep openai",
            "diamond admin tenant:suspend zaxon --wait 0",
            "diamond admin tenant:resume zaxon",
            "diamond admin revocation:show rev_00000000000000000000000007",
            "diamond ai costs:analyze --tenant=zaxon --period=weekly --output json",
            "diamond ai usage:list --tenant zaxon --limit 10",
            "diamond ai services:list --output json",
            "diamond ai services:check acme.toml",
            "diamond admin tenant:create zaxon --tier managed-enterprise --no-reveal",
            "diamond admin tenant:list",
            "diamond admin token:create --tenant zaxon --scope keys:read --scope gateway",
            "diamond admin token:create --tenant zaxon --scope keys:read,gateway --expires 30d",
            "diamond admin token:list --tenant zaxon",
            "diamond admin token:revoke tok_00000000000000000000000007",
            "diamond admin audit:verify --url http://127.0.0.1:1",
            "diamond admin seal:status --output json",
            "diamond admin seal:rekey --no-wait",
            "diamond admin seal:rekey --cancel",
            "diamond admin audit:verify --checkpoints witness.jsonl --public-key 00 --offline",
            "diamond admin audit:status",
            "diamond admin audit:begin-anew --reason found",
            "diamond admin incident:report --version openai/zaxon/2 --kind customer",
            "diamond admin incident:report --token tok_00000000000000000000000007",
            "diamond admin incident:report --address 192.0.2.7 --from 2026-01-01T00:00:00Z",
            "diamond admin alarms:list --state open",
            "diamond admin backup --to monday.tar",
            "diamond admin restore:status --output json",
            "diamond admin restore:release --digest 0123456789abcdef --reason compared",
            "diamond config set-profile work --url https://keys.example.com",
            "diamond completion bash",
        ] {
            let parsed = CommandLine::try_parse_from(line.split(' '));
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
    }

    #[test]
    fn a_wrong_word_says_which_rule_it_breaks() {
        let line = "diamond ai keys:get openai coaching-customer";
        let refused = CommandLine::try_parse_from(line.split(' ')).unwrap_err();
        assert!(refused.to_string().contains("must not end in `-customer`"));
        assert_eq!(refused.exit_code(), 2);
    }
}
