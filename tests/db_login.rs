//! The login that is enough, and those that are more.

mod db_support;

use std::fs;

use db_support::{Project, SUPERUSER, caller, pgbouncer::Pgbouncer, settings};
use user_service::db::{Db, users};

#[tokio::test]
async fn what_a_login_has_beyond_its_needs_is_told() {
    let project = Project::new().await;
    let not_bound = "is not bound by row level security";
    let owns = "owns the table users";
    let service_role = "may become service_role, which row level security does not bind";
    for (login, excess) in [
        ("authenticator", vec![service_role]),
        ("postgres", vec![not_bound, service_role, owns]),
        (SUPERUSER, vec!["is a superuser", not_bound, owns]),
    ] {
        let found = project.db(login).login().await.unwrap();
        assert_eq!((found.role.as_str(), found.excess().join(", ")), (login, excess.join(", ")));
    }
}

#[tokio::test]
async fn the_login_of_the_sql_file_is_enough_and_no_more() {
    let project = Project::new().await;
    let owner = project.database.connect("postgres").await.unwrap();
    owner.batch_execute(&fs::read_to_string("sql/login.sql").unwrap()).await.unwrap();
    owner.batch_execute("alter role user_service password 'enough'").await.unwrap();
    let url = project.database.url("postgres");
    let (_, rest) = url.split_once('@').unwrap();
    let url = format!("postgresql://user_service:enough@{rest}");

    let port = project.database.config("postgres").get_ports()[0];
    let pooler = Pgbouncer::start(port, 1, &[&url]).await;
    let ada = caller::user(project.ada).await;
    for url in [&url, &pooler.url(&url)] {
        let db = Db::new(settings(url));
        assert!(db.login().await.unwrap().excess().is_empty());
        assert_eq!(users::full_name(&db, &ada).await.unwrap(), Some(Some("Ada".to_owned())));
        assert_eq!(users::set_full_name(&db, &ada, "Ada").await.unwrap().as_deref(), Some("Ada"));
    }
}
