//! `POST /audio/transcriptions` and `/audio/translations`.

use serde_json::{Value, json};

use super::{
    context::{Charge, Content, Context, Served, model_of},
    error::{self, Refusal},
    speech, sse,
};
use crate::{
    body::Frame,
    multipart::Form,
    prices::{Kind, Model, Terms},
    quantities::{Meter, Quantities},
    sound,
    talk::counts_of_piece,
    tokens,
};

/// Sound in a token that is heard.
const MILLISECONDS_PER_TOKEN: u64 = 100;

/// Writes down what is said.
pub(super) fn transcribe(context: &Context<'_>) -> Result<Served, Refusal> {
    let form = context.form()?;
    let model = model_of(context, form.text("model"), |kind| {
        matches!(kind, Kind::Hearing { .. })
    })?;
    let heard = Heard::read(&form, model, "transcribe")?;
    if form.text("stream") != Some("true") {
        return heard.whole(&form);
    }
    if model.name == "whisper-1" {
        // As the real one does: it ignores the wish.
        return heard.whole(&form);
    }
    Ok(heard.stream())
}

/// Writes down in English what is said in another language.
pub(super) fn translate(context: &Context<'_>) -> Result<Served, Refusal> {
    let form = context.form()?;
    let model = model_of(context, form.text("model"), |kind| {
        kind == Kind::Hearing { by_token: false }
    })?;
    Heard::read(&form, model, "translate")?.whole(&form)
}

/// A sound that was listened to.
struct Heard {
    model: &'static Model,
    task: &'static str,
    language: String,
    milliseconds: u64,
    text: String,
    prompt_tokens: u64,
}

impl Heard {
    fn read(form: &Form<'_>, model: &'static Model, task: &'static str) -> Result<Self, Refusal> {
        let file = form.part("file").ok_or_else(|| error::missing("file"))?;
        if file.bytes.is_empty() {
            let message = "The audio file is empty.";
            return Err(error::invalid("file", "audio_too_short", message));
        }
        let milliseconds = sound::milliseconds(file.bytes);
        let name = file.file_name.as_deref().unwrap_or("the recording");
        Ok(Self {
            model,
            task,
            language: form.text("language").unwrap_or("english").to_owned(),
            milliseconds,
            text: format!("{name} lasts {milliseconds} milliseconds."),
            prompt_tokens: form.text("prompt").map_or(0, tokens::count),
        })
    }

    fn by_token(&self) -> bool {
        self.model.kind == Kind::Hearing { by_token: true }
    }

    fn audio_tokens(&self) -> u64 {
        self.milliseconds.div_ceil(MILLISECONDS_PER_TOKEN)
    }

    /// What had to be paid if nothing were written down.
    fn quantities(&self) -> Quantities {
        if self.by_token() {
            Quantities::of(&[
                (Meter::InputTokens, self.audio_tokens() + self.prompt_tokens),
                (Meter::InputAudioTokens, self.audio_tokens()),
            ])
        } else {
            Quantities::of(&[(Meter::AudioMilliseconds, self.milliseconds)])
        }
    }

    fn charge(&self) -> Charge {
        let tier = self.model.served_at(None, 0);
        Charge {
            model: self.model,
            terms: Terms::at(tier),
            quantities: self.quantities(),
        }
    }

    fn usage(&self) -> Value {
        if !self.by_token() {
            return json!({"type": "duration", "seconds": self.seconds()});
        }
        let (input, output) = (
            self.audio_tokens() + self.prompt_tokens,
            tokens::count(&self.text),
        );
        json!({
            "type": "tokens",
            "input_tokens": input,
            "input_token_details": {
                "text_tokens": self.prompt_tokens, "audio_tokens": self.audio_tokens(),
            },
            "output_tokens": output,
            "total_tokens": input + output,
        })
    }

    /// The length as a number of seconds; whole where it is whole.
    fn seconds(&self) -> Value {
        let (whole, part) = (self.milliseconds / 1_000, self.milliseconds % 1_000);
        if part == 0 {
            return whole.into();
        }
        serde_json::from_str(&format!("{whole}.{part:03}")).unwrap_or(Value::Null)
    }

    fn whole(&self, form: &Form<'_>) -> Result<Served, Refusal> {
        let mut charge = self.charge();
        if self.by_token() {
            let written = tokens::pieces(&self.text).count() as u64;
            charge.quantities.add(Meter::OutputTokens, written);
        }
        let format = form.text("response_format").unwrap_or("json");
        let end = stamp(self.milliseconds);
        let text = match format {
            "json" => {
                let body = json!({"text": self.text, "usage": self.usage()});
                return Ok(Served::charged(&body, charge));
            }
            "verbose_json" if !self.by_token() => {
                return Ok(Served::charged(&self.verbose(), charge));
            }
            "text" => format!("{}\n", self.text),
            "srt" => format!(
                "1\n00:00:00,000 --> {}\n{}\n\n",
                end.replace('.', ","),
                self.text
            ),
            "vtt" => format!("WEBVTT\n\n00:00:00.000 --> {end}\n{}\n\n", self.text),
            _ => {
                let message = format!("'{format}' is not supported with this model.");
                return Err(error::invalid(
                    "response_format",
                    "unsupported_value",
                    message,
                ));
            }
        };
        let bytes = text.into();
        let content = Content::Whole {
            content_type: "text/plain; charset=utf-8",
            bytes,
        };
        Ok(Served::content(content, charge))
    }

    fn verbose(&self) -> Value {
        json!({
            "task": self.task,
            "language": self.language,
            "duration": self.seconds(),
            "text": self.text,
            "segments": [{
                "id": 0, "seek": 0, "start": 0.0, "end": self.seconds(), "text": self.text,
                "tokens": [], "temperature": 0.0, "avg_logprob": -0.1,
                "compression_ratio": 1.0, "no_speech_prob": 0.01,
            }],
            "usage": self.usage(),
        })
    }

    fn stream(&self) -> Served {
        let counts = || {
            if self.by_token() {
                counts_of_piece()
            } else {
                Vec::new()
            }
        };
        let mut frames: Vec<Frame> = tokens::pieces(&self.text)
            .map(|piece| {
                let event = json!({"type": "transcript.text.delta", "delta": piece});
                Frame {
                    bytes: sse::data(&event),
                    counts: counts(),
                }
            })
            .collect();
        let done =
            json!({"type": "transcript.text.done", "text": self.text, "usage": self.usage()});
        frames.push(Frame::free(sse::data(&done)));
        frames.push(Frame::free("data: [DONE]\n\n"));
        let content = Content::Events {
            frames,
            failure: speech::failure(),
        };
        Served::content(content, self.charge())
    }
}

/// `00:01:02.345`.
fn stamp(milliseconds: u64) -> String {
    let seconds = milliseconds / 1_000;
    format!(
        "{:02}:{:02}:{:02}.{:03}",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60,
        milliseconds % 1_000
    )
}
