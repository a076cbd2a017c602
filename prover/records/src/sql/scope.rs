//! Which column a name means.

use super::{SqlError, near::near};
use nightingale_circuits::cohort::{Column, ColumnIndex, Kind, QueryError, Schema};
use sqlparser::ast::{Expr, Ident};

/// The table of FROM.
pub(super) struct Scope<'a> {
    pub(super) schema: &'a Schema,
    /// What FROM calls it, if not by its name.
    pub(super) alias: Option<String>,
}

impl<'a> Scope<'a> {
    /// The column that an expression names; `None` if it is not a name.
    pub(super) fn column(&self, expression: &Expr) -> Option<Result<ColumnIndex, SqlError>> {
        match expression {
            Expr::Identifier(name) => Some(self.named(name)),
            Expr::CompoundIdentifier(parts) => Some(match parts.as_slice() {
                [table, name] if self.is_called(table) => self.named(name),
                _ => Err(SqlError::unsupported(
                    format!("the name {expression}"),
                    "write the column's name, or table.column",
                )),
            }),
            Expr::Nested(inner) => self.column(inner),
            _ => None,
        }
    }

    fn is_called(&self, table: &Ident) -> bool {
        let alias = self.alias.as_deref();
        table.value.eq_ignore_ascii_case(alias.unwrap_or_else(|| self.schema.table()))
    }

    fn named(&self, name: &Ident) -> Result<ColumnIndex, SqlError> {
        self.schema.find(&name.value).ok_or_else(|| {
            let columns = self.schema.columns().iter().map(|column| column.name.as_str());
            SqlError::NoColumn { name: name.value.clone(), near: near(&name.value, columns) }
        })
    }

    /// What a column of this schema is.
    pub(super) fn describe(&self, column: ColumnIndex) -> &'a Column {
        &self.schema.columns()[column]
    }

    /// The same, refusing keys.
    pub(super) fn usable(&self, column: ColumnIndex) -> Result<&'a Column, SqlError> {
        let described = self.describe(column);
        match described.kind {
            Kind::Key { .. } => Err(QueryError::Key(described.name.clone()).into()),
            _ => Ok(described),
        }
    }
}
