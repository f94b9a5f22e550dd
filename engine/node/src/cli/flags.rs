//! `--name value`, `--name=value` and `--switch` on a command line of our own tools.
//!
//! The server's own options are MySQL's and are read by `engine_sql::option_file`.

use std::fmt::Display;
use std::str::FromStr;

/// What is wrong with a command line. Exit code 2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// The flags of one command, taken out one by one; what is left at the end is unknown.
#[derive(Debug, Clone)]
pub struct Flags(Vec<(String, Option<String>)>);

impl Flags {
    /// Splits `arguments`; the names in `switches` take no value.
    ///
    /// # Errors
    /// [`UsageError`] for an argument that is not a flag, and for a flag without its value.
    pub fn parse(arguments: impl IntoIterator<Item = String>, switches: &[&str]) -> Result<Self, UsageError> {
        let mut arguments = arguments.into_iter();
        let mut flags = Vec::new();
        while let Some(argument) = arguments.next() {
            let Some(flag) = argument.strip_prefix("--").filter(|flag| !flag.is_empty()) else {
                return Err(UsageError(format!("unexpected argument '{argument}'")));
            };
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (flag, None),
            };
            let value = match (switches.contains(&name), value) {
                (true, Some(_)) => return Err(UsageError(format!("--{name} takes no value"))),
                (true, None) => None,
                (false, Some(value)) => Some(value),
                (false, None) => {
                    let next = arguments.next();
                    Some(next.ok_or_else(|| UsageError(format!("--{name} needs a value")))?)
                }
            };
            flags.push((name.to_owned(), value));
        }
        Ok(Self(flags))
    }

    /// Takes a switch out: whether it was given.
    pub fn switch(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|(flag, _)| flag != name);
        self.0.len() < before
    }

    /// Takes a flag out; given twice, the last counts.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let mut last = None;
        self.0.retain_mut(|(flag, value)| {
            let taken = flag == name;
            if taken {
                last = value.take();
            }
            !taken
        });
        last
    }

    /// Takes a flag out and reads it.
    ///
    /// # Errors
    /// [`UsageError`] names the flag, its value, and what is wrong with it.
    pub fn value<T: FromStr<Err: Display>>(&mut self, name: &str) -> Result<Option<T>, UsageError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|error| UsageError(format!("--{name}={text}: {error}")))
    }

    /// The end of a command's flags.
    ///
    /// # Errors
    /// [`UsageError`] names the first that nobody took.
    pub fn finish(self) -> Result<(), UsageError> {
        match self.0.into_iter().next() {
            Some((name, _)) => Err(UsageError(format!("unknown option --{name}"))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(line: &str) -> Result<Flags, UsageError> {
        Flags::parse(line.split_whitespace().map(str::to_owned), &["json"])
    }

    #[test]
    fn both_spellings_are_read_and_the_last_counts() {
        let mut flags = flags("--members 3 --json --members=5").expect("all are flags");
        assert!(flags.switch("json"));
        assert!(!flags.switch("json"));
        assert_eq!(flags.value::<u16>("members"), Ok(Some(5)));
        assert_eq!(flags.value::<u16>("members"), Ok(None));
        assert_eq!(flags.finish(), Ok(()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("x", "unexpected argument 'x'"),
            ("--", "unexpected argument '--'"),
            ("--json=1", "--json takes no value"),
            ("--members", "--members needs a value"),
        ];
        for (line, message) in cases {
            assert_eq!(flags(line).map(|_| ()), Err(UsageError(message.to_owned())), "{line}");
        }
        let wrong = flags("--members=x").expect("a flag").value::<u16>("members");
        assert_eq!(wrong, Err(UsageError("--members=x: invalid digit found in string".to_owned())));
        assert_eq!(flags("--nope=1").expect("a flag").finish(), Err(UsageError("unknown option --nope".to_owned())));
    }
}
