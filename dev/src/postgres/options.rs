//! What a server is started with.

use std::path::PathBuf;

use uuid::Uuid;

use super::account::Account;

/// Where a server keeps its data, where it listens, and its parameters.
#[derive(Clone, Debug)]
pub struct Options {
    pub(super) directory: PathBuf,
    pub(super) port: u16,
    pub(super) temporary: bool,
    pub(super) settings: Vec<(String, String)>,
}

impl Options {
    /// A server that keeps its data in `directory`, across restarts, and listens on `port`.
    pub fn persistent(directory: impl Into<PathBuf>, port: u16) -> Self {
        let settings = vec![setting("max_connections", "100")];
        Self { directory: directory.into(), port, temporary: false, settings }
    }

    /// A server for tests: on a free port, without durability, gone with the value or the process.
    pub fn temporary() -> Self {
        let settings = vec![
            setting("max_connections", "300"),
            setting("fsync", "off"),
            setting("full_page_writes", "off"),
        ];
        // Short, since the path of a Unix socket may have about 100 bytes.
        let name = format!("user-service-{:08x}", Uuid::new_v4().as_fields().0);
        Self { directory: scratch().join(name), port: 0, temporary: true, settings }
    }

    /// Sets one of `postgresql.conf`'s parameters.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push(setting(name, value));
        self
    }

    /// Listens on a Unix socket in the server's directory too; without it there is none.
    pub fn socket(self) -> Self {
        let directory = self.directory.to_string_lossy().into_owned();
        self.set("unix_socket_directories", &directory)
    }

    /// Listens on this port; 0 finds a free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }
}

pub(super) fn setting(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// A folder for what need not last, which the server's user can enter.
fn scratch() -> PathBuf {
    let folder = std::env::temp_dir();
    let account = Account::find().ok().flatten();
    if account.is_none_or(|it| it.can_enter(&folder)) { folder } else { "/var/tmp".into() }
}
