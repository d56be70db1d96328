//! A project's database, callers, and a proxy between the service and its server.

// Each test binary compiles this module and uses a part of it.
#![expect(dead_code, unreachable_pub, reason = "no test binary uses all of it")]

pub mod caller;
pub mod pgbouncer;
pub mod proxy;
pub mod tls;

use std::{collections::BTreeSet, time::Duration};

use dev::testing::{Database, Template};
use tokio_postgres::Client;
use user_service::db::{self, Db, Settings, Target};
use uuid::Uuid;

/// The role that owns the server.
pub const SUPERUSER: &str = "supabase_admin";
/// The logins that a service may have, from the least to the most.
pub const LOGINS: [&str; 3] = ["authenticator", "postgres", SUPERUSER];

/// What a test allows beyond a limit, for a machine that has much else to do.
pub const SLACK: Duration = Duration::from_secs(3);

/// Longer than any test waits.
pub const LONG: Duration = Duration::from_secs(30);

static MIGRATED: Template = Template::new();
static EMPTY: Template = Template::new();

/// A migrated project with Ada and Bob in it.
pub struct Project {
    pub database: Database,
    pub ada: Uuid,
    pub bob: Uuid,
}

impl Project {
    pub async fn new() -> Self {
        let migrated = |url: String| async move { Ok(db::migrate(&settings(&url), |_| ()).await?) };
        let database = MIGRATED.copy(migrated).await.expect("a database can be had");
        let project = Self { database, ada: Uuid::new_v4(), bob: Uuid::new_v4() };
        project.sign_up(project.ada, Some("Ada")).await;
        project.sign_up(project.bob, Some("Bob")).await;
        project
    }

    /// A project without our migrations.
    pub async fn unmigrated() -> Database {
        EMPTY.copy(|_| async { Ok(()) }).await.expect("a database can be had")
    }

    /// Makes a user of this project.
    pub async fn sign_up(&self, id: Uuid, name: Option<&str>) {
        sign_up(&self.admin().await, id, name).await;
    }

    /// A connection that may do everything.
    pub async fn admin(&self) -> Client {
        self.database.connect(SUPERUSER).await.expect("the server answers")
    }

    /// Runs SQL as the superuser.
    pub async fn run(&self, sql: &str) {
        self.admin().await.batch_execute(sql).await.expect("the statements run");
    }

    /// One value, asked for as the superuser.
    pub async fn ask<T>(&self, sql: &str) -> T
    where
        T: for<'a> tokio_postgres::types::FromSql<'a>,
    {
        self.admin().await.query_one(sql, &[]).await.expect("the question has an answer").get(0)
    }

    /// Waits until so many sessions of the service run a statement.
    pub async fn until_running(&self, count: i64) {
        let sql = "select count(*) from pg_stat_activity where application_name = 'user-service' and datname = current_database() and state = 'active'";
        until("sessions run", async || self.ask::<i64>(sql).await == count).await;
    }

    pub fn settings(&self, login: &str) -> Settings {
        settings(&self.database.url(login))
    }

    pub fn db(&self, login: &str) -> Db {
        Db::new(self.settings(login))
    }

    /// A pool of this size.
    pub fn db_of(&self, login: &str, pool_size: u32) -> Db {
        Db::new(Settings { pool_size, ..self.settings(login) })
    }
}

/// Makes a user, as Supabase Auth does.
pub async fn sign_up(admin: &Client, id: Uuid, name: Option<&str>) {
    let sql = "insert into auth.users (id, raw_user_meta_data) values ($1, jsonb_build_object('full_name', $2::text))";
    admin.execute(sql, &[&id, &name]).await.expect("the user can be made");
}

/// Everything that a migration could touch, outside the service's own schema: tables, columns,
/// policies, functions, triggers, grants.
pub async fn inventory(database: &Database) -> BTreeSet<String> {
    let theirs = "nspname !~ '^pg_' and nspname not in ('information_schema', 'user_service')";
    let sql = format!(
        "with theirs as (select * from pg_namespace where {theirs})
         select format('%s %s', nspname, nspacl) from theirs
         union all select format('%s %s %s %s %s %s', c.oid, relname, relrowsecurity, relforcerowsecurity, relacl, reloptions) from pg_class c join theirs n on n.oid = relnamespace
         union all select format('%s %s %s', attrelid, attname, attacl) from pg_attribute join pg_class c on c.oid = attrelid join theirs n on n.oid = relnamespace where attnum > 0
         union all select format('%s %s %s %s %s', oid, polname, polrelid, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) from pg_policy
         union all select format('%s %s %s %s', p.oid, proname, md5(prosrc), proacl) from pg_proc p join theirs n on n.oid = pronamespace
         union all select format('%s %s %s %s', oid, tgname, tgfoid, tgenabled) from pg_trigger where not tgisinternal"
    );
    let admin = database.connect(SUPERUSER).await.expect("the server answers");
    let rows = admin.query(&sql, &[]).await.expect("the catalogue can be read");
    rows.iter().map(|row| row.get(0)).collect()
}

/// Where this URL leads.
pub fn target(url: &str) -> Target {
    let lookup = |name: &str| (name == "DATABASE_URL").then(|| url.to_owned());
    Target::read("DATABASE_URL", &lookup).expect("the URL can be read")
}

/// The defaults at this URL, but for more patience: a login takes long on a busy machine.
pub fn settings(url: &str) -> Settings {
    let target = target(url);
    Settings {
        pool_mode: target.pool_mode(),
        target,
        schema: "public".to_owned(),
        pool_size: 10,
        pool_wait: LONG,
        pool_queue: 1024,
    }
}

/// Waits until a condition holds.
///
/// # Panics
/// When it does not come to hold.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, waiting).await.unwrap_or_else(|_| panic!("waited for: {what}"));
}

/// A pseudo-random sequence (SplitMix64) that a printed seed repeats.
pub struct Random(u64);

impl Random {
    /// Begins with `TEST_SEED`, or with a new seed, and prints it.
    pub fn new() -> Self {
        let seed = std::env::var("TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| Uuid::new_v4().as_u64_pair().0);
        println!("TEST_SEED={seed}");
        Self(seed)
    }

    /// Another sequence.
    pub fn split(&mut self) -> Self {
        Self(self.next())
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
