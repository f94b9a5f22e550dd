//! Plans of UPDATE and DELETE over joined tables.

use super::select::push_down;
use super::{JoinedPlan, Planner, Source, Target};
use crate::ast::{self, Expr};
use crate::catalog::Table;
use crate::error::{SqlError, error};
use crate::expr::Scope;
use std::rc::Rc;

/// The base tables of a source, each with the place where its columns begin; places that are no base table's are left
/// out.
fn leaves(source: &Source, first: usize, out: &mut Vec<(Rc<Table>, usize)>) {
    match source {
        Source::Table { table, .. } => out.push((table.clone(), first)),
        Source::Join { left, right, .. } => {
            leaves(left, first, out);
            leaves(right, first + left.width(), out);
        }
        Source::Exchanged { source, front } => {
            let (width, from) = (source.width(), out.len());
            leaves(source, 0, out);
            for (_, place) in &mut out[from..] {
                *place = first + (*place + width - front) % width;
            }
        }
        Source::Nothing
        | Source::Virtual { .. }
        | Source::Derived(_)
        | Source::Recursive(_)
        | Source::Latest { .. } => {}
    }
}

impl Planner<'_> {
    pub(super) fn joined_update(&mut self, update: &ast::Update) -> Result<JoinedPlan, SqlError> {
        refuse_tail("UPDATE", &update.order_by, update.limit.as_ref())?;
        let (mut source, scope) = self.from(&update.from)?;
        let mut tables = Vec::new();
        leaves(&source, 0, &mut tables);
        let mut targets: Vec<Target> = Vec::new();
        for assignment in &update.set {
            let at = scope.find(&assignment.column, "field list")?;
            let value = match &assignment.value {
                Expr::Default(None) => None,
                value => Some(self.resolver(&scope, "field list").node(value)?),
            };
            let holds =
                |(table, first): &&(Rc<Table>, usize)| (*first..first + table.definition.columns.len()).contains(&at);
            let Some((table, first)) = tables.iter().find(holds) else {
                let text = format!("The target table {} of the UPDATE is not updatable", scope.columns[at].table);
                return Err(error(1288, text));
            };
            let set = (at - first, value);
            match targets.iter_mut().find(|target| target.first == *first) {
                Some(target) => target.set.push(set),
                None => {
                    let alias = scope.columns[*first].table.clone();
                    targets.push(Target { table: table.clone(), alias, first: *first, set: vec![set] });
                }
            }
        }
        self.note_targets(&targets);
        let filter = self.joined_filter(&mut source, &scope, update.filter.as_ref())?;
        Ok(JoinedPlan { is_update: true, ignore: update.ignore, source, filter, targets })
    }

    pub(super) fn joined_delete(&mut self, delete: &ast::Delete) -> Result<JoinedPlan, SqlError> {
        refuse_tail("DELETE", &delete.order_by, delete.limit.as_ref())?;
        let (mut source, scope) = self.from(&delete.from)?;
        let mut tables = Vec::new();
        leaves(&source, 0, &mut tables);
        let mut targets: Vec<Target> = Vec::new();
        for name in &delete.targets {
            let named = |(_, first): &&(Rc<Table>, usize)| {
                let column = &scope.columns[*first];
                column.table.eq_ignore_ascii_case(&name.name)
                    && name.schema.as_ref().is_none_or(|schema| column.schema.eq_ignore_ascii_case(schema))
            };
            let Some((table, first)) = tables.iter().find(named) else {
                return Err(error(1109, format!("Unknown table '{}' in MULTI DELETE", name.name)));
            };
            if targets.iter().any(|target| target.first == *first) {
                return Err(error(1066, format!("Not unique table/alias: '{}'", name.name)));
            }
            let alias = scope.columns[*first].table.clone();
            targets.push(Target { table: table.clone(), alias, first: *first, set: Vec::new() });
        }
        self.note_targets(&targets);
        let filter = self.joined_filter(&mut source, &scope, delete.filter.as_ref())?;
        Ok(JoinedPlan { is_update: false, ignore: delete.ignore, source, filter, targets })
    }

    /// What was named in FROM is changed where it is a target.
    fn note_targets(&mut self, targets: &[Target]) {
        for target in targets {
            let named =
                |used: &&mut super::TableUse| *used.alias == *target.alias && used.schema == target.table.schema;
            self.uses.iter_mut().filter(named).for_each(|used| used.write = true);
        }
    }

    fn joined_filter(
        &mut self,
        source: &mut Source,
        scope: &Scope,
        filter: Option<&Expr>,
    ) -> Result<Option<crate::expr::Node>, SqlError> {
        let filter = filter.map(|filter| self.resolver(scope, "where clause").node(filter)).transpose()?;
        push_down(source, filter.as_ref());
        Ok(filter)
    }
}

fn refuse_tail(what: &str, order_by: &[ast::OrderBy], limit: Option<&Expr>) -> Result<(), SqlError> {
    let clause = match (order_by, limit) {
        ([], None) => return Ok(()),
        ([], Some(_)) => "LIMIT",
        _ => "ORDER BY",
    };
    Err(error(1221, format!("Incorrect usage of {what} and {clause}")))
}
