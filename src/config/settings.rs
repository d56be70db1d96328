//! The one table of settings: name, default, meaning. `--help` prints it, the reader obeys it.

/// One setting.
#[derive(Debug)]
pub(super) struct Setting {
    /// The environment variable.
    pub(super) name: &'static str,
    /// The default, in the form that a user would write.
    pub(super) default: Option<&'static str>,
    /// Whether it is secret: then it has no flag, and may come from a file named by `…_FILE`.
    pub(super) secret: bool,
    /// What it means.
    pub(super) help: &'static str,
}

impl Setting {
    /// The flag of the same name: `LISTEN_ADDR` is `--listen-addr`.
    pub(super) fn flag(&self) -> String {
        self.name.to_ascii_lowercase().replace('_', "-")
    }
}

/// Writes each setting once: as a constant to read it by, and as a line of [`SETTINGS`].
macro_rules! settings {
    ($($heading:literal { $($name:ident $(= $default:literal)? $(($secret:ident))? $help:literal;)+ })+) => {
        $($(
            #[doc = $help]
            pub(super) const $name: Setting = Setting {
                name: stringify!($name),
                default: settings!(@default $($default)?),
                secret: settings!(@secret $($secret)?),
                help: $help,
            };
        )+)+

        /// Every setting, under its heading, in the order of `--help`.
        pub(super) const SETTINGS: &[(&str, &[Setting])] = &[$(($heading, &[$($name,)+]),)+];
    };
    (@default) => { None };
    (@default $default:literal) => { Some($default) };
    (@secret) => { false };
    (@secret secret) => { true };
}

settings! {
    "Listening" {
        LISTEN_ADDR = "127.0.0.1:8080" "The one port, for gRPC, gRPC-Web and HTTP/JSON";
        PORT "The port alone: then on all interfaces. LISTEN_ADDR wins";
        ADMIN_ADDR "A second listener for /metrics, /healthz and /readyz";
        TLS_CERT "PEM file of the certificate chain; read again when it changes. Without it the port speaks HTTP/1.1 and h2c in the clear";
        TLS_KEY "PEM file of the certificate's private key";
        TLS_CLIENT_CA "PEM file of the authorities that clients' certificates must come from";
    }
    "Database" {
        DATABASE_URL (secret) "PostgreSQL, as Supabase prints it; or PGHOST, PGUSER, … Without sslmode: prefer on loopback and sockets, require elsewhere";
        MIGRATE_DATABASE_URL (secret) "The database for `migrate`, where it differs (a pooler in transaction mode cannot migrate)";
        DATABASE_SCHEMA = "public" "The schema that `users` is in";
        DATABASE_POOL_MODE "session or transaction; by itself transaction for port 6543 or ?pgbouncer=true";
        DATABASE_POOL_SIZE = "10" "Connections";
        DATABASE_POOL_WAIT = "3s" "The longest wait for a connection";
        DATABASE_POOL_QUEUE = "1024" "Calls that may wait for a connection, before OVERLOADED";
    }
    "Tokens" {
        SUPABASE_URL "The project. Its issuer is …/auth/v1, its keys are at …/auth/v1/.well-known/jwks.json";
        JWT_ISSUER "The issuer, where it differs; * switches the check off";
        JWT_AUDIENCE = "authenticated" "The audience; * switches the check off";
        JWKS_URL "The address of the keys, where it differs";
        JWT_SECRET (secret) "The secret of HS256 tokens, 32 bytes or more; also read as SUPABASE_JWT_SECRET. This or a key address is needed";
        JWT_SECRET_PREVIOUS (secret) "The secret before it, while tokens of both are about";
        JWT_CLOCK_SKEW = "30s" "How far clocks may differ, for exp, nbf and iat";
        JWT_MAX_LIFETIME "The longest lifetime of a token that is accepted; any by itself";
        JWKS_REFRESH = "10m" "Between two fetches of the keys";
        JWKS_COOLDOWN = "30s" "The least time between two fetches, which unknown keys cause and failed ones call for";
        JWKS_TIMEOUT = "5s" "The longest time that a fetch may take";
        JWKS_MAX_STALE = "24h" "How long the last keys are good while no newer can be had; should be at least JWKS_REFRESH and JWKS_TIMEOUT together";
        JWKS_ALLOW_HTTP = "off" "Whether keys may be fetched without TLS from elsewhere than loopback";
        TOKEN_MAX_BYTES = "16KiB" "The longest token that is looked at; should be at least 4 KiB below MAX_HEADER_BYTES, for the other headers";
        TOKEN_CACHE_BYTES = "8MiB" "What verified tokens may take of memory";
        TOKEN_CACHE_TTL = "60s" "How long a verified token is not verified again";
        SESSION_CHECK = "off" "Whether a sign-out or a ban ends a token before its time";
        SESSION_CHECK_TTL = "5s" "How long a session's state is believed";
    }
    "Calls" {
        CORS_ALLOWED_ORIGINS "The web pages that may call, comma-separated: https://app.example.com. * for all";
        REQUEST_TIMEOUT = "10s" "The longest unary call, and the longest wait for a stream's first message; grpc-timeout shortens it";
        MAX_BODY_BYTES = "256KiB" "A JSON body, what it unpacks to, or one gRPC message";
        MAX_HEADER_BYTES = "32KiB" "A request's headers, on HTTP/1.1 and HTTP/2; should be at least 4 KiB above TOKEN_MAX_BYTES";
        MAX_CONCURRENT_CALLS = "1024" "Calls at a time, before OVERLOADED";
    }
    "Connections" {
        MAX_CONNECTIONS = "10000" "Connections at a time";
        MAX_CONCURRENT_STREAMS = "100" "Calls at a time on one HTTP/2 connection";
        FIRST_REQUEST_TIMEOUT = "10s" "From the connection to its first request";
        TLS_HANDSHAKE_TIMEOUT = "10s" "From the connection to the end of the TLS handshake";
        HEADER_TIMEOUT = "75s" "HTTP/1.1: from one answer to the next request's headers";
        KEEPALIVE_INTERVAL = "20s" "HTTP/2: between pings";
        KEEPALIVE_TIMEOUT = "10s" "HTTP/2: from a ping to its answer; a peer that gives none is gone. So is one on HTTP/1.1 that takes no byte of an answer for both together. One on HTTP/2 that answers pings and takes no answer stays: MAX_CONNECTION_AGE ends it, MAX_CONNECTIONS bounds how many there are";
        MAX_CONNECTION_AGE "The age at which a connection is asked to end, so that load balancers spread again";
        MAX_CONNECTION_AGE_GRACE = "30s" "From that to its end";
        SHUTDOWN_DELAY = "0s" "At SIGTERM: not ready for so long, then closed to new calls";
        SHUTDOWN_TIMEOUT = "20s" "Then the longest wait for calls in flight";
    }
    "Explorers and logs" {
        REFLECTION = "on" "gRPC reflection, for grpcurl and its like";
        DOCS = "off" "/docs and /openapi.json";
        EXPLORER = "off" "The page at / that calls the service";
        SUPABASE_PUBLISHABLE_KEY "For signing in on the page at /";
        RUST_LOG = "info" "What is logged, to stderr";
        LOG_FORMAT "pretty or json; by itself pretty in a terminal, else json";
    }
}
