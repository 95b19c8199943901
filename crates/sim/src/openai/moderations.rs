//! `POST /moderations`: free, but a call like the others.

use serde_json::{Map, Value, json};

use super::{
    context::{Charge, Context, Served, model_of},
    error::{self, Refusal},
};
use crate::{
    prices::{Kind, Terms},
    quantities::Quantities,
};

/// Categories, each with a word that raises it.
const CATEGORIES: [(&str, &str); 13] = [
    ("harassment", "harass"),
    ("harassment/threatening", "threaten"),
    ("hate", "hate"),
    ("hate/threatening", "genocide"),
    ("illicit", "smuggle"),
    ("illicit/violent", "bomb"),
    ("self-harm", "self-harm"),
    ("self-harm/instructions", "self-harm instructions"),
    ("self-harm/intent", "hurt myself"),
    ("sexual", "sexual"),
    ("sexual/minors", "minors"),
    ("violence", "kill"),
    ("violence/graphic", "gore"),
];

/// Looks at texts.
pub(super) fn create(context: &Context<'_>) -> Result<Served, Refusal> {
    let body = context.json()?;
    let name = body["model"].as_str().unwrap_or("omni-moderation-latest");
    let model = model_of(context, Some(name), |kind| kind == Kind::Moderation)?;
    let results: Vec<Value> = match &body["input"] {
        Value::Null => return Err(error::missing("input")),
        // Parts of one message are looked at together, texts each for itself.
        Value::Array(items) if items.iter().all(Value::is_object) => {
            let texts = items.iter().filter_map(|item| item["text"].as_str());
            vec![look(&texts.collect::<Vec<_>>().join("\n"))]
        }
        Value::Array(items) => items
            .iter()
            .map(|item| look(item.as_str().unwrap_or_default()))
            .collect(),
        one => vec![look(one.as_str().unwrap_or_default())],
    };
    let id = context.world.ids.fresh("modr-");
    let answer = json!({"id": id, "model": model.answers_as, "results": results});
    let quantities = Quantities::of(&[]);
    Ok(Served::charged(
        &answer,
        Charge {
            model,
            terms: Terms::at(model.served_at(None, 0)),
            quantities,
        },
    ))
}

fn look(text: &str) -> Value {
    let text = text.to_lowercase();
    let (mut found, mut scores, mut kinds) = (Map::new(), Map::new(), Map::new());
    for (category, word) in CATEGORIES {
        let flagged = text.contains(word);
        found.insert(category.to_owned(), flagged.into());
        scores.insert(
            category.to_owned(),
            if flagged { 0.97.into() } else { 0.001.into() },
        );
        kinds.insert(category.to_owned(), json!(["text"]));
    }
    let flagged = found.values().any(|flag| *flag == true);
    json!({
        "flagged": flagged,
        "categories": found,
        "category_scores": scores,
        "category_applied_input_types": kinds,
    })
}
