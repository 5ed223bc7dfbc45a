//! The resource of <https://confluence.atlassian.com/bitbucket/oauth-resource-296093112.html>, in memory.

use serde_json::{Value, json};

use crate::loopback::{Received, SECRET, Server, assert_same, form, json_reply, reply, token_reply};
use crate::run::{CLIENT, Directory, Program, basic, example};

/// Knows the client of the tests, and the one consumer that it makes.
fn auth() -> Server {
    Server::new(|request| match request.header("authorization") {
        Some(value) if value == basic(CLIENT, SECRET) => token_reply("tok-client"),
        Some(value) if value == basic("key-168", "hush-168") => token_reply("tok-168"),
        _ => {
            json_reply(400, r#"{"error":"unauthorized_client","error_description":"Invalid OAuth client credentials"}"#)
        }
    })
}

/// Has one consumer from the start, and takes forms and JSON.
fn api() -> Server {
    let mut consumers = vec![consumer(167, json!({"name": "REST documentation"}))];
    Server::new(move |request| {
        if !matches!(request.token(), Some("tok-client" | "tok-168")) {
            return json_reply(401, r#"{"type":"error","error":{"message":"Access token expired."}}"#);
        }
        let path = request.target().strip_prefix("/1.0/users/team/consumers").expect("the consumers of team");
        let id = path.strip_prefix('/').map(|id| id.parse::<u64>().expect("an id"));
        let at = consumers.iter().position(|consumer| consumer["id"].as_u64() == id);
        match (request.method(), at) {
            ("GET", None) if id.is_none() => json_reply(200, &Value::from(consumers.clone()).to_string()),
            ("POST", None) if id.is_none() => match fields(request) {
                fields if fields["name"].is_string() => {
                    consumers.push(consumer(167 + consumers.len() as u64, fields));
                    json_reply(200, &consumers[consumers.len() - 1].to_string())
                }
                _ => json_reply(400, r#"{"type":"error","error":{"message":"name: This field is required."}}"#),
            },
            ("PUT", Some(at)) => {
                consumers[at] = consumer(id.unwrap_or_default(), fields(request));
                json_reply(200, &consumers[at].to_string())
            }
            ("DELETE", Some(at)) => {
                consumers.remove(at);
                reply(204)
            }
            _ => json_reply(404, r#"{"type":"error","error":{"message":"Consumer not found"}}"#),
        }
    })
}

fn consumer(id: u64, fields: Value) -> Value {
    json!({
        "id": id, "key": format!("key-{id}"), "secret": format!("hush-{id}"),
        "name": fields["name"], "description": fields["description"], "url": fields["url"],
    })
}

fn fields(request: &Received) -> Value {
    match request.header("content-type") {
        Some("application/json") => serde_json::from_slice(&request.body).expect("JSON"),
        Some("application/x-www-form-urlencoded") => {
            form(&request.body).into_iter().map(|(name, value)| (name, Value::from(value))).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn consumers(auth: &Server, api: &Server) -> Program {
    let urls = ["--token-endpoint", &auth.url("/token"), "--api", &api.url("")].map(str::to_owned);
    example("consumers").args(urls).args(["--account", "team"])
}

fn as_client(auth: &Server, api: &Server) -> Program {
    consumers(auth, api).client(&auth.url("/token"))
}

#[test]
fn listed_created_updated_used_and_deleted() {
    for format in [&[][..], &["--json"]] {
        let (auth, api, directory) = (auth(), api(), Directory::new());
        let file = directory.join("consumer.json").display().to_string();
        let run = |args: &[&str]| as_client(&auth, &api).args(format).args(args).run();

        assert_eq!(run(&["list"]).success(), "167 \"key-167\" \"REST documentation\"\n");
        let create = ["create", "--name", "a & b", "--description", "for \"me\"", "--save", &file];
        assert_eq!(run(&create).success(), "168 \"key-168\" \"a & b\"\n");
        let saved: Value = serde_json::from_str(&directory.read("consumer.json")).expect("JSON");
        assert_eq!(saved, consumer(168, json!({"name": "a & b", "description": "for \"me\""})));
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&file).expect("a file")) & 0o777, 0o600);

        assert_eq!(
            run(&["update", "167", "--name", "new", "--url", "https://x.example"]).success(),
            "167 \"key-167\" \"new\"\n"
        );
        // What was created asks for itself.
        let own = |args: &[&str]| consumers(&auth, &api).args(["--consumer", &file]).args(args).run();
        assert_eq!(own(&["list"]).success(), "167 \"key-167\" \"new\"\n168 \"key-168\" \"a & b\"\n");
        assert_eq!(own(&["delete", "168"]).success(), "");
        own(&["delete", "168"]).failure("the API answered 404 Not Found: \"Consumer not found\"");
        assert_eq!(run(&["list"]).success(), "167 \"key-167\" \"new\"\n");

        let sent: Vec<_> =
            api.requests().iter().map(|r| format!("{} {}", r.method(), r.token().unwrap_or("-"))).collect();
        assert_eq!(
            sent,
            [
                "GET tok-client",
                "POST tok-client",
                "PUT tok-client",
                "GET tok-168",
                "DELETE tok-168",
                "DELETE tok-168",
                "GET tok-client",
            ]
        );
    }
}

#[test]
fn a_refused_post_is_sent_again_with_its_body() {
    let mut count = 0;
    let auth = Server::new(move |_| {
        count += 1;
        token_reply(&format!("tok-{count}"))
    });
    let api = Server::replies([
        json_reply(401, r#"{"type":"error","error":{"message":"Access token expired."}}"#),
        json_reply(200, &consumer(168, json!({"name": "n"})).to_string()),
    ]);
    let directory = Directory::new();
    let file = directory.join("consumer.json").display().to_string();
    as_client(&auth, &api).args(["create", "--name", "n", "--save", &file]).run().success();
    let requests = api.requests();
    assert_eq!(api.tokens(), ["tok-1", "tok-2"]);
    assert_same("the second attempt", &requests[0], &requests[1], requests[0].framing());
    assert_eq!(requests[1].text(), "name=n");
}

#[test]
fn a_consumer_that_could_not_be_made_leaves_no_file() {
    let (auth, directory) = (auth(), Directory::new());
    let refuse = || json_reply(400, r#"{"type":"error","error":{"message":"name: This field is required."}}"#);
    let api = Server::replies([refuse(), refuse()]);
    let file = directory.join("consumer.json").display().to_string();
    let create = |file: &str| as_client(&auth, &api).args(["create", "--save", file]).run();
    create(&file).failure("the API answered 400 Bad Request: \"name: This field is required.\"");
    assert!(!directory.join("consumer.json").exists());
    // Nor does it take the place of one that is there.
    let taken = directory.write("taken.json", "mine");
    assert_eq!(create(&taken).code, 1);
    assert_eq!((directory.read("taken.json").as_str(), api.requests().len()), ("mine", 1));
}

#[test]
fn what_makes_no_sense_is_not_sent() {
    let (auth, api, directory) = (Server::replies([]), Server::replies([]), Directory::new());
    let which = "list, create (with --save FILE), update ID or delete ID?";
    for args in [&[][..], &["create"], &["update"], &["list", "167"], &["drop", "167"]] {
        as_client(&auth, &api).args(args).run().is_usage(which);
    }
    as_client(&auth, &api).args(["delete", "../x"]).run().is_usage("ID is a number");
    let account = |name: &str| {
        example("consumers").client(&auth.url("/token")).args(["--api", &api.url(""), "--account", name, "list"]).run()
    };
    account("team/x").is_usage("--account: letters, digits, - and _ only");
    for text in ["", "hush-168", r#"{"key":"key-168"}"#] {
        let file = directory.write("consumer.json", text);
        let run = consumers(&auth, &api).args(["--consumer", &file, "list"]).run();
        run.failure(&format!("{file}: not a consumer with key and secret"));
    }
    assert_eq!((auth.requests().len(), api.requests().len()), (0, 0));
}
