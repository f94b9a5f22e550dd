//! System variables: one typed registry ([`registry`]), the server's global values ([`Globals`]) and a
//! session's own ([`SessionVars`]), and the rules of SET.
//!
//! Absent on purpose: consequences. [`set`] checks and stores; what a new value brings about (a listener,
//! a mode of the group, a row in the local journal) is the caller's, told by [`Applied`].
//!
//! Invariants: a stored value always passed its variable's check; values are looked up by place, names
//! only at the edge; `group_replication_*` (but `_consistency`) exist for clients only while the plugin is
//! installed, while their values are kept all along.

pub mod registry;
pub mod sql_mode;
mod store;

#[cfg(test)]
mod tests;

pub use registry::{Definition, Kind, Reach, When, definition, find};
pub(crate) use store::time_zone_minutes;
pub use store::{Applied, Consistency, Globals, Input, SessionVars, SetContext, set};

use crate::value::Value;
use std::rc::Rc;

/// Place of a variable in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VarId(pub(crate) u16);

/// A stored value.
#[derive(Clone, Debug, PartialEq)]
pub enum Setting {
    /// NULL.
    Null,
    /// ON or OFF.
    Bool(bool),
    /// A number.
    UInt(u64),
    /// A number with a fraction (`long_query_time`).
    Double(f64),
    /// A text, an enum's or set's canonical spelling.
    Text(Rc<str>),
}

impl Setting {
    /// A text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Text(Rc::from(text))
    }

    /// As `SELECT @@x` gives it: booleans are 0 and 1.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(on) => Value::Int(i64::from(*on)),
            Self::UInt(number) => Value::uint(*number),
            Self::Double(number) => Value::Double(*number),
            Self::Text(text) => Value::text(&**text),
        }
    }

    /// As SHOW VARIABLES prints it: booleans are ON and OFF, NULL is empty.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Bool(on) => if *on { "ON" } else { "OFF" }.to_owned(),
            Self::UInt(number) => number.to_string(),
            Self::Double(number) => format!("{number:.6}"),
            Self::Text(text) => text.to_string(),
        }
    }
}
