//! `/responses`: create, look up, delete, cancel.

use serde_json::{Value, json};

use super::{
    context::{Charge, Content, Context, Served, model_of, page},
    error::{self, Refusal},
    prompt,
    response_object::Making,
    responses_stream, sse,
    state::keep,
};
use crate::{
    prices::{Kind, Model, Terms},
    quantities::Quantities,
    talk::{Answer, Tool, Wish},
};

/// A response that can be asked for again.
pub(super) struct StoredResponse {
    project: String,
    object: Value,
    /// What stands in an answer as long as nobody has looked: a response in the background.
    waiting: bool,
    input: Vec<Value>,
    /// What a later response reads as its past.
    transcript: String,
}

/// Answers an input.
pub(super) fn create(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json()?;
    let model = model_of(context, body["model"].as_str(), |kind| {
        matches!(kind, Kind::Chat { .. })
    })?;
    let before = past(context, &body)?;
    let prompt = prompt::of_response(&body, &before)?;
    let most = body["max_output_tokens"].as_u64();
    if most.is_some_and(|most| most < 16) {
        let message = "Invalid 'max_output_tokens': expected at least 16.";
        let code = "integer_below_min_value";
        return Err(error::invalid("max_output_tokens", code, message));
    }
    let wish = Wish {
        model,
        tools: Tool::read_all(&body["tools"]),
        tool_choice: &body["tool_choice"],
        format: &body["text"]["format"],
        most_tokens: most,
        effort: body["reasoning"]["effort"].as_str(),
    };
    let keep_long = body["prompt_cache_options"]["ttl"] == "12h";
    let input = prompt.count(context.world, context.key, model, keep_long);
    let tier = model.served_at(body["service_tier"].as_str(), input.tokens);
    let ids = &context.world.ids;
    let making = Making {
        answer: Answer::to(&prompt, &wish, 0),
        input,
        base: base(context, &body, model, tier.as_str()),
        reasoning_id: ids.fresh("rs_"),
        item_id: ids.fresh(if wish.tools.is_empty() {
            "msg_"
        } else {
            "item_"
        }),
        call_id: ids.fresh("call_"),
        created: context.now(),
        separate_cache_writes: model.rates.cache_write > 0,
    };
    let background = body["background"].as_bool() == Some(true);
    if body["store"].as_bool() != Some(false) {
        let stored = StoredResponse {
            project: context.project().to_owned(),
            object: making.finished(),
            waiting: background,
            input: listed_input(&body["input"]),
            transcript: format!("{}assistant\n{}\n", prompt.text, making.answer.text()),
        };
        keep(&context.world.openai.responses, stored);
    }
    let mut charge = Charge {
        model,
        terms: Terms::at(tier),
        quantities: input.quantities(),
    };
    if body["stream"].as_bool() == Some(true) {
        let frames = responses_stream::frames(&making);
        let number = frames.len();
        let failure = Box::new(move |sent: &Quantities| sse::typed(&making.failed(sent, number)));
        return Ok(Served::content(Content::Events { frames, failure }, charge));
    }
    charge.quantities.add_all(&making.answer.counts());
    let object = if background {
        making.queued()
    } else {
        making.finished()
    };
    Ok(Served::charged(&object, charge))
}

/// A response that was stored. One in the background is found finished.
pub(super) fn retrieve(context: &Context<'_>) -> Result<Served, Refusal> {
    with_stored(context, |stored| {
        stored.waiting = false;
        stored.object.clone()
    })
}

/// Stops a response in the background that nobody has seen finished.
pub(super) fn cancel(context: &Context<'_>) -> Result<Served, Refusal> {
    with_stored(context, |stored| {
        if stored.waiting {
            stored.object["status"] = json!("cancelled");
            stored.object["output"] = json!([]);
            stored.waiting = false;
        }
        stored.object.clone()
    })
}

/// What a response was asked.
pub(super) fn input_items(context: &Context<'_>) -> Result<Served, Refusal> {
    with_stored(context, |stored| {
        page(context.request, stored.input.clone(), 20)
    })
}

/// Forgets a response.
pub(super) fn delete(context: &Context<'_>) -> Result<Served, Refusal> {
    let id = context.part(0);
    let mut responses = context.world.openai.responses.lock();
    let before = responses.len();
    responses.retain(|stored| !stored.is(id, context.project()));
    if responses.len() == before {
        return Err(error::not_found("response", id));
    }
    Ok(Served::free(
        &json!({"id": id, "object": "response.deleted", "deleted": true}),
    ))
}

impl StoredResponse {
    fn is(&self, id: &str, project: &str) -> bool {
        self.object["id"] == id && self.project == project
    }
}

fn with_stored(
    context: &Context<'_>,
    look: impl FnOnce(&mut StoredResponse) -> Value,
) -> Result<Served, Refusal> {
    let id = context.part(0);
    let mut responses = context.world.openai.responses.lock();
    let stored = responses
        .iter_mut()
        .find(|stored| stored.is(id, context.project()));
    let stored = stored.ok_or_else(|| error::not_found("response", id))?;
    Ok(Served::free(&look(stored)))
}

/// What the response before this one left.
fn past(context: &Context<'_>, body: &Value) -> Result<String, Refusal> {
    let Some(id) = body["previous_response_id"].as_str() else {
        return Ok(String::new());
    };
    let responses = context.world.openai.responses.lock();
    let found = responses
        .iter()
        .find(|stored| stored.is(id, context.project()));
    let found = found.ok_or_else(|| {
        let message = format!("Previous response with id '{id}' not found.");
        error::invalid(
            "previous_response_id",
            "previous_response_not_found",
            message,
        )
    })?;
    Ok(found.transcript.clone())
}

fn listed_input(input: &Value) -> Vec<Value> {
    match input {
        Value::Array(items) => items.clone(),
        text => vec![json!({
            "type": "message", "role": "user",
            "content": [{"type": "input_text", "text": text}],
        })],
    }
}

fn base(context: &Context<'_>, body: &Value, model: &Model, tier: &str) -> Value {
    let or = |name: &str, default: Value| match &body[name] {
        Value::Null => default,
        given => given.clone(),
    };
    let format = match &body["text"]["format"] {
        Value::Null => json!({"type": "text"}),
        given => given.clone(),
    };
    json!({
        "id": context.world.ids.fresh("resp_"),
        "object": "response",
        "created_at": context.now(),
        "background": or("background", json!(false)),
        "error": null,
        "incomplete_details": null,
        "instructions": body["instructions"],
        "max_output_tokens": body["max_output_tokens"],
        "metadata": or("metadata", json!({})),
        "model": model.answers_as,
        "parallel_tool_calls": or("parallel_tool_calls", json!(true)),
        "previous_response_id": body["previous_response_id"],
        "reasoning": {"effort": body["reasoning"]["effort"], "summary": null},
        "service_tier": tier,
        "store": or("store", json!(true)),
        "temperature": or("temperature", json!(1.0)),
        "text": {"format": format},
        "tool_choice": or("tool_choice", json!("auto")),
        "tools": or("tools", json!([])),
        "top_p": or("top_p", json!(1.0)),
        "truncation": or("truncation", json!("disabled")),
        "user": body["user"],
    })
}
