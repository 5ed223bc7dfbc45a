//! The answers are those of <https://developer.atlassian.com/cloud/bitbucket/rest/intro/> and of the pages that
//! `examples/bitbucket.rs` names; that to a wrong secret is from <https://github.com/harness/harness/issues/1650>.

use std::fs;

use crate::loopback::{Reply, SECRET, Server, json_reply, reply};
use crate::run::{CLIENT, Directory, Program, basic, example};

/// Bitbucket's refusal of a token: no challenge, and an `error` that is an object.
fn expired() -> Reply {
    json_reply(401, r#"{"type":"error","error":{"message":"Access token expired."}}"#)
}

/// A token for two hours, another one each time, as Bitbucket answers since May 2026.
fn auth() -> Server {
    let mut count = 0;
    Server::new(move |_| {
        count += 1;
        json_reply(
            200,
            &format!(
                r#"{{"access_token":"tok-{count}","expires_in":7200,"token_type":"bearer","scope":"repository"}}"#
            ),
        )
    })
}

fn bitbucket(auth: &Server, api: &Server) -> Program {
    example("bitbucket").client(&auth.url("/site/oauth2/access_token")).args(["--api", &api.url("")])
}

#[test]
fn pages_are_followed_and_an_expired_token_is_replaced_on_the_way() {
    let auth = auth();
    let mut old_is_good = true;
    let api = Server::new(move |request| {
        let address = request.header("host").expect("a host");
        match (request.target(), request.token()) {
            ("/2.0/repositories/team", Some("tok-1")) => json_reply(
                200,
                &format!(
                    r#"{{"pagelen":2,"values":[{{"slug":"a"}},{{"slug":"b"}}],"next":"http://{address}/2.0/repositories/team?page=2"}}"#
                ),
            ),
            ("/2.0/repositories/team?page=2", Some("tok-1")) if std::mem::take(&mut old_is_good) => expired(),
            ("/2.0/repositories/team?page=2", Some("tok-2")) => {
                json_reply(200, r#"{"pagelen":2,"values":[{"slug":"c"}]}"#)
            }
            other => panic!("{other:?}"),
        }
    });
    let run = bitbucket(&auth, &api).args(["/2.0/repositories/team"]).run();
    assert_eq!((run.success(), run.stderr.as_str()), ("{\"slug\":\"a\"}\n{\"slug\":\"b\"}\n{\"slug\":\"c\"}\n", ""));
    assert_eq!(api.tokens(), ["tok-1", "tok-1", "tok-2"]);
    for request in auth.requests() {
        assert_eq!(request.line(), "POST /site/oauth2/access_token HTTP/1.1");
        assert_eq!(request.header("authorization"), Some(basic(CLIENT, SECRET).as_str()));
        assert_eq!(request.text(), "grant_type=client_credentials");
    }
    assert_eq!(auth.requests().len(), 2);
}

#[test]
fn the_next_page_must_be_at_an_origin_that_may_receive_the_token() {
    let (auth, elsewhere) = (auth(), Server::replies([]));
    let next = elsewhere.url("/2.0/repositories/team?page=2");
    let page = format!(r#"{{"values":[1],"next":"{next}"}}"#);
    let api = Server::new(move |_| json_reply(200, &page));
    let run = bitbucket(&auth, &api).args(["/2.0/repositories/team"]).run();
    run.failure(&format!("the next page is at an origin that may not receive the token: {next:?}"));
    assert_eq!((run.stdout.as_str(), elsewhere.requests().len()), ("1\n", 0));
}

#[test]
fn there_are_never_more_pages_than_asked_for() {
    let (auth, mut page) = (auth(), 0);
    let api = Server::new(move |request| {
        page += 1;
        let host = request.header("host").expect("a host");
        json_reply(200, &format!(r#"{{"values":[{page}],"next":"http://{host}/2.0/x?page={page}"}}"#))
    });
    let run = bitbucket(&auth, &api).args(["--pages", "3", "/2.0/x"]).run();
    assert_eq!((run.success(), run.stderr.as_str()), ("1\n2\n3\n", "there is more: see --pages\n"));
    bitbucket(&auth, &api).args(["--pages", "0", "/2.0/x"]).run().is_usage("--pages needs a number above 0");
}

#[test]
fn refusals_are_reported_in_bitbuckets_words() {
    let auth = auth();
    let not_found = r#"{"type":"error","error":{"message":"Repository team/none not found"}}"#;
    let api =
        Server::replies([json_reply(404, not_found), reply(503).body("<html>"), json_reply(200, r#"{"slug":"a"}"#)]);
    let run = || bitbucket(&auth, &api).args(["/2.0/x"]).run();
    run().failure("/2.0/x: 404 Not Found: \"Repository team/none not found\"");
    run().failure("/2.0/x: 503 Service Unavailable");
    assert_eq!(run().success(), "{\"slug\":\"a\"}\n");
    bitbucket(&auth, &api).args(["2.0/x"]).run().is_usage("PATH begins with a slash");
    bitbucket(&auth, &api).run().is_usage("one PATH is needed");
}

#[test]
fn an_api_that_refuses_every_token_is_asked_twice() {
    let (auth, api) = (auth(), Server::new(|_| expired()));
    bitbucket(&auth, &api).args(["/2.0/x"]).run().failure("/2.0/x: 401 Unauthorized: \"Access token expired.\"");
    assert_eq!((auth.requests().len(), api.tokens()), (2, vec!["tok-1".into(), "tok-2".into()]));
}

#[test]
fn a_wrong_secret_is_told_as_such() {
    let api = Server::replies([]);
    let refusal = r#"{"error_description":"Invalid OAuth client credentials","error":"unauthorized_client"}"#;
    let auth = Server::new(move |_| json_reply(400, refusal));
    let run = bitbucket(&auth, &api).args(["/2.0/x"]).run();
    run.failure("denied with status 400, unauthorized_client: \"Invalid OAuth client credentials\"");
    assert_eq!((auth.requests().len(), api.requests().len()), (1, 0));
}

#[test]
fn each_refresh_token_is_used_once_and_the_next_one_is_kept() {
    let mut count = 0;
    let auth = Server::new(move |request| {
        assert_eq!(request.header("authorization"), Some(basic(CLIENT, SECRET).as_str()));
        assert_eq!(request.text(), format!("grant_type=refresh_token&refresh_token=tok-refresh-{count}"));
        count += 1;
        json_reply(
            200,
            &format!(
                r#"{{"access_token":"tok-{count}","refresh_token":"tok-refresh-{count}","expires_in":7200,"token_type":"bearer","scope":"repository"}}"#
            ),
        )
    });
    let api = Server::replies([expired(), json_reply(200, "{}"), json_reply(200, "{}")]);
    let directory = Directory::new();
    let file = directory.write("refresh", "tok-refresh-0\n");
    #[cfg(unix)]
    let mode = |file: &str| std::os::unix::fs::MetadataExt::mode(&fs::metadata(file).expect("a file")) & 0o777;
    #[cfg(unix)]
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("permissions");

    let run = || bitbucket(&auth, &api).args(["--refresh-token-file", &file, "/2.0/user"]).run();
    assert_eq!(run().success(), "{}\n");
    assert_eq!(directory.read("refresh"), "tok-refresh-2");
    assert_eq!(run().success(), "{}\n");
    assert_eq!(directory.read("refresh"), "tok-refresh-3");
    assert_eq!(api.tokens(), ["tok-1", "tok-2", "tok-3"]);
    #[cfg(unix)]
    assert_eq!(mode(&file), 0o600);
    assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 1);
}

#[test]
fn a_refused_refresh_token_stays_where_it_is() {
    let refusal = r#"{"error":"invalid_grant","error_description":"Invalid refresh_token"}"#;
    let (auth, api) = (Server::new(move |_| json_reply(400, refusal)), Server::replies([]));
    let directory = Directory::new();
    let file = directory.write("refresh", "tok-refresh-0");
    let run = bitbucket(&auth, &api).args(["--refresh-token-file", &file, "/2.0/user"]).run();
    run.failure("denied with status 400, invalid_grant: \"Invalid refresh_token\"");
    assert_eq!(directory.read("refresh"), "tok-refresh-0");
    let missing = directory.join("none").display().to_string();
    let run = bitbucket(&auth, &api).args(["--refresh-token-file", &missing, "/2.0/user"]).run();
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains(&missing), "{run:?}");
    assert_eq!((auth.requests().len(), api.requests().len()), (1, 0));
}

#[test]
fn a_connect_app_swaps_its_jwt_for_a_token() {
    let (auth, api) = (auth(), Server::new(|_| json_reply(200, "{}")));
    let directory = Directory::new();
    let file = directory.write("jwt", "tok-eyJ.eyJ.sig\n");
    let run = example("bitbucket")
        .args(["--api", &api.url(""), "--token-endpoint", &auth.url("/site/oauth2/access_token")])
        .args(["--jwt-file", &file, "/2.0/user"])
        .run();
    assert_eq!(run.success(), "{}\n");
    let [request] = &auth.requests()[..] else { panic!() };
    assert_eq!(request.headers("authorization"), ["JWT tok-eyJ.eyJ.sig"]);
    assert_eq!(request.text(), "grant_type=urn%3Abitbucket%3Aoauth2%3Ajwt");
    assert_eq!(api.tokens(), ["tok-1"]);
}
