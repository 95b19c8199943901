//! The listener: who is answered, and how.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
};

use diamond_test_support::{ServerProcess, binary};
use reqwest::{Method, Version};
use serde_json::Value;

use super::{Authority, start};

#[tokio::test]
async fn both_protocols_are_spoken_and_strangers_authorities_are_not_needed() {
    let authority = Authority::new();
    let world = start(&authority, &[]).await;
    let token = world.ready_tenant("zaxon").await;
    let asked = |client: reqwest::Client| {
        let url = format!("{}/healthz", world.url);
        async move { client.get(url).send().await }
    };
    let two = asked(authority.client()).await.unwrap();
    assert_eq!(two.version(), Version::HTTP_2);
    let one = authority.builder().http1_only().build().unwrap();
    assert_eq!(asked(one).await.unwrap().version(), Version::HTTP_11);
    assert!(asked(reqwest::Client::new()).await.is_err());
    // Keys, the gateway, the ledger: all of it.
    world.chat(&token, "gpt-4o-mini").await;
    assert_eq!(crate::gateway::agree(&world, "zaxon").await, 1);
}

#[tokio::test]
async fn whoever_forgets_tls_is_told() {
    let authority = Authority::new();
    let world = start(&authority, &[]).await;
    let address = world.url.strip_prefix("https://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["error"]["code"], "tls_required");
}

#[tokio::test]
async fn the_command_line_trusts_whom_it_is_told_to() {
    let authority = Authority::new();
    let world = start(&authority, &[]).await;
    let listed = |configure: &dyn Fn(&mut std::process::Command)| {
        let mut command = world.cli(&world.operator);
        command.args(["admin", "tenant:list"]);
        configure(&mut command);
        command.output().unwrap()
    };
    let untold = listed(&|_| {});
    assert_eq!(untold.status.code(), Some(6));
    let said = String::from_utf8(untold.stderr).unwrap();
    assert!(said.contains("--ca-file"), "{said}");
    let file = authority.file();
    assert!(
        listed(&|command| {
            command.arg("--ca-file").arg(&file);
        })
        .status
        .success()
    );
    assert!(
        listed(&|command| {
            command.env("DIAMOND_CA_FILE", &file);
        })
        .status
        .success()
    );
    // And a profile remembers it.
    let kept = world
        .cli(&world.operator)
        .args(["config", "set-profile", "here", "--no-token", "--url"])
        .arg(&world.url)
        .arg("--ca-file")
        .arg(&file)
        .output()
        .unwrap();
    assert!(kept.status.success(), "{kept:?}");
    assert!(
        listed(&|command| {
            command
                .env_remove("DIAMOND_URL")
                .args(["--profile", "here"]);
        })
        .status
        .success()
    );
    let wrong = listed(&|command| {
        command.args(["--ca-file", "/dev/null"]);
    });
    assert_eq!(wrong.status.code(), Some(2));
}

#[tokio::test]
async fn handshakes_that_never_end_hold_nobody_up() {
    let authority = Authority::new();
    let seconds = ("DIAMOND_SERVER__HEADER_TIMEOUT_SECONDS", "1");
    let world = start(&authority, &[seconds]).await;
    let address = world.url.strip_prefix("https://").unwrap();
    let silent: Vec<TcpStream> = (0..400)
        .map(|number| {
            let mut stream = TcpStream::connect(address).unwrap();
            if number % 2 == 0 {
                // A handshake's first bytes, and no more.
                stream.write_all(&[22, 3, 1, 0, 200, 1]).unwrap();
            }
            stream
        })
        .collect();
    let answer = authority
        .client()
        .get(format!("{}/healthz", world.url))
        .send();
    assert!(answer.await.unwrap().status().is_success());
    // Each loses its place.
    for mut stream in silent {
        let patience = std::time::Duration::from_secs(60);
        stream.set_read_timeout(Some(patience)).unwrap();
        match stream.read(&mut [0]) {
            Ok(read) => assert_eq!(read, 0),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
}

#[test]
fn what_others_can_reach_is_encrypted() {
    let authority = Authority::new();
    let (certificate, key) = authority.files();
    let tls = [
        ("DIAMOND_SERVER__TLS_CERTIFICATE_FILE", &*certificate),
        ("DIAMOND_SERVER__TLS_KEY_FILE", &*key),
    ];
    for (environment, arguments, serves) in [
        (&[][..], &["--listen", "0.0.0.0:0"][..], false),
        (&[], &["--listen", "[::]:0"], false),
        (&tls, &["--listen", "0.0.0.0:0"], true),
        (&tls, &["--listen", "[::1]:0"], true),
        (&[], &["--listen", "0.0.0.0:0", "--behind-proxy"], true),
        (&[], &["--listen", "[::1]:0"], true),
        (&tls[..1], &["--listen", "127.0.0.1:0"], false),
    ] {
        let case = format!("{environment:?} {arguments:?}");
        let mut server = run(environment, arguments);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        if serves {
            runtime.block_on(server.line_with("\"serving\""));
        } else {
            assert_eq!(server.wait().code(), Some(2), "{case}");
            let said = server.output();
            assert!(said.contains("server.tls_certificate_file"), "{said}");
        }
    }
}

#[test]
fn a_pair_that_cannot_be_used_is_refused_at_the_start() {
    let authority = Authority::new();
    let (certificate, key) = authority.files();
    let refused = |words: &str| {
        let environment = [
            ("DIAMOND_SERVER__TLS_CERTIFICATE_FILE", &*certificate),
            ("DIAMOND_SERVER__TLS_KEY_FILE", &*key),
        ];
        let mut server = run(&environment, &[]);
        assert!(!server.wait().success());
        let said = server.output();
        assert!(said.contains(words), "{said}");
    };
    let good = fs::read_to_string(&key).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    refused("chmod 600");
    let (_, other) = authority.issue((2120, 1, 1));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&key, other).unwrap();
    refused("do not fit");
    fs::write(&key, &good[..40]).unwrap();
    refused("no private key");
    fs::remove_file(&key).unwrap();
    refused("cannot be read");
    fs::write(&key, &good).unwrap();
    fs::write(&certificate, "nothing").unwrap();
    refused("no certificate");
}

#[tokio::test]
async fn the_official_sdk_works_over_tls() {
    let authority = Authority::new();
    let world = start(&authority, &[]).await;
    let file = authority.file();
    crate::sdk::run_suite(&world, &[("SSL_CERT_FILE", file.as_os_str())]).await;
}

#[tokio::test]
async fn a_certificate_that_is_about_to_end_is_an_alarm() {
    let authority = Authority::new();
    // Long over: whoever restarts the server must still be told why nobody comes.
    let (certificate, key) = authority.issue((2021, 1, 1));
    authority.put(&certificate, &key);
    let (certificate, key) = authority.files();
    let server = run(
        &[
            ("DIAMOND_SERVER__TLS_CERTIFICATE_FILE", &*certificate),
            ("DIAMOND_SERVER__TLS_KEY_FILE", &*key),
        ],
        &[],
    );
    server.line_with("the certificate is about to end").await;
    let line = server.line_with("\"serving\"").await;
    let line: Value = serde_json::from_str(&line).unwrap();
    let address = line["fields"]["address"].as_str().unwrap();
    let client = authority
        .builder()
        .tls_danger_accept_invalid_certs(true)
        .build()
        .unwrap();
    let operator = {
        let data = server.output();
        let start = data.find("operator-token").map(|_| ());
        assert!(start.is_some());
        fs::read_to_string(DATA.with(|dir| dir.path().join("operator-token"))).unwrap()
    };
    let alarms = client
        .request(Method::GET, format!("https://{address}/api/alarms"))
        .bearer_auth(operator.trim())
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(alarms.contains("tls_certificate_expiring"), "{alarms}");
}

thread_local! {
    /// Of the server that this test runs without a world.
    static DATA: tempfile::TempDir = tempfile::tempdir().unwrap();
}

fn run(environment: &[(&str, &str)], arguments: &[&str]) -> ServerProcess {
    let data = DATA.with(|dir| dir.path().to_owned());
    ServerProcess::spawn(&binary("diamond-server"), |command| {
        command
            .args(["serve", "--data-dir"])
            .arg(data)
            .args(if arguments.is_empty() {
                &["--listen", "127.0.0.1:0"]
            } else {
                arguments
            })
            .env("DIAMOND_LOG__FORMAT", "json")
            .envs(environment.iter().copied());
    })
}
