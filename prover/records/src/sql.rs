//! SQL into queries of codes, and back.
//!
//! The dialect is one shape: `SELECT groups, aggregates FROM table WHERE conditions GROUP BY groups`. Constants are in the column's own
//! units (numbers, dictionary words, days) and become intervals of codes exactly. What has no such form is refused by
//! name, with the nearest form that has one. SQL, the wire and the chain share the [`Query`]; this text is for people.

mod codes;
mod condition;
mod constant;
mod error;
mod near;
mod projection;
mod scope;
mod statement;

pub use error::SqlError;

use nightingale_circuits::cohort::{ColumnIndex, Query, Schema, text};
use scope::Scope;
use sqlparser::{
    ast::Statement,
    dialect::GenericDialect,
    keywords::Keyword,
    parser::Parser,
    tokenizer::{Token, TokenWithSpan, Tokenizer},
};

/// A question in SQL, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The index of the table's schema.
    pub table: usize,
    /// What is proven.
    pub query: Query,
    /// What the SELECT list asks for, in its order: pure functions of the answer's integers.
    pub select: Vec<Selected>,
    /// The query in its canonical text, as [`text::sql`] gives it.
    pub sql: String,
}

/// One item of the SELECT list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// Its alias, or the item in its canonical spelling.
    pub label: String,
    /// What it is.
    pub what: What,
}

/// What an item of the SELECT list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A group's key.
    Group(ColumnIndex),
    /// `COUNT(*)`.
    Rows,
    /// `COUNT(column)`.
    NonMissing(ColumnIndex),
    /// `SUM(column)`.
    Sum(ColumnIndex),
    /// `AVG(column)`.
    Mean(ColumnIndex),
    /// `VAR_SAMP(column)` or `VAR_POP(column)`.
    Variance {
        /// The column.
        column: ColumnIndex,
        /// Divided by n, not n - 1.
        population: bool,
    },
    /// `STDDEV_SAMP(column)` or `STDDEV_POP(column)`.
    Deviation {
        /// The column.
        column: ColumnIndex,
        /// Divided by n, not n - 1.
        population: bool,
    },
    /// `COVAR_SAMP(first, second)` or `COVAR_POP(first, second)`.
    Covariance {
        /// The first column.
        first: ColumnIndex,
        /// The second column.
        second: ColumnIndex,
        /// Divided by n, not n - 1.
        population: bool,
    },
    /// `CORR(first, second)`.
    Correlation {
        /// The first column.
        first: ColumnIndex,
        /// The second column.
        second: ColumnIndex,
    },
}

/// The longest text of one statement, in bytes: a bound on what a stranger makes the parser do.
const LONGEST: usize = 16 << 10;
/// The most operators of one statement: four terms of four intervals need far fewer, and the stack bears far more.
const MOST_OPERATORS: usize = 1000;
/// Words that are operators.
const CONNECTIVES: [Keyword; 12] = [
    Keyword::AND,
    Keyword::OR,
    Keyword::XOR,
    Keyword::NOT,
    Keyword::IS,
    Keyword::IN,
    Keyword::BETWEEN,
    Keyword::LIKE,
    Keyword::UNION,
    Keyword::EXCEPT,
    Keyword::INTERSECT,
    Keyword::JOIN,
];
/// The longest text of a plan.
const LONGEST_PLAN: usize = 1 << 20;

/// Reads one statement against the tables that there are.
///
/// # Errors
/// What [`SqlError`] names.
pub fn parse(text: &str, schemas: &[Schema]) -> Result<Asked, SqlError> {
    match statements(text, LONGEST)?.as_slice() {
        [statement] => understand(statement, schemas),
        several => Err(SqlError::Statements { given: several.len() }),
    }
}

/// Reads a plan: statements with a `;` after each, comments after `--`.
///
/// # Errors
/// [`SqlError::InPlan`] with the number of the statement, from 1; a plan without statements.
pub fn parse_plan(text: &str, schemas: &[Schema]) -> Result<Vec<Asked>, SqlError> {
    let statements = statements(text, LONGEST_PLAN)?;
    if statements.is_empty() {
        return Err(SqlError::Statements { given: 0 });
    }
    let asked = statements.iter().zip(1..).map(|(statement, number)| {
        understand(statement, schemas).map_err(|source| SqlError::InPlan { number, source: Box::new(source) })
    });
    asked.collect()
}

fn statements(text: &str, longest: usize) -> Result<Vec<Statement>, SqlError> {
    if text.len() > longest {
        return Err(SqlError::Syntax(format!("{} bytes; at most {longest} are read", text.len())));
    }
    let tokens = Tokenizer::new(&GenericDialect {}, text).tokenize_with_location();
    let tokens = tokens.map_err(|error| SqlError::Syntax(error.to_string()))?;
    if let Some(given) = most_operators(&tokens).filter(|given| *given > MOST_OPERATORS) {
        return Err(SqlError::Syntax(format!(
            "{given} operators in one statement; at most {MOST_OPERATORS} are read"
        )));
    }
    Parser::new(&GenericDialect {})
        .with_tokens_with_locations(tokens)
        .parse_statements()
        .map_err(|error| SqlError::Syntax(error.to_string()))
}

/// How many operators the statement with the most of them has: everything but names, constants, commas and the like. A chain of them is a tree as
/// deep as it is long, which the parser builds in a loop, beyond its own limit of recursion; whoever walks or drops it needs the stack.
fn most_operators(tokens: &[TokenWithSpan]) -> Option<usize> {
    let flat = |token: &Token| match token {
        Token::Word(word) => !CONNECTIVES.contains(&word.keyword),
        Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::Whitespace(_)
        | Token::Comma
        | Token::LParen
        | Token::RParen
        | Token::SemiColon
        | Token::EOF => true,
        _ => false,
    };
    let statements = tokens.split(|token| token.token == Token::SemiColon);
    statements.map(|tokens| tokens.iter().filter(|token| !flat(&token.token)).count()).max()
}

fn understand(statement: &Statement, schemas: &[Schema]) -> Result<Asked, SqlError> {
    let select = statement::select(statement)?;
    let (name, alias) = statement::table(select)?;
    let table =
        schemas.iter().position(|schema| schema.table().eq_ignore_ascii_case(&name)).ok_or_else(|| {
            let tables =
                schemas.iter().map(|schema| schema.table().to_owned()).collect::<Vec<_>>().join(", ");
            SqlError::NoTable { name: name.clone(), tables }
        })?;
    let scope = Scope { schema: &schemas[table], alias };
    let groups = statement::groups(select, &scope)?;
    let (selected, values) = projection::read(&select.projection, &scope, &groups)?;
    let terms =
        select.selection.as_ref().map_or(Ok(Vec::new()), |filter| condition::terms(filter, &scope))?;
    let query = Query::new(scope.schema, terms, values, groups)?;
    let sql = text::sql(scope.schema, &query);
    Ok(Asked { table, query, select: selected, sql })
}
