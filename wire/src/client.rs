//! The server side of the MySQL client protocol (version 10), without I/O: bytes in, requests out, answers
//! into one buffer.
//!
//! [`Connection`] reads the handshake, authenticates and hands out [`Request`]s; [`Answer`] writes what goes
//! back. Passwords and their stored forms are in [`auth`], parameters of prepared statements in [`statement`].
//!
//! Absent on purpose: TLS (it goes between transport and packets), compression, LOAD DATA LOCAL, query
//! attributes (not offered, so that every client falls back), protocols before 4.1, and what a statement
//! means. Randomness and the clock are the embedder's.
//!
//! Invariants: bytes from a client never panic and never make a buffer grow beyond what was received, nor
//! beyond `max_allowed_packet` plus one packet; after [`Connection::is_closing`] nothing is read any more.

mod answer;
pub mod auth;
mod codec;
mod connection;
pub mod constant;
mod error;
mod handshake;
mod packet;
mod request;
mod row;
mod sha_crypt;
pub mod statement;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Column, Done, Track};
pub use connection::{Connection, Options, PacketError, refuse_connection};
pub use constant::{Capabilities, ColumnType, Status};
pub use error::{ServerError, sqlstate};
pub use handshake::Login;
pub use packet::Payload;
pub use request::{BinlogDump, Execute, RegisterReplica, Request};
pub use row::{DateTime, RowWriter, Time, put_f32};
