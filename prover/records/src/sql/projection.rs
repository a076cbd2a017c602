//! The SELECT list: which columns are summed, and what is made of the sums.

use super::{Selected, SqlError, What, scope::Scope};
use nightingale_circuits::cohort::{ColumnIndex, Unit};
use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, SelectItem, Value,
};

const AGGREGATES: &str = "there are COUNT, SUM, AVG, VAR_SAMP, VAR_POP, STDDEV_SAMP, STDDEV_POP, CORR, COVAR_SAMP and COVAR_POP of columns as they are";

/// The items of the list, and the value columns in the order in which they first appear.
pub(super) fn read(
    items: &[SelectItem],
    scope: &Scope<'_>,
    groups: &[ColumnIndex],
) -> Result<(Vec<Selected>, Vec<ColumnIndex>), SqlError> {
    let mut selected = Vec::with_capacity(items.len());
    let mut values = Vec::new();
    for item in items {
        let (expression, alias) = match item {
            SelectItem::UnnamedExpr(expression) => (expression, None),
            SelectItem::ExprWithAlias { expr, alias } => (expr, Some(alias.value.clone())),
            SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => {
                let nearest = "rows are never shown; write COUNT(*), or SUM(column) and so on, and GROUP BY the columns";
                return Err(SqlError::unsupported("SELECT *", nearest));
            }
            SelectItem::ExprWithAliases { .. } => {
                return Err(SqlError::unsupported("several aliases", "give one"));
            }
        };
        let (what, canonical) = Reader { scope, groups }.item(expression)?;
        for column in columns(what) {
            if !values.contains(&column) {
                values.push(column);
            }
        }
        selected.push(Selected { label: alias.unwrap_or(canonical), what });
    }
    Ok((selected, values))
}

/// The value columns that an item needs.
fn columns(what: What) -> Vec<ColumnIndex> {
    match what {
        What::Group(_) | What::Rows => Vec::new(),
        What::NonMissing(column) | What::Sum(column) | What::Mean(column) => vec![column],
        What::Variance { column, .. } | What::Deviation { column, .. } => vec![column],
        What::Covariance { first, second, .. } | What::Correlation { first, second } => vec![first, second],
    }
}

struct Reader<'a> {
    scope: &'a Scope<'a>,
    groups: &'a [ColumnIndex],
}

impl Reader<'_> {
    fn item(&self, expression: &Expr) -> Result<(What, String), SqlError> {
        if let Some(found) = self.scope.column(expression) {
            let column = found?;
            let described = self.scope.usable(column)?;
            if !self.groups.contains(&column) {
                let nearest = format!("add it to GROUP BY, or write SUM({0}) or AVG({0})", described.name);
                return Err(SqlError::unsupported(
                    format!("the column {} outside GROUP BY", described.name),
                    nearest,
                ));
            }
            return Ok((What::Group(column), described.name.clone()));
        }
        match expression {
            Expr::Function(function) => self.function(function),
            Expr::Nested(inner) => self.item(inner),
            Expr::Subquery(_) => Err(SqlError::unsupported("a subquery", "ask each query by itself")),
            other => Err(SqlError::unsupported(
                format!("the expression {other}"),
                format!("{AGGREGATES}; do arithmetic on the answer"),
            )),
        }
    }

    fn function(&self, function: &Function) -> Result<(What, String), SqlError> {
        let name = function.name.to_string().to_ascii_uppercase();
        let refused =
            |part: &str, nearest: &str| Err(SqlError::unsupported(format!("{part} in {name}"), nearest));
        if function.over.is_some() {
            return refused("OVER (a window)", "GROUP BY the columns of the window");
        }
        if function.filter.is_some() {
            return refused("FILTER", "put the condition into WHERE, or GROUP BY its column");
        }
        if !function.within_group.is_empty() {
            return refused("WITHIN GROUP", "for quantiles, GROUP BY a column of kind \"bins\"");
        }
        let FunctionArguments::List(list) = &function.args else {
            return refused("the form of the call", AGGREGATES);
        };
        if !list.clauses.is_empty()
            || function.null_treatment.is_some()
            || function.parameters != FunctionArguments::None
        {
            return refused("a clause", AGGREGATES);
        }
        let distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
        if name == "COUNT" {
            return self.count(&list.args, distinct);
        }
        let kind = aggregate(&name).ok_or_else(|| unknown(&name))?;
        if distinct {
            return refused("DISTINCT", "sums are over all rows");
        }
        let columns =
            list.args.iter().map(|argument| self.argument(&name, argument)).collect::<Result<Vec<_>, _>>()?;
        let what = match (kind, columns.as_slice()) {
            (Aggregate::OfOne(make), [column]) => make(*column),
            (Aggregate::OfTwo(make), [first, second]) if first != second => make(*first, *second),
            (Aggregate::OfOne(_), _) => return refused("another number of columns than one", AGGREGATES),
            (Aggregate::OfTwo(_), _) => return refused("anything but two different columns", AGGREGATES),
        };
        let names: Vec<&str> =
            columns.iter().map(|&column| self.scope.describe(column).name.as_str()).collect();
        Ok((what, format!("{name}({})", names.join(", "))))
    }

    fn argument(&self, function: &str, argument: &FunctionArg) -> Result<ColumnIndex, SqlError> {
        let FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) = argument else {
            return Err(SqlError::unsupported(format!("{function}({argument})"), AGGREGATES));
        };
        let column = self.scope.column(expression).unwrap_or_else(|| {
            let nearest =
                "sum columns as they are, and do arithmetic on the answer, or register a derived column";
            Err(SqlError::unsupported(format!("{function} of the expression {expression}"), nearest))
        })?;
        let described = self.scope.usable(column)?;
        if described.offset().is_none() {
            let nearest = format!(
                "it is a category: GROUP BY {0} with COUNT(*), or WHERE {0} IS NOT NULL",
                described.name
            );
            return Err(SqlError::unsupported(format!("{function}({})", described.name), nearest));
        }
        Ok(column)
    }

    /// `COUNT(*)`, `COUNT(1)`, `COUNT(column)`, and `COUNT(DISTINCT subject)` where a row is a subject.
    fn count(&self, arguments: &[FunctionArg], distinct: bool) -> Result<(What, String), SqlError> {
        let [argument] = arguments else {
            return Err(SqlError::unsupported(
                "COUNT of other than one thing",
                "write COUNT(*) or COUNT(column)",
            ));
        };
        let all = || Ok((What::Rows, "COUNT(*)".to_owned()));
        let expression = match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard) if !distinct => return all(),
            FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value)))
                if !distinct && !matches!(value.value, Value::Null) =>
            {
                return all();
            }
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => expression,
            other => {
                return Err(SqlError::unsupported(
                    format!("COUNT({other})"),
                    "write COUNT(*) or COUNT(column)",
                ));
            }
        };
        if let Some(Ok(column)) = self.scope.column(expression)
            && column == self.scope.schema.subject()
        {
            return if !distinct || self.rows_are_subjects() { all() } else { Err(self.not_subjects()) };
        }
        if distinct {
            let nearest = "rows are unique in the table's unit: write COUNT(*), or GROUP BY the column and count the cells";
            return Err(SqlError::unsupported(format!("COUNT(DISTINCT {expression})"), nearest));
        }
        let column = self.argument("COUNT", argument)?;
        Ok((What::NonMissing(column), format!("COUNT({})", self.scope.describe(column).name)))
    }

    /// Whether no cell counts a subject twice.
    fn rows_are_subjects(&self) -> bool {
        match self.scope.schema.unit() {
            Unit::Subject => true,
            Unit::SubjectAnd(dimension) => self.groups.contains(&dimension),
        }
    }

    fn not_subjects(&self) -> SqlError {
        let dimension = match self.scope.schema.unit() {
            Unit::SubjectAnd(dimension) => self.scope.describe(dimension).name.as_str(),
            Unit::Subject => "the dimension",
        };
        let nearest = format!(
            "a subject has a row for each {dimension}: GROUP BY {dimension}, or ask the subject table"
        );
        SqlError::unsupported("COUNT(DISTINCT subject) over several rows of a subject", nearest)
    }
}

/// How an aggregate is made of its columns.
enum Aggregate {
    OfOne(fn(ColumnIndex) -> What),
    OfTwo(fn(ColumnIndex, ColumnIndex) -> What),
}

fn aggregate(name: &str) -> Option<Aggregate> {
    use Aggregate::{OfOne, OfTwo};
    Some(match name {
        "SUM" => OfOne(What::Sum),
        "AVG" | "MEAN" => OfOne(What::Mean),
        "VAR" | "VARIANCE" | "VAR_SAMP" => OfOne(|column| What::Variance { column, population: false }),
        "VAR_POP" => OfOne(|column| What::Variance { column, population: true }),
        "STD" | "STDDEV" | "STDDEV_SAMP" => OfOne(|column| What::Deviation { column, population: false }),
        "STDDEV_POP" => OfOne(|column| What::Deviation { column, population: true }),
        "CORR" => OfTwo(|first, second| What::Correlation { first, second }),
        "COVAR" | "COVAR_SAMP" => {
            OfTwo(|first, second| What::Covariance { first, second, population: false })
        }
        "COVAR_POP" => OfTwo(|first, second| What::Covariance { first, second, population: true }),
        _ => return None,
    })
}

fn unknown(name: &str) -> SqlError {
    let nearest = match name {
        "MIN" | "MAX" => {
            "an extreme is a single subject's value; GROUP BY a column of kind \"bins\" for its distribution"
        }
        "MEDIAN" | "PERCENTILE_CONT" | "PERCENTILE_DISC" | "QUANTILE" | "APPROX_QUANTILE" => {
            "GROUP BY a column of kind \"bins\": the verifier derives the quantile's bounds from the cells"
        }
        _ => AGGREGATES,
    };
    SqlError::unsupported(format!("the function {name}"), nearest)
}
