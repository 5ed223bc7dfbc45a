use crate::loopback::{CLOSED, Reply, SECRET, Server, invalid_token, json_reply, redirect, reply, token_reply};
use crate::run::{CLIENT, Program, basic, example};

fn any_client(auth: &Server) -> Program {
    example("any_client").client(&auth.url("/token"))
}

/// Another token each time.
fn auth() -> Server {
    let mut count = 0;
    Server::new(move |_| {
        count += 1;
        token_reply(&format!("tok-{count}"))
    })
}

#[test]
fn one_token_for_all_calls() {
    let (auth, api) = (auth(), Server::wants("tok-1"));
    let run = any_client(&auth).args(["--scope", "read"]).args([api.url("/one?q=1"), api.url("/two")]).run();
    assert_eq!((run.success(), run.stderr.as_str()), ("fine\nfine\n", ""));
    let [request] = &auth.requests()[..] else { panic!() };
    assert_eq!(request.line(), "POST /token HTTP/1.1");
    assert_eq!(request.header("authorization"), Some(basic(CLIENT, SECRET).as_str()));
    assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(request.header("accept"), Some("application/json"));
    assert_eq!(request.text(), "grant_type=client_credentials&scope=read");
    let lines: Vec<_> = api.requests().iter().map(|request| request.line().to_owned()).collect();
    assert_eq!(lines, ["GET /one?q=1 HTTP/1.1", "GET /two HTTP/1.1"]);
}

#[test]
fn a_refused_token_is_replaced_once() {
    let (auth, api) = (auth(), Server::wants("tok-2"));
    assert_eq!(any_client(&auth).args([api.url("/")]).run().success(), "fine\n");
    assert_eq!(api.tokens(), ["tok-1", "tok-2"]);

    let api = Server::new(|_| invalid_token());
    any_client(&auth).args([api.url("/")]).run().failure("401 Unauthorized: status 401");
    assert_eq!(api.tokens(), ["tok-3", "tok-4"]);
}

#[test]
fn no_redirect_is_followed() {
    let elsewhere = Server::replies([]);
    let to = elsewhere.url("/");
    let auth = Server::new({
        let to = to.clone();
        move |_| redirect(307, to.clone())
    });
    let api = Server::new(move |_| redirect(302, to.clone()));
    any_client(&auth).args([api.url("/")]).run().failure("denied with status 307");
    let auth = self::auth();
    any_client(&auth).args([api.url("/")]).run().failure("302 Found:");
    assert_eq!((api.tokens(), elsewhere.requests().len()), (vec!["tok-1".into()], 0));
}

#[test]
fn limits_hold() {
    let failure = |seconds: &str, reply: Reply, what: &str| {
        let (auth, api) = (Server::new(move |_| reply.clone()), Server::replies([]));
        any_client(&auth).args(["--timeout", seconds]).args([api.url("/")]).run().failure(what);
        assert_eq!((auth.requests().len(), api.requests().len()), (1, 0), "{what}");
    };
    failure("30", reply(200).body(vec![b' '; 256 * 1024 + 1]), "more than 262144 bytes");
    failure("30", token_reply("tok-cut").cut(), "the answer was cut short");
    failure("1", Reply::never(), "the timeout of the request was reached");
}

#[test]
fn failures_keep_their_causes() {
    let api = Server::replies([]);
    let run = example("any_client").client(&format!("http://{CLOSED}/token")).args([api.url("/")]).run();
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("token request to 127.0.0.1:") && run.stderr.contains("refused"), "{run:?}");
    let run = example("any_client").client("https://127.0.0.1:9/token").args([api.url("/")]).run();
    run.failure("request url contains https:// but the https feature is not enabled");
    let auth = Server::replies([json_reply(401, r#"{"error":"invalid_client"}"#)]);
    let run = any_client(&auth).args([api.url("/")]).run();
    run.failure("denied with status 401, invalid_client");
    assert_eq!(api.requests().len(), 0);
}
