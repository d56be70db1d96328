//! The ports that the stack listens on, all on 127.0.0.1.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long a run that was just killed may still hold its ports.
const PATIENCE: Duration = Duration::from_secs(3);

/// One port and the environment variable that moves it.
#[derive(Clone, Copy, Debug)]
pub struct Port {
    /// The number.
    pub number: u16,
    variable: &'static str,
}

impl Port {
    fn read(
        lookup: &impl Fn(&str) -> Option<String>,
        variable: &'static str,
        default: u16,
    ) -> Result<Self> {
        let number = match lookup(variable) {
            Some(text) => text.parse().ok().filter(|number| *number != 0).with_context(|| {
                format!("{variable} is {text:?}: it takes a port, from 1 to 65535")
            })?,
            None => default,
        };
        Ok(Self { number, variable })
    }

    /// Waits until nothing listens on the port.
    ///
    /// # Errors
    ///
    /// When something still does after a moment; the text names the variable.
    pub async fn wait_until_free(self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while !is_free(self.number) {
            if Instant::now() > end {
                bail!("{}", self.taken());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// What to do when the port is taken.
    pub fn taken(self) -> String {
        let Self { number, variable } = self;
        format!("port {number} is taken: set {variable} to a free one")
    }
}

/// All ports of a stack.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// The service.
    pub http: Port,
    /// The Auth stand-in.
    pub auth: Port,
    /// PostgreSQL.
    pub database: Port,
}

impl Ports {
    /// Reads `DEV_HTTP_PORT` (8080), `DEV_AUTH_PORT` (54321) and `DEV_DB_PORT` (54322); `lookup`
    /// gives a variable's value.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let ports = Self {
            http: Port::read(&lookup, "DEV_HTTP_PORT", 8080)?,
            auth: Port::read(&lookup, "DEV_AUTH_PORT", 54321)?,
            database: Port::read(&lookup, "DEV_DB_PORT", 54322)?,
        };
        for (one, other) in
            [(ports.http, ports.auth), (ports.http, ports.database), (ports.auth, ports.database)]
        {
            if one.number == other.number {
                bail!("{} and {} are the same port, {}", one.variable, other.variable, one.number);
            }
        }
        Ok(ports)
    }
}

/// Whether a server could listen there. macOS lets it bind beside another's wildcard address, so
/// both are asked.
pub(crate) fn is_free(port: u16) -> bool {
    let address = (Ipv4Addr::LOCALHOST, port);
    TcpListener::bind(address).is_ok() && TcpStream::connect(address).is_err()
}
