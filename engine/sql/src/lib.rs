//! SQL over the replicated rows: normaliser, plan cache, parser, planner, executor, virtual tables,
//! system variables, sessions. Deterministic: its clock, order and randomness come from [`host::Host`].

pub mod ast;
pub mod error;
pub mod host;
pub mod catalog;
pub mod collate;
pub mod decimal;
pub mod key;
pub mod row;
pub mod value;
pub mod server;
pub mod parse;
pub mod sysvar;
pub mod expr;
pub mod option_file;
pub mod plan;
pub mod txn;
pub mod account;
pub mod exec;
pub mod binlog;
pub mod normalize;
pub mod show;
pub mod virtual_table;
pub mod session;
#[cfg(test)]
pub mod testing;
