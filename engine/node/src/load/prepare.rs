//! Makes the table that a load works on, where writes are taken, and waits until all targets have it.

use super::protocol::Reply;
use super::{Client, ClientError, LoadError, Options, TABLE, filler};
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Rows of one INSERT.
const ROWS_A_STATEMENT: u32 = 100;
/// How long the other targets may take to have the rows.
const COPY_SECONDS: u64 = 60;
/// How long one statement may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Drops and makes the table with its rows at the first target that takes writes, and waits until
/// every target that answers has them.
///
/// # Errors
/// [`LoadError::Prepare`] with what the last target said, [`LoadError::NotCopied`].
pub fn prepare(options: &Options) -> Result<(), LoadError> {
    options.check()?;
    let mut failed = None;
    let writer = options.targets.iter().copied().find(|&target| match fill(options, target) {
        Ok(()) => true,
        Err(source) => {
            // What a server says about writing explains more than that another one is down.
            if failed.is_none() || source.code().is_some() {
                failed = Some(LoadError::Prepare { target, source });
            }
            false
        }
    });
    let Some(writer) = writer else {
        return Err(failed.expect("there is a target, and it failed"));
    };
    options.targets.iter().filter(|&&target| target != writer).try_for_each(|&target| await_rows(options, target))
}

fn fill(options: &Options, target: SocketAddr) -> Result<(), ClientError> {
    let mut client = Client::connect(target, options.login.clone(), TIMEOUT)?;
    client.execute(&format!("DROP TABLE IF EXISTS {TABLE}"))?;
    client.execute(&format!(
        "CREATE TABLE {TABLE} (id INT NOT NULL PRIMARY KEY, k INT NOT NULL, c CHAR(120) NOT NULL, pad CHAR(60) NOT NULL)"
    ))?;
    let mut first = 1;
    while first <= options.rows {
        let last = options.rows.min(first.saturating_add(ROWS_A_STATEMENT - 1));
        let mut sql = format!("INSERT INTO {TABLE} (id, k, c, pad) VALUES ");
        for row in first..=last {
            let comma = if row == first { "" } else { "," };
            let (c, pad) = (filler(u64::from(row), 120), filler(!u64::from(row), 60));
            let _ = write!(sql, "{comma}({row},{row},'{c}','{pad}')");
        }
        insert(&mut client, &sql)?;
        first = last + 1;
    }
    Ok(())
}

/// Nobody else writes here, but a group may roll a transaction back all the same.
fn insert(client: &mut Client, sql: &str) -> Result<Reply, ClientError> {
    for _ in 0..9 {
        match client.execute(sql) {
            Err(error) if error.code() == Some(1213) => {}
            other => return other,
        }
    }
    client.execute(sql)
}

fn await_rows(options: &Options, target: SocketAddr) -> Result<(), LoadError> {
    // A target that does not answer is left to the load itself, which goes around it.
    let Ok(mut client) = Client::connect(target, options.login.clone(), TIMEOUT) else { return Ok(()) };
    let deadline = Instant::now() + Duration::from_secs(COPY_SECONDS);
    let awaited = options.rows.to_string();
    loop {
        match client.query(&format!("SELECT COUNT(*) FROM {TABLE}")) {
            Ok(rows) if rows.rows.first().and_then(|row| row.first()?.as_deref()) == Some(&awaited) => return Ok(()),
            Ok(_) | Err(ClientError::Server(_)) => {}
            Err(_) => return Ok(()),
        }
        if Instant::now() >= deadline {
            return Err(LoadError::NotCopied { target, rows: options.rows, seconds: COPY_SECONDS });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
