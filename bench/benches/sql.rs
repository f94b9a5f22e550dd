//! SQL's hot functions: write-set hashes, the row codec, the order of texts, a plan-cache hit. The table is the load's own
//! (and sysbench's): INT, INT, CHAR(120), CHAR(60). Inputs are fixed.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use engine_sql::catalog::{Column, ColumnType, DefaultValue, Key, KeyPart, Table, TableDefinition};
use engine_sql::collate::Collation;
use engine_sql::key::write_set;
use engine_sql::normalize::{Normal, PlanCache, normalize};
use engine_sql::row::{decode, decode_columns, encode};
use engine_sql::sysvar::sql_mode::SqlMode;
use engine_sql::value::Value;
use std::hint::black_box;
use std::rc::Rc;
use wire::id::{Csn, TableId};

fn column(name: &str, kind: ColumnType) -> Column {
    let collation = if kind.is_text() { Collation::DEFAULT } else { Collation::BINARY };
    Column {
        name: name.to_owned(),
        kind,
        nullable: false,
        default: DefaultValue::None,
        auto_increment: false,
        comment: String::new(),
        collation: collation.id(),
        invisible: false,
        on_update_now: false,
    }
}

fn table() -> Table {
    let int = || ColumnType::Int { bytes: 4, unsigned: false, width: None, zerofill: false };
    let columns = vec![
        column("id", int()),
        column("k", int()),
        column("c", ColumnType::Char(120)),
        column("pad", ColumnType::Char(60)),
    ];
    let primary = Key {
        name: "PRIMARY".to_owned(),
        unique: true,
        parts: vec![KeyPart { column: 0, prefix: 0, descending: false }],
        space: 0,
        comment: String::new(),
        invisible: false,
    };
    let definition = TableDefinition {
        columns,
        keys: vec![primary],
        collation: Collation::DEFAULT.id(),
        comment: String::new(),
        row_format: String::new(),
        auto_increment: 0,
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        next_space: 1,
        created_us: 0,
        origins: Vec::new(),
    };
    Table::new("sbtest".to_owned(), "load1".to_owned(), TableId(1), Csn(1), definition)
}

fn row() -> Vec<Value> {
    vec![Value::Int(4711), Value::Int(17), Value::text("0123456789-".repeat(10)), Value::text("98765-".repeat(9))]
}

/// Time to hash one row image's primary key, an INT; throughput counts images.
fn write_set_hash(c: &mut Criterion) {
    let (table, row) = (table(), row());
    let (mut scratch, mut hashes) = (Vec::new(), Vec::new());
    let mut group = c.benchmark_group("write_set");
    group.throughput(Throughput::Elements(1));
    group.bench_function("int_primary_key", |b| {
        b.iter(|| {
            hashes.clear();
            write_set(&table, black_box(&row), &mut scratch, &mut hashes);
            hashes[0]
        });
    });
    group.finish();
}

/// Time to store, and to read back, one row of about 180 bytes; throughput counts rows.
fn row_codec(c: &mut Criterion) {
    let (table, row) = (table(), row());
    let mut bytes = Vec::new();
    encode(&table.definition, &row, &mut bytes);
    let mut out = Vec::with_capacity(bytes.len());
    let mut group = c.benchmark_group("row");
    group.throughput(Throughput::Elements(1));
    group.bench_function("encode", |b| {
        b.iter(|| {
            out.clear();
            encode(&table.definition, black_box(&row), &mut out);
        });
    });
    group.bench_function("decode", |b| {
        b.iter(|| decode(&table.definition, black_box(&bytes)).expect("a row that we stored"));
    });
    group.bench_function("decode_one_text", |b| {
        let wanted = [true, false, true, false];
        b.iter(|| decode_columns(&table.definition, black_box(&bytes), Some(&wanted)).expect("a row that we stored"));
    });
    group.finish();
}

/// Time to sort 100 texts such as sysbench's `c` by the default collation, as ORDER BY does, and to write their weights
/// down, as DISTINCT does; throughput counts texts.
fn texts_in_order(c: &mut Criterion) {
    let texts: Vec<String> = (0..100_u64)
        .map(|row| {
            let mut number = row.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let parts = (0..10).map(|_| {
                number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                format!("{:011}", (number >> 16) % 100_000_000_000)
            });
            parts.collect::<Vec<_>>().join("-")
        })
        .collect();
    let mut group = c.benchmark_group("texts");
    group.throughput(Throughput::Elements(texts.len() as u64));
    group.bench_function("sort", |b| {
        b.iter(|| {
            let mut sorted: Vec<&str> = texts.iter().map(String::as_str).collect();
            sorted.sort_by(|left, right| Collation::DEFAULT.compare(left.as_bytes(), right.as_bytes()));
            sorted
        });
    });
    group.bench_function("weigh", |b| {
        let mut weights = Vec::new();
        b.iter(|| {
            for text in &texts {
                weights.clear();
                Collation::DEFAULT.weigh(black_box(text.as_bytes()), &mut weights);
            }
            weights.len()
        });
    });
    group.finish();
}

/// Time from a statement's text to its cached plan: literals stripped, hash, lookup among 1024 plans;
/// throughput counts statements.
fn plan_cache_hit(c: &mut Criterion) {
    let database: Rc<str> = Rc::from("sbtest");
    let mode = SqlMode::DEFAULT;
    let (mut normal, mut cache) = (Normal::default(), PlanCache::new(4096, 1 << 20));
    for other in 0..1023 {
        let text = format!("SELECT c FROM other{other} WHERE id=1");
        let print = normalize(text.as_bytes(), mode, &mut normal).expect("a SELECT is normalised");
        cache.put(print, &normal.stripped, &database, mode, 1, Rc::new(()));
    }
    let mut group = c.benchmark_group("plan_cache_hit");
    group.throughput(Throughput::Elements(1));
    for (name, text) in
        [("point_select", "SELECT c FROM load1 WHERE id=4711"), ("update", "UPDATE load1 SET k=k+1 WHERE id=4711")]
    {
        let print = normalize(text.as_bytes(), mode, &mut normal).expect("it is normalised");
        cache.put(print, &normal.stripped, &database, mode, 1, Rc::new(()));
        group.bench_function(name, |b| {
            b.iter(|| {
                let print = normalize(black_box(text.as_bytes()), mode, &mut normal).expect("it is normalised");
                cache.get(print, &normal.stripped, &database, mode, 1).expect("it was put there")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, write_set_hash, row_codec, texts_in_order, plan_cache_hit);
criterion_main!(benches);
