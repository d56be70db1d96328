//! The log: to stderr, for people or for programs.

use std::io;

use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer as _, Registry,
    filter::{FilterExt as _, Targets},
    fmt,
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::config::{Log, LogFormat};

/// What may be logged at all, whatever the filter says. Dependencies log what passes through them,
/// down to tokens; tokio-postgres logs the values bound to statements.
fn cap() -> Targets {
    Targets::new()
        .with_default(Level::WARN)
        .with_target("user_service", LevelFilter::TRACE)
        .with_target("tokio_postgres", LevelFilter::OFF)
}

/// Starts logging. To be called once, by `main`.
pub fn start(log: &Log) {
    // Checked when the settings were read; the default is what remains.
    let wanted =
        log.filter.parse::<Targets>().unwrap_or_else(|_| Targets::new().with_default(Level::INFO));
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = match log.format {
        LogFormat::Pretty => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    Registry::default().with(lines.with_filter(wanted.and(cap()))).init();
}
