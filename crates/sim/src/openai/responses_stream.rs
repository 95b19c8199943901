//! The events of a streamed response, in the order in which OpenAI sends them.

use serde_json::{Value, json};

use super::{response_object::Making, sse};
use crate::talk::counts_of_piece;
use crate::{body::Frame, quantities::Meter};

/// Every event, numbered.
pub(super) fn frames(making: &Making) -> Vec<Frame> {
    let mut events = Events::default();
    let begun = making.at("in_progress", json!([]), Value::Null);
    events.free("response.created", json!({"response": begun}));
    events.free("response.in_progress", json!({"response": begun}));

    let mut output_index = 0;
    let mut beginning = making.answer.counts_of_beginning();
    if let Some(item) = making.reasoning_item() {
        let body = json!({"output_index": output_index, "item": item});
        events.free("response.output_item.added", body.clone());
        events.put(
            "response.output_item.done",
            body,
            std::mem::take(&mut beginning),
        );
        output_index += 1;
    }
    let body = json!({"output_index": output_index, "item": making.item(false)});
    events.put("response.output_item.added", body, beginning);
    if making.answer.tool.is_some() {
        arguments(making, output_index, &mut events);
    } else {
        message(making, output_index, &mut events);
    }
    let body = json!({"output_index": output_index, "item": making.item(true)});
    events.free("response.output_item.done", body);
    let last = format!("response.{}", making.status());
    events.free(&last, json!({"response": making.finished()}));
    events.frames
}

fn message(making: &Making, output_index: u64, events: &mut Events) {
    let place = |body: Value| {
        let place = json!({
            "item_id": making.item_id, "output_index": output_index, "content_index": 0,
        });
        joined(place, body)
    };
    let part = |text: &str| place(json!({"part": making.text_part(text)}));
    let text = making.answer.text();
    events.free("response.content_part.added", part(""));
    for piece in &making.answer.pieces {
        let body = place(json!({"delta": piece, "logprobs": []}));
        events.put("response.output_text.delta", body, counts_of_piece());
    }
    events.free(
        "response.output_text.done",
        place(json!({"text": text, "logprobs": []})),
    );
    events.free("response.content_part.done", part(&text));
}

fn arguments(making: &Making, output_index: u64, events: &mut Events) {
    let place = |body: Value| {
        joined(
            json!({"item_id": making.item_id, "output_index": output_index}),
            body,
        )
    };
    for piece in &making.answer.pieces {
        let body = place(json!({"delta": piece}));
        events.put(
            "response.function_call_arguments.delta",
            body,
            counts_of_piece(),
        );
    }
    let name = making.answer.tool.as_deref();
    let body = place(json!({"arguments": making.answer.text(), "name": name}));
    events.free("response.function_call_arguments.done", body);
}

#[derive(Default)]
struct Events {
    frames: Vec<Frame>,
}

impl Events {
    fn free(&mut self, kind: &str, body: Value) {
        self.put(kind, body, Vec::new());
    }

    fn put(&mut self, kind: &str, body: Value, counts: Vec<(Meter, u64)>) {
        let number = self.frames.len();
        let event = joined(json!({"type": kind, "sequence_number": number}), body);
        self.frames.push(Frame {
            bytes: sse::typed(&event),
            counts,
        });
    }
}

/// The fields of two objects.
fn joined(mut one: Value, other: Value) -> Value {
    if let (Value::Object(fields), Value::Object(more)) = (&mut one, other) {
        fields.extend(more);
    }
    one
}
