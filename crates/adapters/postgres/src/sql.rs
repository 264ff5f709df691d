//! Hand-written statements that diesel prepares once per connection.
//!
//! `diesel::sql_query` marks its statements as not worth keeping: each call then costs a second round trip and a new plan.

use std::borrow::Cow;
use std::marker::PhantomData;

use diesel::connection::SimpleConnection;
use diesel::expression::{AsExpression, TypedExpressionType};
use diesel::pg::{Pg, PgConnection};
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, SqlType, Untyped, Uuid as SqlUuid};
use diesel::{IntoSql, RunQueryDsl};
use domain_kernel::{NameKey, Page, Sort};
use uuid::Uuid;

/// A statement with `{}` in the place of each value, whose rows have the columns `C`.
pub(crate) struct Statement<C = Untyped> {
    sql: Cow<'static, str>,
    values: Vec<Box<dyn QueryFragment<Pg> + Send>>,
    columns: PhantomData<fn() -> C>,
}

pub(crate) fn statement(sql: impl Into<Cow<'static, str>>) -> Statement {
    Statement { sql: sql.into(), values: Vec::new(), columns: PhantomData }
}

/// For work that only one may do at a time and that can be done later: tells whether this transaction got the lock that the
/// statement tries for, and has it give up from now on before PostgreSQL would look for a deadlock and perhaps end somebody's
/// request. What reads so much is worth planning each time.
pub(crate) fn try_alone(connection: &mut PgConnection, lock: Statement) -> QueryResult<bool> {
    connection.batch_execute("SET LOCAL lock_timeout = '300ms'; SET LOCAL plan_cache_mode = auto")?;
    lock.rows::<Bool>().get_result(connection)
}

/// A row of a statement: its fields are the columns in their order, and `$columns` is the type of all of them.
///
/// By place and not by name, because diesel finds a name by comparing it with all others, for each value of each row: that
/// took longer than the rest of reading a page.
macro_rules! row {
    (
        $(#[$meta:meta])* $visibility:vis struct $row:ident, $columns:ident {
            $($field:ident: $type:ty => $sql:ty,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(diesel::Queryable)]
        $visibility struct $row {
            $($field: $type,)*
        }
        $visibility type $columns = ($($sql,)*);
    };
}
pub(crate) use row;

/// A row of a page: the total, and what is listed unless the page is empty.
pub(crate) type PageRow<R> = (i64, Option<R>);

/// The columns of a [`PageRow`].
pub(crate) type PageColumns<C> = (BigInt, Nullable<C>);

/// The page that these rows are; none when not even the total came back.
pub(crate) fn read_page<R>(rows: impl IntoIterator<Item = PageRow<R>>) -> Option<Page<R>> {
    let mut rows = rows.into_iter().peekable();
    let total = rows.peek().map(|(total, _)| *total)?;
    Some(Page { items: rows.filter_map(|(_, row)| row).collect(), total })
}

/// What a list can be put in order by.
pub(crate) trait SortColumn: Copy + PartialEq {
    /// What it is in a row of `table`.
    fn of(self, table: &str) -> String;

    /// Where rows without it come, as SQL says it.
    const NULLS: &str = "";
}

impl SortColumn for NameKey {
    fn of(self, table: &str) -> String {
        let name = match self {
            Self::First => "first_name",
            Self::Last => "last_name",
        };
        format!("lower({table}.{name})")
    }
}

/// `ORDER BY` of rows of `table`, which has an id. Ends with the id, so that no row is on two pages. There are few of these
/// texts, so each statement made with one is prepared once, too.
pub(crate) fn order_by<K: SortColumn>(sort: &Sort<K>, table: &str) -> String {
    let columns = sort.keys().iter().map(|key| {
        let direction = if key.is_descending { " DESC" } else { "" };
        format!("{}{direction}{}, ", key.by.of(table), K::NULLS)
    });
    format!("ORDER BY {}{table}.id", columns.collect::<String>())
}

impl Statement {
    /// Says which columns come back, for a row of [`row!`].
    pub(crate) fn rows<C>(self) -> Statement<C> {
        Statement { sql: self.sql, values: self.values, columns: PhantomData }
    }

    /// Goes on with more text.
    pub(crate) fn then(mut self, sql: &str) -> Self {
        self.sql.to_mut().push_str(sql);
        self
    }

    /// Binds the next value.
    pub(crate) fn bind<ST, T>(mut self, value: T) -> Self
    where
        ST: SqlType + TypedExpressionType,
        T: AsExpression<ST>,
        T::Expression: QueryFragment<Pg> + Send + 'static,
    {
        self.values.push(Box::new(value.into_sql::<ST>()));
        self
    }

    /// Binds a list of ids, if there is one.
    pub(crate) fn bind_ids<T: Copy>(self, ids: Option<&[T]>, uuid: impl Fn(T) -> Uuid) -> Self {
        let Some(ids) = ids else { return self };
        self.bind::<Array<SqlUuid>, _>(ids.iter().copied().map(uuid).collect::<Vec<_>>())
    }
}

impl<C> QueryFragment<Pg> for Statement<C> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // Looked through several times for each execution, and a single character is found fastest.
        let mut parts = self.sql.split('{');
        out.push_sql(parts.next().unwrap_or_default());
        for (value, part) in self.values.iter().zip(parts) {
            value.walk_ast(out.reborrow())?;
            out.push_sql(part.strip_prefix('}').unwrap_or(part));
        }
        Ok(())
    }
}

impl<C> QueryId for Statement<C> {
    type QueryId = ();
    // Kept by its text, like any statement without a type of its own.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<C> Query for Statement<C> {
    type SqlType = C;
}

impl<C> RunQueryDsl<PgConnection> for Statement<C> {}
