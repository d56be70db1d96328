//! The parts of a Supabase project's database that the service relies on: its roles, the schemas
//! `auth` and `extensions`, their grants, and the functions that policies call.

use anyhow::{Context, Result};

use crate::postgres::{Cluster, SUPERUSER};

const ROLES: &str = include_str!("roles.sql");
const DATABASE: &str = include_str!("database.sql");

/// Makes the server and its database `postgres` what a new Supabase project has. What is there
/// already stays.
pub async fn install(cluster: &Cluster) -> Result<()> {
    let client = cluster.connect(SUPERUSER, "postgres").await?;
    client.batch_execute(ROLES).await.context("cannot make Supabase's roles")?;
    for (role, password) in cluster.passwords() {
        client.batch_execute(&format!("alter role {role} password '{password}'")).await?;
    }
    install_in(cluster, "postgres").await
}

/// Makes one more database of the server such a project. Its roles must be there already.
pub async fn install_in(cluster: &Cluster, database: &str) -> Result<()> {
    let client = cluster.connect(SUPERUSER, database).await?;
    let there = "select exists (select from pg_namespace where nspname = 'auth')";
    if client.query_one(there, &[]).await?.get(0) {
        return Ok(());
    }
    // One transaction: a killed run leaves all or nothing.
    client
        .batch_execute(&format!("begin; {DATABASE} commit;"))
        .await
        .context("cannot make Supabase's schemas")
}
