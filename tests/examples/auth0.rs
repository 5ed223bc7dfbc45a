//! The answers are those of Auth0's documentation: <https://auth0.com/docs/fine-grained-m2m-token-quotas-early-access>
//! for the quota, and <https://github.com/auth0/node-auth0/issues/292> for an unknown audience.

use serde_json::{Value, json};

use crate::loopback::{Received, SECRET, Server, challenge, form, json_reply, reply};
use crate::run::{CLIENT, Program, example};

const QUOTA: &str = "b=per_hour;q=10;r=7;t=3540,b=per_day;q=50;r=47;t=43200";

fn auth() -> Server {
    Server::new(|_| {
        json_reply(200, r#"{"access_token":"tok-m2m","token_type":"Bearer","expires_in":86400}"#)
            .header("X-RateLimit-Limit", "300")
            .header("X-RateLimit-Remaining", "299")
            .header("X-RateLimit-Reset", "1778000000")
            .header("Auth0-Client-Quota-Limit", QUOTA)
    })
}

fn api() -> Server {
    Server::new(|request| match request.token() {
        Some("tok-m2m") => json_reply(200, &format!(r#"["{}"]"#, request.target())),
        _ => reply(401),
    })
}

fn auth0(auth: &Server) -> Program {
    example("auth0").client(&auth.url("/oauth/token")).args(["--audience", "my-api"])
}

/// Both the id and the secret are in the body, and nowhere else.
fn body(request: &Received) -> Value {
    assert_eq!((request.line(), request.header("authorization")), ("POST /oauth/token HTTP/1.1", None));
    match request.header("content-type") {
        Some("application/json") => serde_json::from_slice(&request.body).expect("JSON"),
        Some("application/x-www-form-urlencoded") => {
            form(&request.body).into_iter().map(|(name, value)| (name, Value::from(value))).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_token_for_a_day_serves_all_calls() {
    let (auth, api) = (auth(), api());
    let run = auth0(&auth).args([api.url("/one"), api.url("/two")]).run();
    assert_eq!(run.success(), "[\"/one\"]\n[\"/two\"]\n");
    for line in [
        "x-ratelimit-limit: 300",
        "x-ratelimit-remaining: 299",
        "x-ratelimit-reset: 1778000000",
        &format!("auth0-client-quota-limit: {QUOTA}"),
        "the token is good for 24 h 0 min",
    ] {
        assert!(run.stderr.lines().any(|l| l == line), "{line}: {}", run.stderr);
    }
    let [request] = &auth.requests()[..] else { panic!("{}", run.stderr) };
    assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
    let asked = json!({
        "grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET, "audience": "my-api",
    });
    assert_eq!(body(request), asked);
    assert_eq!(api.tokens(), ["tok-m2m", "tok-m2m"]);
}

#[test]
fn a_json_body_with_an_organization() {
    let (auth, api) = (auth(), api());
    let args = ["--json", "--organization", "org_123", "--scope", "read:a read:b"];
    auth0(&auth).args(args).args([api.url("/")]).run().success();
    let asked = json!({
        "grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET, "audience": "my-api",
        "organization": "org_123", "scope": "read:a read:b",
    });
    let requests = auth.requests();
    assert_eq!(requests[0].header("content-type"), Some("application/json"));
    assert_eq!(body(&requests[0]), asked);
}

#[test]
fn an_exceeded_quota_is_reported_at_once_with_its_headers() {
    let auth = Server::new(|_| {
        json_reply(429, r#"{"error":"too_many_requests","error_description":"Client quota exceeded"}"#)
            .header("Retry-After", "3540")
            .header("X-RateLimit-Remaining", "0")
            .header("Auth0-Client-Quota-Limit", "b=per_hour;q=10;r=0;t=3540")
    });
    let api = api();
    let run = auth0(&auth).args([api.url("/")]).run();
    let endpoint = format!("127.0.0.1:{}", auth.port());
    run.failure(&format!(
        "auth0: token request to {endpoint}: denied with status 429, too_many_requests: \"Client quota exceeded\"; \
         retry after 3540 s"
    ));
    assert!(run.stderr.contains("x-ratelimit-remaining: 0\n"), "{}", run.stderr);
    assert!(run.stderr.contains("auth0-client-quota-limit: b=per_hour;q=10;r=0;t=3540\n"), "{}", run.stderr);
    assert_eq!((auth.requests().len(), api.requests().len()), (1, 0));
}

#[test]
fn an_audience_that_auth0_does_not_know() {
    let refusal = r#"{"error":"access_denied","error_description":"Service not enabled within domain: my-api"}"#;
    let auth = Server::new(move |_| json_reply(403, refusal));
    let api = api();
    let run = auth0(&auth).args([api.url("/")]).run();
    run.failure("denied with status 403, access_denied: \"Service not enabled within domain: my-api\"");
    assert_eq!((auth.requests().len(), api.requests().len()), (1, 0));
}

#[test]
fn a_scope_that_the_token_lacks_is_no_reason_for_another_token() {
    let auth = auth();
    let api = Server::new(|_| {
        challenge(403, r#"Bearer error="insufficient_scope""#).body(r#"{"message":"Insufficient \u001b[31mscope"}"#)
    });
    let url = api.url("/items");
    auth0(&auth)
        .args([&url])
        .run()
        .failure(&format!(r#"{url}: 403 Forbidden: {{\"message\":\"Insufficient \\u001b[31mscope\"}}"#));
    assert_eq!((auth.requests().len(), api.requests().len()), (1, 1));
}

#[test]
fn settings_that_make_no_sense_stay_on_this_machine() {
    let api = api();
    let run = |endpoint: &str, url: &str| example("auth0").client(endpoint).args(["--audience", "a", url]).run();
    run("http://tenant.auth0.com/oauth/token", &api.url("/")).failure("RFC 6749 section 3.2");
    let auth = auth();
    run(&auth.url("/"), "ftp://127.0.0.1/").failure("http(s)");
    auth0(&auth).run().is_usage("which URL?");
    assert_eq!((auth.requests().len(), api.requests().len()), (0, 0));
}

/// The secret may come from a file, which is read when it is needed.
#[test]
fn a_secret_file() {
    let (auth, api, directory) = (auth(), api(), crate::run::Directory::new());
    let file = directory.write("secret", &format!("{SECRET}\n"));
    let program = |file: &str| {
        let program = example("auth0").env("TOKEN_ENDPOINT", auth.url("/oauth/token"));
        program.args(["--audience", "a", "--client-id", CLIENT, "--client-secret-file", file, &api.url("/")]).run()
    };
    program(&file).success();
    assert_eq!(body(&auth.requests()[0])["client_secret"], SECRET);
    let run = program("/no/such/file");
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("the secret of client \"the-client\" could not be read: /no/such/file: "), "{run:?}");
}
