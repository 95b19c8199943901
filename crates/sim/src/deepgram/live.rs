//! `GET /v1/listen` as a WebSocket: sound that is heard as it comes.

use serde_json::{Value, json};

use super::{
    error,
    hearing::{DEFAULT_MODEL, model_id, model_of, seconds, surcharge_hour, wants},
};
use crate::{
    desk::{Charge, Context, Refusal, Served},
    instant,
    prices::{Model, Terms, Tier, live_surcharge},
    quantities::{Meter, Quantities},
    socket::{Message, Said, Talk},
};

/// What a second takes in a format that says nothing of itself: 128 kbit/s.
const BYTES_PER_SECOND: u64 = 16_000;
/// So much sound makes one result.
const RESULT_MILLISECONDS: u64 = 1_000;

/// Begins to listen.
pub(super) fn open(context: &Context<'_>) -> Result<Served, Refusal> {
    let request = context.request;
    let model = model_of(request.query("model").unwrap_or(DEFAULT_MODEL))?;
    let number = |name: &str, usual: u64| match request.query(name) {
        None => Ok(usual),
        Some(text) => match text.parse() {
            Ok(number) if number > 0 => Ok(number),
            _ => {
                let message = format!("Invalid value for {name}: {text}.");
                Err(error::old(400, "INVALID_QUERY_PARAMETER", &message))
            }
        },
    };
    let channels = number("channels", 1)?;
    let width = match request.query("encoding") {
        Some("linear16") => Some(2),
        Some("mulaw" | "alaw") => Some(1),
        _ => None,
    };
    let bytes_per_second = match width {
        Some(width) => number("sample_rate", 16_000)? * width * channels,
        None => BYTES_PER_SECOND,
    };
    let many_languages = request.query("language") == Some("multi");
    let live = Live {
        request_id: context.request_id.to_owned(),
        created: instant::rfc3339(context.now()),
        model,
        bytes_per_second,
        channels: if wants(request, "multichannel") {
            channels
        } else {
            1
        },
        bytes: 0,
        billed: 0,
        told: 0,
    };
    let charge = Charge {
        model,
        terms: Terms {
            surcharge_hour: surcharge_hour(request) + live_surcharge(model.name, many_languages),
            ..Terms::at(Tier::Default)
        },
        quantities: Quantities::of(&[]),
    };
    Ok(Served::conversation(live, charge)
        .with("dg-model-name", model.name)
        .with("dg-model-uuid", model_id(model)))
}

struct Live {
    request_id: String,
    created: String,
    model: &'static Model,
    bytes_per_second: u64,
    /// Each is heard and paid by itself.
    channels: u64,
    bytes: u64,
    /// Milliseconds that are on the bill, and that a result was sent for.
    billed: u64,
    told: u64,
}

impl Live {
    const fn milliseconds(&self) -> u64 {
        self.bytes * 1_000 / self.bytes_per_second
    }

    fn sound(&mut self, bytes: u64) -> Vec<Said> {
        self.bytes += bytes;
        let heard = self.milliseconds();
        let new = (heard - self.billed) * self.channels;
        self.billed = heard;
        let mut said = vec![Said::nothing().billed([(Meter::AudioMilliseconds, new)])];
        while heard - self.told >= RESULT_MILLISECONDS {
            self.result(self.told + RESULT_MILLISECONDS, false, &mut said);
        }
        said
    }

    /// What was said since the last result.
    fn result(&mut self, until: u64, from_finalize: bool, said: &mut Vec<Said>) {
        let (from, lasts) = (self.told, until - self.told);
        self.told = until;
        let id = model_id(self.model);
        for channel in 0..self.channels {
            let transcript = format!("sound from {from} to {until}");
            said.push(Said::json(&json!({
                "type": "Results",
                "channel_index": [channel, self.channels],
                "duration": seconds(lasts),
                "start": seconds(from),
                "is_final": true,
                "speech_final": from_finalize,
                "from_finalize": from_finalize,
                "channel": {"alternatives": [{
                    "transcript": transcript, "confidence": 0.99, "words": [],
                }]},
                "metadata": {
                    "request_id": self.request_id,
                    "model_info": {
                        "name": self.model.name, "version": "2026-10-01.0",
                        "arch": self.model.name,
                    },
                    "model_uuid": id,
                },
            })));
        }
    }

    fn rest(&mut self, said: &mut Vec<Said>) {
        let heard = self.milliseconds();
        if heard > self.told {
            self.result(heard, true, said);
        }
    }

    fn end(&mut self) -> Vec<Said> {
        let mut said = Vec::new();
        self.rest(&mut said);
        said.push(Said::json(&json!({
            "type": "Metadata",
            "transaction_key": "deprecated",
            "request_id": self.request_id,
            "sha256": "0".repeat(64),
            "created": self.created,
            "duration": seconds(self.milliseconds()),
            "channels": self.channels,
            "models": [model_id(self.model)],
        })));
        said.push(Said::close(1000, ""));
        said
    }
}

impl Talk for Live {
    fn open(&mut self) -> Vec<Said> {
        Vec::new()
    }

    fn heard(&mut self, message: Message) -> Vec<Said> {
        let text = match message {
            Message::Binary(bytes) => return self.sound(bytes.len() as u64),
            Message::Text(text) => text,
        };
        let asked: Value = serde_json::from_str(&text).unwrap_or_default();
        match asked["type"].as_str() {
            Some("KeepAlive") => Vec::new(),
            Some("Finalize") => {
                let mut said = Vec::new();
                self.rest(&mut said);
                said
            }
            Some("CloseStream") => self.end(),
            _ => vec![
                Said::json(&json!({
                    "type": "Error",
                    "description": "The text message could not be read as a control message.",
                    "message": "DATA-0000",
                    "variant": "invalid",
                })),
                Said::close(1008, "DATA-0000"),
            ],
        }
    }

    fn failure(&mut self) -> Message {
        let body = json!({
            "type": "Error",
            "description": "The service failed while it was listening.",
            "message": "NET-0000",
            "variant": "internal",
        });
        Message::Text(body.to_string())
    }
}
