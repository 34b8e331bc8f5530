//! The file below, the environment above.
//!
//! `RUNDBRIEF_WEB__LISTEN=127.0.0.1:9000` overrides `web.listen`: two
//! underscores step into a table. The value is read as TOML where it is TOML
//! (numbers, true, lists), else as text.

use toml::{Table, Value};

use super::{Config, Error};

const PREFIX: &str = "RUNDBRIEF_";
/// Names the file itself, so it is no field of it.
const FILE: &str = "RUNDBRIEF_CONFIG";

/// Reads the text of a configuration file and lays the environment over it.
///
/// # Errors
/// A field is wrong; the place is `NAME:LINE`, or the variable.
pub fn parse(
    text: &str,
    name: &str,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, Error> {
    let table: Table = text.parse().map_err(|error| in_file(&error, text, name))?;
    let overrides: Vec<(String, String)> =
        variables.into_iter().filter(|(key, _)| key.starts_with(PREFIX) && key != FILE).collect();
    if overrides.is_empty() {
        return toml::from_str(text).map_err(|error| in_file(&error, text, name));
    }
    let mut table = Value::Table(table);
    for (key, value) in &overrides {
        lay(&mut table, key, value)?;
    }
    match table.try_into() {
        Ok(config) => Ok(config),
        // The file alone may be the one at fault, and then a line can be named.
        Err(error) => Err(match toml::from_str::<Config>(text) {
            Err(in_text) if in_text.message() == error.message() => in_file(&in_text, text, name),
            Err(_) | Ok(_) => {
                let keys: Vec<&str> = overrides.iter().map(|(key, _)| key.as_str()).collect();
                Error::Field { place: keys.join(", "), what: one_line(error.message()) }
            }
        }),
    }
}

/// Puts one variable's value where its name says.
fn lay(table: &mut Value, key: &str, text: &str) -> Result<(), Error> {
    let path = key[PREFIX.len()..].to_ascii_lowercase();
    let mut at = table;
    for step in path.split("__") {
        let Value::Table(inner) = at else {
            let what = format!("{step:?} is inside a field that is no table");
            return Err(Error::Field { place: key.to_owned(), what });
        };
        at = inner.entry(step).or_insert_with(|| Value::Table(Table::new()));
    }
    *at = toml_value(text).unwrap_or_else(|| Value::String(text.to_owned()));
    Ok(())
}

fn toml_value(text: &str) -> Option<Value> {
    format!("v = {text}").parse::<Table>().ok()?.remove("v")
}

/// A parser's error as `FILE:LINE: what`.
pub fn in_file(error: &toml::de::Error, text: &str, name: &str) -> Error {
    let line = error.span().map(|span| 1 + text[..span.start].matches('\n').count());
    let place = line.map_or_else(|| name.to_owned(), |line| format!("{name}:{line}"));
    Error::Field { place, what: one_line(error.message()) }
}

/// The line where a field stands, from 1.
pub fn line_of(text: &str, field: &[&str]) -> Option<usize> {
    let (last, tables) = field.split_last()?;
    let document = toml::de::DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    for name in tables {
        table = table.get(*name)?.get_ref().as_table()?;
    }
    let (key, _) = table.get_key_value(*last)?;
    Some(1 + text[..key.span().start].matches('\n').count())
}

fn one_line(message: &str) -> String {
    message.split('\n').map(str::trim).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
directory = "/var/lib/rundbrief"

[web]
address = "https://news.example.de"

[mail]
domain = "news.example.de"
return_path = "bounce@news.example.de"

[transport.relay]
host = "mail.example.de"
"#;

    fn fault(text: &str, variables: &[(&str, &str)]) -> String {
        let variables = variables.iter().map(|(k, v)| (k.to_string(), v.to_string()));
        parse(text, "rundbrief.toml", variables).unwrap_err().to_string()
    }

    #[test]
    fn a_small_file_is_enough() {
        let config = parse(SMALL, "rundbrief.toml", []).unwrap();
        assert_eq!(config.web.listen.to_string(), "127.0.0.1:8025");
        assert_eq!(config.transport["relay"].port, 587);
    }

    #[test]
    fn an_unknown_field_is_named_with_its_line_and_what_is_allowed() {
        let text = SMALL.replace("[mail]\n", "[mail]\ndomian = \"x\"\n");
        let fault = fault(&text, &[]);
        assert!(fault.starts_with("rundbrief.toml:8: unknown field `domian`"), "{fault}");
        assert!(fault.contains("`return_path`"), "{fault}");
    }

    #[test]
    fn the_environment_lies_over_the_file() {
        let file = ("RUNDBRIEF_CONFIG", "rundbrief.toml");
        let variables = [("RUNDBRIEF_TRANSPORT__RELAY__PORT", "2525"), ("OTHER", "x"), file]
            .map(|(k, v)| (k.to_owned(), v.to_owned()));
        let config = parse(SMALL, "rundbrief.toml", variables).unwrap();
        assert_eq!(config.transport["relay"].port, 2525);
    }

    #[test]
    fn a_wrong_variable_is_named() {
        let fault = fault(SMALL, &[("RUNDBRIEF_WEB__LISTEN", "everywhere")]);
        assert!(fault.starts_with("RUNDBRIEF_WEB__LISTEN: "), "{fault}");
    }

    #[test]
    fn a_secret_in_the_file_is_refused_without_being_printed() {
        let fault = fault(&format!("{SMALL}user = \"u\"\npassword = \"hunter2\"\n"), &[]);
        assert!(fault.starts_with("rundbrief.toml:1"), "{fault}");
        assert!(fault.contains("{ credential = ") && !fault.contains("hunter2"), "{fault}");
    }

    #[test]
    fn a_domain_or_mailbox_that_is_none_is_refused() {
        for (was, is) in [
            ("domain = \"news.example.de\"", "domain = \"a b\""),
            ("domain = \"news.example.de\"", "domain = \"x\\r\\nNOOP\""),
            ("bounce@news.example.de", "not an address"),
        ] {
            let fault = fault(&SMALL.replace(was, is), &[]);
            assert!(fault.starts_with("rundbrief.toml:") && fault.contains("allowed"), "{fault}");
        }
    }
}
