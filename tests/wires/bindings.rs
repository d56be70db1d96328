//! `google.api.http`, feature by feature; then the annotations that stop a start.

use http::{Method, header};
use http_body_util::Full;
use prost::Message as _;
use prost_reflect::{DynamicMessage, Value};
use serde_json::{Value as Json, json};
use user_service::wires::{Api, Options};

use crate::serve::Server;

#[tokio::test]
async fn a_path_fills_fields() {
    let server = Server::start().await;
    for (path, name) in [
        ("/v1/shelves/1/books/2", "shelves/1/books/2"),
        ("/v1/books/isbn:978-0:1", "isbn:978-0:1"),
        ("/v1/books/a%2Fb%20c%3A", "a/b c:"),
        ("/v1/books/a+b", "a+b"),
        ("/v1/books/latest", ""),
        ("/v1/books/%6Catest", ""),
        ("/v1/books/caf%C3%A9", "café"),
        ("/v1/shelves/a%2Fb/books/c%20d", "shelves/a%2Fb/books/c d"),
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.json()["name"].as_str().unwrap_or_default(), name, "{path} {answer:?}");
    }
    let files =
        [("/v1/files/a/b%20c/d%2Fe", "a/b c/d%2Fe"), ("/v1/files", ""), ("/v1/files/a:b", "a:b")];
    for (path, text) in files {
        assert_eq!(server.get(path).await.text(), text, "{path}");
    }
    assert_eq!(server.get("/v1/shelves/-3/all").await.json()["shelf"]["number"], -3);
}

#[tokio::test]
async fn a_path_that_does_not_fit_its_field_is_refused_by_name() {
    let server = Server::start().await;
    let field = |name: &str| (400, "FIELD_INVALID".to_owned(), name.to_owned());
    assert_eq!(server.get("/v1/shelves/one").await.refusal(), field("number"));
    assert_eq!(server.get("/v1/shelves/3000000000").await.refusal(), field("number"));
    let malformed = (400, "REQUEST_MALFORMED".to_owned(), String::new());
    assert_eq!(server.get("/v1/books/%zz").await.refusal(), malformed);
    assert_eq!(server.get("/v1/books/%FF").await.refusal(), malformed);
}

#[tokio::test]
async fn a_query_fills_every_kind_of_field() {
    let server = Server::start().await;
    let query = "text=a+b%26c&authors=Ada&authors=Bob&genres=GENRE_NOVEL&genres=2&genre=GENRE_POETRY\
        &minPages=0&big=-9007199254740993&ubig=18446744073709551615&score=1.5&weight=-Infinity&lent=true\
        &token=AP-_&since=2024-02-29T12:00:00Z&within=1.5s&read_mask=title,place.inside_out&max_pages=7\
        &available=false&note=&place.city=Paris&place.inside.city=Louvre&place.inside.floors=1\
        &place.inside.floors=-2&reader_number=9";
    let answer = server.get(&format!("/v1/books:search?{query}")).await;
    let expected = json!({
        "text": "a b&c", "authors": ["Ada", "Bob"], "genres": ["GENRE_NOVEL", "GENRE_POETRY"],
        "genre": "GENRE_POETRY", "min_pages": 0, "big": "-9007199254740993",
        "ubig": "18446744073709551615", "score": 1.5, "weight": "-Infinity", "lent": true,
        "token": "AP+/", "since": "2024-02-29T12:00:00Z", "within": "1.500s",
        "read_mask": "title,place.insideOut", "max_pages": "7", "available": false, "note": "",
        "place": {"city": "Paris", "inside": {"city": "Louvre", "floors": [1, -2]}},
        "reader_number": 9,
    });
    assert_eq!(answer.json(), expected);
    let same = server
        .json(Method::POST, "/library.v1.LibraryService/SearchBooks", expected.to_string())
        .await;
    assert_eq!(same.json(), expected);
}

#[tokio::test]
async fn a_query_has_the_numbers_of_json() {
    let server = Server::start().await;
    let query = "big=1e3&ubig=18446744073709551615.0&min_pages=-1.0&max_pages=9e18&weight=3.4028235e38\
        &score=-Infinity&genre=1";
    let answer = server.get(&format!("/v1/books:search?{query}")).await;
    let read = json!({
        "big": "1000", "ubig": "18446744073709551615", "min_pages": -1,
        "max_pages": "9000000000000000000", "weight": 3.4028235e38, "score": "-Infinity",
        "genre": "GENRE_NOVEL",
    });
    assert_eq!(answer.json(), read);
}

#[tokio::test]
async fn a_field_mask_names_the_fields_that_the_query_names() {
    let server = Server::start().await;
    for (mask, paths) in [
        ("foo_1", vec!["foo_1"]),
        ("a__b", vec!["a__b"]),
        ("a_", vec!["a_"]),
        ("a_b.cD", vec!["a_b.cD"]),
        ("title,place.insideOut,,a_b", vec!["title", "place.inside_out", "a_b"]),
        ("", vec![]),
    ] {
        server.get(&format!("/v1/books:search?read_mask={mask}")).await;
        let searched = server.library.searched.lock().expect("a search").clone();
        assert_eq!(searched.read_mask.expect("a mask").paths, paths, "{mask}");
    }
}

#[tokio::test]
async fn a_query_that_does_not_fit_is_refused_by_name() {
    let server = Server::start().await;
    for (query, field) in [
        ("colour=red", "colour"),
        ("place.colour=red", "place.colour"),
        ("text.inside=1", "text.inside"),
        ("text=a&text=b", "text"),
        ("minPages=1&min_pages=2", "min_pages"),
        ("min_pages=x", "min_pages"),
        ("lent=maybe", "lent"),
        ("genre=GENRE_NONE", "genre"),
        ("token=%21", "token"),
        ("since=yesterday", "since"),
        ("within=1", "within"),
        ("labels=x", "labels"),
        ("labels.a=x", "labels.a"),
        ("extra=x", "extra"),
        ("place=x", "place"),
        ("reader=a&reader_number=1", "reader_number"),
        ("authors.0=a", "authors.0"),
        ("score=1e400", "score"),
        ("score=inf", "score"),
        ("weight=1e39", "weight"),
        ("big=9223372036854775808.0", "big"),
        ("ubig=18446744073709551616", "ubig"),
        ("min_pages=01", "min_pages"),
        // These are one value each, and have no names inside.
        ("since.seconds=5", "since.seconds"),
        ("max_pages.value=5", "max_pages.value"),
        ("extra.fields=x", "extra.fields"),
    ] {
        let answer = server.get(&format!("/v1/books:search?{query}")).await;
        assert_eq!(answer.refusal(), (400, "FIELD_INVALID".into(), field.into()), "{query}");
    }
    let answer = server.get("/v1/books:search?text=%E9").await;
    assert_eq!(answer.refusal().1, "REQUEST_MALFORMED");
    let answer = server.get("/v1/shelves/1/books/2?name=x").await;
    assert_eq!(answer.refusal(), (400, "FIELD_INVALID".into(), "name".into()));
}

#[tokio::test]
async fn a_body_fills_one_field_or_the_whole_message() {
    let server = Server::start().await;
    let answer = server
        .json(
            Method::POST,
            "/v1/shelves/1/books?book_id=7&dryRun=true",
            r#"{"title":"T","authors":["A"]}"#,
        )
        .await;
    let created = json!({"parent": "shelves/1", "book": {"title": "T", "authors": ["A"]}, "book_id": "7", "dry_run": true});
    assert_eq!(answer.json(), created);

    let update =
        json!({"book": {"name": "shelves/1/books/2", "title": "T"}, "update_mask": "title"});
    let path = "/v1/shelves/1/books/2";
    let answer =
        server.json(Method::PATCH, &format!("{path}?update_mask=title"), r#"{"title":"T"}"#).await;
    assert_eq!(answer.json(), update);
    let answer =
        server.json(Method::PUT, path, r#"{"book":{"title":"T"},"updateMask":"title"}"#).await;
    assert_eq!(answer.json(), update);
    let same = r#"{"name":"shelves/1/books/2","title":"T"}"#;
    let answer = server.json(Method::PATCH, &format!("{path}?update_mask=title"), same).await;
    assert_eq!(answer.json(), update);

    let other = server.json(Method::PATCH, path, r#"{"name":"shelves/9/books/9"}"#).await;
    assert_eq!(other.refusal(), (400, "FIELD_INVALID".into(), "book.name".into()));
    let twice = server.json(Method::PATCH, &format!("{path}?book.title=x"), "{}").await;
    assert_eq!(twice.refusal(), (400, "FIELD_INVALID".into(), "book.title".into()));
    let whole = server.json(Method::PUT, &format!("{path}?update_mask=title"), "{}").await;
    assert_eq!(whole.refusal(), (400, "FIELD_INVALID".into(), "update_mask".into()));

    let answer = server.json(Method::PUT, "/v1/books/7/tags", r#"["a","b"]"#).await;
    assert_eq!(answer.text(), r#"["a","b"]"#);
    let answer = server.json(Method::PUT, "/v1/books/7/tags", "").await;
    assert_eq!(answer.text(), "[]");
    for (body, field) in [(r#"["a",1]"#, "tags[1]"), (r#"{"a":1}"#, "tags")] {
        let answer = server.json(Method::PUT, "/v1/books/7/tags", body).await;
        assert_eq!(answer.refusal(), (400, "FIELD_INVALID".into(), field.into()), "{body}");
    }
    // What stands around the field's value cannot be forged.
    let forged = server.json(Method::PUT, "/v1/books/7/tags", r#"["a"],"id":"9""#).await;
    assert_eq!(forged.refusal().1, "REQUEST_MALFORMED");
}

#[tokio::test]
async fn a_verb_is_no_part_of_the_last_field() {
    let server = Server::start().await;
    let answer =
        server.json(Method::POST, "/v1/shelves/1/books/2:archive", r#"{"reason":"old"}"#).await;
    assert_eq!(answer.json(), json!({"name": "shelves/1/books/2", "reason": "old"}));
    let answer = server.json(Method::POST, "/v1/shelves/1/books/2:3:archive", "").await;
    assert_eq!(answer.json(), json!({"name": "shelves/1/books/2:3"}));
    for name in ["shelves/1/books/2:archive", "shelves/1/books/2:"] {
        assert_eq!(server.get(&format!("/v1/{name}")).await.json()["name"], name);
    }
}

#[tokio::test]
async fn an_answer_may_be_one_field_of_the_response() {
    let server = Server::start().await;
    for (path, body) in [
        ("/v1/shelves/7", json!({"number": 7, "books": [{"title": "A Title"}]})),
        ("/v1/shelves/7/theme", json!("Mathematics")),
        ("/v1/shelves/7/size", json!("7")),
        ("/v1/shelves/0", Json::Null),
        ("/v1/shelves/0/theme", Json::Null),
        ("/v1/shelves/0/size", json!("0")),
    ] {
        let answer = server.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, body), "{path}");
    }
}

#[tokio::test]
async fn other_http_methods_are_bound_too() {
    let server = Server::start().await;
    let lock = Method::from_bytes(b"LOCK").expect("a method");
    for (method, path) in
        [(lock, "/v1/shelves/7"), (Method::GET, "/v1/locks/7"), (Method::DELETE, "/v1/locks/7")]
    {
        let request =
            server.request(method.clone(), path).body(Full::default()).expect("a request");
        assert_eq!(server.send(request).await.json(), json!({"number": 7}), "{method} {path}");
    }
    let deleted = server
        .request(Method::DELETE, "/v1/shelves/1/books/2")
        .body(Full::default())
        .expect("a request");
    assert_eq!(server.send(deleted).await.json(), json!({}));
}

#[tokio::test]
async fn bytes_of_any_type_go_in_and_out() {
    let server = Server::start().await;
    let answer = server.get("/v1/files/a/b.txt").await;
    assert_eq!((answer.header("content-type"), answer.text()), ("text/plain", "a/b.txt"));
    assert_eq!(answer.header("x-content-type-options"), "nosniff");

    let send = |path: &str, method: Method| {
        server
            .request(method, path)
            .header(header::CONTENT_TYPE, "image/png; x=y")
            .body(Full::new(vec![0, 255, 10].into()))
            .expect("a request")
    };
    let answer = server.send(send("/v1/files:echo", Method::POST)).await;
    assert_eq!(
        (answer.header("content-type"), &answer.body[..]),
        ("image/png; x=y", &[0, 255, 10][..])
    );
    let answer = server.send(send("/v1/files/a", Method::PUT)).await;
    assert_eq!(
        answer.json(),
        json!({"path": "a", "file": {"content_type": "image/png; x=y", "data": "AP8K"}})
    );
}

/// A descriptor set in which the rule of one method is another.
fn with_rule(method: &str, rule: Json) -> Vec<u8> {
    use prost_reflect::DescriptorPool;
    let pool = DescriptorPool::decode(test_protos::DESCRIPTORS).expect("descriptors");
    let http = pool.get_extension_by_name("google.api.http").expect("an annotation");
    let set =
        pool.get_message_by_name("google.protobuf.FileDescriptorSet").expect("descriptor.proto");
    let rule_type = pool.get_message_by_name("google.api.HttpRule").expect("http.proto");
    let rule = DynamicMessage::deserialize(rule_type, rule).expect("a rule");

    let mut set = DynamicMessage::decode(set, test_protos::DESCRIPTORS).expect("a set");
    let files = set.get_field_by_name_mut("file").and_then(Value::as_list_mut).expect("files");
    let file = files.last_mut().and_then(Value::as_message_mut).expect("library.proto");
    let services =
        file.get_field_by_name_mut("service").and_then(Value::as_list_mut).expect("services");
    let service = services[0].as_message_mut().expect("a service");
    let methods =
        service.get_field_by_name_mut("method").and_then(Value::as_list_mut).expect("methods");
    let method = methods
        .iter_mut()
        .filter_map(Value::as_message_mut)
        .find(|it| it.get_field_by_name("name").is_some_and(|name| name.as_str() == Some(method)))
        .expect("a method");
    let options =
        method.get_field_by_name_mut("options").and_then(Value::as_message_mut).expect("options");
    options.set_extension(&http, Value::Message(rule));
    set.encode_to_vec()
}

#[test]
fn a_wrong_annotation_stops_the_start_and_says_why() {
    for (rule, why) in [
        (json!({}), "has neither HTTP method nor path"),
        (json!({"get": "v1"}), "`v1` does not begin with `/`"),
        (json!({"get": "/v1/{nothing}"}), "`/v1/{nothing}` binds `nothing`: no such field"),
        (json!({"get": "/v1/{name.x}"}), "only a message that is not repeated has fields inside"),
        (
            json!({"get": "/v1/x", "body": "*"}),
            "`/v1/x` has a body, which GET and HEAD cannot have",
        ),
        (
            json!({"post": "/v1/x", "body": "nothing"}),
            "has the body `nothing`, which is no field of library.v1.GetBookRequest",
        ),
        (
            json!({"post": "/v1/{name}", "body": "name"}),
            "fills `name` from the path and from the body",
        ),
        (
            json!({"get": "/v1/x", "response_body": "nothing"}),
            "which is no field of library.v1.Book",
        ),
        (
            json!({"custom": {"kind": "A B", "path": "/v1/x"}}),
            "bound to `A B`, which is no HTTP method",
        ),
        (json!({"custom": {"kind": "OPTIONS", "path": "/v1/x"}}), "which no RPC can answer"),
        (
            json!({"get": "/v1/x", "additional_bindings": [{"get": "/v1/y", "additional_bindings": [{"get": "/v1/z"}]}]}),
            "has additional bindings of its own",
        ),
        (
            json!({"get": "/v1/shelves/{name}"}),
            "GET /v1/shelves/{number} of library.v1.LibraryService.GetShelf is the same as GET /v1/shelves/{name} of library.v1.LibraryService.GetBook",
        ),
        (
            json!({"get": "/docs/{name}"}),
            "GET /docs/{name} of library.v1.LibraryService.GetBook can never be reached: `/docs/**` is reserved",
        ),
    ] {
        let reserved_paths = vec!["/".into(), "/healthz".into(), "/docs/**".into()];
        let options = Options { reserved_paths, ..Options::default() };
        let error =
            Api::new(&[&with_rule("GetBook", rule.clone())], options).expect_err("a refusal");
        assert!(error.to_string().contains(why), "{rule}: {error}");
        assert!(error.to_string().contains("library.v1.LibraryService.GetBook"), "{rule}: {error}");
    }
    let fine = Api::new(&[&with_rule("GetBook", json!({"get": "/{name}"}))], Options::default());
    fine.expect("a literal page beside it is no collision");

    let inside = with_rule("SearchBooks", json!({"get": "/v1/{since.seconds}"}));
    let error = Api::new(&[&inside], Options::default()).expect_err("a refusal").to_string();
    assert!(error.contains("binds `since.seconds`: this type has no fields inside"), "{error}");
}

#[test]
fn the_bindings_can_be_listed() {
    let api = Api::new(&[test_protos::DESCRIPTORS], Options::default()).expect("good bindings");
    let of_get_book: Vec<_> = api
        .bindings()
        .map(ToString::to_string)
        .filter(|binding| binding.ends_with(".GetBook"))
        .collect();
    assert_eq!(
        of_get_book,
        [
            "GET /v1/{name=shelves/*/books/*} of library.v1.LibraryService.GetBook",
            "GET /v1/books/{name} of library.v1.LibraryService.GetBook",
            "GET /v1/books/latest of library.v1.LibraryService.GetBook",
            "POST /library.v1.LibraryService/GetBook of library.v1.LibraryService.GetBook",
        ]
    );
    let methods: Vec<_> = api.http_methods().iter().map(ToString::to_string).collect();
    assert_eq!(methods, ["DELETE", "GET", "LOCK", "PATCH", "POST", "PUT"]);
    let of_library = api.rpcs().filter(|rpc| rpc.full_name().starts_with("library.v1."));
    assert_eq!(of_library.count(), 18);
}

#[test]
fn the_services_own_bindings_are_good() {
    let api =
        Api::new(&[user_service::proto::DESCRIPTORS], Options::default()).expect("good bindings");
    let bindings: Vec<_> = api.bindings().map(ToString::to_string).collect();
    assert!(
        bindings.contains(&"PATCH /name of user.v1.UserService.UpdateName".to_owned()),
        "{bindings:?}"
    );
}

#[test]
fn what_is_printed_of_an_api_has_an_end() {
    let api = Api::new(&[test_protos::DESCRIPTORS], Options::default()).expect("an API");
    assert!(format!("{api:?}").contains("/library.v1.LibraryService/GetBook"));
}
