//! `sqlx`: its SET at login, everything prepared, transactions within transactions, streams.

use crate::{Checks, Place};
use futures_util::TryStreamExt;
use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions};
use sqlx::{Acquire, Column, Connection, Executor, Row, TypeInfo};

fn number(result: sqlx::Result<impl Sized>) -> u16 {
    match result {
        Err(sqlx::Error::Database(error)) => error.downcast_ref::<sqlx::mysql::MySqlDatabaseError>().number(),
        Err(error) => panic!("not the server's error: {error}"),
        Ok(_) => 0,
    }
}

pub async fn run(place: &Place, checks: &mut Checks) -> sqlx::Result<()> {
    let options = MySqlConnectOptions::new()
        .host(&place.host)
        .port(place.port)
        .username(&place.user)
        .password(&place.password)
        .database(&place.database);
    let pool = MySqlPoolOptions::new().max_connections(3).connect_with(options).await?;
    if place.read_only {
        let insert = sqlx::query("INSERT INTO t_sqlx (name) VALUES (?)").bind("x").execute(&pool).await;
        checks.equal("a write on a secondary", number(insert), 1290);
        checks.equal("DDL on a secondary", number(sqlx::query("DROP TABLE t_sqlx").execute(&pool).await), 1290);
    } else {
        write(&pool, checks).await?;
    }
    let mode: String = sqlx::query_scalar("SELECT @@sql_mode").fetch_one(&pool).await?;
    checks.equal("its sql_mode", mode.contains("PIPES_AS_CONCAT"), true);
    let joined: String = sqlx::query_scalar("SELECT 'a' || 'b'").fetch_one(&pool).await?;
    checks.equal("|| concatenates", joined.as_str(), "ab");

    let row = sqlx::query("SELECT id, name, ratio, body, big, flag FROM t_sqlx WHERE id = ?")
        .bind(1)
        .fetch_one(&pool)
        .await?;
    let types: Vec<&str> = row.columns().iter().map(|column| column.type_info().name()).collect();
    checks.equal("types", types, vec!["BIGINT UNSIGNED", "VARCHAR", "DOUBLE", "BLOB", "BIGINT", "BOOLEAN"]);
    let found: (u64, String, f64, Vec<u8>, Option<i64>, bool) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?, row.try_get(5)?);
    checks.equal("a row", found, (1, "Zoë 🦀".to_owned(), 0.1, (0..=255).collect(), None, true));
    let names: Vec<(String,)> = sqlx::query_as("SELECT name FROM t_sqlx WHERE ratio > ? ORDER BY id LIMIT ?")
        .bind(5.5)
        .bind(2)
        .fetch_all(&pool)
        .await?;
    checks.equal("a page", names, vec![("n6".to_owned(),), ("n7".to_owned(),)]);
    let mut sum = 0.0;
    let mut stream = sqlx::query_scalar::<_, f64>("SELECT ratio FROM t_sqlx WHERE id > 1").fetch(&pool);
    while let Some(ratio) = stream.try_next().await? {
        sum += ratio;
    }
    drop(stream);
    checks.equal("a stream", sum, 55.0);
    let none: Option<(i64,)> = sqlx::query_as("SELECT 1 FROM t_sqlx WHERE id = 0").fetch_optional(&pool).await?;
    checks.equal("nothing", none, None);
    let mut conn = pool.acquire().await?;
    conn.ping().await?;
    // Several statements in one text, unprepared.
    conn.execute("SELECT 1; SET @x = 2; SELECT 3").await?;
    drop(conn);
    pool.close().await;
    Ok(())
}

async fn write(pool: &MySqlPool, checks: &mut Checks) -> sqlx::Result<()> {
    sqlx::query("DROP TABLE IF EXISTS t_sqlx").execute(pool).await?;
    let create = "CREATE TABLE t_sqlx (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) NOT NULL UNIQUE, \
                  ratio DOUBLE, body BLOB, big BIGINT, flag BOOLEAN)";
    sqlx::query(create).execute(pool).await?;
    let body: Vec<u8> = (0..=255).collect();
    let inserted = sqlx::query("INSERT INTO t_sqlx (name, ratio, body, flag) VALUES (?, ?, ?, ?)")
        .bind("Zoë 🦀")
        .bind(0.1)
        .bind(&body)
        .bind(true)
        .execute(pool)
        .await?;
    checks.equal("last_insert_id and rows_affected", (inserted.last_insert_id(), inserted.rows_affected()), (1, 1));
    let mut outer = pool.begin().await?;
    for at in 1..=10 {
        sqlx::query("INSERT INTO t_sqlx (name, ratio) VALUES (?, ?)")
            .bind(format!("n{at}"))
            .bind(f64::from(at))
            .execute(&mut *outer)
            .await?;
    }
    let mut inner = outer.begin().await?;
    sqlx::query("DELETE FROM t_sqlx").execute(&mut *inner).await?;
    inner.rollback().await?;
    let mut inner = outer.begin().await?;
    sqlx::query("UPDATE t_sqlx SET big = 7 WHERE id = ?").bind(2).execute(&mut *inner).await?;
    inner.commit().await?;
    outer.commit().await?;
    let counted: (i64, i64) = sqlx::query_as("SELECT COUNT(*), COUNT(big) FROM t_sqlx").fetch_one(pool).await?;
    checks.equal("savepoints", counted, (11, 1));
    let duplicate = sqlx::query("INSERT INTO t_sqlx (name) VALUES ('n1')").execute(pool).await;
    checks.equal("a duplicate", number(duplicate), 1062);
    Ok(())
}
