//! Callers that never stop, and streams that stay open.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use serde_json::{Value, json};

use crate::world::World;

/// Who calls, how, and what came of it.
#[derive(Default)]
pub struct Callers {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    failed: Arc<parking_lot::Mutex<Vec<String>>>,
    tasks: tokio::task::JoinSet<()>,
}

impl Callers {
    /// Lets so many call at once, in turn with each of these tokens; every third streams.
    pub fn start(world: &World, tokens: &[String], count: usize) -> Self {
        let mut callers = Self::default();
        for place in 0..count {
            let token = tokens[place % tokens.len()].clone();
            let client = world.client.clone();
            let url = format!("{}/gateway/openai/v1/chat/completions", world.url);
            let (stop, done) = (Arc::clone(&callers.stop), Arc::clone(&callers.done));
            let failed = Arc::clone(&callers.failed);
            callers.tasks.spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let body = chat(place % 3 == 0);
                    match one(&client, &url, &token, &body).await {
                        Ok(()) => done.fetch_add(1, Ordering::SeqCst),
                        Err(why) => {
                            failed.lock().push(why);
                            0
                        }
                    };
                }
            });
        }
        callers
    }

    /// How many calls came to a good end so far.
    pub fn done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }

    /// Lets every caller end its call; how many calls there were, and what failed.
    pub async fn finish(mut self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::SeqCst);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        let failed = std::mem::take(&mut *self.failed.lock());
        (self.done(), failed)
    }
}

pub fn chat(streams: bool) -> Value {
    json!({
        "model": "gpt-4o-mini", "stream": streams,
        "messages": [{ "role": "user", "content": "hello" }],
    })
}

async fn one(client: &reqwest::Client, url: &str, token: &str, body: &Value) -> Result<(), String> {
    let sent = client.post(url).bearer_auth(token).json(body).send().await;
    let response = sent.map_err(|error| format!("not sent: {error}"))?;
    let status = response.status();
    let text = response.text().await;
    let text = text.map_err(|error| format!("{status}, broken off: {error}"))?;
    let whole = body["stream"] == false || text.contains("[DONE]");
    if status.is_success() && whole {
        return Ok(());
    }
    Err(format!("{status}: {text}"))
}

/// A stream that was begun and not read to its end.
pub struct OpenStream(reqwest::Response);

impl OpenStream {
    /// Begins it, and sees its first bytes.
    pub async fn begin(world: &World, token: &str) -> Self {
        let mut response = world.call("chat/completions", token, &chat(true)).await;
        assert_eq!(response.status(), 200);
        assert!(response.chunk().await.unwrap().is_some());
        Self(response)
    }

    /// Reads it to its end, which must be a good one.
    pub async fn end(self) {
        let text = self.0.text().await.unwrap();
        assert!(text.contains("[DONE]"), "{text}");
    }
}
