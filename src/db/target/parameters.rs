//! The parameters of a connection, as libpq names them.

/// libpq's parameters that are understood, and the environment variable that gives each where the
/// URL does not.
pub(super) const PARAMETERS: [(&str, &str); 16] = [
    ("host", "PGHOST"),
    ("port", "PGPORT"),
    ("user", "PGUSER"),
    ("password", "PGPASSWORD"),
    ("dbname", "PGDATABASE"),
    ("sslmode", "PGSSLMODE"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("application_name", "PGAPPNAME"),
    ("options", "PGOPTIONS"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("keepalives", ""),
    ("keepalives_idle", ""),
    ("keepalives_interval", ""),
    ("keepalives_count", ""),
];

/// Parameters that other clients know, the environment variable by which libpq is given each, and
/// what to do instead. Named when refused, since their names are no secret.
pub(super) const FOREIGN: [(&str, &str, &str); 20] = [
    ("connection_limit", "", "use DATABASE_POOL_SIZE"),
    ("pool_timeout", "", "use DATABASE_POOL_WAIT"),
    ("schema", "", "use DATABASE_SCHEMA"),
    ("search_path", "", "use DATABASE_SCHEMA"),
    ("statement_cache_size", "", "use DATABASE_POOL_MODE=transaction"),
    ("hostaddr", "PGHOSTADDR", "use host, and leave this unset"),
    ("service", "PGSERVICE", "service files are not supported: leave this unset"),
    ("passfile", "PGPASSFILE", "use PGPASSWORD or PGPASSWORD_FILE"),
    ("sslcert", "PGSSLCERT", "client certificates are not supported"),
    ("sslkey", "PGSSLKEY", "client certificates are not supported"),
    ("sslcrl", "PGSSLCRL", "revocation lists are not supported"),
    ("sslcrldir", "PGSSLCRLDIR", "revocation lists are not supported"),
    ("sslnegotiation", "PGSSLNEGOTIATION", "only `postgres` is supported"),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", "TLS 1.2 or 1.3 is used"),
    ("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", "TLS 1.2 or 1.3 is used"),
    ("gssencmode", "PGGSSENCMODE", "GSSAPI is not supported"),
    ("krbsrvname", "PGKRBSRVNAME", "GSSAPI is not supported"),
    ("requirepeer", "PGREQUIREPEER", "the server's user is not looked at"),
    ("require_auth", "PGREQUIREAUTH", "use channel_binding=require"),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS", "hosts are tried in order"),
];

/// Values of those that ask for what is done anyway.
const HARMLESS: [(&str, &str); 5] = [
    ("sslnegotiation", "postgres"),
    ("ssl_min_protocol_version", "TLSv1.2"),
    ("gssencmode", "disable"),
    ("gssencmode", "prefer"),
    ("load_balance_hosts", "disable"),
];

/// Whether a parameter is understood.
pub(super) fn is_known(key: &str) -> bool {
    PARAMETERS.iter().any(|(name, _)| *name == key)
}

/// Whether one that is not understood asks for what is done anyway.
pub(super) fn is_harmless(key: &str, value: &str) -> bool {
    HARMLESS.contains(&(key, value))
}
