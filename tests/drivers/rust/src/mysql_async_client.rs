//! `mysql_async`: text and prepared statements, a pool whose connections are reset, transactions, batches.

use crate::{Checks, Place};
use mysql_async::prelude::Queryable;
use mysql_async::{Error, Opts, OptsBuilder, Pool, Result, Row, TxOpts, Value, params};

fn number(result: Result<impl Sized>) -> u16 {
    match result {
        Err(Error::Server(error)) => error.code,
        Err(error) => panic!("not the server's error: {error}"),
        Ok(_) => 0,
    }
}

pub async fn run(place: &Place, checks: &mut Checks) -> Result<()> {
    let opts = OptsBuilder::default()
        .ip_or_hostname(place.host.clone())
        .tcp_port(place.port)
        .user(Some(place.user.clone()))
        .pass(Some(place.password.clone()))
        .db_name(Some(place.database.clone()));
    let pool = Pool::new(Opts::from(opts));
    let mut conn = pool.get_conn().await?;
    checks.equal("version", conn.server_version() >= (8, 0, 0), true);
    if !place.read_only {
        write(&mut conn, checks).await?;
    } else {
        let write = "INSERT INTO t_mysql_async (name) VALUES (?)";
        checks.equal("a write on a secondary", number(conn.exec_drop(write, ("x",)).await), 1290);
        checks.equal("DDL on a secondary", number(conn.query_drop("DROP TABLE t_mysql_async").await), 1290);
    }
    let found: Option<(String, f64, Vec<u8>, Option<i64>)> =
        conn.exec_first("SELECT name, ratio, body, big FROM t_mysql_async WHERE id = ?", (1,)).await?;
    let body: Vec<u8> = (0..=255).collect();
    checks.equal("a row", found, Some(("Zoë 🦀".to_owned(), 0.1, body, Some(i64::MIN))));
    let count: Option<u64> = conn.query_first("SELECT COUNT(*) FROM t_mysql_async").await?;
    checks.equal("rows", count, Some(101));
    let named: Vec<u64> = conn
        .exec(
            "SELECT id FROM t_mysql_async WHERE id > :low AND id < :high ORDER BY id",
            params! {"low" => 3, "high" => 6},
        )
        .await?;
    checks.equal("named parameters", named, vec![4, 5]);
    let row: Option<Row> = conn.query_first("SELECT NULL, 1, 'a', 1.50, CAST('12:34:56.5' AS TIME(1))").await?;
    let values = row.map(Row::unwrap);
    let text = |text: &str| Value::Bytes(text.into());
    let wanted = vec![Value::NULL, text("1"), text("a"), text("1.50"), text("12:34:56.5")];
    checks.equal("values as text", values, Some(wanted));
    let statement = conn.prep("SELECT ?, ?, ?").await?;
    let row: Option<Row> = conn.exec_first(&statement, (1_u8, "x", None::<u8>)).await?;
    checks.equal(
        "values of a prepared statement",
        row.map(Row::unwrap),
        Some(vec![Value::Int(1), text("x"), Value::NULL]),
    );
    conn.close(statement).await?;

    // Several results of one text.
    let mut result = conn.query_iter("SELECT 1; SELECT 2, 3").await?;
    let first: Vec<u8> = result.collect().await?;
    let second: Vec<(u8, u8)> = result.collect().await?;
    drop(result);
    checks.equal("two results", (first, second), (vec![1], vec![(2, 3)]));

    // Longer than a packet's 16 MiB, there and back.
    let length: Option<u64> = conn.exec_first("SELECT LENGTH(?)", (vec![b'x'; 17 << 20],)).await?;
    checks.equal("17 MiB", length, Some(17 << 20));
    let back: Option<Vec<u8>> = conn.query_first("SELECT REPEAT('x', 17 << 20)").await?;
    checks.equal("17 MiB read", back == Some(vec![b'x'; 17 << 20]), true);

    conn.query_drop("SET @kept = 1").await?;
    let id = conn.id();
    // COM_RESET_CONNECTION, as the pool does it too.
    checks.equal("reset", conn.reset().await?, true);
    let kept: Option<Option<i64>> = conn.query_first("SELECT @kept").await?;
    checks.equal("a connection, reset", (conn.id(), kept), (id, Some(None)));
    conn.ping().await?;
    drop(conn);
    pool.disconnect().await
}

async fn write(conn: &mut mysql_async::Conn, checks: &mut Checks) -> Result<()> {
    conn.query_drop("DROP TABLE IF EXISTS t_mysql_async").await?;
    conn.query_drop(
        "CREATE TABLE t_mysql_async (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) UNIQUE, \
         ratio DOUBLE, body LONGBLOB, big BIGINT)",
    )
    .await?;
    let body: Vec<u8> = (0..=255).collect();
    let insert = "INSERT INTO t_mysql_async (name, ratio, body, big) VALUES (?, ?, ?, ?)";
    conn.exec_drop(insert, ("Zoë 🦀", 0.1, &body, i64::MIN)).await?;
    checks.equal("last_insert_id and affected_rows", (conn.last_insert_id(), conn.affected_rows()), (Some(1), 1));
    let batch = (1..=100).map(|at| (format!("n{at}"), f64::from(at), Value::NULL, Value::NULL));
    conn.exec_batch(insert, batch).await?;
    checks.equal("a duplicate", number(conn.exec_drop(insert, ("n1", 0, Value::NULL, 0)).await), 1062);

    let mut transaction = conn.start_transaction(TxOpts::default()).await?;
    transaction.exec_drop("UPDATE t_mysql_async SET body = ? WHERE id = 1", (vec![b'x'; 1 << 20],)).await?;
    let length: Option<u64> = transaction.query_first("SELECT LENGTH(body) FROM t_mysql_async WHERE id = 1").await?;
    checks.equal("1 MiB", length, Some(1 << 20));
    transaction.rollback().await?;
    let length: Option<u64> = conn.query_first("SELECT LENGTH(body) FROM t_mysql_async WHERE id = 1").await?;
    checks.equal("rolled back", length, Some(256));
    Ok(())
}
