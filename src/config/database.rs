//! The settings of the database.

use super::{optional, reader::Reader, settings::*};
use crate::db::{self, PoolMode, Target};

/// libpq's variable for the password: as secret as the URL.
const PGPASSWORD: &str = "PGPASSWORD";
/// More connections than a PostgreSQL server would bear.
const POOL_SIZE_MAX: u32 = 1_000;

/// Reads where the database is, from `url` or libpq's variables, and how it is pooled.
pub(super) fn read(reader: &mut Reader<'_>, url: &Setting) -> Option<db::Settings> {
    let target = target(reader, url);
    let pool_mode = optional(reader, &DATABASE_POOL_MODE, |reader| {
        reader.parse(&DATABASE_POOL_MODE, |text| match text {
            "session" => Ok(PoolMode::Session),
            "transaction" => Ok(PoolMode::Transaction),
            _ => Err("is neither session nor transaction"),
        })
    });
    let schema = reader.text(&DATABASE_SCHEMA);
    let pool_size = reader.count(&DATABASE_POOL_SIZE, POOL_SIZE_MAX);
    let pool_wait = reader.positive_duration(&DATABASE_POOL_WAIT);
    let pool_queue = reader.count(&DATABASE_POOL_QUEUE, u32::MAX >> 4);
    let target = target?;
    Some(db::Settings {
        pool_mode: pool_mode?.unwrap_or(target.pool_mode()),
        target,
        schema: schema?,
        pool_size: pool_size?,
        pool_wait: pool_wait?,
        pool_queue: pool_queue? as usize,
    })
}

fn target(reader: &mut Reader<'_>, url: &Setting) -> Option<Target> {
    let (address, password) = (reader.given(url), reader.secret(PGPASSWORD));
    let read = Target::read(url.name, &|name| match name {
        _ if name == url.name => address.clone(),
        PGPASSWORD => password.clone(),
        _ => reader.variable(name),
    });
    match read {
        Ok(target) => Some(target),
        Err(problems) => {
            problems.into_iter().for_each(|problem| reader.add(problem));
            None
        }
    }
}
