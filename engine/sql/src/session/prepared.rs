//! Prepared statements of the binary protocol.

use super::env::Tables;
use super::result;
use super::{Session, Stop};
use crate::ast;
use crate::counters::Counter;
use crate::error::{SqlError, error};
use crate::parse;
use crate::plan::{Body, Plan, Planner};
use crate::sysvar::sql_mode::SqlMode;
use crate::temporal;
use crate::value::Value;
use std::rc::Rc;
use wire::client::constant::ColumnType;
use wire::client::statement::{LongData, Parameter, ParameterType};
use wire::client::{Column, Connection, Execute};

/// Most prepared statements of one session (`max_prepared_stmt_count`, per session here).
const STATEMENTS_MAX: usize = 16_382;

/// One prepared statement.
pub(super) struct Prepared {
    pub text: Rc<str>,
    pub statement: Rc<ast::Statement>,
    pub params: u16,
    pub plan: Option<Rc<Plan>>,
    types: Vec<ParameterType>,
    long: LongData,
}

fn unknown(id: u32, what: &str) -> SqlError {
    error(1243, format!("Unknown prepared statement handler ({id}) given to {what}"))
}

fn value(parameter: &Parameter<'_>, kind: ColumnType) -> Value {
    match parameter {
        Parameter::Null => Value::Null,
        Parameter::Int(value) => Value::Int(*value),
        Parameter::UInt(value) => Value::uint(*value),
        Parameter::Float(value) => Value::Double(f64::from(*value)),
        // mysql2 sends integers as doubles: what is whole counts as an integer for keys anyway.
        Parameter::Double(value) => Value::Double(*value),
        Parameter::Bytes(bytes) => {
            let binary =
                matches!(kind, ColumnType::TinyBlob | ColumnType::Blob | ColumnType::MediumBlob | ColumnType::LongBlob);
            match std::str::from_utf8(bytes) {
                Ok(text) if !binary => Value::text(text),
                _ => Value::bytes(*bytes),
            }
        }
        Parameter::Date(at) => Value::Date(temporal::date_of(*at)),
        Parameter::DateTime(at) => Value::DateTime(*at, if at.micros == 0 { 0 } else { 6 }),
        Parameter::Time(at) => {
            let seconds = i64::from(at.hours) * 3600 + i64::from(at.minutes) * 60 + i64::from(at.seconds);
            let us = (seconds * temporal::SECOND_US + i64::from(at.micros)).min(temporal::TIME_MAX_US);
            Value::Time(if at.negative { -us } else { us }, if at.micros == 0 { 0 } else { 6 })
        }
    }
}

impl Session {
    pub(super) fn prepare(&mut self, text: &[u8], conn: &mut Connection) -> Result<(), Stop> {
        self.state.warnings.borrow_mut().clear();
        let mode = self.state.sql_mode();
        let parsed = parse::parse_with_params(text, mode)?;
        if self.prepared.len() >= STATEMENTS_MAX {
            return Err(error(
                1461,
                format!("Can't create more than max_prepared_stmt_count statements (current value: {STATEMENTS_MAX})"),
            )
            .into());
        }
        let plan = match &parsed.statement {
            ast::Statement::Select(_)
            | ast::Statement::Insert(_)
            | ast::Statement::Update(_)
            | ast::Statement::Delete(_) => Some(Rc::new(self.make_plan(&parsed.statement)?)),
            _ => None,
        };
        let columns: Vec<Column> = match plan.as_deref().map(|plan| &plan.body) {
            Some(Body::Select(select)) => select.output.iter().map(result::column).collect(),
            _ => Vec::new(),
        };
        let parameter = Column::new("?", ColumnType::VarString);
        let parameters = vec![parameter; usize::from(parsed.params)];
        let id = self.next_prepared;
        self.next_prepared = self.next_prepared.wrapping_add(1).max(1);
        let prepared = Prepared {
            text: String::from_utf8_lossy(text).into(),
            statement: Rc::new(parsed.statement),
            params: parsed.params,
            plan,
            types: Vec::new(),
            long: LongData::default(),
        };
        self.prepared.insert(id, prepared);
        conn.answer().prepared(id, &parameters, &columns, self.status(), 0);
        Ok(())
    }

    pub(super) async fn execute_prepared(&mut self, execute: Execute, conn: &mut Connection) -> Result<(), Stop> {
        let id = execute.statement;
        let prepared = self.prepared.get_mut(&id).ok_or_else(|| unknown(id, "mysqld_stmt_execute"))?;
        let mut parameters = Vec::new();
        let read =
            execute.parameters(usize::from(prepared.params), &mut prepared.types, &prepared.long, &mut parameters);
        let types = &prepared.types;
        let kind = |at: usize| types.get(at).map_or(ColumnType::VarString, |kind| kind.kind);
        let values: Rc<[Value]> =
            parameters.iter().enumerate().map(|(at, parameter)| value(parameter, kind(at))).collect();
        drop(parameters);
        prepared.long.clear();
        read.map_err(|fault| error(fault.code, fault.message))?;
        conn.recycle(execute.into_payload());
        let (text, statement, plan) = (prepared.text.clone(), prepared.statement.clone(), prepared.plan.clone());
        let generation = self.state.server.catalog.borrow().generation();
        let plan = match plan {
            Some(plan) if plan.generation != generation => {
                let fresh = Rc::new(self.make_plan(&statement)?);
                self.state.count(Counter::StmtReprepare, 1);
                if let Some(prepared) = self.prepared.get_mut(&id) {
                    prepared.plan = Some(fresh.clone());
                }
                Some(fresh)
            }
            plan => plan,
        };
        self.begin_statement(&text);
        self.run(&statement, plan, &text, values, conn, true, false).await
    }

    pub(super) fn long_data(&mut self, statement: u32, parameter: u16, data: &[u8]) {
        let most = self.state.server.globals.borrow().number("max_allowed_packet") as usize;
        if let Some(prepared) = self.prepared.get_mut(&statement) {
            prepared.long.append(parameter, data, most);
        }
    }

    pub(super) fn reset_prepared(&mut self, id: u32) -> Result<(), SqlError> {
        let prepared = self.prepared.get_mut(&id).ok_or_else(|| unknown(id, "mysqld_stmt_reset"))?;
        prepared.long.clear();
        Ok(())
    }

    /// Plans a statement with rows.
    pub(super) fn make_plan(&self, statement: &ast::Statement) -> Result<Plan, SqlError> {
        let catalog = self.state.server.catalog.borrow();
        let database = self.state.database.borrow();
        let backslash = !self.state.sql_mode().has(SqlMode::NO_BACKSLASH_ESCAPES);
        let mut planner = Planner::new(&catalog, &Tables, database.as_deref(), self.state.collation(), backslash);
        planner.full_group_by = self.state.sql_mode().has(SqlMode::ONLY_FULL_GROUP_BY);
        planner.plan(statement)
    }
}
