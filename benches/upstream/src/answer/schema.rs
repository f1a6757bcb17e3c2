//! A value that fits a JSON schema, for tool arguments and structured answers.
//!
//! Covers what the providers accept in strict mode: types, `properties`, `items`, `enum`, `const`,
//! `anyOf`/`oneOf`/`allOf`, local `$ref`, bounds of numbers, lengths and counts, common formats.
//! `pattern`, `not` and `if` are ignored.

use std::cell::Cell;

use serde_json::{Map, Value, json};

/// How deep values nest; a schema that refers to itself ends in nulls and empty lists there.
const MAX_DEPTH: u32 = 12;
/// How many items or characters a schema may demand.
const MAX_COUNT: u64 = 1_024;
/// How many values there are in all; a schema that branches at every level ends in nulls there.
const MAX_VALUES: u32 = 4_096;

/// A value that fits; its strings contain `word`, so that it can be told which question it answers.
pub(crate) fn instance(schema: &Value, word: &str) -> Value {
    let value = Sampler { root: schema, word, left: Cell::new(MAX_VALUES) }.sample(schema, 0);
    // A missing or empty schema is that of a function without parameters.
    if schema.get("type").is_none() && value.is_null() { json!({}) } else { value }
}

struct Sampler<'a> {
    root: &'a Value,
    word: &'a str,
    left: Cell<u32>,
}

impl Sampler<'_> {
    fn sample(&self, schema: &Value, depth: u32) -> Value {
        if depth > MAX_DEPTH || self.left.get() == 0 {
            return Value::Null;
        }
        self.left.set(self.left.get() - 1);
        if let Some(value) = schema.get("const").or_else(|| schema["enum"].get(0)) {
            return value.clone();
        }
        if let Some(target) =
            schema["$ref"].as_str().and_then(|path| self.root.pointer(path.strip_prefix('#')?))
        {
            return self.sample(target, depth + 1);
        }
        if let Some(first) = schema["anyOf"].get(0).or_else(|| schema["oneOf"].get(0)) {
            return self.sample(first, depth + 1);
        }
        if let Some(parts) = schema["allOf"].as_array() {
            return self.merge(parts, depth);
        }
        self.typed(schema, depth)
    }

    fn typed(&self, schema: &Value, depth: u32) -> Value {
        let kind = schema["type"].as_str().or_else(|| schema["type"].get(0)?.as_str());
        match kind {
            Some("object") => self.object(schema, depth),
            Some("array") => self.array(schema, depth),
            Some("string") => Value::String(self.string(schema)),
            Some("integer") => json!(number(schema).ceil() as i64),
            Some("number") => json!(number(schema)),
            Some("boolean") => json!(true),
            None if schema.get("properties").is_some() => self.object(schema, depth),
            _ => Value::Null,
        }
    }

    fn object(&self, schema: &Value, depth: u32) -> Value {
        let properties = schema["properties"].as_object().into_iter().flatten();
        properties
            .map(|(name, property)| (name.clone(), self.sample(property, depth + 1)))
            .collect::<Map<_, _>>()
            .into()
    }

    fn array(&self, schema: &Value, depth: u32) -> Value {
        let least = schema["minItems"].as_u64().unwrap_or(1).max(1);
        let most = schema["maxItems"].as_u64().unwrap_or(least);
        let count = least.min(most).min(MAX_COUNT);
        if depth >= MAX_DEPTH {
            return json!([]);
        }
        (0..count).map(|_| self.sample(&schema["items"], depth + 1)).collect()
    }

    fn string(&self, schema: &Value) -> String {
        let mut text = match schema["format"].as_str() {
            Some("date-time") => return "2030-01-02T03:04:05Z".to_owned(),
            Some("date") => return "2030-01-02".to_owned(),
            Some("time") => return "03:04:05Z".to_owned(),
            Some("email") => format!("{}@example.com", self.word),
            Some("uri") => format!("https://example.com/{}", self.word),
            Some("uuid") => format!("{:0>8}-0000-4000-8000-000000000000", self.word),
            _ => format!("value {}", self.word),
        };
        let least = schema["minLength"].as_u64().unwrap_or(0).min(MAX_COUNT) as usize;
        while text.len() < least {
            text.push('.');
        }
        let most = schema["maxLength"].as_u64().map_or(usize::MAX, |most| most as usize);
        text.truncate(most);
        text
    }

    fn merge(&self, parts: &[Value], depth: u32) -> Value {
        let mut merged = Map::new();
        for part in parts {
            match self.sample(part, depth + 1) {
                Value::Object(members) => merged.extend(members),
                other => return other,
            }
        }
        merged.into()
    }
}

/// The smallest number at or above 1 that the bounds allow.
fn number(schema: &Value) -> f64 {
    let bound = |key: &str| schema[key].as_f64();
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|least| least + 1.0));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|most| most - 1.0));
    1.0_f64.max(least.unwrap_or(1.0)).min(most.unwrap_or(f64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fit_their_types() {
        let schema = json!({"type": "object", "properties": {
            "city": {"type": "string", "minLength": 20},
            "unit": {"enum": ["celsius", "kelvin"]},
            "days": {"type": "integer", "minimum": 3, "maximum": 7},
            "tags": {"type": "array", "items": {"type": "string", "maxLength": 3}, "minItems": 2},
            "note": {"type": ["string", "null"]},
            "place": {"$ref": "#/$defs/place"},
        }, "$defs": {"place": {"type": "object", "properties": {"lat": {"type": "number"}}}}});
        let value = instance(&schema, "abcd");
        assert_eq!(
            value,
            json!({"city": "value abcd..........", "unit": "celsius", "days": 3,
            "tags": ["val", "val"], "note": "value abcd", "place": {"lat": 1.0}})
        );
    }

    #[test]
    fn a_schema_that_holds_itself_ends() {
        let schema = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
        assert!(instance(&schema, "w")["next"]["next"].is_object());
    }

    #[test]
    fn a_schema_that_branches_everywhere_ends() {
        let list = json!({"type": "array", "minItems": 1_000, "items": {"$ref": "#"}});
        assert!(instance(&list, "w").to_string().len() < 100_000);
    }

    #[test]
    fn no_schema_means_no_arguments() {
        assert_eq!(instance(&Value::Null, "w"), json!({}));
        assert_eq!(instance(&json!({}), "w"), json!({}));
    }
}
