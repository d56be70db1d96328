//! The queries on `users`, as every login a service may have.

mod db_support;

use db_support::{LOGINS, Project, caller};
use user_service::{
    db::{Error, users},
    error::{self, Reason},
};
use uuid::Uuid;

#[tokio::test]
async fn a_caller_reads_and_changes_their_own_name_with_every_login() {
    let project = Project::new().await;
    let ada = caller::user(project.ada).await;
    for login in LOGINS {
        let db = project.db(login);
        let name = users::full_name(&db, &ada).await.unwrap();
        assert_eq!(name, Some(Some("Ada".to_owned())), "{login}");
        let stored = users::set_full_name(&db, &ada, "Ada L.").await.unwrap();
        assert_eq!(stored.as_deref(), Some("Ada L."), "{login}");
        let name = users::full_name(&db, &ada).await.unwrap();
        assert_eq!(name, Some(Some("Ada L.".to_owned())), "{login}");
        users::set_full_name(&db, &ada, "Ada").await.unwrap();
    }
    let bob = caller::user(project.bob).await;
    let name = users::full_name(&project.db("postgres"), &bob).await.unwrap();
    assert_eq!(name, Some(Some("Bob".to_owned())));
}

#[tokio::test]
async fn a_name_that_is_null_and_a_row_that_is_missing_differ() {
    let project = Project::new().await;
    let db = project.db("authenticator");
    let nameless = Uuid::new_v4();
    project.sign_up(nameless, None).await;
    let nameless = caller::user(nameless).await;
    assert_eq!(users::full_name(&db, &nameless).await.unwrap(), Some(None));
    let nobody = caller::user(Uuid::new_v4()).await;
    assert_eq!(users::full_name(&db, &nobody).await.unwrap(), None);
    assert_eq!(users::set_full_name(&db, &nobody, "x").await.unwrap(), None);
}

#[tokio::test]
async fn a_row_that_a_policy_hides_is_no_row() {
    let project = Project::new().await;
    project.run(r#"alter policy "Can view own user data" on public.users using (false)"#).await;
    let ada = caller::user(project.ada).await;
    for login in LOGINS {
        let db = project.db(login);
        assert_eq!(users::full_name(&db, &ada).await.unwrap(), None, "{login}");
        assert_eq!(users::set_full_name(&db, &ada, "x").await.unwrap(), None, "{login}");
    }
}

#[track_caller]
fn assert_denied(error: &Error) {
    assert!(matches!(error, Error::Denied(_)), "{error:?}");
    assert_eq!(error.sqlstate().unwrap().as_str(), "42501");
    assert_eq!(error::Error::from(error.clone()).reason(), Reason::AccessDenied);
}

#[tokio::test]
async fn a_check_that_fails_and_a_grant_that_is_missing_are_denied() {
    let project = Project::new().await;
    let ada = caller::user(project.ada).await;
    let check = r#"alter policy "Can update own user data" on public.users with check (full_name <> 'Eve')"#;
    project.run(check).await;
    for login in LOGINS {
        let db = project.db(login);
        assert_denied(&users::set_full_name(&db, &ada, "Eve").await.unwrap_err());
        assert_eq!(users::set_full_name(&db, &ada, "Ada").await.unwrap().as_deref(), Some("Ada"));
    }
    project.run("revoke all on public.users from anon, authenticated").await;
    for login in LOGINS {
        let db = project.db(login);
        assert_denied(&users::full_name(&db, &ada).await.unwrap_err());
        assert_denied(&users::set_full_name(&db, &ada, "Ada").await.unwrap_err());
    }
}

#[tokio::test]
async fn a_triggers_own_exception_does_not_reach_the_client() {
    let project = Project::new().await;
    project
        .run(
            "create function public.refuse() returns trigger language plpgsql as $$
             begin raise exception 'inner words' using detail = 'inner detail', hint = 'inner hint'; end $$;
             create trigger refuse before update on public.users
             for each row execute function public.refuse();",
        )
        .await;
    let ada = caller::user(project.ada).await;
    let error = users::set_full_name(&project.db("postgres"), &ada, "x").await.unwrap_err();
    assert_eq!(error.sqlstate().unwrap().as_str(), "P0001");
    let told = format!("{error} {error:?}");
    assert!(!told.contains("detail") && !told.contains("hint"), "{told}");
    let error = error::Error::from(error);
    assert_eq!(error.reason(), Reason::Internal);
    let status = tonic::Status::from(error);
    assert!(!format!("{status:?}").contains("inner"), "{status:?}");
}

#[tokio::test]
async fn a_trigger_may_change_the_name_or_take_it() {
    let project = Project::new().await;
    project
        .run(
            "create function public.shorten() returns trigger language plpgsql as $$
             begin new.full_name := nullif(left(new.full_name, 3), 'nil'); return new; end $$;
             create trigger shorten before update on public.users
             for each row execute function public.shorten();",
        )
        .await;
    let db = project.db("postgres");
    let ada = caller::user(project.ada).await;
    assert_eq!(users::set_full_name(&db, &ada, "Augusta").await.unwrap().as_deref(), Some("Aug"));
    assert_eq!(users::set_full_name(&db, &ada, "nil").await.unwrap().as_deref(), Some(""));
    assert_eq!(users::full_name(&db, &ada).await.unwrap(), Some(None));
}

#[tokio::test]
async fn users_is_found_in_another_schema_whatever_its_name() {
    let project = Project::new().await;
    project
        .run(
            r#"create schema "My ""app"; grant usage on schema "My ""app" to authenticated;
               alter table public.users set schema "My ""app";"#,
        )
        .await;
    let ada = caller::user(project.ada).await;
    for login in LOGINS {
        let settings = project.settings(login);
        let db = user_service::db::Db::new(user_service::db::Settings {
            schema: "My \"app".to_owned(),
            ..settings
        });
        let name = users::full_name(&db, &ada).await.unwrap();
        assert_eq!(name, Some(Some("Ada".to_owned())), "{login}");
        assert_eq!(users::set_full_name(&db, &ada, "Ada").await.unwrap().as_deref(), Some("Ada"));
    }
}
