//! Writing JSON objects: all that the command line's `--json` needs. Absent on purpose: reading.

use std::fmt::Write;

/// An object under construction; members keep the order in which they were added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object(String);

impl Object {
    /// `{}`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text.
    #[must_use]
    pub fn text(mut self, name: &str, value: &str) -> Self {
        self.name(name);
        quote(&mut self.0, value);
        self
    }

    /// Adds a number, rounded to three decimals; null when it is not finite.
    #[must_use]
    pub fn number(mut self, name: &str, value: f64) -> Self {
        self.name(name);
        number(&mut self.0, value);
        self
    }

    /// Adds true or false.
    #[must_use]
    pub fn flag(mut self, name: &str, value: bool) -> Self {
        self.name(name);
        self.0.push_str(if value { "true" } else { "false" });
        self
    }

    /// Adds null.
    #[must_use]
    pub fn null(mut self, name: &str) -> Self {
        self.name(name);
        self.0.push_str("null");
        self
    }

    /// Adds an object.
    #[must_use]
    pub fn object(mut self, name: &str, value: &Self) -> Self {
        self.name(name);
        let _ = write!(self.0, "{value}");
        self
    }

    /// Adds an array of objects.
    #[must_use]
    pub fn objects(mut self, name: &str, values: impl IntoIterator<Item = Self>) -> Self {
        self.name(name);
        self.0.push('[');
        for (at, value) in values.into_iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let _ = write!(self.0, "{comma}{value}");
        }
        self.0.push(']');
        self
    }

    /// Adds an array of numbers.
    #[must_use]
    pub fn numbers(mut self, name: &str, values: impl IntoIterator<Item = f64>) -> Self {
        self.name(name);
        self.0.push('[');
        for (at, value) in values.into_iter().enumerate() {
            if at > 0 {
                self.0.push(',');
            }
            number(&mut self.0, value);
        }
        self.0.push(']');
        self
    }

    fn name(&mut self, name: &str) {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        quote(&mut self.0, name);
        self.0.push(':');
    }
}

impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{{{}}}", self.0)
    }
}

fn number(out: &mut String, value: f64) {
    if !value.is_finite() {
        out.push_str("null");
        return;
    }
    let _ = write!(out, "{}", (value * 1e3).round() / 1e3);
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_json() {
        let inner = Object::new().number("a", 1.0).number("b", f64::NAN);
        let object = Object::new()
            .text("t", "say \"hi\"\n\u{1}\\")
            .number("n", 0.12349)
            .flag("f", true)
            .null("z")
            .object("o", &inner)
            .objects("os", [inner.clone(), Object::new()])
            .numbers("ns", [1.0, 2.5]);
        let expected = r#"{"t":"say \"hi\"\n\u0001\\","n":0.123,"f":true,"z":null,"o":{"a":1,"b":null},"os":[{"a":1,"b":null},{}],"ns":[1,2.5]}"#;
        assert_eq!(object.to_string(), expected);
    }
}
