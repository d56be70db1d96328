//! A session with a server: the addresses tried, the login, the task that carries its messages.

use std::{slice, time::Duration};

use futures_util::{StreamExt as _, stream};
use tokio::{sync::mpsc, task::AbortHandle, time::timeout};
use tokio_postgres::{
    AsyncMessage, CancelToken, Client, SimpleQueryMessage, error::DbError, types::Type,
};

use super::{
    dial::{self, Peer},
    error::Cause,
    progress::{Progress, Step},
    server,
    sqlstate::FirstSqlState,
    target::{Address, Host, SessionAttrs, SslMode, Target},
};

/// A session that has been logged in to, before diesel gets it.
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) sqlstate: FirstSqlState,
    /// To be kept for as long as the client: dropping it cuts the socket.
    pub(super) driver: Driver,
    pub(super) canceller: Canceller,
    /// The server takes no changes.
    pub(super) read_only: bool,
    /// What [`server::READ_ONLY`] says at the beginning.
    pub(super) found_read_only: bool,
    in_recovery: bool,
}

/// Where a server's notices go.
pub(super) type Notices = mpsc::UnboundedSender<DbError>;

impl Session {
    /// Logs in to the first host that will do.
    pub(super) async fn open(target: &Target, notices: Option<Notices>) -> Result<Self, Cause> {
        let mut first: Option<Cause> = None;
        // `prefer-standby` is content with anything the second time round.
        let rounds: &[_] = match target.session_attrs {
            SessionAttrs::PreferStandby => &[SessionAttrs::Standby, SessionAttrs::Any],
            ref attrs => slice::from_ref(attrs),
        };
        for attrs in rounds {
            for host in &target.hosts {
                match Self::open_host(target, host, *attrs, notices.as_ref()).await {
                    Ok(session) => return Ok(session),
                    Err(problem) => {
                        let problem = problem.at(host);
                        first = Some(first.map_or(problem.clone(), |first| first.and(&problem)));
                    }
                }
            }
        }
        Err(first.unwrap_or_else(|| "no host to connect to".to_owned().into()))
    }

    async fn open_host(
        target: &Target,
        host: &Host,
        attrs: SessionAttrs,
        notices: Option<&Notices>,
    ) -> Result<Self, Cause> {
        let peers = Self::resolve(target, host).await?;
        Self::open_any(target, host, peers, attrs, notices, &Progress::default()).await
    }

    /// All addresses of a host.
    pub(super) async fn resolve(target: &Target, host: &Host) -> Result<Vec<Peer>, Cause> {
        match timeout(target.connect_timeout, dial::peers(host)).await {
            Ok(found) => found.map_err(|error| error.to_string().into()),
            Err(_) => Err(no_answer(target.connect_timeout)),
        }
    }

    /// Logs in at the first of a host's addresses that will do.
    pub(super) async fn open_any(
        target: &Target,
        host: &Host,
        peers: Vec<Peer>,
        attrs: SessionAttrs,
        notices: Option<&Notices>,
        progress: &Progress,
    ) -> Result<Self, Cause> {
        let mut problem = Cause::from("the name has no address".to_owned());
        for peer in peers {
            let attempt = Self::open_peer(target, host, peer, notices.cloned(), progress);
            problem = match timeout(target.connect_timeout, attempt).await {
                Ok(Ok(session)) if session.suits(attrs) => return Ok(session),
                Ok(Ok(session)) => {
                    progress.is_logged_in();
                    let kind = session.kind();
                    format!("it is {kind}, and target_session_attrs={attrs} wants another").into()
                }
                Ok(Err(problem)) => problem,
                Err(_) => no_answer(target.connect_timeout),
            };
        }
        Err(problem)
    }

    async fn open_peer(
        target: &Target,
        host: &Host,
        peer: Peer,
        notices: Option<Notices>,
        progress: &Progress,
    ) -> Result<Self, Cause> {
        let sqlstate = FirstSqlState::default();
        let name = match &host.address {
            Address::Host(name) => name.clone(),
            Address::Socket(_) => String::new(),
        };
        progress.begins(Step::Reach);
        let socket = dial::dial(&peer, target.keepalive).await;
        let socket = socket.map_err(|error| Cause::from(error.to_string()))?;
        let (stream, connector) = dial::secure(
            socket,
            &target.tls,
            &name,
            host.ssl_mode,
            sqlstate.clone(),
            progress.clone(),
        );
        progress.begins(if host.ssl_mode.demands_tls() { Step::Secure } else { Step::LogIn });
        let mut login = target.login.clone();
        login.ssl_mode(host.ssl_mode.negotiate());
        let (client, mut connection) =
            login.connect_raw(stream, connector).await.map_err(|error| Cause::from(&error))?;
        let driver = tokio::spawn(async move {
            let mut messages = stream::poll_fn(|cx| connection.poll_message(cx));
            while let Some(Ok(message)) = messages.next().await {
                if let (AsyncMessage::Notice(notice), Some(notices)) = (message, &notices) {
                    let _ = notices.send(notice); // nobody listens any more
                }
            }
        });
        let token = client.cancel_token();
        let mut session = Self {
            client,
            sqlstate,
            canceller: Canceller {
                token,
                target: target.clone(),
                host: name,
                peer,
                ssl_mode: host.ssl_mode,
            },
            driver: Driver(Some(driver.abort_handle())),
            read_only: false,
            found_read_only: false,
            in_recovery: false,
        };
        let question = format!(
            "SHOW transaction_read_only; {}; SELECT pg_catalog.pg_is_in_recovery()",
            server::READ_ONLY
        );
        let told = session.ask(&question).await?;
        let says = |at: usize, yes: &str| told.get(at).is_some_and(|value| value == yes);
        session.read_only = says(0, "on");
        session.found_read_only = says(1, "t");
        session.in_recovery = says(2, "t");
        Ok(session)
    }

    /// What `target_session_attrs` tells apart.
    fn kind(&self) -> &'static str {
        match (self.in_recovery, self.read_only) {
            (true, _) => "a standby",
            (false, true) => "a primary that takes no changes",
            (false, false) => "a primary that takes changes",
        }
    }

    fn suits(&self, attrs: SessionAttrs) -> bool {
        match attrs {
            SessionAttrs::Any | SessionAttrs::PreferStandby => true,
            SessionAttrs::ReadWrite => !self.read_only,
            SessionAttrs::ReadOnly => self.read_only,
            SessionAttrs::Primary => !self.in_recovery,
            SessionAttrs::Standby => self.in_recovery,
        }
    }

    /// Why this schema cannot be the one that holds `users`.
    pub(super) async fn unusable(&self, schema: &str) -> Result<Option<String>, Cause> {
        let [head, tail] = server::SCHEMA;
        let question = format!("{head}$1{tail}");
        let rows = self.client.query_typed(&question, &[(&schema, Type::TEXT)]).await;
        let rows = rows.map_err(|error| Cause::from(&error))?;
        rows.first().map_or(Ok(None), |row| row.try_get(0).map_err(|error| (&error).into()))
    }

    /// Runs statements that answer nothing.
    pub(super) async fn run(&mut self, statements: &str) -> Result<(), Cause> {
        self.client.batch_execute(statements).await.map_err(|error| (&error).into())
    }

    /// Runs statements and returns the first column of every row.
    async fn ask(&mut self, statements: &str) -> Result<Vec<String>, Cause> {
        let told = self.client.simple_query(statements).await;
        let told = told.map_err(|error| Cause::from(&error))?;
        let rows = told.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        Ok(rows.collect())
    }
}

/// The task that reads and writes a connection's socket. Cuts it when dropped.
pub(super) struct Driver(Option<AbortHandle>);

impl Driver {
    pub(super) fn is_finished(&self) -> bool {
        self.0.as_ref().is_none_or(AbortHandle::is_finished)
    }

    /// Lets the task say goodbye to the server.
    pub(super) fn part(&mut self) {
        self.0 = None;
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

/// Asks a server to stop what a connection runs.
#[derive(Clone)]
pub(super) struct Canceller {
    token: CancelToken,
    target: Target,
    host: String,
    peer: Peer,
    ssl_mode: SslMode,
}

impl Canceller {
    /// The server's address.
    pub(super) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Sends the request, and returns when the server has dealt with it: then it closes the
    /// connection. Closing it first would be the end of pgbouncer 1.18, where the request is still
    /// to be passed on.
    pub(super) async fn cancel(&self) -> Result<(), Cause> {
        let socket = dial::dial(&self.peer, self.target.keepalive).await;
        let socket = socket.map_err(|error| Cause::from(error.to_string()))?;
        let (stream, connector) = dial::secure(
            socket,
            &self.target.tls,
            &self.host,
            self.ssl_mode,
            FirstSqlState::default(),
            Progress::default(),
        );
        self.token
            .cancel_query_raw(stream.server_closes(), connector)
            .await
            .map_err(|error| (&error).into())
    }
}

/// What is told of a server that is silent.
pub(super) fn no_answer(limit: Duration) -> Cause {
    format!("no answer within {limit:?}").into()
}
