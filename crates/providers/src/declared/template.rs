//! Bodies with places to fill: a text that is `$name` and nothing else.

use serde_json::Value;

/// A body to fill.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Template(Value);

impl Template {
    /// The body that a text declares, or what is wrong with it: only these places are known.
    pub(super) fn read(value: &toml::Value, known: &[&str]) -> Result<Self, String> {
        let body = json_of(value)?;
        let mut unknown = Vec::new();
        visit(&body, &mut |text| {
            if let Some(name) = text.strip_prefix('$')
                && !known.contains(&name)
            {
                unknown.push(text.to_owned());
            }
        });
        match unknown.first() {
            None => Ok(Self(body)),
            Some(text) => {
                let known: Vec<String> = known.iter().map(|name| format!("`${name}`")).collect();
                let known = if known.is_empty() {
                    "no place can be filled here".to_owned()
                } else {
                    format!("what can be filled is {}", known.join(", "))
                };
                Err(format!("`{text}` is not known: {known}"))
            }
        }
    }

    /// The body with its places filled. A member whose place has no value is left out.
    pub(super) fn filled(&self, fill: &dyn Fn(&str) -> Option<Value>) -> Value {
        filled(&self.0, fill).unwrap_or(Value::Null)
    }
}

fn filled(value: &Value, fill: &dyn Fn(&str) -> Option<Value>) -> Option<Value> {
    Some(match value {
        Value::String(text) => match text.strip_prefix('$') {
            Some(name) => return fill(name),
            None => value.clone(),
        },
        Value::Array(items) => items.iter().filter_map(|item| filled(item, fill)).collect(),
        Value::Object(members) => {
            let members = members.iter().filter_map(|(name, value)| {
                let value = filled(value, fill)?;
                Some((name.clone(), value))
            });
            Value::Object(members.collect())
        }
        other => other.clone(),
    })
}

fn visit(value: &Value, look: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => look(text),
        Value::Array(items) => items.iter().for_each(|item| visit(item, look)),
        Value::Object(members) => members.values().for_each(|value| visit(value, look)),
        _ => {}
    }
}

/// The same in JSON.
fn json_of(value: &toml::Value) -> Result<Value, String> {
    Ok(match value {
        toml::Value::String(text) => Value::String(text.clone()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Boolean(truth) => Value::Bool(*truth),
        toml::Value::Array(items) => {
            Value::Array(items.iter().map(json_of).collect::<Result<_, _>>()?)
        }
        toml::Value::Table(members) => {
            let members = members
                .iter()
                .map(|(name, value)| Ok((name.clone(), json_of(value)?)));
            Value::Object(members.collect::<Result<_, String>>()?)
        }
        toml::Value::Float(_) | toml::Value::Datetime(_) => {
            return Err("a body holds texts, whole numbers, truths, lists and tables".to_owned());
        }
    })
}
