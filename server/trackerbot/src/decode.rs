//! What a page says. Each template on it is read for itself: one that makes no sense spoils no other.

use serde_json::Value;
use sprout_domain::catalogue_sync::{Listed, Problem, ProblemKind};

/// Characters of a name or key; longer ones are no name of anything.
const LONGEST: usize = 255;
/// Bytes of what else is said of a template.
const LARGEST: usize = 16 << 10;

/// One page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// Templates on it, those that made no sense included.
    pub(crate) count: u64,
    /// Templates on all pages, if it says.
    pub(crate) total: Option<u64>,
    /// The next page, if there is one.
    pub(crate) next: Option<String>,
    pub(crate) listed: Vec<Listed>,
    pub(crate) problems: Vec<Problem>,
}

/// Reads a page; the error says why it is none.
pub(crate) fn page(body: &[u8]) -> Result<Page, String> {
    let page: Value = serde_json::from_slice(body).map_err(|error| {
        let html = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<');
        if html {
            return "it is a web page, not JSON; is this the URL of a trackerbot?".to_owned();
        }
        let what = if error.is_eof() { "it ends in the middle" } else { "it is no JSON" };
        format!("{what} ({error})")
    })?;
    let Some(objects) = page.get("objects").and_then(Value::as_array) else {
        return Err("it has no list `objects`; is this the URL of a trackerbot?".to_owned());
    };
    let meta = page.get("meta").unwrap_or(&Value::Null);
    let next = match meta.get("next") {
        Some(Value::Null) => None,
        Some(Value::String(next)) => Some(next.clone()),
        // Without it, nobody knows whether this is all.
        _ => return Err("its `meta.next` is neither a path nor null".to_owned()),
    };
    let mut read = Page {
        count: objects.len() as u64,
        total: meta.get("total_count").and_then(Value::as_u64),
        next,
        ..Page::default()
    };
    for (n, object) in objects.iter().enumerate() {
        match listed(object) {
            Ok(listed) => read.listed.push(listed),
            Err(message) => {
                let provider = text(object, &["provider", "key"]).unwrap_or_default();
                let subject = text(object, &["template", "name"]).unwrap_or_else(|_| format!("number {}", n + 1));
                read.problems.push(Problem { kind: ProblemKind::Malformed, provider, subject, message });
            }
        }
    }
    Ok(read)
}

/// Says on which page something is wrong.
pub(crate) fn on_page(problem: Problem, page: usize) -> Problem {
    Problem { message: format!("page {page}: {}", problem.message), ..problem }
}

fn listed(object: &Value) -> Result<Listed, String> {
    let usable = match at(object, &["usable"]) {
        Value::Bool(usable) => *usable,
        other => return Err(expected("usable", "true or false", other)),
    };
    let date = match at(object, &["template", "datestamp"]) {
        Value::Null => None,
        // A day, or a moment that begins with one.
        Value::String(date) => {
            let day = date.get(..10).unwrap_or(date);
            let read = chrono::NaiveDate::parse_from_str(day, "%Y-%m-%d");
            Some(read.map_err(|_| {
                format!("`template.datestamp` is {:?}, expected a date such as 2018-01-31", short(date))
            })?)
        }
        other => return Err(expected("template.datestamp", "a date", other)),
    };
    Ok(Listed {
        provider: text(object, &["provider", "key"])?,
        name: text(object, &["template", "name"])?,
        group: text(object, &["template", "group", "name"])?,
        date,
        usable,
        ga_released: match at(object, &["template", "ga_released"]) {
            Value::Null => false,
            Value::Bool(released) => *released,
            other => return Err(expected("template.ga_released", "true or false", other)),
        },
        custom_data: custom_data(at(object, &["template", "custom_data"]))?,
    })
}

/// What else is said of a template, as a JSON text: some say it as JSON, some as JSON in a text.
fn custom_data(said: &Value) -> Result<String, String> {
    let read = said.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let data = match read.as_ref().unwrap_or(said) {
        Value::Null => return Ok(String::new()),
        Value::Object(fields) if fields.is_empty() => return Ok(String::new()),
        Value::String(text) if text.trim().is_empty() => return Ok(String::new()),
        data => data.to_string(),
    };
    if data.len() > LARGEST {
        return Err(format!("`template.custom_data` is larger than {} KiB", LARGEST >> 10));
    }
    Ok(data)
}

fn at<'a>(object: &'a Value, path: &[&str]) -> &'a Value {
    path.iter().fold(object, |value, key| value.get(key).unwrap_or(&Value::Null))
}

fn text(object: &Value, path: &[&str]) -> Result<String, String> {
    let key = path.join(".");
    match at(object, path) {
        Value::String(text) if text.is_empty() => Err(format!("`{key}` is empty")),
        Value::String(text) if text.chars().count() > LONGEST => {
            Err(format!("`{key}` is longer than {LONGEST} characters"))
        }
        Value::String(text) if text.chars().any(char::is_control) => {
            Err(format!("`{key}` has control characters in it"))
        }
        Value::String(text) => Ok(text.clone()),
        other => Err(expected(&key, "a text", other)),
    }
}

fn expected(key: &str, what: &str, found: &Value) -> String {
    let found = match found {
        Value::Null => return format!("`{key}` is missing, expected {what}"),
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    };
    format!("`{key}` is {found}, expected {what}")
}

fn short(text: &str) -> &str {
    text.char_indices().nth(40).map_or(text, |(at, _)| &text[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Page, String> {
        page(text.as_bytes())
    }

    #[test]
    fn reads_what_is_documented() {
        let page = read(
            r#"{"meta": {"limit": 100, "next": "/api/providertemplate/?limit=100&offset=100", "offset": 0, "previous": null, "total_count": 101},
                "objects": [{"id": 7, "provider": {"key": "lab", "type": "rhevm", "active": true},
                             "template": {"name": "cfme-59022-0101", "datestamp": "2018-01-01", "group": {"name": "downstream-59z"},
                                          "ga_released": true, "custom_data": {"vm": {"size": 2}}}, "usable": true, "tested": false}]}"#,
        )
        .unwrap();
        let listed = Listed {
            provider: "lab".to_owned(),
            name: "cfme-59022-0101".to_owned(),
            group: "downstream-59z".to_owned(),
            date: "2018-01-01".parse().ok(),
            usable: true,
            ga_released: true,
            custom_data: r#"{"vm": {"size": 2}}"#.replace(": ", ":"),
        };
        assert_eq!((page.count, page.total, page.listed), (1, Some(101), vec![listed]));
        assert_eq!(page.next.as_deref(), Some("/api/providertemplate/?limit=100&offset=100"));
    }

    #[test]
    fn one_that_makes_no_sense_spoils_no_other() {
        let object = |usable: &str, name: &str, date: &str| {
            format!(
                r#"{{"provider": {{"key": "lab"}}, "template": {{"name": {name}, "datestamp": {date}, "group": {{"name": "g"}}}}, "usable": {usable}}}"#
            )
        };
        let objects = [
            object("true", "\"fine\"", "null"),
            object("\"yes\"", "\"a\"", "null"),
            object("true", "5", "null"),
            object("true", "\"b\"", "\"yesterday\""),
            object("false", "\"\\u0000\"", "null"),
            "null".to_owned(),
            object("true", "\"c\"", "null, \"ga_released\": 1"),
            object("true", "\"d\"", &format!("null, \"custom_data\": {:?}", "x".repeat(LARGEST))),
        ];
        let page = read(&format!(r#"{{"meta": {{"next": null}}, "objects": [{}]}}"#, objects.join(","))).unwrap();
        assert_eq!((page.count, page.total, page.listed.len()), (8, None, 1));
        let told: Vec<_> = page.problems.iter().map(|p| format!("{}: {}", p.subject, p.message)).collect();
        assert_eq!(
            told,
            [
                "a: `usable` is a text, expected true or false",
                "number 3: `template.name` is a number, expected a text",
                "b: `template.datestamp` is \"yesterday\", expected a date such as 2018-01-31",
                "number 5: `template.name` has control characters in it",
                "number 6: `usable` is missing, expected true or false",
                "c: `template.ga_released` is a number, expected true or false",
                "d: `template.custom_data` is larger than 16 KiB",
            ]
        );
    }

    #[test]
    fn custom_data_is_json_however_it_is_said() {
        for nothing in ["null", "{}", r#""""#, r#""{}""#, r#"" null ""#] {
            assert_eq!(custom_data(&serde_json::from_str(nothing).unwrap()).unwrap(), "", "{nothing}");
        }
        for (said, kept) in [
            (r#"{"a": 1}"#, r#"{"a":1}"#),
            (r#""{\"a\": 1}""#, r#"{"a":1}"#),
            (r#""a: b""#, r#""a: b""#),
            ("[1]", "[1]"),
        ] {
            assert_eq!(custom_data(&serde_json::from_str(said).unwrap()).unwrap(), kept, "{said}");
        }
    }

    #[test]
    fn says_what_is_no_page() {
        for (text, part) in [
            ("", "ends in the middle"),
            ("{\"meta\": {\"next\": null}, \"objects\": [{\"provider\"", "ends in the middle"),
            ("  <html>", "a web page"),
            ("nonsense", "no JSON"),
            ("[]", "no list `objects`"),
            ("{\"objects\": {}}", "no list `objects`"),
            ("{\"objects\": []}", "`meta.next`"),
            ("{\"meta\": {\"next\": 5}, \"objects\": []}", "`meta.next`"),
        ] {
            let told = read(text).unwrap_err();
            assert!(told.contains(part), "{text}: {told}");
        }
        let deep = "[".repeat(100_000);
        assert!(read(&deep).is_err());
    }
}
