//! Calls of functions and aggregates.

use super::{Aggregate, AggregateKind, Resolver, approximate, comparison, number_as_text};
use crate::ast::{self, BinaryOp, CastType, Expr, Literal, UnaryOp};
use crate::collate::Collation;
use crate::error::{SqlError, error};
use crate::expr::{BitOp, Comparison, Node, Type, function};
use crate::value::Value;
use wire::client::constant::ColumnType;

impl Resolver<'_> {
    pub(super) fn function(&mut self, call: &ast::Function) -> Result<(Node, Type), SqlError> {
        if let Some(kind) = aggregate_kind(call) {
            return self.aggregate(call, kind);
        }
        match (call.name.as_str(), call.args.as_slice()) {
            (name @ ("DATE_ADD" | "DATE_SUB" | "ADDDATE" | "SUBDATE"), [date, Expr::Interval { value, unit }]) => {
                let name = if name.ends_with("SUB") || name.starts_with("SUB") { "DATE_SUB" } else { "DATE_ADD" };
                return self.date_add(name, date, value, unit);
            }
            ("NAME_CONST", [Expr::Literal(Literal::String { .. }), value @ Expr::Literal(_)]) => {
                return self.resolve(value);
            }
            ("GET_FORMAT", [Expr::Column(what), style]) if what.table.is_none() => {
                let text = Literal::String { text: what.column.to_uppercase(), introducer: None };
                let mut call = call.clone();
                call.args = vec![Expr::Literal(text), style.clone()];
                return self.function(&call);
            }
            ("ADDDATE", [date, days]) => return self.date_add("DATE_ADD", date, days, "DAY"),
            ("SUBDATE", [date, days]) => return self.date_add("DATE_SUB", date, days, "DAY"),
            ("TIMESTAMPADD", [Expr::Literal(Literal::String { text, .. }), amount, date]) => {
                return self.date_add("DATE_ADD", date, amount, text);
            }
            ("JSON_ARRAY" | "JSON_OBJECT" | "JSON_SET" | "JSON_INSERT" | "JSON_REPLACE", args)
                if args.iter().any(is_truth) =>
            {
                // TRUE, FALSE and what is either stay so in a document.
                let constant = |value: bool| {
                    let text = Literal::String { text: value.to_string(), introducer: None };
                    Expr::Cast { expr: Box::new(Expr::Literal(text)), to: CastType::Json }
                };
                let mut call = call.clone();
                for arg in call.args.iter_mut().filter(|arg| is_truth(arg)) {
                    *arg = match &*arg {
                        Expr::Literal(Literal::Bool(value)) => constant(*value),
                        arg => {
                            let not = Expr::Unary(UnaryOp::Not, Box::new(arg.clone()));
                            let arms = vec![(arg.clone(), constant(true)), (not, constant(false))];
                            Expr::Case { operand: None, arms, otherwise: None }
                        }
                    };
                }
                return self.function(&call);
            }
            _ => {}
        }
        let mut nodes = Vec::with_capacity(call.args.len());
        let mut kinds = Vec::with_capacity(call.args.len());
        for arg in &call.args {
            let (node, kind) = self.resolve(arg)?;
            nodes.push(node);
            kinds.push(kind);
        }
        let name = call.name.as_str();
        if function::reads_texts(name) {
            nodes = nodes.into_iter().zip(&kinds).map(|(node, kind)| number_as_text(node, kind)).collect();
        }
        if let ("CHARSET" | "COLLATION" | "COERCIBILITY", [kind]) = (name, kinds.as_slice()) {
            let collation = if kind.is_string() { kind.collation } else { Collation::BINARY };
            let value = match name {
                "CHARSET" => Value::text(collation.charset()),
                "COLLATION" => Value::text(collation.name()),
                _ => Value::Int(i64::from(kind.coercibility)),
            };
            let kind = match value {
                Value::Int(_) => Type::int(10),
                _ => Type::text(64, Collation::METADATA, 3),
            };
            return Ok((Node::Const(value), kind));
        }
        if function::waits(name) {
            if !nodes.iter().all(Node::is_constant) {
                let text = format!("This version of Quorate doesn't yet support '{name} of a column'");
                return Err(error(1235, text));
            }
            let at = self.subqueries.call(name, nodes);
            return Ok((Node::Prepared(at), function::waiting_type(name)));
        }
        let Some(known) = function::find(name) else {
            return Err(match &call.schema {
                Some(schema) => error(1305, format!("FUNCTION {schema}.{name} does not exist")),
                None => error(1305, format!("FUNCTION {} does not exist", name.to_lowercase())),
            });
        };
        if nodes.len() < known.least || nodes.len() > known.most {
            let text = format!("Incorrect parameter count in the call to native function '{name}'");
            return Err(error(1582, text));
        }
        let mut collation = self.collation;
        if let Some(text) = kinds.iter().filter(|kind| kind.is_string()).min_by_key(|kind| kind.coercibility) {
            collation = text.collation;
        }
        let mut kind = function::result_type(known.name, &kinds, collation);
        if let (true, Some(Node::Const(Value::Int(digits)))) = (kind.is_temporal() && nodes.len() == 1, nodes.first())
            && function::is_clock(known.name)
            && let Ok(digits @ 0..=6) = u8::try_from(*digits)
        {
            kind = Type { not_null: true, ..Type::temporal(kind.kind, digits) };
        }
        if known.name == "NULLIF"
            && let [left, right] = &*nodes
        {
            // CASE WHEN a = b THEN NULL ELSE a END.
            let equal = self.compared((left.clone(), &kinds[0]), Comparison::Eq, (right.clone(), &kinds[1]));
            let arms = vec![(equal, Node::Const(Value::Null))];
            let otherwise = nodes.into_iter().next().map(Box::new);
            return Ok((Node::Case { operand: None, arms, otherwise, collation }, kind));
        }
        let node = Node::Call(known.name, nodes, collation);
        let node = match known.name {
            "IF" => function::unified(node, &kinds[1..], &kind),
            "IFNULL" | "COALESCE" | "GREATEST" | "LEAST" => function::unified(node, &kinds, &kind),
            _ => node,
        };
        Ok((node, kind))
    }

    fn aggregate(&mut self, call: &ast::Function, kind: AggregateKind) -> Result<(Node, Type), SqlError> {
        let Some(list) = self.aggregates.take() else { return Err(error(1111, "Invalid use of group function")) };
        let result = self.aggregate_args(call);
        let (args, kinds, order_by) = match result {
            Ok(parts) => parts,
            Err(error) => {
                self.aggregates = Some(list);
                return Err(error);
            }
        };
        let arg = kinds.first().cloned().unwrap_or_else(Type::null);
        let result = match kind {
            AggregateKind::CountAll | AggregateKind::Count => Type { not_null: true, ..Type::bigint() },
            AggregateKind::Sum | AggregateKind::Avg if approximate(&arg) && arg.decimals < 31 => {
                let more = if kind == AggregateKind::Avg { 4 } else { 0 };
                Type { decimals: (arg.decimals + more).min(31), ..Type::double() }
            }
            AggregateKind::Sum | AggregateKind::Avg if arg.is_string() || approximate(&arg) => Type::double(),
            AggregateKind::Sum => Type::decimal(arg.length + 22, if arg.decimals == 31 { 0 } else { arg.decimals }),
            AggregateKind::Avg => Type::decimal(arg.length + 4, arg.decimals.min(26) + 4),
            AggregateKind::Bits(_) => Type { unsigned: true, ..Type::bigint() },
            AggregateKind::Grouping => Type { not_null: true, ..Type::int(1) },
            AggregateKind::Variance { .. } => Type::double(),
            AggregateKind::JsonArray | AggregateKind::JsonObject => Type::json(),
            AggregateKind::GroupConcat => {
                Type::text(1024, if arg.is_string() { arg.collation } else { self.collation }, 2)
            }
            AggregateKind::Min | AggregateKind::Max if arg.kind == ColumnType::Year => {
                Type { unsigned: true, ..Type::int(4) }
            }
            AggregateKind::Min | AggregateKind::Max | AggregateKind::Any | AggregateKind::RolledUp(_) => {
                Type { not_null: false, ..arg.clone() }
            }
        };
        let at = self.scope.columns.len() + list.len();
        list.push(Aggregate {
            kind,
            args,
            distinct: call.distinct,
            collation: if arg.is_string() { arg.collation } else { self.collation },
            separator: call.separator.clone().unwrap_or_else(|| ",".into()),
            order_by,
        });
        self.aggregates = Some(list);
        Ok((Node::Column(at), result))
    }

    #[allow(clippy::type_complexity, reason = "three lists, taken apart at once")]
    fn aggregate_args(&mut self, call: &ast::Function) -> Result<(Vec<Node>, Vec<Type>, Vec<(Node, bool)>), SqlError> {
        let (mut args, mut kinds) = (Vec::new(), Vec::new());
        for arg in &call.args {
            let (node, kind) = self.resolve(arg)?;
            args.push(if call.name == "GROUP_CONCAT" { number_as_text(node, &kind) } else { node });
            kinds.push(kind);
        }
        let wanted = if call.name == "JSON_OBJECTAGG" { 2 } else { 1 };
        if args.len() < wanted && !call.star {
            let text = format!("Incorrect parameter count in the call to native function '{}'", call.name);
            return Err(error(1582, text));
        }
        let order = call.order_by.iter().map(|item| Ok((self.node(&item.expr)?, item.descending)));
        let order = order.collect::<Result<_, SqlError>>()?;
        Ok((args, kinds, order))
    }
}

/// Whether an expression is true or false by its form.
fn is_truth(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(Literal::Bool(_))
        | Expr::IsNull { .. }
        | Expr::IsTruth { .. }
        | Expr::Between { .. }
        | Expr::InList { .. }
        | Expr::InSelect { .. }
        | Expr::Exists { .. }
        | Expr::Like { .. }
        | Expr::Unary(UnaryOp::Not, _) => true,
        Expr::Binary(op, ..) => comparison(*op).is_some() || matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Xor),
        _ => false,
    }
}

fn aggregate_kind(call: &ast::Function) -> Option<AggregateKind> {
    Some(match call.name.as_str() {
        "COUNT" if call.star => AggregateKind::CountAll,
        "COUNT" => AggregateKind::Count,
        "SUM" => AggregateKind::Sum,
        "AVG" => AggregateKind::Avg,
        "MIN" => AggregateKind::Min,
        "MAX" => AggregateKind::Max,
        "GROUP_CONCAT" => AggregateKind::GroupConcat,
        "BIT_AND" => AggregateKind::Bits(BitOp::And),
        "BIT_OR" => AggregateKind::Bits(BitOp::Or),
        "BIT_XOR" => AggregateKind::Bits(BitOp::Xor),
        "ANY_VALUE" => AggregateKind::Any,
        "STD" | "STDDEV" | "STDDEV_POP" => AggregateKind::Variance { sample: false, root: true },
        "STDDEV_SAMP" => AggregateKind::Variance { sample: true, root: true },
        "VARIANCE" | "VAR_POP" => AggregateKind::Variance { sample: false, root: false },
        "VAR_SAMP" => AggregateKind::Variance { sample: true, root: false },
        "JSON_ARRAYAGG" => AggregateKind::JsonArray,
        "JSON_OBJECTAGG" => AggregateKind::JsonObject,
        "GROUPING" => AggregateKind::Grouping,
        _ => return None,
    })
}
