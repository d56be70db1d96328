//! What holds for any message and any path.

use std::collections::{BTreeMap, HashMap};

use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};
use prost_types::{Duration, FieldMask, ListValue, Struct, Timestamp, Value, value::Kind};
use test_protos::library::v1::{everything::Choice, *};
use tokio::runtime::Runtime;

use crate::serve::Server;

fn books() -> impl Strategy<Value = Book> {
    (
        any::<String>(),
        any::<String>(),
        prop::collection::vec(any::<String>(), 0..3),
        any::<Option<i32>>(),
    )
        .prop_map(|(name, title, authors, pages)| Book { name, title, authors, pages })
}

/// Floats but for NaN, which is not equal to itself.
fn floats() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("a number", |float| !float.is_nan())
}

/// The same of half the width, and often the largest.
fn half_floats() -> impl Strategy<Value = f32> {
    let any = any::<f32>().prop_filter("a number", |float| !float.is_nan());
    prop_oneof![8 => any, 1 => Just(f32::MAX), 1 => Just(f32::MIN)]
}

fn timestamps() -> impl Strategy<Value = Timestamp> {
    (-62_135_596_800_i64..=253_402_300_799, 0..1_000_000_000)
        .prop_map(|(seconds, nanos)| Timestamp { seconds, nanos })
}

fn durations() -> impl Strategy<Value = Duration> {
    (0_i64..=315_576_000_000, 0..1_000_000_000, any::<bool>()).prop_map(
        |(seconds, nanos, negative)| {
            let sign = if negative { -1 } else { 1 };
            Duration { seconds: seconds * i64::from(sign), nanos: nanos * sign }
        },
    )
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Kind::NullValue(0)),
        any::<bool>().prop_map(Kind::BoolValue),
        (-1e9..1e9).prop_map(Kind::NumberValue),
        any::<String>().prop_map(Kind::StringValue),
    ]
    .prop_map(|kind| Value { kind: Some(kind) });
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3)
                .prop_map(|values| Kind::ListValue(ListValue { values })),
            structs(inner).prop_map(Kind::StructValue),
        ]
        .prop_map(|kind| Value { kind: Some(kind) })
    })
}

fn structs(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Struct> {
    prop::collection::btree_map(any::<String>(), inner, 0..3)
        .prop_map(|fields: BTreeMap<_, _>| Struct { fields })
}

fn choices() -> impl Strategy<Value = Option<Choice>> {
    prop::option::of(prop_oneof![
        any::<String>().prop_map(Choice::ChoiceString),
        books().prop_map(Choice::ChoiceBook),
        any::<bool>().prop_map(Choice::ChoiceBool),
    ])
}

fn scalars() -> impl Strategy<Value = Everything> {
    let numbers = (floats(), any::<i32>(), any::<i64>(), any::<u32>(), any::<u64>());
    let texts = (any::<bool>(), any::<String>(), any::<Vec<u8>>(), 0..5, any::<Option<String>>());
    (numbers, texts).prop_map(
        |((float, i32, i64, u32, u64), (bool, string, bytes, genre, maybe))| Everything {
            a_double: float,
            a_float: if (float as f32).is_finite() { float as f32 } else { f32::INFINITY },
            an_int32: i32,
            an_int64: i64,
            a_uint32: u32,
            a_uint64: u64,
            a_sint32: i32,
            a_sint64: i64,
            a_fixed32: u32,
            a_fixed64: u64,
            a_sfixed32: i32,
            a_sfixed64: i64,
            a_bool: bool,
            a_string: string.clone(),
            some_bytes: bytes.clone(),
            an_enum: genre,
            maybe_int32: maybe.is_some().then_some(i32),
            maybe_string: maybe.clone(),
            double_value: float.is_finite().then_some(float),
            int64_value: maybe.is_some().then_some(i64),
            bool_value: maybe.is_some().then_some(bool),
            string_value: maybe,
            bytes_value: bool.then_some(bytes),
            empty: bool.then_some(()),
            renamed: string,
            ..Everything::default()
        },
    )
}

fn everything() -> impl Strategy<Value = Everything> {
    let maps = (
        prop::collection::hash_map(any::<String>(), any::<i32>(), 0..3),
        prop::collection::hash_map(any::<i32>(), books(), 0..3),
        prop::collection::hash_map(any::<bool>(), any::<String>(), 0..3),
    );
    let known = (
        prop::option::of(timestamps()),
        prop::option::of(durations()),
        prop::option::of(prop::collection::vec("[a-z]{1,5}(_[a-z]{1,5})?(\\.[a-z]{1,5})?", 0..3)),
        prop::option::of(structs(values())),
        prop::option::of(values()),
    );
    let lists = (prop::collection::vec(any::<i64>(), 0..4), prop::collection::vec(scalars(), 0..2));
    (scalars(), lists, maps, choices(), known, prop::option::of(books())).prop_map(
        |(scalars, (int64s, inside), (by_name, by_number, by_bool), choice, known, packed)| {
            let (timestamp, duration, paths, fields, value) = known;
            let any = packed.map(|book| prost_types::Any {
                type_url: "type.googleapis.com/library.v1.Book".into(),
                value: book.encode_to_vec(),
            });
            Everything {
                int64s,
                inside,
                by_name,
                by_number,
                by_bool,
                choice,
                timestamp,
                duration,
                mask: paths.map(|paths| FieldMask { paths }),
                list: value.clone().map(|value| ListValue { values: vec![value] }),
                r#struct: fields,
                value,
                any,
                ..scalars
            }
        },
    )
}

/// Nothing is written beside the sources: a failure prints its shrunken case.
fn runner() -> TestRunner {
    TestRunner::new(Config { failure_persistence: None, ..Config::default() })
}

#[test]
fn any_message_survives_json() {
    let runtime = Runtime::new().expect("a runtime");
    let options =
        user_service::wires::Options { max_message_bytes: 10_000_000, ..Default::default() };
    let server =
        runtime.block_on(Server::with(crate::serve::Settings { options, ..Default::default() }));
    let pool = DescriptorPool::decode(test_protos::DESCRIPTORS).expect("descriptors");
    let descriptor = pool.get_message_by_name("library.v1.Everything").expect("a message");

    runner()
        .run(&everything(), |message| {
            let sent = DynamicMessage::decode(descriptor.clone(), &*message.encode_to_vec())
                .expect("itself");
            // The names of ProtoJSON on the way in, the proto's own on the way out.
            let json = serde_json::to_string(&sent).expect("JSON");
            let answer = runtime.block_on(server.json(Method::POST, "/v1/echo", json));
            prop_assert_eq!(answer.status, 200, "{:?}", answer);
            let mut parser = serde_json::Deserializer::from_slice(&answer.body);
            let back =
                DynamicMessage::deserialize(descriptor.clone(), &mut parser).expect("a message");
            prop_assert_eq!(Everything::decode(&*back.encode_to_vec()).expect("itself"), message);
            Ok(())
        })
        .expect("any message");
}

#[test]
fn any_float_survives_json() {
    let runtime = Runtime::new().expect("a runtime");
    let server = runtime.block_on(Server::start());
    runner()
        .run(&half_floats().prop_filter("finite", |float| float.is_finite()), |float| {
            let post = |body| runtime.block_on(server.json(Method::POST, "/v1/echo", body));
            for written in [format!("{float:e}"), format!("\"{float}\"")] {
                let answer = post(format!(r#"{{"a_float":{written}}}"#));
                let again = post(answer.text().to_owned());
                prop_assert_eq!(again.text(), answer.text());
                let read = answer.json()["a_float"].to_string();
                let read = if read == "null" { 0.0 } else { read.parse::<f32>().expect("a float") };
                prop_assert_eq!(read, float, "{}", written);
            }
            Ok(())
        })
        .expect("any float");
}

#[test]
fn any_path_built_from_a_template_matches_it() {
    let runtime = Runtime::new().expect("a runtime");
    let server = runtime.block_on(Server::start());
    let encode = |text: &String| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let kept = |text: &String| text.replace('/', "%2F");
    let texts = prop::collection::vec("\\PC{1,12}", 1..5);

    runner()
        .run(&texts, |texts| {
            let first = texts.first().expect("one");
            let answer = runtime.block_on(server.get(&format!("/v1/books/{}", encode(first))));
            let latest = first == "latest";
            prop_assert_eq!(
                answer.json()["name"].as_str().unwrap_or_default().to_owned(),
                if latest { "" } else { first.as_str() }
            );

            let last = texts.last().expect("one");
            let path = format!("/v1/shelves/{}/books/{}", encode(first), encode(last));
            let answer = runtime.block_on(server.get(&path));
            let name = format!("shelves/{}/books/{}", kept(first), kept(last));
            prop_assert_eq!(answer.json()["name"].clone(), name);

            let path = texts.iter().map(encode).collect::<Vec<_>>().join("/");
            let answer = runtime.block_on(server.get(&format!("/v1/files/{path}")));
            prop_assert_eq!(answer.text(), texts.iter().map(kept).collect::<Vec<_>>().join("/"));

            let query: String =
                texts.iter().map(|text| format!("&authors={}", encode(text))).collect();
            let answer = runtime.block_on(server.get(&format!("/v1/books:search?{query}")));
            let read: HashMap<String, Vec<String>> =
                serde_json::from_slice(&answer.body).expect("JSON");
            prop_assert_eq!(read.get("authors"), Some(&texts));
            Ok(())
        })
        .expect("any path");
}
