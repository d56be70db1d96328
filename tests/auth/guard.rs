//! What a method requires, and whether the session stands: on all three wires, around a service
//! with one method for each requirement.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use http::{Request, header::WWW_AUTHENTICATE};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use serde_json::{Value, json};
use test_protos::gate::v1::{
    EnterRequest, EnterResponse,
    gate_service_server::{GateService, GateServiceServer},
};
use tokio::{net::TcpListener, sync::Notify, task::AbortHandle};
use tonic::{Code, Response, Status, body::Body, service::Routes};
use tower::{ServiceBuilder, ServiceExt as _, service_fn};
use user_service::{
    auth::{Auth, Caller, Clock, Session, Sessions, Settings, Standing},
    error::{self, Error, Reason},
    wires::{Api, Options},
};

use crate::client::{Answer, Client, WIRES, Wire};
use crate::support::{
    NOW,
    issuer::{ISSUER, Issuer, SESSION, USER, with, without},
};

/// Tells each caller who they are.
struct Gate;

fn met(request: tonic::Request<EnterRequest>) -> Result<Response<EnterResponse>, Status> {
    let (caller, _) = Caller::take(request)?;
    Ok(Response::new(EnterResponse {
        role: caller.role().as_str().to_owned(),
        user: caller.id().map(|id| id.to_string()).unwrap_or_default(),
        claims: caller.claims().to_owned(),
    }))
}

type Met = Result<Response<EnterResponse>, Status>;

#[tonic::async_trait]
impl GateService for Gate {
    async fn signed_in(&self, request: tonic::Request<EnterRequest>) -> Met {
        met(request)
    }

    async fn public(&self, request: tonic::Request<EnterRequest>) -> Met {
        met(request)
    }

    async fn permanent_user(&self, request: tonic::Request<EnterRequest>) -> Met {
        met(request)
    }

    async fn aal2(&self, request: tonic::Request<EnterRequest>) -> Met {
        met(request)
    }
}

/// The gate behind its guard, on a real socket.
struct Service {
    issuer: Issuer,
    client: Client,
    accepting: AbortHandle,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Service {
    async fn start(clock: Clock, sessions: Sessions) -> Self {
        let options = Options {
            domain: Some(error::DOMAIN),
            response_metadata: vec![WWW_AUTHENTICATE],
            ..Options::default()
        };
        let api = Api::new(&[test_protos::DESCRIPTORS], options).expect("good annotations");
        let issuer = Issuer::new();
        let settings = Settings {
            secrets: vec![user_service::auth::Secret::new(&issuer.secret).unwrap()],
            issuer: Some(ISSUER.to_owned()),
            ..Settings::default()
        };
        let auth = Auth::new(settings, api.pool(), clock).expect("good settings");
        let routes = Routes::new(auth.guard(GateServiceServer::new(Gate), sessions));
        let app = ServiceBuilder::new()
            .map_request(|request: Request<Incoming>| request.map(Body::new))
            .layer(api.decide())
            .layer(api.translate())
            .layer(api.outcome())
            .layer(api.deadline(Duration::from_secs(10)))
            .layer(api.framing())
            .service(routes.prepare());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client =
            Client::new(format!("http://{}", listener.local_addr().unwrap()), api.pool().clone());
        let accepting = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let app = app.clone();
                let service = TowerToHyperService::new(service_fn(move |request| {
                    app.clone().oneshot(request)
                }));
                tokio::spawn(async move {
                    let server = auto::Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { issuer, client, accepting: accepting.abort_handle() }
    }

    async fn unchecked() -> Self {
        Self::start(Clock::standing_at(NOW), Sessions::unchecked()).await
    }

    async fn call(&self, wire: Wire, method: &str, token: Option<&str>) -> Answer {
        let path = format!("/gate.v1.GateService/{method}");
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> =
            bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        self.client.call(wire, &path, &headers, json!({})).await
    }

    /// A token of the usual claims with some of them set to other values.
    fn token(&self, changes: Value) -> String {
        let mut claims = self.issuer.claims(NOW);
        for (name, value) in changes.as_object().unwrap() {
            claims = with(&claims, name, value.clone());
        }
        self.issuer.hs256(&claims)
    }
}

const METHODS: [&str; 4] = ["SignedIn", "Public", "PermanentUser", "Aal2"];

#[tokio::test]
async fn every_requirement_holds_on_every_wire() {
    use Reason::{Aal2Required, PermanentUserRequired, TokenExpired, TokenMissing};
    let service = Service::unchecked().await;
    let user = service.token(json!({}));
    let anonymous = service.token(json!({"is_anonymous": true}));
    let second_factor = service.token(json!({"aal": "aal2"}));
    let expired = service.token(json!({"exp": NOW - 60}));
    // For each kind of caller what they meet at each method, in the order of METHODS.
    let rows = [
        ("nobody", None, [Some(TokenMissing), None, Some(TokenMissing), Some(TokenMissing)]),
        ("a user", Some(&user), [None, None, None, Some(Aal2Required)]),
        (
            "an anonymous user",
            Some(&anonymous),
            [None, None, Some(PermanentUserRequired), Some(Aal2Required)],
        ),
        ("a second factor", Some(&second_factor), [None; 4]),
        ("an expired token", Some(&expired), [Some(TokenExpired); 4]),
    ];
    let mut walked = 0;
    for wire in WIRES {
        for (who, token, reasons) in &rows {
            for (method, reason) in METHODS.iter().zip(reasons) {
                let answer = service.call(wire, method, token.map(String::as_str)).await;
                let name = reason.map(|reason| reason.as_str().to_owned());
                assert_eq!(answer.reason(), name, "{who} at {method} over {wire:?}");
                let code = reason.map_or(Code::Ok, Reason::code);
                assert_eq!(answer.code, code, "{who} at {method} over {wire:?}");
                walked += 1;
            }
        }
    }
    assert_eq!(walked, 3 * 5 * 4);
    let described: BTreeSet<_> = test_protos_gate_methods().into_iter().collect();
    assert_eq!(described, METHODS.iter().map(|name| (*name).to_owned()).collect());
}

/// RFC 6750, section 3: also where a good token does not allow the call, and with that code.
#[tokio::test]
async fn over_http_a_token_that_is_not_enough_is_challenged() {
    let service = Service::unchecked().await;
    let anonymous = service.token(json!({"is_anonymous": true}));
    for method in ["PermanentUser", "Aal2"] {
        let answer = service.call(Wire::Json, method, Some(&anonymous)).await;
        let challenges: Vec<_> = answer.headers.get_all(WWW_AUTHENTICATE).iter().collect();
        assert_eq!(answer.http, 403);
        assert_eq!(challenges, [r#"Bearer error="insufficient_scope""#], "{method}");
    }
    let answer = service.call(Wire::Json, "SignedIn", None).await;
    assert_eq!(answer.headers.get_all(WWW_AUTHENTICATE).iter().count(), 1, "and never twice");
}

fn test_protos_gate_methods() -> Vec<String> {
    let pool = prost_reflect::DescriptorPool::decode(test_protos::DESCRIPTORS).unwrap();
    let gate = pool.get_service_by_name("gate.v1.GateService").unwrap();
    gate.methods().map(|method| method.name().to_owned()).collect()
}

#[tokio::test]
async fn a_method_meets_the_verified_caller() {
    let service = Service::unchecked().await;
    let token = service.token(json!({}));
    for wire in WIRES {
        let answer = service.call(wire, "SignedIn", Some(&token)).await;
        let claims = service.issuer.claims(NOW).to_string();
        let met = json!({"role": "authenticated", "user": USER, "claims": claims});
        assert_eq!(answer.value, met);

        let answer = service.call(wire, "Public", None).await;
        assert_eq!(answer.value["role"], "anon");
        assert_eq!(answer.value["claims"], r#"{"role":"anon"}"#);
        assert_eq!(answer.value.get("user").and_then(Value::as_str).unwrap_or(""), "");
    }
}

#[tokio::test]
async fn a_token_is_checked_before_the_body_is_read() {
    let service = Service::unchecked().await;
    let path = "/gate.v1.GateService/SignedIn";
    let answer = service.client.http(http::Method::POST, path, &[], "{broken").await;
    assert_eq!(answer.status, 401);
    let bearer = format!("Bearer {}", service.token(json!({})));
    let headers = [("authorization", bearer.as_str())];
    let answer = service.client.http(http::Method::POST, path, &headers, "{broken").await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn two_authorization_headers_are_refused_on_every_wire() {
    let service = Service::unchecked().await;
    let bearer = format!("Bearer {}", service.token(json!({})));
    let headers = [("authorization", bearer.as_str()), ("authorization", bearer.as_str())];
    for wire in WIRES {
        let path = "/gate.v1.GateService/Public";
        let answer = service.client.call(wire, path, &headers, json!({})).await;
        assert_eq!(answer.reason().as_deref(), Some("AUTHORIZATION_MALFORMED"), "{wire:?}");
    }
}

/// Sessions as a database would know them, and how often it was asked.
#[derive(Clone)]
struct Ledger {
    answer: Arc<Mutex<Result<Standing, Reason>>>,
    asked: Arc<AtomicUsize>,
    session: Arc<Mutex<Option<Session>>>,
    /// Holds answers back while set.
    gate: Arc<Mutex<Option<Arc<Notify>>>>,
}

impl Ledger {
    fn new() -> Self {
        Self {
            answer: Arc::new(Mutex::new(Ok(Standing::Active))),
            asked: Arc::default(),
            session: Arc::default(),
            gate: Arc::default(),
        }
    }

    fn sessions(&self, clock: &Clock) -> Sessions {
        let ledger = self.clone();
        Sessions::checked(TTL, clock.clone(), move |session| {
            let ledger = ledger.clone();
            async move {
                ledger.asked.fetch_add(1, SeqCst);
                *ledger.session.lock().unwrap() = Some(session);
                let gate = ledger.gate.lock().unwrap().clone();
                if let Some(gate) = gate {
                    gate.notified().await;
                }
                ledger.answer.lock().unwrap().map_err(Error::from)
            }
        })
    }

    fn say(&self, answer: Result<Standing, Reason>) {
        *self.answer.lock().unwrap() = answer;
    }

    fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }
}

const TTL: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_sign_out_or_a_ban_stops_the_token_within_the_ttl_on_every_wire() {
    for (standing, code, reason) in [
        (Standing::Ended, Code::Unauthenticated, "SESSION_ENDED"),
        (Standing::Banned, Code::PermissionDenied, "USER_BANNED"),
    ] {
        for wire in WIRES {
            let (clock, ledger) = (Clock::standing_at(NOW), Ledger::new());
            let service = Service::start(clock.clone(), ledger.sessions(&clock)).await;
            let token = service.token(json!({}));
            let answer = service.call(wire, "SignedIn", Some(&token)).await;
            assert_eq!(answer.code, Code::Ok);
            let session = Session { id: SESSION.parse().unwrap(), user: USER.parse().unwrap() };
            assert_eq!(*ledger.session.lock().unwrap(), Some(session));

            ledger.say(Ok(standing));
            clock.advance(TTL - Duration::from_millis(1));
            let answer = service.call(wire, "SignedIn", Some(&token)).await;
            assert_eq!((answer.code, ledger.asked()), (Code::Ok, 1), "remembered");
            clock.advance(Duration::from_millis(1));
            for method in METHODS.iter().take(3) {
                let answer = service.call(wire, method, Some(&token)).await;
                assert_eq!(answer.refusal(), (code, Some(reason.to_owned())), "{method}");
            }
            assert_eq!(ledger.asked(), 2);
        }
    }
}

#[tokio::test]
async fn a_token_without_a_session_is_refused_where_sessions_are_checked() {
    let (clock, ledger) = (Clock::standing_at(NOW), Ledger::new());
    let service = Service::start(clock.clone(), ledger.sessions(&clock)).await;
    let token = service.issuer.hs256(&without(&service.issuer.claims(NOW), "session_id"));
    for wire in WIRES {
        let answer = service.call(wire, "SignedIn", Some(&token)).await;
        assert_eq!(answer.reason().as_deref(), Some("SESSION_ENDED"));
        let answer = service.call(wire, "Public", None).await;
        assert_eq!(answer.code, Code::Ok, "nobody has no session to check");
    }
    assert_eq!(ledger.asked(), 0);
}

#[tokio::test]
async fn a_failed_look_up_is_its_own_error_and_not_remembered() {
    let (clock, ledger) = (Clock::standing_at(NOW), Ledger::new());
    let service = Service::start(clock.clone(), ledger.sessions(&clock)).await;
    let token = service.token(json!({}));
    ledger.say(Err(Reason::DatabaseUnavailable));
    for wire in WIRES {
        let answer = service.call(wire, "SignedIn", Some(&token)).await;
        assert_eq!(answer.code, Code::Unavailable);
        assert_eq!(answer.reason().as_deref(), Some("DATABASE_UNAVAILABLE"));
    }
    assert_eq!(ledger.asked(), 3);
    ledger.say(Ok(Standing::Active));
    assert_eq!(service.call(Wire::Grpc, "SignedIn", Some(&token)).await.code, Code::Ok);
}

#[tokio::test]
async fn many_calls_of_one_session_share_one_look_up() {
    for answer in [Ok(Standing::Active), Err(Reason::DatabaseUnavailable)] {
        let (clock, ledger) = (Clock::standing_at(NOW), Ledger::new());
        let service = Arc::new(Service::start(clock.clone(), ledger.sessions(&clock)).await);
        let token = service.token(json!({}));
        let gate = Arc::new(Notify::new());
        *ledger.gate.lock().unwrap() = Some(Arc::clone(&gate));
        ledger.say(answer);
        let call = || {
            let (service, token) = (Arc::clone(&service), token.clone());
            tokio::spawn(
                async move { service.call(Wire::Grpc, "SignedIn", Some(&token)).await.code },
            )
        };
        let first = call();
        until(|| ledger.asked() == 1).await;
        let others: Vec<_> = (0..20).map(|_| call()).collect();
        // The one who asked goes away; another one takes over.
        first.abort();
        until(|| ledger.asked() == 2).await;
        *ledger.gate.lock().unwrap() = None;
        gate.notify_waiters();
        let code = answer.map_or_else(Reason::code, |_| Code::Ok);
        for other in others {
            assert_eq!(other.await.unwrap(), code);
        }
        let asked = ledger.asked();
        assert!(asked == 2 || answer.is_err(), "{asked} look-ups");
    }
}

async fn until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait).await.expect("it comes true");
}

/// A requirement of tomorrow may be stricter than any of today: it stops the start.
#[test]
fn a_requirement_that_is_not_known_stops_the_start() {
    // The option in its encoding: field 50110, a varint, 3 for `aal2`.
    const AAL2: [u8; 4] = [0xf0, 0xbb, 0x18, 3];
    let mut descriptors = test_protos::DESCRIPTORS.to_vec();
    let at = descriptors.windows(4).position(|bytes| bytes == AAL2).expect("the option");
    descriptors[at + 3] = 4;
    let pool = prost_reflect::DescriptorPool::decode(descriptors.as_slice()).unwrap();
    let secrets = vec![user_service::auth::Secret::new([7; 32]).unwrap()];
    let settings = Settings { secrets, ..Settings::default() };
    let error = Auth::new(settings, &pool, Clock::system()).unwrap_err();
    assert!(error.to_string().contains("/gate.v1.GateService/Aal2"), "{error}");
}

/// A service that is reached past the layers which decide RPC and deadline fails closed.
#[tokio::test]
async fn a_stack_that_is_wrongly_assembled_refuses_every_call() {
    let pool = prost_reflect::DescriptorPool::decode(test_protos::DESCRIPTORS).unwrap();
    let issuer = Issuer::new();
    let secrets = vec![user_service::auth::Secret::new(&issuer.secret).unwrap()];
    let settings = Settings { secrets, ..Settings::default() };
    let auth = Auth::new(settings, &pool, Clock::standing_at(NOW)).unwrap();
    let guarded = auth.guard(GateServiceServer::new(Gate), Sessions::unchecked());
    for method in METHODS {
        let request = Request::post(format!("/gate.v1.GateService/{method}"))
            .header("content-type", "application/grpc")
            .header("authorization", format!("Bearer {}", issuer.hs256(&issuer.claims(NOW))))
            .body(Body::empty())
            .unwrap();
        let answer = guarded.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.headers()["grpc-status"], "13", "{method}");
    }
}
