//! A client in memory, for tests.
