//! `mysql_async` and `sqlx` against a server. Like the Python scripts beside it: first on the primary, then on each
//! secondary with QUORATE_READ_ONLY=1. Arguments: none; the environment says where the server is.

mod mysql_async_client;
mod sqlx_client;

use std::fmt::Debug;

/// Where the server is.
struct Place {
    host: String,
    port: u16,
    user: String,
    password: String,
    database: String,
    read_only: bool,
}

impl Place {
    fn from_environment() -> Self {
        let get = |name: &str| std::env::var(format!("QUORATE_{name}")).unwrap_or_else(|_| panic!("QUORATE_{name}"));
        Self {
            host: get("HOST"),
            port: get("PORT").parse().expect("a port"),
            user: get("USER"),
            password: get("PASSWORD"),
            database: get("DATABASE"),
            read_only: std::env::var("QUORATE_READ_ONLY").is_ok_and(|value| value == "1"),
        }
    }
}

/// Counts what was checked.
#[derive(Default)]
struct Checks {
    passed: u32,
    failed: u32,
}

impl Checks {
    fn equal<T: PartialEq + Debug>(&mut self, what: &str, found: T, wanted: T) {
        if found == wanted {
            self.passed += 1;
        } else {
            self.failed += 1;
            println!("FAILED {what}: found {found:?}, wanted {wanted:?}");
        }
    }

    fn end(&self, name: &str) {
        println!("{name}: {} passed, {} failed", self.passed, self.failed);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::process::ExitCode {
    let place = Place::from_environment();
    let mut failed = 0;
    let mut checks = Checks::default();
    if let Err(error) = mysql_async_client::run(&place, &mut checks).await {
        checks.equal("mysql_async", error.to_string(), String::new());
    }
    checks.end("mysql_async");
    failed += checks.failed;
    let mut checks = Checks::default();
    if let Err(error) = sqlx_client::run(&place, &mut checks).await {
        checks.equal("sqlx", error.to_string(), String::new());
    }
    checks.end("sqlx");
    failed += checks.failed;
    u8::from(failed > 0).into()
}
