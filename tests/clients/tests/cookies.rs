//! The cookie jar of a wrapped ureq agent: the root crate cannot test it, because it would need
//! ureq's feature `cookies`.

use client_credentials::test_util::{Script, TokenServer};
use client_credentials::{Credentials, TokenRequest, TokenSource};
use http::Response;
use ureq::Agent;

/// The program of "Keep cookies" in `docs/how-do-i.md`, whose text is compared by `guide/main.rs`.
mod page {
    include!("guide/cookies.rs");

    pub(super) fn run(source: &TokenSource, own: &ureq::Agent, url: &str) -> Result<Vec<String>, ureq::Error> {
        visit(source, own, url)
    }
}

#[test]
fn the_program_of_the_page_reads_the_cookies_of_both_calls() {
    let (script, api) = (Script::new(), TokenServer::start().expect("a port"));
    script.token("T1", 3600);
    api.always(Response::builder().header("set-cookie", "session=1; Path=/").body("").expect("an answer"));
    let url = format!("http://{}/", api.address());
    let request = TokenRequest::new("https://auth.example.com/token").expect("a URL").audience(&url);
    let builder = TokenSource::builder(Credentials::new("id", "secret"), request);
    let source = builder.transport(script).build().expect("a source");
    let own: Agent = Agent::config_builder().proxy(None).build().into();
    assert_eq!(page::run(&source, &own, &url).expect("two answers"), ["session"]);
    let sent: Vec<_> = api.requests().iter().map(cookies).collect();
    assert_eq!(sent, [vec![], vec![String::from("session=1")]]);
}

#[test]
fn the_cookie_jar_is_that_of_the_callers_own_agent() {
    let (script, api) = (Script::new(), TokenServer::start().expect("a port"));
    script.token("T1", 3600);
    script.token("T2", 3600);
    let answer = |status: u16, cookie: &str| {
        Response::builder().status(status).header("set-cookie", cookie).body("").expect("an answer")
    };
    api.next(answer(401, "refused=1; Path=/"));
    api.next(answer(200, "answered=2; Path=/"));
    api.next(Response::new(""));

    let url = format!("http://{}/", api.address());
    let request = TokenRequest::new("https://auth.example.com/token").expect("a URL").audience(&url);
    let builder = TokenSource::builder(Credentials::new("id", "secret"), request);
    let source = builder.transport(script.clone()).clock(script.clock()).build().expect("a source");
    let own: Agent = Agent::config_builder().proxy(None).build().into();
    let agent = source.wrap(own.clone());
    for _ in 0..2 {
        assert_eq!(agent.get(&url).call().expect("an answer").status(), 200);
    }

    let sent: Vec<_> =
        api.requests().iter().map(|request| (header(request, "authorization"), cookies(request))).collect();
    let expected =
        [("Bearer T1", vec![]), ("Bearer T2", vec!["refused=1"]), ("Bearer T2", vec!["answered=2", "refused=1"])];
    let expected =
        expected.map(|(token, cookies)| (token.to_owned(), cookies.into_iter().map(str::to_owned).collect()));
    assert_eq!(sent, expected);
    assert_eq!((jar(&own), jar(&agent)), (["answered", "refused"].map(str::to_owned).to_vec(), vec![]));
}

fn jar(agent: &Agent) -> Vec<String> {
    let mut names: Vec<_> = agent.cookie_jar_lock().iter().map(|cookie| cookie.name().to_owned()).collect();
    names.sort();
    names
}

/// In alphabetical order: a jar has none.
fn cookies(request: &http::Request<Vec<u8>>) -> Vec<String> {
    let mut cookies: Vec<_> = header(request, "cookie").split("; ").map(str::to_owned).collect();
    cookies.retain(|cookie| !cookie.is_empty());
    cookies.sort();
    cookies
}

fn header(request: &http::Request<Vec<u8>>, name: &str) -> String {
    request.headers().get(name).map_or_else(String::new, |value| value.to_str().expect("text").to_owned())
}
