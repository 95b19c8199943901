//! The command line against a server that answers as told: what it sends, what it prints, how it
//! ends. (That the real server answers so is shown by the server's own tests.)

#[cfg(test)]
mod server;

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use diamond_cli::{Environment, ExitStatus, Terminal, execute};
use server::Server;

/// What a run left behind.
struct Run {
    status: ExitStatus,
    output: String,
    errors: String,
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

#[cfg(test)]
impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
impl Buffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

async fn run_in(environment: &Environment, line: &str, input: &str) -> Run {
    let (output, errors) = (Buffer::default(), Buffer::default());
    let mut terminal = Terminal::piped(input.into(), output.clone(), errors.clone());
    let arguments = line.split(' ').map(Into::into);
    let status = execute(arguments, environment, &mut terminal).await;
    Run {
        status,
        output: output.text(),
        errors: errors.text(),
    }
}

async fn run(server: &Server, line: &str, input: &str) -> Run {
    let environment = Environment {
        url: Some(server.url.clone()),
        token: Some("dmd_canary".to_owned().into()),
        ..Environment::default()
    };
    run_in(&environment, line, input).await
}

const LEASE: &str = r#"{"service":"openai","tenantId":"zaxon","kind":"dedicated","version":3,"apiKey":"sk-canary","expiresAt":"2026-01-01T00:00:00Z","traceId":"4bf92f3577b34da6a3ce929d0e0e4736"}"#;

const VERSION: &str = r#"{"name":"ai-openai-zaxon","service":"openai","tenantId":"zaxon","kind":"dedicated","version":1,"state":"active","health":"ok","healthUntil":null,"payer":"platform","fingerprint":"9f2c","revealed":false,"createdAt":"2026-01-01T00:00:00Z","activatedAt":null,"retiredAt":null,"revokedAt":null}"#;

#[tokio::test]
async fn a_key_is_printed_bare_so_that_a_script_can_take_it() {
    let server = Server::answering(200, LEASE).await;
    let run = run(&server, "diamond ai keys:get openai zaxon --user u-1", "").await;
    assert_eq!(run.status, ExitStatus::Success);
    assert_eq!(run.output, "sk-canary\n");
    assert!(run.errors.contains("version 3") && !run.errors.contains("canary"));
    let seen = server.seen();
    assert_eq!(seen.line, "POST /api/keys/openai/zaxon");
    assert_eq!(seen.authorization, "Bearer dmd_canary");
    assert_eq!(seen.body, r#"{"userId":"u-1"}"#);
}

#[tokio::test]
async fn programs_get_exactly_the_answer() {
    let server = Server::answering(200, LEASE).await;
    let run = run(
        &server,
        "diamond ai keys:get openai zaxon --output json",
        "",
    )
    .await;
    assert_eq!(run.output, format!("{LEASE}\n"));
    assert_eq!(run.errors, "");
}

#[tokio::test]
async fn a_key_is_put_from_standard_input() {
    let server = Server::answering(200, VERSION).await;
    let line = "diamond ai keys:put openai zaxon --no-validate --expected-version 0";
    let run = run(&server, line, "sk-canary\n").await;
    assert_eq!(run.status, ExitStatus::Success, "{}", run.errors);
    assert!(!run.output.contains("canary") && !run.errors.contains("canary"));
    let seen = server.seen();
    assert_eq!(seen.line, "PUT /api/keys/openai/zaxon/dedicated");
    assert_eq!(
        seen.body,
        r#"{"apiKey":"sk-canary","validate":false,"expectedVersion":0}"#
    );
    assert!(seen.idempotency_key.starts_with("op_"));
}

#[tokio::test]
async fn an_error_says_what_to_do_and_whose_fault_it_is() {
    for (http, code, exit) in [
        (401, "unknown_token", ExitStatus::NotPermitted),
        (403, "missing_scope", ExitStatus::NotPermitted),
        (404, "tenant_not_found", ExitStatus::NotFound),
        (409, "tier_mismatch", ExitStatus::Conflict),
        (422, "key_refused", ExitStatus::InvalidInput),
        (503, "database_unreachable", ExitStatus::ServerFault),
    ] {
        let body =
            format!(r#"{{"error":{{"code":"{code}","message":"No.","requestId":"req_1"}}}}"#);
        let server = Server::answering(http, &body).await;
        let run = run(&server, "diamond ai keys:get openai zaxon", "").await;
        assert_eq!(run.status, exit, "{http}");
        assert_eq!(run.output, "");
        assert!(
            run.errors
                .contains(&format!("error: No. ({code}, request req_1)"))
        );
    }
}

#[tokio::test]
async fn what_is_not_our_server_is_said_so() {
    let server = Server::answering(200, "<html>log in</html>").await;
    for line in [
        "diamond ai keys:get openai zaxon",
        "diamond admin tenant:list --output json",
    ] {
        let run = run(&server, line, "").await;
        assert_eq!(run.status, ExitStatus::ServerFault);
        assert!(run.output.is_empty());
        assert!(
            run.errors.contains("not as a diamond server does"),
            "{}",
            run.errors
        );
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_has_its_own_status() {
    let url = Server::answering(200, "").await.stop();
    let environment = Environment {
        url: Some(url),
        ..Environment::default()
    };
    let run = run_in(&environment, "diamond admin tenant:list", "").await;
    assert_eq!(run.status, ExitStatus::Unreachable);
    assert!(
        run.errors.contains("hint: is the server running"),
        "{}",
        run.errors
    );
}

#[tokio::test]
async fn a_broken_chain_is_a_failed_check_also_for_programs() {
    let broken = r#"{"ok":false,"outcome":"truncated","entries":null,"brokenAt":null,"endsAt":7,"anchoredAt":9,"coverage":{"node":"nod_00000000000000000000000007","notCovered":[]}}"#;
    let server = Server::answering(200, broken).await;
    let people = run(&server, "diamond admin audit:verify", "").await;
    assert_eq!(people.status, ExitStatus::CheckFailed);
    assert!(people.errors.contains("ends at entry 7, but reached 9"));
    let programs = run(&server, "diamond admin audit:verify --output json", "").await;
    assert_eq!(programs.status, ExitStatus::CheckFailed);
    assert_eq!(programs.output, format!("{broken}\n"));
}

#[tokio::test]
async fn a_profile_is_kept_and_used() {
    let server = Server::answering(200, r#"{"items":[],"nextCursor":null}"#).await;
    let folder = tempfile::tempdir().unwrap();
    let environment = Environment {
        config_file: Some(folder.path().join("diamond/config.toml")),
        ..Environment::default()
    };
    let line = format!("diamond config set-profile work --url {}", server.url);
    let kept = run_in(&environment, &line, "dmd_profile\n").await;
    assert_eq!(kept.status, ExitStatus::Success, "{}", kept.errors);
    let listed = run_in(&environment, "diamond config list --output json", "").await;
    assert!(!listed.output.contains("dmd_profile") && listed.output.contains("\"work\""));
    let used = run_in(&environment, "diamond admin tenant:list", "").await;
    assert_eq!(used.status, ExitStatus::Success, "{}", used.errors);
    assert_eq!(server.seen().authorization, "Bearer dmd_profile");
    let missing = run_in(&environment, "diamond admin tenant:list --profile none", "").await;
    assert_eq!(missing.status, ExitStatus::InvalidInput);
}

#[tokio::test]
async fn a_wrong_command_line_is_not_sent() {
    let environment = Environment::default();
    for line in [
        "diamond ai keys:get openai coaching-customer",
        "diamond ai keys:get openai zaxon --token dmd_x",
        "diamond ai costs:analyze --tenant zaxon --period yearly",
        "diamond ai costs:analyze --tenant zaxon --from 2026-01-01T00:00:00Z",
        "diamond ai keys:revoke openai zaxon 0",
        "diamond admin token:create --tenant zaxon",
    ] {
        let run = run_in(&environment, line, "").await;
        assert_eq!(run.status, ExitStatus::InvalidInput, "{line}");
        assert!(run.output.is_empty() && !run.errors.is_empty());
    }
    let help = run_in(&environment, "diamond --help", "").await;
    assert_eq!(help.status, ExitStatus::Success);
    assert!(help.output.contains("Exit status:"));
}

#[tokio::test]
async fn bash_completion_keeps_commands_whole() {
    let run = run_in(&Environment::default(), "diamond completion bash", "").await;
    assert!(
        run.output
            .starts_with("COMP_WORDBREAKS=${COMP_WORDBREAKS//:}\n")
    );
    assert!(run.output.contains("keys:get"));
}

const TPC: &str = r#"{"tenantId":"zaxon","period":"daily","from":"2026-11-22T00:00:00Z","to":"2026-11-22T13:00:00.000000001Z","directCostUsd":"1.000000000","sgaUsd":"0.100000000","complianceUsd":"0.050000000","tpcUsd":"1.150000000","tenantPaidUsd":"0.000000000","chargeUsd":"1.150000000","profitUsd":"0.000000000","calls":2,"unpricedEvents":1,"partialEvents":0,"services":[{"service":"openai","componentCode":"15-OPENAI","directCostUsd":"1.000000000","tenantPaidUsd":"0.000000000","calls":2,"unpricedEvents":1}],"users":{"users":1,"meanUsd":"1.000000000","medianUsd":"1.000000000","p95Usd":"1.000000000","p99Usd":"1.000000000","stdDevUsd":"0.000000000","top":[{"userId":"u-1","directCostUsd":"1.000000000","calls":2}]},"trend":{"previousFrom":"2026-11-21T00:00:00Z","previousTo":"2026-11-21T13:00:00.000000001Z","previousDirectCostUsd":"0.800000000","change":"0.25"},"watermark":2}"#;

#[tokio::test]
async fn costs_are_shown_in_tables() {
    let server = Server::answering(200, TPC).await;
    let run = run(
        &server,
        "diamond ai costs:analyze --tenant=zaxon --period=daily",
        "",
    )
    .await;
    assert_eq!(run.status, ExitStatus::Success, "{}", run.errors);
    assert_eq!(
        server.seen().line,
        "GET /api/analytics/tpc/zaxon?period=daily"
    );
    assert!(run.errors.contains("1 events have no known price"));
    insta::assert_snapshot!(run.output, @r"
                                    USD
        direct cost         1.000000000
        SG&A                0.100000000
        compliance          0.050000000
        TPC                 1.150000000
        paid by the tenant  0.000000000
        charge              1.150000000
        profit              0.000000000
        direct cost before  0.800000000
        change                     0.25
        calls                         2
        users                         1
        mean per user       1.000000000
        median              1.000000000
        p95                 1.000000000
        p99                 1.000000000
        standard deviation  0.000000000

        SERVICE  CODE       CALLS  DIRECT COST USD  PAID BY TENANT USD  UNPRICED
        openai   15-OPENAI      2      1.000000000         0.000000000         1

        USER  CALLS  DIRECT COST USD
        u-1       2      1.000000000
        ");
}
