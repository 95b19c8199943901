//! The events of a message.

use serde_json::{Value, json};

use super::{
    error,
    messages::{Message, SIGNATURE, THOUGHT},
};
use crate::{body::Frame, desk::Failure, openai::typed_event, talk::counts_of_piece};

/// A long answer says in its middle how long it is so far.
const PIECES_BETWEEN_DELTAS: usize = 64;

/// Every event from start to stop.
pub(super) fn frames(message: &Message) -> Vec<Frame> {
    let free = |event: &Value| Frame::free(typed_event(event));
    let mut frames = Vec::new();
    let mut start = message.object(json!([]), Value::Null);
    // What is said here of the output is not what it will be.
    start["usage"] = message.usage(1);
    frames.push(free(&json!({"type": "message_start", "message": start})));
    frames.push(free(&json!({"type": "ping"})));
    let answer = &message.answer;
    let mut index = 0;
    if answer.reasoning > 0 {
        let block = json!({"type": "thinking", "thinking": "", "signature": ""});
        frames.push(free(&block_start(index, &block)));
        frames.push(free(&delta(
            index,
            &json!({"type": "thinking_delta", "thinking": THOUGHT}),
        )));
        frames.push(free(&delta(
            index,
            &json!({"type": "signature_delta", "signature": SIGNATURE}),
        )));
        frames.push(free(&json!({"type": "content_block_stop", "index": index})));
        index += 1;
    }
    let block = match &answer.tool {
        Some(name) => {
            json!({"type": "tool_use", "id": message.tool_use_id, "name": name, "input": {}})
        }
        None => json!({"type": "text", "text": ""}),
    };
    let mut output: u64 = answer
        .counts_of_beginning()
        .iter()
        .filter(|(meter, _)| *meter == crate::quantities::Meter::OutputTokens)
        .map(|(_, amount)| amount)
        .sum();
    frames.push(Frame {
        bytes: typed_event(&block_start(index, &block)),
        counts: answer.counts_of_beginning(),
    });
    for (place, piece) in answer.pieces.iter().enumerate() {
        let piece = match &answer.tool {
            Some(_) => json!({"type": "input_json_delta", "partial_json": piece}),
            None => json!({"type": "text_delta", "text": piece}),
        };
        frames.push(Frame {
            bytes: typed_event(&delta(index, &piece)),
            counts: counts_of_piece(),
        });
        output += 1;
        if (place + 1).is_multiple_of(PIECES_BETWEEN_DELTAS) {
            frames.push(free(&message_delta(message, Value::Null, output)));
        }
    }
    frames.push(free(&json!({"type": "content_block_stop", "index": index})));
    let reason = json!(message.stop_reason());
    frames.push(free(&message_delta(message, reason, output)));
    frames.push(free(&json!({"type": "message_stop"})));
    frames
}

/// The event with which a stream fails that had begun well.
pub(super) fn failure(request_id: &str) -> Failure {
    let body = error::body("overloaded_error", "Overloaded", None, request_id);
    Box::new(move |_| {
        let data = body.to_string();
        format!("event: error\ndata: {data}\n\n").into()
    })
}

fn block_start(index: u64, block: &Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn delta(index: u64, delta: &Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

/// How long the answer is so far: all of it, not what came since the last time.
fn message_delta(message: &Message, stop_reason: Value, output: u64) -> Value {
    json!({
        "type": "message_delta",
        "delta": {"stop_reason": stop_reason, "stop_sequence": null},
        "usage": message.usage(output),
    })
}
