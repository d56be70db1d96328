//! Callers, made the one way there is: from a token, through the guard.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::{Request, Response};
use jsonwebtoken::{EncodingKey, Header};
use prost_reflect::DescriptorPool;
use serde_json::{Value, json};
use tonic::body::Body;
use tower::{Layer as _, Service as _, ServiceExt as _, service_fn};
use user_service::{
    auth::{Auth, Caller, Clock, Secret, Sessions, Settings},
    proto,
    wires::{Api, Options},
};
use uuid::Uuid;

/// More than a test takes, on a machine that has much else to do.
pub const LONG: Duration = Duration::from_secs(600);

const SECRET: &[u8] = b"a secret that only these tests have";

/// A signed-in user with much time.
pub async fn user(id: Uuid) -> Caller {
    user_within(id, LONG).await
}

/// A signed-in user whose call ends after `left`.
pub async fn user_within(id: Uuid, left: Duration) -> Caller {
    user_with(id, json!({}), left).await
}

/// A signed-in user with more claims.
pub async fn user_with(id: Uuid, more: Value, left: Duration) -> Caller {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let mut claims = json!({
        "sub": id, "role": "authenticated", "aud": "authenticated",
        "iat": now, "exp": now + 3600, "session_id": Uuid::new_v4(), "is_anonymous": false,
    });
    let more = more.as_object().expect("an object").clone();
    claims.as_object_mut().expect("an object").extend(more);
    let key = EncodingKey::from_secret(SECRET);
    let token = jsonwebtoken::encode(&Header::default(), &claims, &key).expect("it can be signed");
    call(&token, left).await
}

/// Sends a call with this token through the layers up to the service, and returns who it is.
async fn call(token: &str, left: Duration) -> Caller {
    let api =
        Api::new(&[proto::DESCRIPTORS], Options::default()).expect("our descriptors are good");
    let pool = DescriptorPool::decode(proto::DESCRIPTORS).expect("our descriptors decode");
    let secrets = vec![Secret::new(SECRET).expect("long enough")];
    let auth = Auth::new(Settings { secrets, ..Settings::default() }, &pool, Clock::system())
        .expect("the settings are good");

    let found = Arc::new(Mutex::new(None));
    let finder = found.clone();
    let service = service_fn(move |request: Request<Body>| {
        *finder.lock().expect("no panic") = request.extensions().get::<Caller>().cloned();
        async { Ok::<_, Infallible>(Response::new(Body::default())) }
    });
    let guarded = auth.guard(service, Sessions::unchecked());
    let guarded = guarded.map_response(|response: Response<_>| response.map(Body::new));
    let mut stack = api.decide().layer(api.deadline(left).layer(guarded));
    let request = Request::post("/user.v1.UserService/GetName")
        .version(http::Version::HTTP_2)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", format!("Bearer {token}"))
        .body(Body::default())
        .expect("a request");
    let Ok(_) = stack.call(request).await;
    let caller = found.lock().expect("no panic").take();
    caller.expect("the token is good")
}
