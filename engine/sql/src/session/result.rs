//! Result sets into the connection's out buffer.

use crate::exec::Sink;
use crate::expr::Type;
use crate::plan::Output;
use crate::value::Value;
use wire::client::constant::{ColumnType, column_flag};
use wire::client::{Column, Connection, Status};

/// Writes rows as they come.
pub struct ResultSink<'a> {
    conn: &'a mut Connection,
    status: Status,
    binary: bool,
    columns: Vec<Column>,
    /// Rows so far.
    pub rows: u64,
    /// Whether the columns were sent: then the answer has begun.
    pub begun: bool,
}

impl<'a> ResultSink<'a> {
    /// A sink; `binary` for prepared statements.
    pub fn new(conn: &'a mut Connection, status: Status, binary: bool) -> Self {
        Self { conn, status, binary, columns: Vec::new(), rows: 0, begun: false }
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
        ColumnType::VarString if text => 31,
        _ => 0,
    };
    if kind.not_null {
        column.flags |= column_flag::NOT_NULL;
    }
    if kind.unsigned {
        column.flags |= column_flag::UNSIGNED;
    }
    if !text || kind.collation.is_binary() {
        column.flags |= column_flag::BINARY;
    }
    if !text && kind.kind != ColumnType::Null {
        column.flags |= column_flag::NUM;
    }
    column
}

impl Sink for ResultSink<'_> {
    fn columns(&mut self, output: &[Output]) {
        self.columns = output.iter().map(column).collect();
        self.conn.answer().columns(&self.columns, self.status, 0);
        self.begun = true;
    }

    fn row(&mut self, row: &[Value]) {
        self.rows += 1;
        let answer = self.conn.answer();
        let mut writer = if self.binary { answer.binary_row(&self.columns) } else { answer.text_row(&self.columns) };
        for value in row {
            match value {
                Value::Null => writer.null(),
                Value::Int(value) => writer.i64(*value),
                Value::UInt(value) => writer.u64(*value),
                Value::Double(value) => writer.f64(*value),
                Value::Text(text) => writer.bytes(text.as_bytes()),
                Value::Bytes(bytes) => writer.bytes(bytes),
                Value::Decimal(value) => writer.bytes(value.to_string().as_bytes()),
            }
        }
        writer.finish();
    }
}
