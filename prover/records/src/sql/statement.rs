//! A statement's clauses: which there are, and which there may not be.

use super::{SqlError, scope::Scope};
use nightingale_circuits::cohort::ColumnIndex;
use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, Query, Select, SelectFlavor, SetExpr, Statement, TableFactor,
};

const SHAPE: &str =
    "the shape is SELECT groups, COUNT(*), SUM(x) FROM table WHERE conditions GROUP BY groups";

/// The SELECT of a statement that is nothing else.
pub(super) fn select(statement: &Statement) -> Result<&Select, SqlError> {
    let Statement::Query(query) = statement else {
        let text = statement.to_string();
        let first = text.split_whitespace().next().unwrap_or("the statement").to_owned();
        return Err(SqlError::unsupported(first, "a dataset is only asked with SELECT"));
    };
    let select = match &*query.body {
        SetExpr::Select(select) => select,
        SetExpr::SetOperation { op, .. } => {
            return Err(SqlError::unsupported(op.to_string(), "ask a query for each, and join the answers"));
        }
        SetExpr::Query(_) => return Err(SqlError::unsupported("a query in parentheses", SHAPE)),
        _ => return Err(SqlError::unsupported("a statement that is not SELECT", SHAPE)),
    };
    outside(query)?;
    inside(select)?;
    Ok(select)
}

fn first(clauses: &[(bool, &str, &str)]) -> Result<(), SqlError> {
    match clauses.iter().find(|(there, _, _)| *there) {
        Some((_, part, nearest)) => Err(SqlError::unsupported(*part, *nearest)),
        None => Ok(()),
    }
}

fn outside(query: &Query) -> Result<(), SqlError> {
    let every = "an answer always has every cell; sort or cut it after it is verified";
    first(&[
        (query.with.is_some(), "WITH", "ask each query by itself"),
        (query.order_by.is_some(), "ORDER BY", every),
        (query.limit_clause.is_some(), "LIMIT or OFFSET", every),
        (query.fetch.is_some(), "FETCH", every),
        (!query.locks.is_empty(), "FOR UPDATE", SHAPE),
        (query.for_clause.is_some(), "FOR XML or FOR JSON", "the answer is JSON already"),
        (query.settings.is_some(), "SETTINGS", SHAPE),
        (query.format_clause.is_some(), "FORMAT", "the answer is JSON already"),
        (!query.pipe_operators.is_empty(), "a pipe operator", SHAPE),
    ])
}

fn inside(select: &Select) -> Result<(), SqlError> {
    let distinct = matches!(select.distinct, Some(Distinct::Distinct | Distinct::On(_)));
    first(&[
        (distinct, "SELECT DISTINCT", "GROUP BY the columns: each cell is one distinct key"),
        (select.top.is_some(), "TOP", "an answer always has every cell; cut it after it is verified"),
        (select.into.is_some(), "INTO", SHAPE),
        (select.exclude.is_some(), "EXCLUDE", "name the columns that you want"),
        (
            select.having.is_some(),
            "HAVING",
            "read the counts from the answer; small cells are hidden by the disclosure rule, not by the query",
        ),
        (
            select.qualify.is_some() || !select.named_window.is_empty(),
            "a window",
            "GROUP BY the columns of the window",
        ),
        (select.prewhere.is_some(), "PREWHERE", "write WHERE"),
        (!select.connect_by.is_empty(), "CONNECT BY", SHAPE),
        (!select.lateral_views.is_empty(), "LATERAL VIEW", SHAPE),
        (
            !select.cluster_by.is_empty() || !select.distribute_by.is_empty() || !select.sort_by.is_empty(),
            "SORT BY and its kin",
            SHAPE,
        ),
        (select.value_table_mode.is_some(), "SELECT AS", SHAPE),
        (select.select_modifiers.is_some(), "a modifier of SELECT", SHAPE),
        (!select.optimizer_hints.is_empty(), "a hint", SHAPE),
        (select.flavor != SelectFlavor::Standard, "FROM before SELECT", SHAPE),
    ])
}

/// The only table of FROM, and what it is called there.
pub(super) fn table(select: &Select) -> Result<(String, Option<String>), SqlError> {
    let [from] = select.from.as_slice() else {
        let part = if select.from.is_empty() { "a query without FROM" } else { "FROM with several tables" };
        return Err(SqlError::unsupported(part, JOIN));
    };
    if !from.joins.is_empty() {
        return Err(SqlError::unsupported("JOIN", JOIN));
    }
    let TableFactor::Table {
        name,
        alias,
        args,
        with_hints,
        version,
        with_ordinality,
        partitions,
        json_path,
        sample,
        index_hints,
    } = &from.relation
    else {
        return Err(SqlError::unsupported("a subquery or function in FROM", "name a table of the dataset"));
    };
    if sample.is_some() {
        return Err(SqlError::unsupported("TABLESAMPLE", "every row is always scanned"));
    }
    let plain = args.is_none()
        && with_hints.is_empty()
        && version.is_none()
        && !with_ordinality
        && partitions.is_empty()
        && json_path.is_none()
        && index_hints.is_empty()
        && alias.as_ref().is_none_or(|alias| alias.columns.is_empty());
    let part = match name.0.as_slice() {
        [part] if plain => part.as_ident(),
        _ => None,
    };
    let ident = part.ok_or_else(|| {
        SqlError::unsupported(
            format!("the table {name} with more than its name"),
            "name a table of the dataset",
        )
    })?;
    Ok((ident.value.clone(), alias.as_ref().map(|alias| alias.name.value.clone())))
}

const JOIN: &str = "a query reads one table; register the column with the table that needs it, or ask each table and divide by the subject table's counts";

/// The columns of GROUP BY.
pub(super) fn groups(select: &Select, scope: &Scope<'_>) -> Result<Vec<ColumnIndex>, SqlError> {
    let items = match &select.group_by {
        GroupByExpr::Expressions(items, modifiers) if modifiers.is_empty() => items,
        GroupByExpr::Expressions(..) => {
            return Err(SqlError::unsupported(
                "a modifier of GROUP BY",
                "list the columns; totals are sums of cells",
            ));
        }
        GroupByExpr::All(_) => return Err(SqlError::unsupported("GROUP BY ALL", "list the columns")),
    };
    items.iter().map(|item| group(item, scope)).collect()
}

fn group(item: &Expr, scope: &Scope<'_>) -> Result<ColumnIndex, SqlError> {
    let nearest = match item {
        Expr::Rollup(_) | Expr::Cube(_) | Expr::GroupingSets(_) => {
            "list the columns; totals are sums of cells"
        }
        Expr::Value(_) => "name the column, not its place",
        _ => "group by columns as they are; for ranges declare a column of kind \"bins\" in the schema file",
    };
    let column = scope
        .column(item)
        .unwrap_or_else(|| Err(SqlError::unsupported(format!("GROUP BY {item}"), nearest)))?;
    scope.usable(column).map(|_| column)
}
