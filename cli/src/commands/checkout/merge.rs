//! Puts appliances into the text of a YAML file, and leaves everything else of it as people wrote it.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::output::appliance::ApplianceView;

/// The key that is ours.
const KEY: &str = "appliances";
/// What the file says of itself. Also tells a file that a killed checkout has left.
pub(super) const MARK: &str = "# Written by `sproutctl checkout`";

/// An appliance as test suites read it.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    hostname: String,
    ui_protocol: String,
    version: String,
    /// Only where it is not the protocol's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    ui_port: Option<u16>,
}

impl From<&ApplianceView> for Entry {
    fn from(appliance: &ApplianceView) -> Self {
        let (scheme, rest) = appliance.url.split_once("://").unwrap_or(("https", ""));
        let authority = rest.split('/').next().unwrap_or_default();
        let port = authority.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
        let host = port.map_or(authority, |(host, _)| host).trim_start_matches('[').trim_end_matches(']');
        let usual = if scheme == "http" { 80 } else { 443 };
        Self {
            hostname: if host.is_empty() { appliance.address.clone().unwrap_or_default() } else { host.to_owned() },
            ui_protocol: scheme.to_owned(),
            version: appliance.version.clone(),
            ui_port: port.map(|(_, port)| port).filter(|port| *port != usual),
        }
    }
}

/// What a file holds; nothing at all is a mapping without entries.
pub(super) fn parse(text: &str) -> Result<Map<String, Value>, String> {
    match serde_saphyr::from_str::<Option<Value>>(text) {
        Ok(None | Some(Value::Null)) => Ok(Map::new()),
        Ok(Some(Value::Object(map))) => Ok(map),
        Ok(Some(_)) => Err("it must be a mapping of keys to values".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether two files hold the same, the appliances apart.
pub(super) fn is_same_apart(left: &str, right: &str) -> bool {
    let rest = |text| {
        parse(text).map(|mut map| {
            map.remove(KEY);
            map
        })
    };
    matches!((rest(left), rest(right)), (Ok(left), Ok(right)) if left == right)
}

/// The text with these appliances instead of those in it. `about` is said above them, in a comment.
pub(super) fn merged(text: &str, entries: &[Entry], about: &str) -> Result<String, String> {
    #[derive(Serialize)]
    struct Block<'a> {
        appliances: &'a [Entry],
    }
    let mut wanted = parse(text)?;
    wanted.insert(KEY.to_owned(), serde_json::to_value(entries).map_err(|error| error.to_string())?);
    let yaml = serde_saphyr::to_string(&Block { appliances: entries }).map_err(|error| error.to_string())?;
    let block = format!("{MARK}{about}\n{}\n", yaml.trim_end());
    let spliced = splice(text, &block);
    if parse(&spliced).is_ok_and(|found| found == wanted) {
        return Ok(spliced);
    }
    // A way of writing that lines do not tell: all is written anew. Comments are lost, but the original comes back.
    let all = serde_saphyr::to_string(&Value::Object(wanted)).map_err(|error| error.to_string())?;
    Ok(format!("{MARK}{about}\n{all}"))
}

/// Replaces the lines of the key, or adds some at the end.
fn splice(text: &str, block: &str) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let is_key = |line: &str| {
        let name = line.split(':').next().unwrap_or_default().trim_end();
        line.contains(':') && [KEY, "'appliances'", "\"appliances\""].contains(&name)
    };
    let Some(start) = lines.iter().position(|line| is_key(line)) else {
        let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        return format!("{text}{gap}{block}");
    };
    let belongs = |line: &&&str| {
        line.trim().is_empty()
            || line.starts_with([' ', '\t', '#'])
            || (line.starts_with('-') && !line.starts_with("---"))
    };
    let mut end = start + 1 + lines[start + 1..].iter().take_while(belongs).count();
    // What stands right above the next key is said of that one.
    while end > start + 1 && (lines[end - 1].trim().is_empty() || lines[end - 1].starts_with('#')) {
        end -= 1;
    }
    format!("{}{block}{}", lines[..start].concat(), lines[end..].concat())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn entries() -> Vec<Entry> {
        let entry = |hostname: &str, ui_port| Entry {
            hostname: hostname.to_owned(),
            ui_protocol: "https".to_owned(),
            version: "5.11".to_owned(),
            ui_port,
        };
        vec![entry("192.0.2.1", None), entry("192.0.2.2", Some(8443))]
    }

    const BLOCK: &str = "# Written by `sproutctl checkout` (test)
appliances:
- hostname: \"192.0.2.1\"
  ui_protocol: https
  version: \"5.11\"
- hostname: \"192.0.2.2\"
  ui_protocol: https
  version: \"5.11\"
  ui_port: 8443
";

    fn check(before: &str, after: &str) {
        let text = merged(before, &entries(), " (test)").unwrap();
        assert_eq!(text, after);
        let found = parse(&text).unwrap();
        assert_eq!(found["appliances"][0]["version"], Value::from("5.11"), "a text, not a number");
    }

    #[test]
    fn everything_else_stays_as_it_was_written() {
        check("", BLOCK);
        check("# mine\nbrowser: {a: 1}", &format!("# mine\nbrowser: {{a: 1}}\n{BLOCK}"));
        check(
            "a: 1 # one\nappliances:\n- hostname: old\n  # old\n  version: 1\n\n# two\nb: 2\n",
            &format!("a: 1 # one\n{BLOCK}\n# two\nb: 2\n"),
        );
        check("appliances: []\nb: 2\n", &format!("{BLOCK}b: 2\n"));
        check("---\n\"appliances\":\n  - {hostname: x}\n", &format!("---\n{BLOCK}"));
    }

    #[test]
    fn what_lines_do_not_tell_is_written_anew() {
        let text = merged("{appliances: [], b: &x 2, c: *x}\n", &entries(), "").unwrap();
        let found = parse(&text).unwrap();
        assert_eq!((&found["b"], &found["c"]), (&Value::from(2), &Value::from(2)));
        assert_eq!(found["appliances"][1]["ui_port"], Value::from(8443));
        // An anchor among the old appliances is gone with them.
        let text = merged("appliances: [&h {hostname: x}]\nother: *h\n", &entries(), "").unwrap();
        assert_eq!(parse(&text).unwrap()["other"]["hostname"], Value::from("x"));
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(merged("- 1\n", &[], "").unwrap_err(), "it must be a mapping of keys to values");
        assert!(merged("a: [", &[], "").is_err());
        assert!(merged("a: 1\na: 2\n", &[], "").is_err());
    }

    #[test]
    fn files_are_compared_without_appliances() {
        assert!(is_same_apart("a: 1\nappliances: [1]\n", "appliances: [2]\n# x\na: 1"));
        assert!(!is_same_apart("a: 1\n", "a: 2\n"));
        assert!(!is_same_apart("a: [", "a: ["));
    }
}
