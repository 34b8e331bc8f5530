//! Fields of a provider's JSON as text, wherever they stand and however they are
//! typed there. Decides nothing.

use serde_json::Value;

/// The value at a path of keys.
pub fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| value.get(key))
}

/// Text at a path: a string, a number or a truth value; nothing when empty.
pub fn text(value: &Value, path: &[&str]) -> Option<String> {
    match at(value, path)? {
        Value::String(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A truth value at a path.
pub fn flag(value: &Value, path: &[&str]) -> Option<bool> {
    at(value, path)?.as_bool()
}

/// The list at a path; a single value counts as a list of one.
pub fn list<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    match at(value, path) {
        Some(Value::Null) | None => &[],
        Some(single) => batch(single),
    }
}

/// The body's events: a list, or one alone.
pub fn batch(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

/// The address in `Jane Doe <jane@example.org>` or in the bare form.
pub fn address(text: &str) -> String {
    let inner = text.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or(text, |(address, _)| address).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_is_found_whatever_its_type() {
        let value = json!({"a": {"b": 5, "c": "", "d": null, "e": "x"}});
        assert_eq!(text(&value, &["a", "b"]).as_deref(), Some("5"));
        assert_eq!(text(&value, &["a", "c"]), None);
        assert_eq!(text(&value, &["a", "d"]), None);
        assert_eq!(text(&value, &["a", "e"]).as_deref(), Some("x"));
        assert_eq!(text(&value, &["x", "y"]), None);
    }

    #[test]
    fn an_address_loses_its_name() {
        assert_eq!(address("Jane <jane@example.org>"), "jane@example.org");
        assert_eq!(address(" jane@example.org "), "jane@example.org");
    }
}
