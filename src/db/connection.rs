//! One connection to the database, from the first address tried to its last statement.

use std::{any::TypeId, collections::HashSet, fmt, time::Duration};

use diesel::connection::CacheSize;
use diesel_async::{AsyncConnection as _, AsyncPgConnection};
use futures_util::{StreamExt as _, stream};
use tokio::{
    sync::mpsc,
    task::AbortHandle,
    time::{Instant, timeout},
};
use tokio_postgres::{
    AsyncMessage, CancelToken, Client, SimpleQueryMessage,
    config::SslMode as Negotiate,
    error::DbError,
    tls::{MakeTlsConnect, TlsConnect},
};

use super::{
    dial::{self, Peer, Socket},
    error::Cause,
    search_path::SearchPath,
    sqlstate::{FirstSqlState, Watched},
    statements::{self, Begin},
    target::{Address, Host, PoolMode, SessionAttrs, SslMode, Target},
    tls::Tls,
};

/// What a session is until a caller's transaction begins, and again when it has ended: nobody, and
/// unable to write. A statement that escapes its transaction sees what a stranger sees.
const REST: &str = "SET ROLE anon; SET default_transaction_read_only = on;";

/// A connection, and what has to be known of it between transactions.
pub(super) struct Connection {
    pub(super) pg: AsyncPgConnection,
    /// The first error's code since the transaction began.
    pub(super) sqlstate: FirstSqlState,
    /// A transaction may still be open, or a statement running: not for the next caller.
    pub(super) in_doubt: bool,
    /// The server took no changes when the connection was made.
    read_only: bool,
    pub(super) opened: Instant,
    pub(super) canceller: Canceller,
    pool_mode: PoolMode,
    /// Statements that this connection has run once, so that they go out without a question first.
    known: HashSet<TypeId>,
    driver: Driver,
}

impl Connection {
    /// Connects to the first host that answers and is what `target_session_attrs` asks for, and
    /// puts the session to rest.
    pub(super) async fn open(
        target: &Target,
        pool_mode: PoolMode,
        search_path: &SearchPath,
    ) -> Result<Self, Cause> {
        let mut session = Session::open(target, None).await?;
        let rest = async {
            if pool_mode == PoolMode::Session {
                session.run(&format!("{REST} SET search_path = {search_path}")).await?;
            }
            session.into_connection(pool_mode).await
        };
        let rest = timeout(target.connect_timeout, rest).await;
        rest.unwrap_or_else(|_| Err(no_answer(target.connect_timeout)))
    }

    /// Whether every transaction on this connection may meet another server session.
    pub(super) fn is_shared(&self) -> bool {
        self.pool_mode == PoolMode::Transaction
    }

    /// Whether a transaction has begun with `B` here before, so that what comes first is prepared.
    pub(super) fn has_begun<B: Begin>(&self) -> bool {
        self.knows(Some(TypeId::of::<B>()))
    }

    /// Whether a statement has been run here before.
    pub(super) fn knows(&self, statement: Option<TypeId>) -> bool {
        statement.is_some_and(|statement| self.known.contains(&statement))
    }

    /// Remembers a statement that has been run: on a session of one's own it is prepared now, and
    /// its types are looked up.
    pub(super) fn remember(&mut self, statement: TypeId) {
        if !self.is_shared() {
            self.known.insert(statement);
        }
    }

    /// Whether the server took no changes when the connection was made. Of a shared one it is not
    /// known: every transaction may meet another server.
    pub(super) fn is_read_only(&self) -> bool {
        self.read_only && !self.is_shared()
    }

    /// Whether the socket is known to be closed. Asks nobody.
    pub(super) fn is_closed(&self) -> bool {
        self.driver.is_finished()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // In doubt, a parting word would queue behind what still runs: then the socket is cut.
        if !self.in_doubt {
            self.driver.part();
        }
    }
}

/// The task that reads and writes a connection's socket. Cuts it when dropped.
pub(super) struct Driver(Option<AbortHandle>);

impl Driver {
    fn is_finished(&self) -> bool {
        self.0.as_ref().is_none_or(AbortHandle::is_finished)
    }

    /// Lets the task say goodbye to the server.
    fn part(&mut self) {
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
    pub(super) async fn cancel(&self) -> Result<(), Cause> {
        let socket = dial::dial(&self.peer, self.target.keepalive).await;
        let socket = socket.map_err(|error| Cause::from(error.to_string()))?;
        let (stream, connector) =
            secure(socket, &self.target.tls, &self.host, self.ssl_mode, FirstSqlState::default());
        self.token.cancel_query_raw(stream, connector).await.map_err(|error| (&error).into())
    }
}

/// A session that has been logged in to, before diesel gets it.
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) sqlstate: FirstSqlState,
    /// To be kept for as long as the client: dropping it cuts the socket.
    pub(super) driver: Driver,
    canceller: Canceller,
    read_only: bool,
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
            ref attrs => std::slice::from_ref(attrs),
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
        let peers = dial::peers(host).await.map_err(|error| Cause::from(error.to_string()))?;
        let mut problem = Cause::from("the name has no address".to_owned());
        for peer in peers {
            let attempt = Self::open_peer(target, host, peer, notices.cloned());
            problem = match timeout(target.connect_timeout, attempt).await {
                Ok(Ok(session)) if session.suits(attrs) => return Ok(session),
                Ok(Ok(_)) => {
                    "not the kind of server that target_session_attrs asks for".to_owned().into()
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
    ) -> Result<Self, Cause> {
        let sqlstate = FirstSqlState::default();
        let name = match &host.address {
            Address::Host(name) => name.clone(),
            Address::Socket(_) => String::new(),
        };
        let socket = dial::dial(&peer, target.keepalive).await;
        let socket = socket.map_err(|error| Cause::from(error.to_string()))?;
        let (stream, connector) =
            secure(socket, &target.tls, &name, host.ssl_mode, sqlstate.clone());
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
            in_recovery: false,
        };
        let told = session.ask("SHOW transaction_read_only; SELECT pg_is_in_recovery()").await?;
        session.read_only = told.first().is_some_and(|value| value == "on");
        session.in_recovery = told.get(1).is_some_and(|value| value == "t");
        Ok(session)
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

    pub(super) async fn into_connection(self, pool_mode: PoolMode) -> Result<Connection, Cause> {
        Ok(Connection {
            pg: into_pg(self.client, pool_mode).await?,
            sqlstate: self.sqlstate,
            canceller: self.canceller,
            driver: self.driver,
            read_only: self.read_only,
            opened: Instant::now(),
            in_doubt: false,
            pool_mode,
            known: HashSet::new(),
        })
    }
}

/// Hands a client to diesel. Diesel sets two options by prepared statements: on a shared session
/// they must stay inside a transaction, and no statement may outlive one.
pub(super) async fn into_pg(
    client: Client,
    pool_mode: PoolMode,
) -> Result<AsyncPgConnection, Cause> {
    let refused = |error: &dyn fmt::Display| Cause::from(error.to_string());
    if pool_mode == PoolMode::Session {
        return AsyncPgConnection::try_from(client).await.map_err(|error| refused(&error));
    }
    client.batch_execute("BEGIN").await.map_err(|error| Cause::from(&error))?;
    let mut pg = AsyncPgConnection::try_from(client).await.map_err(|error| refused(&error))?;
    pg.set_prepared_statement_cache_size(CacheSize::Disabled);
    statements::raw(&pg, statements::ROLLBACK).await.map_err(|error| refused(&error))?;
    Ok(pg)
}

impl SslMode {
    fn negotiate(self) -> Negotiate {
        match self {
            Self::Disable => Negotiate::Disable,
            Self::Prefer => Negotiate::Prefer,
            Self::Require | Self::VerifyCa | Self::VerifyFull => Negotiate::Require,
        }
    }
}

/// Prepares a socket for the login: watched as it is, and watched again above TLS.
fn secure(
    socket: Socket,
    tls: &Tls,
    host: &str,
    ssl_mode: SslMode,
    sqlstate: FirstSqlState,
) -> (Watched<Socket>, Secure) {
    // The server's answer to the question for TLS is one byte.
    let skip = usize::from(ssl_mode != SslMode::Disable);
    let mut tls = tls.clone();
    let Ok(connector) = MakeTlsConnect::<Socket>::make_tls_connect(&mut tls, host);
    (Watched::new(socket, skip, sqlstate), Secure(connector))
}

type Connector = <Tls as MakeTlsConnect<Socket>>::TlsConnect;

struct Secure(Connector);

impl TlsConnect<Watched<Socket>> for Secure {
    type Stream = Watched<<Connector as TlsConnect<Socket>>::Stream>;
    type Error = <Connector as TlsConnect<Socket>>::Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Stream, Self::Error>> + Send>>;

    fn connect(self, stream: Watched<Socket>) -> Self::Future {
        Box::pin(async move {
            let (socket, sqlstate) = stream.into_inner();
            Ok(Watched::new(self.0.connect(socket).await?, 0, sqlstate))
        })
    }
}

fn no_answer(limit: Duration) -> Cause {
    format!("no answer within {limit:?}").into()
}
