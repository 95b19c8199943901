//! The response as an object, at every moment of its life.

use serde_json::{Value, json};

use crate::{
    quantities::{Meter, Quantities},
    talk::{Answer, Finish, Input},
};

/// A response in the making.
pub(super) struct Making {
    pub(super) answer: Answer,
    pub(super) input: Input,
    /// The response with everything but status, output and usage.
    pub(super) base: Value,
    pub(super) reasoning_id: String,
    pub(super) item_id: String,
    pub(super) call_id: String,
    pub(super) created: i64,
    pub(super) separate_cache_writes: bool,
}

impl Making {
    /// The response at a moment of its life.
    pub(super) fn at(&self, status: &str, output: Value, usage: Value) -> Value {
        let mut object = self.base.clone();
        object["status"] = json!(status);
        object["output"] = output;
        object["usage"] = usage;
        object
    }

    /// Waiting in the background.
    pub(super) fn queued(&self) -> Value {
        self.at("queued", json!([]), Value::Null)
    }

    /// Done, or as far as the limit let it come.
    pub(super) fn finished(&self) -> Value {
        let mut output = Vec::from_iter(self.reasoning_item());
        output.push(self.item(true));
        let usage = self.usage(self.answer.tokens(), self.answer.reasoning);
        let mut object = self.at(self.status(), Value::from(output), usage);
        if self.answer.finish == Finish::Length {
            object["incomplete_details"] = json!({"reason": "max_output_tokens"});
        } else {
            object["completed_at"] = json!(self.created);
        }
        object
    }

    /// How it ends.
    pub(super) fn status(&self) -> &'static str {
        if self.answer.finish == Finish::Length {
            "incomplete"
        } else {
            "completed"
        }
    }

    /// The thinking, where there was any.
    pub(super) fn reasoning_item(&self) -> Option<Value> {
        let item = json!({"id": self.reasoning_id, "type": "reasoning", "summary": []});
        (self.answer.reasoning > 0).then_some(item)
    }

    /// The message or the call, empty at its beginning or full at its end.
    pub(super) fn item(&self, full: bool) -> Value {
        let text = if full {
            self.answer.text()
        } else {
            String::new()
        };
        let status = if full { self.status() } else { "in_progress" };
        match &self.answer.tool {
            Some(name) => json!({
                "id": self.item_id, "type": "function_call", "status": status,
                "call_id": self.call_id, "name": name, "arguments": text,
            }),
            None => {
                let content = if full {
                    json!([self.text_part(&text)])
                } else {
                    json!([])
                };
                json!({
                    "id": self.item_id, "type": "message", "role": "assistant",
                    "status": status, "content": content,
                })
            }
        }
    }

    /// A part of a message.
    pub(super) fn text_part(&self, text: &str) -> Value {
        json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
    }

    fn usage(&self, output: u64, reasoning: u64) -> Value {
        let Input {
            tokens,
            cached,
            written,
            keep_long,
        } = self.input;
        let mut details = json!({"cached_tokens": cached, "cache_write_tokens": written});
        if self.separate_cache_writes {
            let (short, long) = if keep_long {
                (0, written)
            } else {
                (written, 0)
            };
            details["cache_write_tokens_details"] =
                json!({"ttl_30m_tokens": short, "ttl_12h_tokens": long});
        }
        json!({
            "input_tokens": tokens,
            "input_tokens_details": details,
            "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": reasoning},
            "total_tokens": tokens + output,
        })
    }

    /// The event that says that it failed after what had been sent.
    pub(super) fn failed(&self, sent: &Quantities, number: usize) -> Value {
        let usage = self.usage(
            sent.get(Meter::OutputTokens),
            sent.get(Meter::ReasoningTokens),
        );
        let mut object = self.at("failed", json!([]), usage);
        let message = "The model failed to generate a response.";
        object["error"] = json!({"code": "server_error", "message": message});
        json!({"type": "response.failed", "sequence_number": number, "response": object})
    }
}
