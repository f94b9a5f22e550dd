//! Result sets into the connection's out buffer.

use crate::exec::Sink;
use crate::expr::Type;
use crate::plan::Output;
use crate::row::Plain;
use crate::value::Value;
use std::cell::OnceCell;
use std::rc::Rc;
use wire::client::constant::{ColumnType, column_flag};
use wire::client::{Column, Connection, RowWriter, Status, Time};

/// Writes rows as they come.
pub struct ResultSink<'a> {
    conn: &'a mut Connection,
    status: Status,
    binary: bool,
    columns: Rc<[Column]>,
    /// Rows so far.
    pub rows: u64,
    /// Whether the columns were sent: then the answer has begun.
    pub begun: bool,
}

impl<'a> ResultSink<'a> {
    /// A sink; `binary` for prepared statements.
    pub fn new(conn: &'a mut Connection, status: Status, binary: bool) -> Self {
        Self { conn, status, binary, columns: Rc::from([]), rows: 0, begun: false }
    }
}

/// A selected column as the protocol describes it.
#[must_use]
pub fn column(output: &Output) -> Column {
    let mut column = typed(&output.name, &output.kind);
    if let Some(origin) = &output.origin {
        column.schema = origin.schema.to_string();
        column.table = origin.table.to_string();
        column.org_table = origin.org_table.to_string();
        column.org_name.clone_from(&origin.name);
        column.flags |= origin.flags;
    }
    column
}

/// A column of a type.
#[must_use]
pub fn typed(name: &str, kind: &Type) -> Column {
    let mut column = Column::new(name, kind.kind);
    let text = kind.is_string();
    column.collation = if text { kind.collation.id() } else { 63 };
    column.length = if text { kind.length.saturating_mul(kind.collation.bytes_per_char()) } else { kind.length };
    column.decimals = match kind.kind {
        ColumnType::NewDecimal | ColumnType::Double | ColumnType::Float => kind.decimals,
        ColumnType::Time | ColumnType::DateTime | ColumnType::Timestamp => kind.decimals,
        ColumnType::VarString if text => 31,
        _ => 0,
    };
    if kind.not_null {
        column.flags |= column_flag::NOT_NULL;
    }
    if kind.unsigned || kind.kind == ColumnType::Bit {
        column.flags |= column_flag::UNSIGNED;
    }
    if !text || kind.collation.is_binary() {
        column.flags |= column_flag::BINARY;
    }
    if kind.kind == ColumnType::Json {
        column.length = u32::MAX;
        column.flags |= column_flag::BLOB;
    }
    column
}

impl Sink for ResultSink<'_> {
    fn columns(&mut self, output: &[Output], described: &OnceCell<Rc<[Column]>>) {
        self.columns = described.get_or_init(|| output.iter().map(column).collect()).clone();
        self.conn.answer().columns(&self.columns, self.status, 0);
        self.begun = true;
    }

    fn row(&mut self, row: &[Value]) {
        self.rows += 1;
        let answer = self.conn.answer();
        let mut writer = if self.binary { answer.binary_row(&self.columns) } else { answer.text_row(&self.columns) };
        for (at, value) in row.iter().enumerate() {
            let kind = self.columns.get(at).map_or(ColumnType::VarString, |column| column.kind);
            if self.binary && is_temporal(kind) && !value.is_null() {
                write_temporal(&mut writer, kind, value);
                continue;
            }
            match value {
                Value::Int(_) | Value::UInt(_) if !self.binary && padding(&self.columns[at]) > 0 => {
                    let width = padding(&self.columns[at]);
                    let text = value.to_text().unwrap_or_default();
                    writer.bytes(format!("{text:0>width$}").as_bytes());
                }
                Value::Null => writer.null(),
                Value::Int(value) => writer.i64(*value),
                Value::UInt(value) => writer.u64(*value),
                // A double with a number of digits of its own, such as PI().
                Value::Double(value)
                    if !self.binary
                        && kind == ColumnType::Double
                        && self.columns.get(at).is_some_and(|column| column.decimals < 31) =>
                {
                    let digits = usize::from(self.columns[at].decimals);
                    writer.bytes(format!("{value:.digits$}").as_bytes());
                }
                Value::Double(value) => writer.f64(*value),
                Value::Text(text) => writer.bytes(text.as_bytes()),
                Value::Bytes(bytes) => writer.bytes(bytes),
                Value::Member(_, text) => writer.bytes(text.as_bytes()),
                Value::Date(_)
                | Value::DateTime(..)
                | Value::Timestamp(..)
                | Value::Time(..)
                | Value::Bit(..)
                | Value::Json(_)
                | Value::Decimal(_) => writer.bytes(&value.to_bytes().unwrap_or_default()),
            }
        }
        writer.finish();
    }

    fn plain_row(&mut self, row: &[Plain<'_>]) {
        self.rows += 1;
        let mut writer = self.conn.answer().row(&self.columns, self.binary);
        for value in row {
            match value {
                Plain::Null => writer.null(),
                Plain::Int(value) => writer.i64(*value),
                Plain::UInt(value) => writer.u64(*value),
                Plain::Text(text) => writer.bytes(text.as_bytes()),
            }
        }
        writer.finish();
    }
}

const fn is_temporal(kind: ColumnType) -> bool {
    matches!(kind, ColumnType::Date | ColumnType::DateTime | ColumnType::Timestamp | ColumnType::Time)
}

/// Digits that numbers of a ZEROFILL or YEAR column are filled up to; 0 for others.
fn padding(column: &Column) -> usize {
    if column.flags & column_flag::ZEROFILL == 0 && column.kind != ColumnType::Year {
        return 0;
    }
    column.length as usize
}

/// A value in the binary form of a date or time column.
fn write_temporal(writer: &mut RowWriter<'_>, kind: ColumnType, value: &Value) {
    if kind == ColumnType::Time {
        match value.to_time() {
            Some(us) => {
                let seconds = us.unsigned_abs() / 1_000_000;
                writer.time(Time {
                    negative: us < 0,
                    hours: (seconds / 3600) as u32,
                    minutes: (seconds / 60 % 60) as u8,
                    seconds: (seconds % 60) as u8,
                    micros: (us.unsigned_abs() % 1_000_000) as u32,
                });
            }
            None => writer.null(),
        }
        return;
    }
    match value.to_date_time() {
        Some(at) if kind == ColumnType::Date => writer.date(at),
        Some(at) => writer.date_time(at),
        None => writer.null(),
    }
}
