//! kill −9 under load, restart, compare with the simulator's count; again and again.

mod clock;
mod database;
mod doubled;
mod full_disk;
mod judge;
mod load;
mod random;
mod stop;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{settings::full_scale, world::World};
pub use full_disk::SmallDisk;
use judge::Judge;
use load::Load;
use random::Random;

/// How long a load may take to get as far as the kill; far more than it needs.
const PATIENCE: Duration = Duration::from_secs(120);

/// So many deaths share a data folder, so that recovery meets what earlier deaths left.
const DEATHS_PER_WORLD: u64 = 20;

/// Builds a library that stands between a program and the system when it is loaded first.
fn library(folder: &Path, name: &str) -> PathBuf {
    let library = folder.join(format!("{name}.so"));
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/death");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &sources.join(format!("{name}.c"))])
        .status();
    assert!(built.unwrap().success());
    library
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_it_was_doing_when_it_died_nothing_is_lost_and_nothing_is_twice() {
    let (deaths, streams) = if full_scale() { (1_000, 64) } else { (3, 8) };
    let seed = random::seed();
    println!("report kill: seed {seed} (DIAMOND_TEST_SEED={seed} repeats it)");
    let mut random = Random::new(seed);
    let mut report = judge::Report::default();
    let mut death = 0;
    while death < deaths {
        let mut world = World::start().await;
        let mut judge = Judge::new(&world).await;
        for _ in 0..DEATHS_PER_WORLD.min(deaths - death) {
            death += 1;
            let load = Load::begin(&world, judge.token(), death, streams, random.next()).await;
            // Anywhere between the first bytes and some hundred answers.
            let steps = 1 + random.below(60 * streams as u64);
            let reached = tokio::time::timeout(PATIENCE, load.reaches(steps)).await;
            assert!(
                reached.is_ok(),
                "the load stands still before step {steps} of death {death}:\n{}",
                world.server.output()
            );
            world.server.kill();
            let known = load.end().await;
            world.start_server_again().await;
            judge.judge(&world, known, death).await;
            if death.is_multiple_of(50) {
                println!(
                    "report kill: {death} deaths: {}",
                    judge.report().plus(&report)
                );
            }
        }
        judge.judge_all(&world).await;
        report = judge.report().plus(&report);
        // A polite end after all those deaths finds everything in order.
        world.server.terminate();
        assert!(world.server.wait().success());
    }
    println!("report kill: {deaths} deaths under {streams} streams: {report}");
    assert!(report.lost > 0 && report.exact > 0, "the kills hit nothing");
}
