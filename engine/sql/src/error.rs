//! The errors that a client sees, with MySQL's numbers and texts. SQLSTATEs follow from the number.
//!
//! Absent on purpose: translation into packets (the client protocol's work) and errors that are not a
//! client's business.

/// An error as it is sent to a client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("ERROR {code}: {message}")]
pub struct ServerError {
    /// MySQL's error number.
    pub code: u16,
    /// MySQL's text with the arguments put in.
    pub message: String,
}

/// What everything in this package that a client can ask wrong answers with.
pub type SqlError = ServerError;

/// An error from its number and whole text.
#[must_use]
pub fn error(code: u16, message: impl Into<String>) -> SqlError {
    SqlError {
        code,
        message: message.into(),
    }
}
