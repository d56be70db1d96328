//! The OpenAPI document of a test service that uses every feature of `google.api.http`.

use std::{collections::BTreeSet, fs, path::Path, sync::LazyLock};

use serde_json::{Value, json};
use tonic::Code;
use user_service::{
    openapi::{About, Access, Failure, document},
    wires::{Api, Options, Reason},
};

const FAILURE: Failure =
    Failure { reason: "LOST", code: Code::NotFound, message: "it is lost", retry: false };

/// The document, which `scripts/test-openapi.sh` validates, too.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let sets = [test_protos::DESCRIPTORS, tonic_health::pb::FILE_DESCRIPTOR_SET];
    let api = Api::new(&sets, Options::default()).expect("annotations");
    let about = About {
        title: "Library",
        version: "1",
        description: "Books.",
        license: "MIT",
        token: "A token.",
        domain: "library",
        failures: &[FAILURE],
    };
    let access = |rpc: &prost_reflect::MethodDescriptor| match rpc.name() {
        "GetBook" => Access { token_required: false, note: None },
        _ => Access { token_required: true, note: Some("For readers.") },
    };
    let document = document(&api, &about, |service| service == "library.v1.LibraryService", access);
    let text = document.to_pretty_json().expect("JSON");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("library.openapi.json");
    fs::write(path, &text).expect("a file");
    serde_json::from_str(&text).expect("JSON")
});

fn operation(method: &str, path: &str) -> &'static Value {
    let operation = &DOCUMENT["paths"][path][method];
    assert!(operation.is_object(), "{method} {path}");
    operation
}

/// The names of an operation's parameters that stand there.
fn parameters(operation: &Value, place: &str) -> Vec<String> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let there = parameters.filter(|parameter| parameter["in"] == place);
    there.map(|parameter| parameter["name"].as_str().expect("a name").to_owned()).collect()
}

fn schema(name: &str) -> &'static Value {
    &DOCUMENT["components"]["schemas"][name]
}

#[test]
fn every_binding_is_an_operation_with_an_id_of_its_own() {
    let mut ids = BTreeSet::new();
    for (path, item) in DOCUMENT["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("a path item") {
            let id = operation["operationId"].as_str().expect("an id");
            assert!(ids.insert(id), "{id}: {method} {path}");
        }
    }
    for path in ["/v1/shelves/{shelves}/books/{books}", "/v1/books/{name}", "/v1/books/latest"] {
        operation("get", path);
    }
    operation("post", "/library.v1.LibraryService/GetBook");
    operation("delete", "/v1/locks/{number}");
    assert_eq!(DOCUMENT["paths"].get("/grpc.health.v1.Health/Check"), None, "it was not wanted");
}

#[test]
fn what_openapi_cannot_say_is_left_out() {
    let text = DOCUMENT["paths"].to_string();
    assert!(!text.contains("ImportBooks") && !text.contains("Discuss"), "streams of requests");
    assert_eq!(DOCUMENT["paths"]["/v1/shelves/{number}"]["lock"], Value::Null, "its method");
}

#[test]
fn a_wildcard_is_a_parameter_and_paths_that_are_alike_share_its_name() {
    let update = operation("patch", "/v1/shelves/{shelves}/books/{books}");
    assert_eq!(parameters(update, "path"), ["shelves", "books"]);
    let files = operation("get", "/v1/files/{path}");
    assert_eq!(parameters(files, "path"), ["path"]);
    operation("post", "/v1/shelves/{shelves}/books/{books}:archive");
    let tags = operation("put", "/v1/books/{id}/tags");
    assert_eq!(tags["parameters"][0]["schema"]["format"], "int64");
}

#[test]
fn the_query_has_the_fields_that_neither_path_nor_body_fill() {
    let search = parameters(operation("get", "/v1/books:search"), "query");
    for name in ["text", "authors", "genre", "since", "read_mask", "place.city", "place.floors"] {
        assert!(search.iter().any(|it| it == name), "{name} in {search:?}");
    }
    for name in ["labels", "extra", "place.inside.city"] {
        assert!(!search.iter().any(|it| it == name), "{name} in {search:?}");
    }
    let create = parameters(operation("post", "/v1/shelves/{shelves}/books"), "query");
    assert_eq!(create, ["book_id", "dry_run"]);
    let echo = parameters(operation("post", "/v1/echo"), "query");
    assert!(echo.is_empty());
}

#[test]
fn a_body_is_the_message_a_field_or_bytes() {
    let content = |method, path| &operation(method, path)["requestBody"]["content"];
    let create = &content("post", "/v1/shelves/{shelves}/books")["application/json"]["schema"];
    assert_eq!(create["$ref"], "#/components/schemas/library.v1.Book");
    let archive = content("post", "/v1/shelves/{shelves}/books/{books}:archive");
    let archive = &archive["application/json"]["schema"]["properties"];
    assert!(archive.get("reason").is_some() && archive.get("name").is_none(), "{archive}");
    let tags = &content("put", "/v1/books/{id}/tags")["application/json"]["schema"];
    assert_eq!((&tags["type"], &tags["items"]["type"]), (&json!("array"), &json!("string")));
    assert!(content("put", "/v1/files/{path}").get("*/*").is_some());
    assert_eq!(operation("get", "/v1/books/{name}").get("requestBody"), None);
}

#[test]
fn an_answer_is_the_message_a_field_a_stream_or_bytes() {
    let content = |path| &operation("get", path)["responses"]["200"]["content"];
    let theme = &content("/v1/shelves/{number}/theme")["application/json"]["schema"];
    assert_eq!(theme["oneOf"][1]["type"], "null", "a field that is not set is null");
    let stream = content("/v1/books:stream");
    for media_type in ["application/x-ndjson", "text/event-stream"] {
        assert!(stream.get(media_type).is_some(), "{media_type}");
    }
    assert!(content("/v1/files/{path}").get("*/*").is_some());
}

#[test]
fn messages_are_described_as_protojson_writes_them() {
    let properties = &schema("library.v1.Everything")["properties"];
    for (field, expected) in [
        (
            "an_int32",
            json!({"type": "integer", "format": "int32", "minimum": i32::MIN, "maximum": i32::MAX}),
        ),
        ("an_int64", json!({"type": "string", "format": "int64", "pattern": "^-?[0-9]{1,19}$"})),
        ("a_fixed64", json!({"type": "string", "format": "uint64", "pattern": "^[0-9]{1,20}$"})),
        ("a_bool", json!({"type": "boolean"})),
        ("some_bytes", json!({"type": "string", "contentEncoding": "base64"})),
        ("an_enum", json!({"$ref": "#/components/schemas/library.v1.Genre"})),
        ("timestamp", json!({"type": "string", "format": "date-time"})),
        ("value", json!({})),
        ("bool_value", json!({"type": "boolean"})),
    ] {
        assert_eq!(properties[field], expected, "{field}");
    }
    let by_number = &properties["by_number"]["additionalProperties"];
    assert_eq!(by_number["$ref"], "#/components/schemas/library.v1.Book");
    let inside = &properties["inside"]["items"];
    assert_eq!(inside["$ref"], "#/components/schemas/library.v1.Everything", "of itself");
    assert_eq!(schema("library.v1.Genre")["enum"][1], "GENRE_NOVEL");
    assert_eq!(schema("library.v1.Book")["additionalProperties"], false, "requests have it");
    let shelf = schema("library.v1.Shelf");
    assert!(shelf.is_object() && shelf.get("additionalProperties").is_none(), "answers alone");
}

#[test]
fn comments_and_access_are_said() {
    let book = operation("get", "/v1/books/{name}");
    let summary = book["summary"].as_str().expect("a summary");
    assert!(summary.starts_with("A path of two segments in one field"), "{summary}");
    assert_eq!(book["security"], json!([{"bearer": []}, {}]), "with or without a token");
    let search = operation("get", "/v1/books:search");
    assert_eq!(search["security"], json!([{"bearer": []}]));
    assert!(search["description"].as_str().expect("a note").ends_with("For readers."));
}

#[test]
fn every_reason_has_an_example_under_its_status() {
    let responses = &DOCUMENT["components"]["responses"];
    let example = |response: &str, reason: &str| {
        let content = &responses[response]["content"]["application/json"];
        content["examples"][reason]["value"].clone()
    };
    assert_eq!(
        example("NotFound", "LOST"),
        json!({"code": 5, "message": "it is lost", "details": [{
            "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "LOST", "domain": "library"
        }]})
    );
    let overloaded = example("TooManyRequests", Reason::Overloaded.as_str());
    assert_eq!(overloaded["details"][1]["@type"], "type.googleapis.com/google.rpc.RetryInfo");
    let book = &operation("get", "/v1/books/{name}")["responses"];
    assert_eq!(book["404"]["$ref"], "#/components/responses/NotFound");
    assert_eq!(book.get("413"), None, "it takes no body");
    assert!(operation("post", "/v1/echo")["responses"].get("413").is_some());
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(value: &Value) {
        match value {
            Value::Object(object) => {
                if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
                    let pointer = reference.strip_prefix('#').expect("in this document");
                    assert!(DOCUMENT.pointer(pointer).is_some(), "{reference}");
                }
                object.values().for_each(walk);
            }
            Value::Array(array) => array.iter().for_each(walk),
            _ => {}
        }
    }
    walk(&DOCUMENT);
}
