//! How often a call waits for the server, told by a proxy that makes every wait long.

mod db_support;

use std::time::Duration;

use db_support::{Project, caller, proxy::Proxy, settings};
use diesel::{ExpressionMethods as _, QueryDsl as _};
use diesel_async::RunQueryDsl as _;
use tokio::time::Instant;
use user_service::db::{CallerConnection as Conn, Db, Settings, users as queries};

mod table {
    diesel::table! {
        users (id) {
            id -> Uuid,
            full_name -> Nullable<Text>,
        }
    }
}
use table::users;

/// A way there or back.
const WAY: Duration = Duration::from_millis(40);

/// How many trips a call takes, as the time it takes tells.
async fn trips<T>(call: impl Future<Output = Result<T, user_service::db::Error>>) -> f64 {
    let start = Instant::now();
    call.await.map(drop).unwrap();
    start.elapsed().as_secs_f64() / (2 * WAY).as_secs_f64()
}

#[tokio::test]
async fn a_warm_call_takes_no_more_trips_than_it_must() {
    let project = Project::new().await;
    let proxy = Proxy::start(project.database.config("postgres").get_ports()[0]).await;
    let url = proxy.url(&project.database.url("postgres"));
    let db = Db::new(Settings { pool_size: 1, ..settings(&url) });
    let ada = caller::user(project.ada).await;

    let read = async |c: &mut Conn<'_>| users::table.select(users::id).load::<uuid::Uuid>(c).await;
    let write = async |c: &mut Conn<'_>| {
        let target = users::table.find(project.ada);
        diesel::update(target).set(users::full_name.eq("Ada")).execute(c).await
    };
    // The first of each prepares.
    queries::full_name(&db, &ada).await.unwrap();
    queries::full_name(&db, &ada).await.unwrap();
    queries::set_full_name(&db, &ada, "Ada").await.unwrap();
    db.as_caller(&ada).read(read).await.unwrap();
    db.as_caller(&ada).write(write).await.unwrap();
    db_support::until("it is at rest", async || db.connections().idle == 1).await;

    proxy.delay(WAY);
    let at_rest =
        async || db_support::until("it is at rest", async || db.connections().idle == 1).await;
    let one = trips(queries::full_name(&db, &ada)).await;
    at_rest().await;
    let read = trips(db.as_caller(&ada).read(read)).await;
    at_rest().await;
    let write = trips(db.as_caller(&ada).write(write)).await;
    at_rest().await;
    let update_name = trips(queries::set_full_name(&db, &ada, "Ada")).await;
    println!("one {one:.2}, read {read:.2}, write {write:.2}, UpdateName {update_name:.2}");
    for (what, took, allowed) in
        [("one", one, 1.0), ("read", read, 1.0), ("write", write, 3.0), ("name", update_name, 2.0)]
    {
        assert!((allowed - 0.1..allowed + 0.9).contains(&took), "{what}: {took:.2} trips");
    }
}
