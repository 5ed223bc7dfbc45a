use std::collections::HashMap;

use crate::loopback::{SECRET, Server, invalid_token, json_reply, reply, token_reply};
use crate::run::{Directory, basic, example};

const TENANTS: usize = 300;

/// A token for each client, told apart by its number: `tok-17-1` is the first one of tenant 17.
fn auth() -> Server {
    let mut counts: HashMap<String, u32> = HashMap::new();
    Server::new(move |request| {
        let tenant =
            request.target().strip_prefix("/t").and_then(|path| path.strip_suffix("/token")).expect("a tenant");
        let client = format!("client-{tenant}");
        if request.header("authorization") != Some(basic(&client, &format!("{SECRET}-{tenant}")).as_str()) {
            return json_reply(401, r#"{"error":"invalid_client"}"#);
        }
        let count = counts.entry(tenant.to_owned()).or_default();
        *count += 1;
        token_reply(&format!("tok-{tenant}-{count}"))
    })
}

/// Takes each tenant's token for that tenant alone. The first one of tenant 7 has been revoked.
fn api() -> Server {
    Server::new(|request| {
        let tenant =
            request.target().strip_prefix("/t").and_then(|path| path.strip_suffix("/status")).expect("a tenant");
        let first = format!("tok-{tenant}-1");
        match request.token() {
            Some("tok-7-1") => invalid_token(),
            Some("tok-7-2") if tenant == "7" => reply(200),
            Some(token) if token == first => reply(200),
            _ => reply(403),
        }
    })
}

fn line(tenant: usize) -> String {
    format!(r#"{{"tenant":"t{tenant}","client_id":"client-{tenant}","client_secret":"{SECRET}-{tenant}"}}"#)
}

#[test]
fn one_token_request_per_tenant_whatever_the_number_of_calls() {
    let (auth, api, directory) = (auth(), api(), Directory::new());
    let mut lines: Vec<String> = (0..TENANTS).map(line).collect();
    lines[9] = lines[9].replace(SECRET, "hush-wrong");
    let file = directory.write("tenants", &lines.join("\n"));
    let run = example("many_tenants")
        .args(["--token-endpoint", &auth.url("/{tenant}/token"), "--url", &api.url("/{tenant}/status")])
        .args(["--rounds", "3", "--threads", "8", &file])
        .run();
    run.failure("many_tenants: 3 of 900 calls failed");

    let mut counts: HashMap<&str, u32> = HashMap::new();
    run.stdout.lines().for_each(|line| *counts.entry(line).or_default() += 1);
    assert_eq!(counts.len(), TENANTS - 1);
    let all_thrice =
        (0..TENANTS).filter(|tenant| *tenant != 9).all(|tenant| counts[&*format!("t{tenant} 200 OK")] == 3);
    assert!(all_thrice, "{counts:?}");
    let refused: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("t9: ")).collect();
    assert_eq!(refused.len(), 3);
    assert!(refused.iter().all(|line| line.contains("invalid_client")), "{refused:?}");
    // One for each, and one more for the token that was revoked. The wrong secret is sent again after 10 seconds.
    let requests = auth.requests();
    let targets: Vec<&str> = requests.iter().map(|request| request.target()).collect();
    assert_eq!(targets.iter().filter(|target| **target != "/t9/token").count(), TENANTS);
    let summary = format!("{TENANTS} tenants, 900 calls, {} token requests, {TENANTS} tokens kept", targets.len());
    assert!(run.stderr.lines().any(|line| line == summary), "{}", run.stderr);
}

#[test]
fn a_list_that_cannot_be_read_is_named_but_not_shown() {
    let directory = Directory::new();
    let given = |text: &str| {
        let file = directory.write("tenants", text);
        let urls = ["--token-endpoint", "http://127.0.0.1:9/{tenant}", "--url", "http://127.0.0.1:9/{tenant}"];
        (example("many_tenants").args(urls).args([&file]).run(), file)
    };
    let not_an_object =
        [format!("{}\n{{\"client_secret\":\"{SECRET}\"", line(1)), format!("{}\n\"{SECRET}\"", line(1))];
    for text in not_an_object {
        let (run, file) = given(&text);
        run.failure(&format!("{file}, line 2: not an object with tenant, client_id and client_secret"));
    }
    let (run, file) = given(&line(1).replace("t1", "t1/../t2"));
    run.failure(&format!("{file}, line 1: this tenant's name does not go into a URL"));
}

/// Without a reader, the rest of the tenants is not called, which is not a success.
#[cfg(unix)]
#[test]
fn a_reader_that_leaves_is_a_failure_where_the_calls_are_what_counts() {
    let (auth, api, directory) = (auth(), api(), Directory::new());
    let file = directory.write("tenants", &line(1));
    let urls = ["--token-endpoint", &auth.url("/{tenant}/token"), "--url", &api.url("/{tenant}/status")];
    assert_eq!(example("many_tenants").args(urls).args([&file]).without_readers().run().code, 1);
    assert_eq!(api.requests().len(), 1);
}
