//! Arguments of methods, bound by place and by name as Python binds them, and read as what they should be.

use serde_json::{Map, Value};

use super::failure::Failure;

/// One parameter of a method.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameter {
    /// Its name.
    pub(super) name: &'static str,
    /// What it is if it is not given.
    pub(super) default: Default,
}

/// What a parameter is if it is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Default {
    /// It must be given.
    Required,
    /// Nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A number.
    Int(u32),
    /// A text; taken for nothing in particular where it was not given.
    Text(&'static str),
}

impl Default {
    /// As clients are told; `None`: it must be given.
    pub(super) fn value(self) -> Option<Value> {
        match self {
            Self::Required => None,
            Self::Null => Some(Value::Null),
            Self::Bool(value) => Some(value.into()),
            Self::Int(value) => Some(value.into()),
            Self::Text(value) => Some(value.into()),
        }
    }
}

/// The arguments of one call.
#[derive(Debug)]
pub(super) struct Args {
    method: &'static str,
    parameters: &'static [Parameter],
    /// By place; `None`: not given.
    given: Vec<Option<Value>>,
}

impl Args {
    /// Binds arguments to parameters.
    pub(super) fn bind(
        method: &'static str,
        parameters: &'static [Parameter],
        places: Vec<Value>,
        names: Map<String, Value>,
    ) -> Result<Self, Failure> {
        let wrong = |what: String| Failure::exception("TypeError", format!("{method}() {what}"));
        if places.len() > parameters.len() {
            let (most, given) = (parameters.len(), places.len());
            return Err(wrong(format!("takes at most {most} arguments ({given} given)")));
        }
        let mut given: Vec<Option<Value>> = places.into_iter().map(Some).collect();
        given.resize(parameters.len(), None);
        for (name, value) in names {
            let Some(at) = parameters.iter().position(|parameter| parameter.name == name) else {
                let known: Vec<_> = parameters.iter().map(|parameter| parameter.name).collect();
                let known = if known.is_empty() { "it takes none".to_owned() } else { known.join(", ") };
                return Err(wrong(format!("got an unexpected keyword argument '{name}' (there are: {known})")));
            };
            if given[at].replace(value).is_some() {
                return Err(wrong(format!("got multiple values for argument '{name}'")));
            }
        }
        let missing = parameters.iter().zip(&given).find(|(parameter, value)| {
            parameter.default == Default::Required && value.as_ref().is_none_or(Value::is_null)
        });
        match missing {
            Some((parameter, _)) => Err(wrong(format!("missing required argument: '{}'", parameter.name))),
            None => Ok(Self { method, parameters, given }),
        }
    }

    /// What was given, or the default; `None`: null.
    fn value(&self, name: &str) -> Result<Option<Value>, Failure> {
        let at = self.parameters.iter().position(|parameter| parameter.name == name);
        let at =
            at.ok_or_else(|| Failure::exception("Exception", format!("{}() has no parameter {name}", self.method)))?;
        let value = self.given[at].clone().or_else(|| self.parameters[at].default.value());
        Ok(value.filter(|value| !value.is_null()))
    }

    /// Something other than null was given.
    pub(super) fn is_given(&self, name: &str) -> bool {
        let at = self.parameters.iter().position(|parameter| parameter.name == name);
        at.and_then(|at| self.given[at].as_ref()).is_some_and(|value| !value.is_null())
    }

    fn wrong(&self, name: &str, wanted: &str, value: &Value) -> Failure {
        let mut shown = value.to_string();
        if shown.chars().count() > 60 {
            shown = shown.chars().take(60).chain("…".chars()).collect();
        }
        Failure::exception("TypeError", format!("{}() argument '{name}' must be {wanted}, not {shown}", self.method))
    }

    /// A text, or nothing. Numbers count as texts: versions and dates are written so.
    pub(super) fn optional_text(&self, name: &str) -> Result<Option<String>, Failure> {
        match self.value(name)? {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(other) => Err(self.wrong(name, "a text", &other)),
        }
    }

    /// A text.
    pub(super) fn text(&self, name: &str) -> Result<String, Failure> {
        Ok(self.optional_text(name)?.unwrap_or_default())
    }

    /// A number, also as a text, or nothing.
    pub(super) fn optional_number(&self, name: &str) -> Result<Option<i64>, Failure> {
        let Some(value) = self.value(name)? else { return Ok(None) };
        let number = match &value {
            Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.map(Some).ok_or_else(|| self.wrong(name, "a whole number", &value))
    }

    /// A number that is not negative.
    pub(super) fn number<T: TryFrom<i64>>(&self, name: &str) -> Result<T, Failure> {
        let number = self.optional_number(name)?.unwrap_or_default();
        T::try_from(number).map_err(|_| self.wrong(name, "a number from 0 on", &number.into()))
    }

    /// Yes or no.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Failure> {
        match self.value(name)? {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(Value::Number(number)) if number.as_i64().is_some_and(|n| n == 0 || n == 1) => {
                Ok(number.as_i64() == Some(1))
            }
            Some(other) => Err(self.wrong(name, "true or false", &other)),
        }
    }

    /// How an appliance is named: by id, or by name or address.
    pub(super) fn appliance(&self, name: &str) -> Result<Named, Failure> {
        match self.value(name)? {
            Some(Value::Number(number)) if number.as_u64().is_some() => {
                Ok(Named::Id(number.as_u64().unwrap_or_default()))
            }
            Some(Value::String(text)) if !text.is_empty() => {
                Ok(text.parse().map_or_else(|_| Named::Text(text.clone()), Named::Id))
            }
            other => Err(self.wrong(name, "an id, a name or an IP address", &other.unwrap_or(Value::Null))),
        }
    }
}

/// How an appliance is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    /// By its id.
    Id(u64),
    /// By its name or address.
    Text(String),
}

/// The whole number that a number with a fraction of nothing is.
fn whole(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "compared right after")]
    let cut = number as i64;
    #[expect(clippy::cast_precision_loss, reason = "what does not fit is not equal")]
    let same = (cut as f64).to_bits() == number.to_bits();
    same.then_some(cut)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PARAMETERS: &[Parameter] = &[
        Parameter { name: "group", default: Default::Required },
        Parameter { name: "count", default: Default::Int(1) },
        Parameter { name: "version", default: Default::Null },
        Parameter { name: "preconfigured", default: Default::Bool(true) },
    ];

    fn bind(places: Value, names: Value) -> Result<Args, String> {
        let places = serde_json::from_value(places).unwrap();
        let names = serde_json::from_value(names).unwrap();
        Args::bind("request", PARAMETERS, places, names).map_err(|failure| failure.message().to_owned())
    }

    #[test]
    fn places_names_and_defaults() {
        let args = bind(json!(["g", "2"]), json!({"preconfigured": false})).unwrap();
        assert_eq!(args.text("group").unwrap(), "g");
        assert_eq!(args.number::<u32>("count").unwrap(), 2);
        assert!(!args.flag("preconfigured").unwrap() && args.optional_text("version").unwrap().is_none());
        assert!(args.is_given("count") && !args.is_given("version"));
        let args = bind(json!([]), json!({"group": "g", "count": null, "version": 5.11})).unwrap();
        assert_eq!(args.number::<u32>("count").unwrap(), 0, "null was given");
        assert_eq!(args.text("version").unwrap(), "5.11");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (places, names, message) in [
            (json!([]), json!({}), "request() missing required argument: 'group'"),
            (json!([null]), json!({}), "request() missing required argument: 'group'"),
            (json!(["g", 1, 2, 3, 4]), json!({}), "request() takes at most 4 arguments (5 given)"),
            (json!(["g"]), json!({"group": "h"}), "request() got multiple values for argument 'group'"),
            (
                json!(["g"]),
                json!({"x": 1}),
                "request() got an unexpected keyword argument 'x' (there are: group, count, version, preconfigured)",
            ),
        ] {
            assert_eq!(bind(places, names).unwrap_err(), message);
        }
    }

    #[test]
    fn types_are_checked() {
        let args = bind(json!([["a"], -1, {}, "yes"]), json!({})).unwrap();
        let message = |failure: Failure| failure.message().to_owned();
        assert_eq!(message(args.text("group").unwrap_err()), r#"request() argument 'group' must be a text, not ["a"]"#);
        assert_eq!(
            message(args.number::<u32>("count").unwrap_err()),
            "request() argument 'count' must be a number from 0 on, not -1"
        );
        assert!(message(args.flag("preconfigured").unwrap_err()).contains("must be true or false"));
        for (value, number) in [(json!(2.0), Some(2)), (json!(" 7 "), Some(7)), (json!(2.5), None), (json!("x"), None)]
        {
            let args = bind(json!(["g", value]), json!({})).unwrap();
            assert_eq!(args.optional_number("count").ok().flatten(), number);
        }
    }

    #[test]
    fn appliances_are_named_in_three_ways() {
        for (value, named) in [
            (json!(7), Some(Named::Id(7))),
            (json!("7"), Some(Named::Id(7))),
            (json!("10.0.0.1"), Some(Named::Text("10.0.0.1".into()))),
            (json!(""), None),
            (json!(-7), None),
            (json!(true), None),
        ] {
            let args = bind(json!([value]), json!({})).unwrap();
            assert_eq!(args.appliance("group").ok(), named);
        }
    }
}
