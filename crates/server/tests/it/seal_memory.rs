//! Where the master key stands in the memory of an idle server.

use std::{
    io::{Read as _, Seek as _, SeekFrom},
    path::Path,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde_json::Value;

use crate::world::World;

/// How much is looked at at a time, in bytes, and how much longer than any needle.
const CHUNK: u64 = 1 << 20;
const OVERLAP: u64 = 128;

/// How often each needle stands in the readable memory of a process, and whether any of it could
/// be read at all (which needs root: the process is not dumpable).
fn count_in_memory(id: u32, needles: &[&[u8]]) -> Option<Vec<usize>> {
    let folder = format!("/proc/{id}");
    let maps = std::fs::read_to_string(Path::new(&folder).join("maps")).ok()?;
    let mut memory = std::fs::File::open(Path::new(&folder).join("mem")).ok()?;
    let mut counts = vec![0; needles.len()];
    let mut bytes = vec![0; usize::try_from(CHUNK + OVERLAP).unwrap()];
    let zeros = bytes.clone();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (range, mode) = (words.next().unwrap(), words.next().unwrap());
        if !mode.starts_with('r') || line.ends_with("[vvar]") || line.ends_with("[vsyscall]") {
            continue;
        }
        let (start, end) = range.split_once('-').unwrap();
        let address = |text: &str| u64::from_str_radix(text, 16).unwrap();
        let (start, end) = (address(start), address(end));
        let mut at = start;
        while at < end {
            // A little more, for what lies across the border; it counts where it begins.
            let length = usize::try_from((end - at).min(CHUNK + OVERLAP)).unwrap();
            memory.seek(SeekFrom::Start(at)).unwrap();
            at += CHUNK;
            // What is only reserved cannot be read.
            if memory.read_exact(&mut bytes[..length]).is_err()
                || bytes[..length] == zeros[..length]
            {
                continue;
            }
            for (needle, count) in needles.iter().zip(&mut counts) {
                *count += memchr::memmem::find_iter(&bytes[..length], needle)
                    .filter(|place| *place < usize::try_from(CHUNK).unwrap())
                    .count();
            }
        }
    }
    Some(counts)
}

/// The readings of the key that no idle process has a reason to hold, and the key itself.
fn needles(file: &Path) -> (String, Vec<u8>, String) {
    let text = std::fs::read_to_string(file).unwrap();
    let encoded = text.trim_end().split_once(':').unwrap().1.to_owned();
    let key = STANDARD.decode(&encoded).unwrap();
    let hexadecimal = key.iter().map(|byte| format!("{byte:02x}")).collect();
    (encoded, key, hexadecimal)
}

#[tokio::test]
async fn an_idle_server_holds_its_master_key_once_and_writes_no_core_file() {
    let mut world = World::start().await;
    let token = world.ready_tenant("zaxon").await;
    world.chat(&token, "gpt-4o-mini").await;
    let key_file = world.data().join("master-key");
    let (old, _, _) = needles(&key_file);
    let old_key = STANDARD.decode(&old).unwrap();

    for start in ["the first", "another"] {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", world.server.id()));
        let limits = limits.unwrap();
        let core = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"));
        let core: Vec<_> = core.unwrap().split_whitespace().collect();
        assert_eq!(core[4..6], ["0", "0"], "{limits}");
        let (encoded, key, hexadecimal) = needles(&key_file);
        let found = count_in_memory(
            world.server.id(),
            &[
                encoded.as_bytes(),
                hexadecimal.as_bytes(),
                &key,
                b"diamond-master-key-1:",
            ],
        );
        let Some(found) = found else {
            assert!(
                !rustix::process::geteuid().is_root(),
                "root may read memory"
            );
            return;
        };
        assert_eq!(found[..2], [0, 0], "{start} start: as text");
        assert_eq!(found[2], 1, "{start} start: where it lives, and no copy");
        assert!(found[3] > 0, "the memory was read");
        world.server.terminate();
        assert!(world.server.wait().success());
        world.start_server_again().await;
    }

    // After a change the former key is gone from memory, and the new one is there once.
    world
        .operate(Method::POST, "/api/seal/rekey", Value::Null)
        .await
        .with(200);
    loop {
        let status = world.operate(Method::GET, "/api/seal", Value::Null).await;
        let status = status.with(200);
        let held = status["heldKeyIds"].as_array().unwrap().len();
        if status["rekey"].is_null() && held == 1 && !status["rotatedAt"].is_null() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let (encoded, key, _) = needles(&key_file);
    let found = count_in_memory(
        world.server.id(),
        &[old.as_bytes(), &old_key, encoded.as_bytes(), &key],
    );
    assert_eq!(found.unwrap(), [0, 0, 0, 1]);
}
