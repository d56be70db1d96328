//! A port that is taken, or wrong, is named with the variable that moves it.

use std::net::TcpListener;

use anyhow::Result;
use dev::ports::Ports;

fn ports(set: &[(&str, &str)]) -> Result<Ports> {
    let value = |name: &str| set.iter().find(|(it, _)| *it == name).map(|(_, it)| (*it).to_owned());
    Ports::read(value)
}

#[test]
fn without_variables_the_ports_are_supabases_own_and_8080() -> Result<()> {
    let ports = ports(&[])?;
    let numbers = [ports.http, ports.auth, ports.database].map(|port| port.number);
    assert_eq!(numbers, [8080, 54321, 54322]);
    Ok(())
}

#[tokio::test]
async fn a_taken_port_names_its_variable() -> Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let number = taken.local_addr()?.port();
    let ports = ports(&[("DEV_AUTH_PORT", &number.to_string())])?;
    let error = ports.auth.wait_until_free().await.expect_err("taken");
    let text = format!("port {number} is taken: set DEV_AUTH_PORT to a free one");
    assert_eq!(error.to_string(), text);

    drop(taken);
    ports.auth.wait_until_free().await
}

#[test]
fn what_is_no_port_names_its_variable() {
    for text in ["", "0", "-1", "65536", "http"] {
        let error = ports(&[("DEV_DB_PORT", text)]).expect_err("no port").to_string();
        assert!(error.starts_with(&format!("DEV_DB_PORT is {text:?}")), "{error}");
    }
    let error = ports(&[("DEV_DB_PORT", "8080")]).expect_err("the same").to_string();
    assert_eq!(error, "DEV_HTTP_PORT and DEV_DB_PORT are the same port, 8080");
}
