//! Every method of the descriptor set, on every wire, without a token: refused, unless it is on the
//! list of public methods below. The list may only shrink.

use crate::support::{Service, WIRES, Wire, client::frame};
use http::{Method, Version};
use prost_reflect::MethodDescriptor;
use tonic::Code;

/// Health and reflection: they say nothing of users, and look at no token.
const PUBLIC: [&str; 4] = [
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// Ends streams that would go on for ever.
const SOON: (&str, &str) = ("grpc-timeout", "200m");

#[tokio::test]
async fn every_method_that_is_not_public_refuses_a_call_without_a_token_on_every_wire() {
    let service = Service::start().await;
    let methods: Vec<_> = crate::support::descriptors()
        .services()
        .flat_map(|it| it.methods().collect::<Vec<_>>())
        .collect();
    let mut walked = 0;
    for method in &methods {
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        for wire in WIRES {
            let without = refused_for_the_token(&service, wire, method, &path, &[SOON]).await;
            assert_eq!(without, !PUBLIC.contains(&path.as_str()), "{path} on {wire:?}");
            if !without {
                let nonsense = [SOON, ("authorization", "Bearer nonsense")];
                let with = refused_for_the_token(&service, wire, method, &path, &nonsense).await;
                assert!(!with, "{path} on {wire:?} looks at the token");
            }
            walked += 1;
        }
    }
    assert_eq!(walked, 6 * WIRES.len(), "a method came or went: is it on the right list?");
    for public in PUBLIC {
        service.client.method(public); // panics where the list names what is not there
    }
}

/// Whether the call is refused with UNAUTHENTICATED, in the wire's own shape.
async fn refused_for_the_token(
    service: &Service,
    wire: Wire,
    method: &MethodDescriptor,
    path: &str,
    headers: &[(&str, &str)],
) -> bool {
    if wire == Wire::Json {
        let headers = [headers, &[("content-type", "application/json")]].concat();
        let body = "{}".into();
        let answer = service.client.send(Version::HTTP_11, Method::POST, path, &headers, body);
        return answer.await.status == 401;
    }
    let answer = service.client.framed(wire, method, path, headers, frame(&[])).await;
    if answer.code != Code::Unauthenticated {
        return false;
    }
    assert_eq!(answer.reason().as_deref(), Some("TOKEN_MISSING"));
    true
}
