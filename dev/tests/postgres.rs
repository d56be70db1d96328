//! The private server: restarts, crashes, killed runs, copies.

use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Result;
use dev::postgres::{self, Cluster, Options, SUPERUSER};
use dev::testing::{self, Template};

#[tokio::test]
async fn data_survives_a_restart_and_a_crash_on_the_same_port() -> Result<()> {
    let mut cluster = Cluster::temporary().await?;
    let port = cluster.port();
    let client = cluster.connect(SUPERUSER, "postgres").await?;
    client.batch_execute("create table kept (n int); insert into kept values (1)").await?;

    cluster.restart().await?;
    assert_eq!(cluster.port(), port);
    assert!(client.batch_execute("select 1").await.is_err(), "the old connection is cut");
    let client = cluster.connect(SUPERUSER, "postgres").await?;
    client.batch_execute("insert into kept values (2)").await?;

    cluster.kill().await?;
    assert!(cluster.connect(SUPERUSER, "postgres").await.is_err());
    cluster.start_again().await?;
    let client = cluster.connect(SUPERUSER, "postgres").await?;
    let sum: i64 = client.query_one("select sum(n) from kept", &[]).await?.get(0);
    assert_eq!(sum, 3);
    Ok(())
}

#[tokio::test]
async fn a_dropped_temporary_server_leaves_nothing_behind() -> Result<()> {
    let cluster = Cluster::temporary().await?;
    let (port, directory) = (cluster.port(), cluster.directory().to_owned());
    drop(cluster);
    assert!(!directory.exists());
    assert!(TcpListener::bind(("127.0.0.1", port)).is_ok());
    Ok(())
}

#[tokio::test]
async fn a_killed_run_neither_leaves_a_server_nor_blocks_the_next() -> Result<()> {
    let directory = Scratch::new();
    // A run in a process of its own, which is then killed with SIGKILL.
    let mut run = Command::new(env!("CARGO_BIN_EXE_dev"))
        .args(["auth", "--directory"])
        .arg(&directory.0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(run.stdout.take().unwrap()).read_line(&mut line)?;
    assert!(line.starts_with("SUPABASE_URL=http://127.0.0.1:"), "{line}");
    run.kill()?;
    run.wait()?;

    let lock = directory.0.join("data/postmaster.pid");
    let cluster = Cluster::start(Options::persistent(&directory.0, 0)).await?;
    cluster.connect(SUPERUSER, "postgres").await?;
    drop(cluster);
    assert!(!lock.exists(), "no server is left");
    Ok(())
}

#[tokio::test]
async fn a_lock_whose_process_id_another_program_has_does_not_block_the_start() -> Result<()> {
    let directory = Scratch::new();
    drop(Cluster::start(Options::persistent(&directory.0, 0)).await?);
    let text = format!("{}\n{}\n", std::process::id(), directory.0.join("data").display());
    std::fs::write(directory.0.join("data/postmaster.pid"), text)?;
    Cluster::start(Options::persistent(&directory.0, 0)).await?;
    Ok(())
}

#[tokio::test]
async fn a_taken_port_is_told_in_the_servers_own_words() -> Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port();
    let error = Cluster::start(Options::temporary().port(port)).await.expect_err("taken");
    assert!(error.to_string().contains("in use"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_socket_is_there_only_where_it_was_asked_for() -> Result<()> {
    let cluster = Cluster::start(Options::temporary().socket()).await?;
    let mut config = tokio_postgres::Config::new();
    config.host_path(cluster.directory()).port(cluster.port()).dbname("postgres");
    config.user(SUPERUSER).password(cluster.config(SUPERUSER, "postgres").get_password().unwrap());
    let (_client, _connection) = config.connect(tokio_postgres::NoTls).await?;

    let client = testing::cluster().await?.connect(SUPERUSER, "postgres").await?;
    let row = client.query_one("show unix_socket_directories", &[]).await?;
    assert_eq!(row.get::<_, &str>(0), "");
    Ok(())
}

#[tokio::test]
async fn a_wrong_password_is_refused() -> Result<()> {
    let cluster = testing::cluster().await?;
    let mut config = cluster.config("postgres", "postgres");
    config.password("wrong");
    assert!(config.connect(tokio_postgres::NoTls).await.is_err());
    Ok(())
}

#[tokio::test]
async fn each_test_gets_its_own_copy_of_the_template() -> Result<()> {
    static TEMPLATE: Template = Template::new();
    let prepare = async |url: String| {
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        Ok(client.batch_execute("create table note (text text)").await?)
    };
    let first = TEMPLATE.copy(prepare).await?;
    let second = TEMPLATE.copy(prepare).await?;
    first.connect("postgres").await?.batch_execute("insert into note values ('first')").await?;
    let rows = second.connect("postgres").await?.query("select * from note", &[]).await?;
    assert!(rows.is_empty());

    let name = first.name().to_owned();
    let client = testing::cluster().await?.connect(SUPERUSER, "postgres").await?;
    drop(first);
    let there = "select exists (select from pg_database where datname = $1)";
    while client.query_one(there, &[&name]).await?.get(0) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

#[test]
fn data_goes_where_the_servers_user_can_enter() -> Result<()> {
    let folder = Scratch::new();
    let mut builder = std::fs::DirBuilder::new();
    builder.mode(0o700).create(&folder.0)?;
    let place = postgres::place(&folder.0)?;
    if rustix::process::geteuid().is_root() {
        assert_eq!(place.parent(), Some(Path::new("/var/tmp")));
        std::fs::set_permissions(&folder.0, Permissions::from_mode(0o711))?;
    }
    assert_eq!(postgres::place(&folder.0)?, folder.0.join("postgres"));
    Ok(())
}

/// A directory that is removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        Self(PathBuf::from(format!("/var/tmp/dev-test-{}", uuid::Uuid::new_v4().simple())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
