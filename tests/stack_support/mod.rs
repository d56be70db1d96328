//! The service's own stack around a service of the tests', with the settings that are everyone's
//! defaults.

use std::sync::Arc;

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};
use tokio_util::sync::CancellationToken;
use tonic::service::RoutesBuilder;
use user_service::{
    app::{self, Shared},
    config::{self, Config},
    health::Readiness,
    metrics::Metrics,
    observe::Observe,
    server::App,
    wires::{Api, StepLayer},
};

/// The settings, with these over the defaults.
pub fn config(settings: &[(&str, &str)]) -> Config {
    let lookup = |name: &str| {
        let set = settings.iter().find(|(setting, _)| *setting == name);
        match (set, name) {
            (Some((_, value)), _) => Some((*value).to_owned()),
            // Needed by a service that has users; nothing here asks for them.
            (None, "DATABASE_URL") => Some("postgresql://nobody@127.0.0.1:1/none".to_owned()),
            (None, "JWT_SECRET") => Some("nobody's secret, which signs nothing".to_owned()),
            (None, "REFLECTION") => Some("off".to_owned()),
            _ => None,
        }
    };
    config::serve(&lookup).expect("settings")
}

/// The stack that `main` serves, around these services.
pub async fn app(api: &Api, services: RoutesBuilder, settings: &app::Settings) -> App {
    let (reporter, health) = tonic_health::server::health_reporter();
    let shared = Shared {
        health,
        readiness: Readiness::new(reporter, &[]).await,
        pages: axum::Router::new(),
        observer: StepLayer(Observe::new(Arc::new(Metrics::new(Nothing)))),
        closing: CancellationToken::new(),
    };
    app::new(api, services, settings, shared)
}

/// Nothing is counted elsewhere: there is no database and there are no tokens.
#[derive(Debug)]
struct Nothing;

impl Collector for Nothing {
    fn encode(&self, _: DescriptorEncoder) -> std::fmt::Result {
        Ok(())
    }
}
