//! What the database holds once, by name: bytes, each in the form of whoever put them there.

use super::{
    rows,
    sql::{Connection, sql},
};
use crate::error::StoreError;

pub(super) async fn held(connection: &mut Connection, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let select = "SELECT value FROM meta WHERE name = $1";
    let row = connection.optional(sql(select).bind(name)).await?;
    row.map(|row| rows::column::<&[u8]>(&row, "value").map(<[u8]>::to_vec)).transpose()
}

/// Puts it in the place of what is there.
pub(super) async fn put(connection: &mut Connection, name: &str, value: &[u8]) -> Result<(), StoreError> {
    let text = "INSERT INTO meta (name, value) VALUES ($1, $2) \
                ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    connection.execute(sql(text).bind(name).bind(value)).await.map(drop)
}

/// Whether it was there.
pub(super) async fn removed(connection: &mut Connection, name: &str) -> Result<bool, StoreError> {
    Ok(connection.execute(sql("DELETE FROM meta WHERE name = $1").bind(name)).await? > 0)
}
