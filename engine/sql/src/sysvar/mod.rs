//! System variables: one typed registry.

pub mod sql_mode;
