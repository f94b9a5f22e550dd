//! SQL over the replicated rows: normaliser, plan cache, parser, planner, executor, virtual tables,
//! system variables, sessions. Deterministic: its clock, order and randomness come from [`host::Host`].

pub mod account;
pub mod ast;
pub mod binlog;
pub mod catalog;
pub(crate) mod check;
pub mod collate;
pub mod counters;
pub mod decimal;
pub mod error;
pub mod exec;
pub mod expr;
pub mod host;
pub mod json;
pub mod key;
pub mod normalize;
pub mod option_file;
pub mod parse;
pub mod plan;
pub mod row;
pub mod server;
pub mod session;
pub mod show;
pub mod sysvar;
pub mod temporal;
#[cfg(any(test, feature = "testing"))]
#[allow(clippy::unwrap_used, reason = "only tests are built with it")]
pub mod testing;
pub mod txn;
pub mod value;
pub mod virtual_table;
