//! ProtoJSON, where it is more than JSON: names, numbers, depth.

use http::Method;
use prost::Message as _;
use serde_json::json;
use test_protos::library::v1::*;
use tonic::Code;

use crate::{policies::refusal, serve::Server};

#[tokio::test]
async fn unknown_fields_and_fields_given_twice_are_refused_by_name() {
    let server = Server::start().await;
    for (body, field) in [
        (r#"{"nothing":1}"#, "nothing"),
        (r#"{"inside":[{},{"inside":[{"nothing":1}]}]}"#, "inside[1].inside[0].nothing"),
        (r#"{"byNumber":{"7":{"nothing":1}}}"#, "byNumber.7.nothing"),
        (r#"{"aString":"a","aString":"b"}"#, "aString"),
        (r#"{"aString":"a","a_string":"b"}"#, "a_string"),
        (r#"{"byName":{"a":1,"a":2}}"#, "byName.a"),
        (r#"{"struct":{"a":{"b":1,"b":2}}}"#, "struct.a.b"),
        (r#"{"choiceString":"a","choiceBool":true}"#, "choiceBool"),
        (r#"{"anInt32":"secret"}"#, "anInt32"),
        (r#"{"an_int32":1.5}"#, "an_int32"),
        (r#"{"anInt32":3000000000}"#, "anInt32"),
        (r#"{"aString":7}"#, "aString"),
        (r#"{"anEnum":"secret"}"#, "anEnum"),
        (r#"{"timestamp":"secret"}"#, "timestamp"),
        (r#"{"int64s":[1,"secret"]}"#, "int64s[1]"),
        (r#"{"byNumber":{"7":{"pages":"secret"}}}"#, "byNumber.7.pages"),
        (r#"{"choiceBook":[]}"#, "choiceBook"),
        (r#"{"any":{"@type":"type.googleapis.com/secret"}}"#, "any"),
        (r#"{"any":{"aString":"secret"}}"#, "any"),
        (r#"{"any":{"@type":"type.googleapis.com/library.v1.Book","nothing":1}}"#, "any.nothing"),
        (r#"{"any":{"nothing":1,"@type":"type.googleapis.com/library.v1.Book"}}"#, "any.nothing"),
        (
            r#"{"any":{"aString":"a","@type":"type.googleapis.com/library.v1.Everything","a_string":"b"}}"#,
            "any.a_string",
        ),
        (
            r#"{"any":{"value":"1s","@type":"type.googleapis.com/google.protobuf.Duration","value":"2s"}}"#,
            "any.value",
        ),
        (
            r#"{"any":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s","x":1}}"#,
            "any.x",
        ),
        // A key is a number as JSON writes it, and the same number is the same key.
        (r#"{"byNumber":{"1":{},"01":{}}}"#, "byNumber.01"),
        (r#"{"byNumber":{"0":{},"-0":{}}}"#, "byNumber.-0"),
        (r#"{"byNumber":{"x":{}}}"#, "byNumber.x"),
        (r#"{"byName":{"a":null}}"#, "byName.a"),
        (r#"{"int64s":[1,null]}"#, "int64s[1]"),
        (r#"{"inside":[null]}"#, "inside[0]"),
    ] {
        let answer = server.json(Method::POST, "/v1/echo", body).await;
        assert_eq!(answer.refusal(), refusal(400, "FIELD_INVALID", field), "{body} {answer:?}");
        assert_eq!(answer.json()["code"], Code::InvalidArgument as i32);
        assert!(!answer.text().contains("secret"), "{answer:?}");
    }
    for body in [
        "{",
        "[",
        "nul",
        r#"{"aString":"secret"}x"#,
        "\u{feff}{}",
        "{'a':1}",
        " ",
        "{\"aString\":\"\u{1}\"}",
        "[]",
        "null",
        "\"secret\"",
        "1e400",
    ] {
        let answer = server.json(Method::POST, "/v1/echo", body.to_owned()).await;
        assert_eq!(answer.refusal(), refusal(400, "REQUEST_MALFORMED", ""), "{body}");
        assert!(!answer.text().contains("secret"), "{answer:?}");
    }
    let answer = server.json(Method::POST, "/v1/echo", vec![b'{', 0xff, b'}']).await;
    assert_eq!(answer.refusal(), refusal(400, "REQUEST_MALFORMED", ""));
}

#[tokio::test]
async fn both_json_names_are_read_and_the_protos_own_are_written() {
    let server = Server::start().await;
    for body in [r#"{"maybeString":"","otherName":"x"}"#, r#"{"maybe_string":"","renamed":"x"}"#] {
        let answer = server.json(Method::POST, "/v1/echo", body).await;
        assert_eq!(answer.json(), json!({"maybe_string": "", "renamed": "x"}));
    }
    let defaults = r#"{"aString":"","anInt32":0,"maybeInt32":0,"int64s":[],"aBool":null}"#;
    assert_eq!(
        server.json(Method::POST, "/v1/echo", defaults).await.text(),
        r#"{"maybe_int32":0}"#
    );
}

#[tokio::test]
async fn a_number_is_read_to_its_last_digit_or_refused() {
    let server = Server::start().await;
    let integers = ["an_int64", "a_sint64", "a_sfixed64", "int64_value"];
    for field in integers {
        for (number, read) in [
            ("9007199254740993.0", "9007199254740993"),
            ("1e18", "1000000000000000000"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("9.223372036854775807e+18", "9223372036854775807"),
        ] {
            for body in
                [format!(r#"{{"{field}":{number}}}"#), format!(r#"{{"{field}":"{number}"}}"#)]
            {
                let answer = server.json(Method::POST, "/v1/echo", body.clone()).await;
                assert_eq!(answer.json(), json!({field: read}), "{body}");
            }
        }
    }
    for body in [
        r#"{"an_int32":"1e2"}"#,
        r#"{"an_int32":"1.0e2"}"#,
        r#"{"an_int32":1e2}"#,
        r#"{"an_int32":1000e-1}"#,
        r#"{"an_int32":"\u0031e2"}"#,
    ] {
        let answer = server.json(Method::POST, "/v1/echo", body).await;
        assert_eq!(answer.json(), json!({"an_int32": 100}), "{body}");
    }

    let out_of_range = [
        ("an_int64", "9223372036854775808.0"),
        ("a_sint64", "9223372036854775808.0"),
        ("a_sfixed64", "9223372036854775808"),
        ("int64_value", "9223372036854775808.0"),
        ("a_uint64", "18446744073709551616"),
        ("a_fixed64", "18446744073709551616"),
        ("a_uint64", "-1"),
        ("an_int32", "2147483648"),
        ("an_int32", "1e400"),
        ("an_int32", "1e-400"),
        ("an_int32", "1e999999999"),
        ("a_float", "1e39"),
        ("a_double", "1e309"),
        ("double_value", "-1e309"),
    ];
    for (field, number) in out_of_range {
        for body in [format!(r#"{{"{field}":{number}}}"#), format!(r#"{{"{field}":"{number}"}}"#)] {
            let answer = server.json(Method::POST, "/v1/echo", body.clone()).await;
            assert_eq!(answer.refusal(), refusal(400, "FIELD_INVALID", field), "{body}");
        }
    }
    for (body, field) in [
        (r#"{"int64s":[1,9223372036854775808.0]}"#, "int64s[1]"),
        (r#"{"value":1e400}"#, "value"),
        (r#"{"struct":{"a":[1e400]}}"#, "struct.a[0]"),
        (r#"{"a_double":"inf"}"#, "a_double"),
        (r#"{"a_double":"nan"}"#, "a_double"),
        (r#"{"a_float":"-inf"}"#, "a_float"),
        (r#"{"a_float":"infinity"}"#, "a_float"),
        (r#"{"an_int32":"01"}"#, "an_int32"),
        (r#"{"an_int32":"+1"}"#, "an_int32"),
        (r#"{"an_int32":" 1"}"#, "an_int32"),
        (r#"{"an_int32":""}"#, "an_int32"),
    ] {
        let answer = server.json(Method::POST, "/v1/echo", body).await;
        assert_eq!(answer.refusal(), refusal(400, "FIELD_INVALID", field), "{body}");
    }
}

#[tokio::test]
async fn an_any_that_holds_nothing_is_an_empty_object() {
    let server = Server::start().await;
    let answer = server.json(Method::POST, "/v1/echo", r#"{"any":{}}"#).await;
    assert_eq!(answer.text(), r#"{"any":{}}"#);
}

#[tokio::test]
async fn floats_that_json_lacks_are_strings_wherever_they_stand() {
    let server = Server::start().await;
    for float in ["NaN", "Infinity", "-Infinity"] {
        let message = json!({
            "a_double": float, "a_float": float, "double_value": float,
            "inside": [{"double_value": float}],
            "any": {"@type": "type.googleapis.com/google.protobuf.DoubleValue", "value": float},
        });
        let answer = server.json(Method::POST, "/v1/echo", message.to_string()).await;
        assert_eq!(answer.json(), message);
    }
    // `Value` has no place for them, and nothing else takes their names.
    for body in [r#"{"an_int32":"NaN"}"#, r#"{"a_double":NaN}"#] {
        assert_eq!(server.json(Method::POST, "/v1/echo", body).await.status, 400, "{body}");
    }
}

#[tokio::test]
async fn deep_nesting_is_refused_whatever_it_nests() {
    let server = Server::start().await;
    let nest = |open: &str, inner: &str, close: &str, depth: usize| {
        format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
    };
    let malformed = refusal(400, "REQUEST_MALFORMED", "");
    let any = r#"{"@type":"type.googleapis.com/google.protobuf.Any","value":"#;
    let any_last = r#","@type":"type.googleapis.com/google.protobuf.Any"}"#;
    // What is written around what, and how often it still opens no more than 101 messages.
    for (open, inner, close, allowed) in [
        (r#"{"inside":["#, "{}", "]}", 100),
        // A list is a `Value` and a `ListValue`.
        ("[", "", "]", 50),
        // An object in a `Struct` is a `Struct`, an entry and a `Value`.
        (r#"{"a":"#, "1", "}", 33),
        (any, "{}", "}", 99),
        (r#"{"value":"#, "{}", any_last, 99),
    ] {
        for depth in [1, allowed, allowed + 1, 1_000] {
            let nested = nest(open, inner, close, depth);
            let body = match open {
                "[" => format!(r#"{{"value":{nested}}}"#),
                r#"{"a":"# => format!(r#"{{"struct":{nested}}}"#),
                r#"{"inside":["# => nested,
                _ => format!(r#"{{"any":{nested}}}"#),
            };
            let answer = server.json(Method::POST, "/v1/echo", body.clone()).await;
            if depth > allowed {
                assert_eq!(answer.refusal(), malformed, "{depth} {open}");
                continue;
            }
            // What is written is read again.
            assert_eq!(answer.status, 200, "{depth} {open} {answer:?}");
            let again = server.json(Method::POST, "/v1/echo", answer.body.clone()).await;
            assert_eq!(again.text(), answer.text(), "{depth} {open}");
        }
    }
    // Neither alone is too deep for protobuf's 100 messages, together they are at some point.
    let deep_struct = nest(r#"{"a":"#, "1", "}", 30);
    let mut refused = 0;
    for depth in 0..45 {
        let inner = format!(r#"{{"struct":{deep_struct}}}"#);
        let answer = server
            .json(Method::POST, "/v1/echo", nest(r#"{"inside":["#, &inner, "]}", depth))
            .await;
        match answer.status.as_u16() {
            200 => assert_eq!(refused, 0),
            _ => {
                assert_eq!(answer.refusal(), malformed);
                refused += 1;
            }
        }
    }
    assert!((30..40).contains(&refused), "{refused}");
}

#[tokio::test]
async fn a_query_opens_no_more_messages_than_a_body() {
    let server = Server::start().await;
    let search = |depth: usize| {
        format!("/v1/books:search?place.{}city=x", "inside.".repeat(depth.saturating_sub(2)))
    };
    for depth in [2, 100, 101] {
        assert_eq!(server.get(&search(depth)).await.status, 200, "{depth}");
    }
    for depth in [102, 103, 4_000] {
        let answer = server.get(&search(depth)).await;
        let name = search(depth).split(['?', '=']).nth(1).expect("a name")[..200.min(7 * depth)]
            .to_owned();
        assert_eq!(answer.refusal(), refusal(400, "FIELD_INVALID", &name), "{depth}");
    }
}

#[tokio::test]
async fn an_answer_that_nests_without_end_is_an_error_and_no_crash() {
    let server = Server::start().await;
    let nested = |depth: usize| {
        let mut any = prost_types::Any::default();
        for _ in 0..depth {
            any = prost_types::Any {
                type_url: "type.googleapis.com/google.protobuf.Any".into(),
                value: any.encode_to_vec(),
            };
        }
        any
    };
    let answer_with = |answer| *server.library.echo.lock().expect("an answer") = Some(answer);
    for (depth, http) in [(0, 200), (1, 200), (99, 200), (100, 500), (6_000, 500)] {
        answer_with(Ok(Everything { any: Some(nested(depth)), ..Default::default() }));
        let answer = server.json(Method::POST, "/v1/echo", "{}").await;
        assert_eq!(answer.status, http, "{depth} {answer:?}");
        if http == 500 {
            assert_eq!(answer.refusal(), refusal(500, "INTERNAL", ""));
            assert_eq!(server.outcome().await, (Code::Internal, "INTERNAL".to_owned()));
        }
    }
    // A detail of an error that cannot be shown is shown as its bytes.
    let details = tonic_types::pb::Status { details: vec![nested(6_000)], ..Default::default() };
    let details = details.encode_to_vec().into();
    answer_with(Err(tonic::Status::with_details(Code::Aborted, "nested", details)));
    let answer = server.json(Method::POST, "/v1/echo", "{}").await;
    assert_eq!(answer.json()["details"][0]["@type"], nested(1).type_url);
    assert!(answer.json()["details"][0]["value"].is_string(), "{answer:?}");
}
