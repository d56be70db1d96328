//! One defect to a row, each made from a valid token by changing one thing, over every wire of the
//! running service.

mod claims;
mod headers;
mod tokens;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use http::{Method, Version};
use serde_json::{Value, json};
use tonic::Code;
use user_service::error::Reason;

use crate::{
    auth_support::{
        issuer::{ISSUER, Issuer, with},
        key_server::KeyServer,
    },
    support::{Answer, GET_NAME, Service, Wire, client::Plain},
};

/// Every way into the service. gRPC itself is HTTP/2 only.
const WAYS: [(Wire, Version); 5] = [
    (Wire::Grpc, Version::HTTP_2),
    (Wire::GrpcWeb, Version::HTTP_11),
    (Wire::GrpcWeb, Version::HTTP_2),
    (Wire::Json, Version::HTTP_11),
    (Wire::Json, Version::HTTP_2),
];

/// Who is to be impersonated: what their valid token is made of.
pub struct Target {
    pub issuer: Arc<Issuer>,
    pub claims: Value,
    pub token: String,
}

impl Target {
    /// The user's token, issued now.
    pub fn now(issuer: Arc<Issuer>, user: &str) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
        let now = u32::try_from(now.as_secs()).expect("before 2106");
        let claims = with(&issuer.claims(now), "sub", user);
        let token = issuer.es256(&claims);
        Self { issuer, claims, token }
    }
}

/// What is sent, and what must become of it.
pub struct Attack {
    pub defect: String,
    /// The values of `authorization`, one for each time that it is sent.
    pub authorization: Vec<String>,
    /// Why it is refused; `None` for what is no defect and must be accepted.
    pub reason: Option<Reason>,
}

impl Attack {
    /// The token, where the header brings one that is looked at.
    pub fn token(&self) -> Option<&str> {
        use Reason::{AuthorizationMalformed, TokenMissing, TokenPlaceholder, TokenTooLarge};
        match self.reason {
            Some(AuthorizationMalformed | TokenMissing | TokenPlaceholder | TokenTooLarge) => None,
            _ => self.authorization.first()?.split(' ').nth(1),
        }
    }
}

/// The table. The clock moves on: it holds for some twenty seconds.
pub fn attacks(target: &Target) -> Vec<Attack> {
    let bearer = |token: &str| vec![format!("Bearer {token}")];
    let attack = |defect: &str, authorization, reason| Attack {
        defect: defect.to_owned(),
        authorization,
        reason,
    };
    let mut table = vec![attack("nothing changed", bearer(&target.token), None)];
    for (defect, authorization, reason) in headers::rows(target) {
        table.push(attack(defect, authorization, reason));
    }
    for (defect, token, reason) in tokens::rows(target) {
        table.push(attack(defect, bearer(&token), reason));
    }
    for (defect, claims, reason) in claims::rows(target) {
        let (es256, hs256) = (target.issuer.es256(&claims), target.issuer.hs256(&claims));
        table.push(attack(defect, bearer(&es256), reason));
        table.push(attack(&format!("{defect}, HS256"), bearer(&hs256), reason));
    }
    table
}

/// An issuer, and where its keys are.
pub struct Project {
    pub issuer: Arc<Issuer>,
    pub keys: KeyServer,
}

impl Project {
    pub async fn start() -> Self {
        let issuer = Issuer::new();
        let keys = KeyServer::start(issuer.jwks()).await;
        Self { issuer: Arc::new(issuer), keys }
    }

    /// The settings of a service that trusts it.
    pub fn settings(&self) -> [(&'static str, String); 4] {
        let secret = String::from_utf8(self.issuer.secret.clone()).expect("a secret that is text");
        [
            ("JWKS_URL", self.keys.url().into()),
            ("JWT_ISSUER", ISSUER.to_owned()),
            ("JWT_SECRET", secret),
            ("JWT_MAX_LIFETIME", "1h".to_owned()),
        ]
    }
}

/// A service that trusts a project, and a user of both.
struct Attacked {
    service: Service,
    project: Project,
    user: String,
}

impl Attacked {
    async fn start() -> Self {
        let project = Project::start().await;
        let settings = project.settings();
        let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
        let service = Service::with(&settings).await;
        let user = service.ada().await.0.user_id().to_string();
        Self { service, project, user }
    }

    fn target(&self) -> Target {
        Target::now(Arc::clone(&self.project.issuer), &self.user)
    }

    async fn get_name(&self, (wire, version): (Wire, Version), values: &[String]) -> Answer {
        let headers: Vec<_> = values.iter().map(|it| ("authorization", it.as_str())).collect();
        self.service.client.call_over(wire, version, GET_NAME, &headers, json!({})).await
    }
}

#[tokio::test]
async fn every_defect_is_refused_for_what_it_is_on_every_wire() {
    let attacked = Attacked::start().await;
    let mut walked = 0;
    let mut refusals = BTreeMap::<&str, usize>::new();
    for way in WAYS {
        for Attack { defect, authorization, reason } in attacks(&attacked.target()) {
            let answer = attacked.get_name(way, &authorization).await;
            walked += 1;
            let Some(reason) = reason else {
                assert_eq!(answer.refusal(), (Code::Ok, None), "{defect} over {way:?}");
                assert_eq!(answer.value, json!({"full_name": "Ada Lovelace"}));
                continue;
            };
            let expected = (Code::Unauthenticated, Some(reason.as_str().to_owned()));
            assert_eq!(answer.refusal(), expected, "{defect} over {way:?}");
            assert_eq!(answer.message, reason.message(), "{defect} over {way:?}");
            assert_challenged(way, &answer, reason, &authorization);
            *refusals.entry(reason.as_str()).or_default() += 1;
        }
    }
    assert_eq!(walked, 224 * WAYS.len(), "a row came or went");

    let page = attacked.service.admin.http(http::Method::GET, "/metrics", &[], "").await;
    for (reason, count) in refusals {
        let line = format!("user_service_refusals_total{{reason=\"{reason}\"}} {count}");
        assert!(page.text().lines().any(|it| it == line), "{line} in:\n{}", page.text());
    }
}

/// RFC 9110, section 5.5: in HTTP/1.1 white space around a value is none of it. HTTP/2 has no such
/// white space (RFC 9113, section 8.2.1): there it is one character too many.
#[tokio::test]
async fn white_space_around_the_header_belongs_to_http_1_alone() {
    let attacked = Attacked::start().await;
    let value = [format!(" Bearer {} ", attacked.target().token)];
    for way in WAYS {
        let answer = attacked.get_name(way, &value).await;
        let refusal = match way.1 {
            Version::HTTP_11 => (Code::Ok, None),
            _ => (Code::Unauthenticated, Some("AUTHORIZATION_MALFORMED".to_owned())),
        };
        assert_eq!(answer.refusal(), refusal, "{way:?}");
    }
}

/// RFC 6750, section 3: over HTTP a refusal says how to do better, and tells an error only to who
/// sent a token: credentials of another scheme are none.
fn assert_challenged(
    (wire, version): (Wire, Version),
    answer: &Answer,
    reason: Reason,
    authorization: &[impl AsRef<str>],
) {
    let has_token = |value: &str| value.trim().to_ascii_lowercase().starts_with("bearer ");
    let challenge = answer.headers.get("www-authenticate").map(|it| it.to_str().expect("ASCII"));
    let (status, expected) = match wire {
        Wire::Grpc | Wire::GrpcWeb => (200, None),
        Wire::Json if !authorization.iter().any(|it| has_token(it.as_ref())) => {
            (401, Some("Bearer".to_owned()))
        }
        Wire::Json => {
            let described = reason.message().replace(['"', '\\'], "'");
            let error = "Bearer error=\"invalid_token\", error_description=";
            (401, Some(format!("{error}\"{described}\"")))
        }
    };
    let answered = (answer.http.as_u16(), challenge);
    assert_eq!(answered, (status, expected.as_deref()), "{reason:?} over {version:?}");
}

/// RFC 6750, sections 2.2 and 2.3: a form's field and a query parameter could hold a token. Neither is
/// looked at: both end up in logs and histories.
#[tokio::test]
async fn a_token_outside_the_header_is_none() {
    let attacked = Attacked::start().await;
    let token = attacked.target().token;
    let client = &attacked.service.client;
    let missing = |answer: &Plain| {
        let reason = answer.text().contains("TOKEN_MISSING");
        let challenge = answer.header("www-authenticate");
        assert_eq!((answer.status.as_u16(), reason, challenge), (401, true, Some("Bearer")));
    };
    let query = format!("/name?access_token={token}");
    missing(&client.http(Method::GET, &query, &[], "").await);
    let field = json!({"access_token": token}).to_string();
    missing(&client.http(Method::POST, GET_NAME, &[], field).await);
    // The one content type that section 2.2 allows.
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answer = client.http(Method::POST, GET_NAME, &form, format!("access_token={token}")).await;
    assert_eq!(answer.status, 415);
}
