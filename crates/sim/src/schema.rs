//! The plainest value that a JSON schema allows.

use serde_json::{Map, Value, json};

/// How deep a schema is followed.
const MOST_DEPTH: u8 = 16;

/// A value for a schema: the first choice, the least number, one short text.
pub(crate) fn instance(schema: &Value) -> Value {
    build(schema, schema, MOST_DEPTH)
}

fn build(schema: &Value, root: &Value, depth: u8) -> Value {
    if depth == 0 {
        return Value::Null;
    }
    if let Some(path) = schema["$ref"].as_str() {
        let target = path.strip_prefix('#').and_then(|path| root.pointer(path));
        return target.map_or(Value::Null, |target| build(target, root, depth - 1));
    }
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    if let Some(value) = schema["enum"].get(0) {
        return value.clone();
    }
    for choice in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema[choice].get(0) {
            return build(first, root, depth - 1);
        }
    }
    let kind = schema["type"]
        .as_str()
        .or_else(|| schema["type"][0].as_str());
    match kind.unwrap_or("object") {
        "string" => json!("sim"),
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        "boolean" => json!(true),
        "null" => Value::Null,
        "array" => json!([build(&schema["items"], root, depth - 1)]),
        _ => {
            let properties = schema["properties"].as_object();
            let built = properties.into_iter().flatten();
            let built = built.map(|(name, schema)| (name.clone(), build(schema, root, depth - 1)));
            Value::Object(built.collect::<Map<_, _>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_property_gets_a_value_of_its_type() {
        let schema = json!({"type": "object", "properties": {
            "city": {"type": "string"}, "days": {"type": "integer", "minimum": 3},
            "unit": {"enum": ["c", "f"]}, "tags": {"type": "array", "items": {"$ref": "#/$defs/t"}},
        }, "$defs": {"t": {"type": ["boolean", "null"]}}});
        let expected = json!({"city": "sim", "days": 3, "unit": "c", "tags": [true]});
        assert_eq!(instance(&schema), expected);
    }
}
