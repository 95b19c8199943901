//! A copy of a node's data folder, served beside it.

use diamond_test_support::{ServerProcess, binary, postgres};
use reqwest::Method;
use serde_json::Value;

use crate::world::{World, copy_folder};

#[tokio::test]
async fn of_two_that_serve_as_one_node_the_first_stops_and_says_why() {
    let database = postgres().await;
    let url = database.url();
    let mut world = World::start_with(&[("DIAMOND_DATABASE__URL", url)]).await;
    let token = world.ready_tenant("zaxon").await;
    world.server.terminate();
    assert!(world.server.wait().success());
    let other = tempfile::tempdir().unwrap();
    let data = other.path().join("data");
    copy_folder(&world.data(), &data);
    world.start_server_again().await;
    world.chat(&token, "gpt-4o-mini").await;
    let second = ServerProcess::spawn(&binary("diamond-server"), |command| {
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&data)
            .env("DIAMOND_LOG__FORMAT", "json")
            .env("DIAMOND_DATABASE__URL", url);
    });
    let line = second.line_with("\"serving\"").await;
    let status = world.server.wait();
    let said = world.server.output();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(
        said.contains("another process serves as this node"),
        "{said}"
    );
    // The other goes on, and tells.
    let line: Value = serde_json::from_str(&line).unwrap();
    world.url = format!("http://{}", line["fields"]["address"].as_str().unwrap());
    loop {
        let alarms = world.operate(Method::GET, "/api/alarms", Value::Null).await;
        if alarms.with(200).to_string().contains("node_doubled") {
            break;
        }
        tokio::task::yield_now().await;
    }
}
