//! The program of "Use reqwest::blocking" in `docs/how-do-i.md`. The page has the text of
//! `reqwest.rs`, because the root crate does not depend on reqwest.

use client_credentials::TokenRequest;
use client_credentials::test_util::{Behaviour, TokenServer};
use reqwest::blocking::Client;

/// Included, so that it has the format of the page.
mod page {
    include!("reqwest.rs");

    pub(super) fn run(client: &Client, request: TokenRequest, url: &str) -> Result<String, Failure> {
        // A program of its own would begin there.
        let _ = main;
        items(client, request, url)
    }
}

const PAGE: &str = include_str!("../../../../docs/how-do-i.md");

fn client() -> Client {
    Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().expect("a client")
}

#[test]
fn the_page_has_the_programs_that_are_tested_here() {
    let page = PAGE.replace("\r\n", "\n");
    for program in [include_str!("reqwest.rs"), include_str!("cookies.rs")] {
        let program = program.replace("\r\n", "\n");
        assert!(page.contains(&format!("```rust,ignore\n{program}```")), "not on the page:\n{program}");
    }
    // Nothing else on the page goes untested.
    assert_eq!(page.matches("```rust,ignore").count(), 2);
}

#[test]
fn a_token_is_fetched_and_sent_and_a_refused_one_replaced() {
    let (auth, api) = (TokenServer::start().expect("a port"), TokenServer::start().expect("a port"));
    api.next(Behaviour::json(401, ""));
    api.next(Behaviour::json(200, "[1, 2]"));
    let url = format!("http://{}/v1/items", api.address());
    let request = TokenRequest::new(&auth.url()).expect("a URL").audience(&url);
    assert_eq!(page::run(&client(), request, &url).expect("an answer"), "[1, 2]");
    let tokens: Vec<_> = api.requests().iter().map(|request| request.headers()["authorization"].clone()).collect();
    assert_eq!(tokens, ["Bearer token-1", "Bearer token-2"]);
}

#[test]
fn an_error_of_the_token_endpoint_says_what_to_do() {
    let (auth, api) = (TokenServer::start().expect("a port"), TokenServer::start().expect("a port"));
    let url = format!("http://{}/v1/items", api.address());
    for (answer, said) in [
        (Behaviour::json(401, r#"{"error":"invalid_client"}"#), "; check the client id and secret"),
        (Behaviour::redirect(302, "https://login.example.com/"), "; redirects are never followed here"),
        (Behaviour::flood(1 << 20), "the answer is larger than allowed"),
    ] {
        auth.always(answer);
        let request = TokenRequest::new(&auth.url()).expect("a URL").audience(&url);
        let error = page::run(&client(), request, &url).expect_err("no token").to_string();
        assert!(error.contains(said), "{error}");
    }
    assert!(api.requests().is_empty());
}
