//! Settings: each fault by its name, all in one run.

use diamond_test_support::{ServerProcess, binary};

/// Whether the scenarios run at full count (`make torture`).
#[expect(
    clippy::disallowed_methods,
    reason = "tests have no configuration but the environment"
)]
pub fn full_scale() -> bool {
    std::env::var("DIAMOND_TEST_SCALE").is_ok_and(|scale| scale == "full")
}

#[test]
fn every_fault_is_named_in_one_run() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("diamond.toml");
    std::fs::write(
        &file,
        "[server]\nlisten = \"0.0.0.0:8080\"\nlisen = 1\n[api]\nbody_bytes_max = \"big\"\n\
         [services.openay]\nbase_url = \"http://x\"\n",
    )
    .unwrap();
    let run = |environment: &[(&str, &str)]| {
        let mut server = ServerProcess::spawn(&binary("diamond-server"), |command| {
            command
                .args(["serve", "--config"])
                .arg(&file)
                .envs(environment.iter().copied());
        });
        let status = server.wait();
        (status.code(), server.output())
    };
    let (code, output) = run(&[("DIAMOND_GATEWAY__REGON", "eu")]);
    assert_eq!(code, Some(2));
    for name in [
        "server.lisen",
        "api.body_bytes_max",
        "services.openay",
        "gateway.regon",
    ] {
        assert!(output.contains(name), "{name} is not named in: {output}");
    }
    std::fs::write(&file, "[server]\nlisten = \"0.0.0.0:8080\"\n").unwrap();
    let (code, output) = run(&[("DIAMOND_SERVICES__OPENAI__BASE_URL", "ftp://nowhere/")]);
    assert_eq!(code, Some(2));
    for name in ["behind_proxy", "services.openai.base_url"] {
        assert!(output.contains(name), "{name} is not named in: {output}");
    }
}

#[test]
fn a_data_folder_has_one_owner() {
    let dir = tempfile::tempdir().unwrap();
    let start = || {
        ServerProcess::spawn(&binary("diamond-server"), |command| {
            command
                .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
                .arg(dir.path());
        })
    };
    let first = start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(first.line_with("serving"));
    let mut second = start();
    assert!(!second.wait().success());
    assert!(
        second.output().contains("another process"),
        "{}",
        second.output()
    );
}
