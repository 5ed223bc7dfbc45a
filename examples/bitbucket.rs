//! Reads from Bitbucket Cloud, page after page: `cargo run --example bitbucket -- --help`
//!
//! Token requests: <https://developer.atlassian.com/cloud/bitbucket/oauth-2/>. Pages and errors:
//! <https://developer.atlassian.com/cloud/bitbucket/rest/intro/>. The JWT grant:
//! <https://developer.atlassian.com/cloud/bitbucket/oauth-2-connect/>. What changed in May 2026:
//! <https://community.developer.atlassian.com/t/oauth-2-0-and-api-authentication-changes-for-bitbucket-cloud/99003>.

mod common;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use client_credentials::{
    Attempt, Credentials, TokenRequest, TokenSource, Transport, TransportError, TransportErrorKind, UreqTransport,
};
use common::{Args, Failure, Usage, say, warn};
use serde_json::Value;

const HELP: &str = "\
Prints what the Bitbucket API answers; of a paged answer, each value in a line
of its own.

Usage: bitbucket [OPTIONS] PATH

PATH is like /2.0/repositories/my-workspace.

  --client-id KEY            the key of an OAuth consumer [env: CLIENT_ID]
  --client-secret-file FILE  holds its secret
                             [or the secret itself in env: CLIENT_SECRET]
  --pages N                  read at most so many pages [default: 10]
  --api URL                  [default: https://api.bitbucket.org]
  --token-endpoint URL       [env: TOKEN_ENDPOINT; default:
                             https://bitbucket.org/site/oauth2/access_token]

Other grants than client_credentials:
  --refresh-token-file FILE  holds a refresh token, and will hold the next one
  --jwt-file FILE            holds the JWT of a Connect app (no OAuth consumer)
";

fn main() -> ExitCode {
    common::run(HELP, program)
}

fn program(args: Args) -> Result<(), Failure> {
    let api = args.optional("api")?.unwrap_or_else(|| "https://api.bitbucket.org".into());
    let pages = args.number("pages", 10)?;
    let source = source(&args, &api)?;
    let [path] = &args.words[..] else { return Err(Usage::new("one PATH is needed").into()) };
    if !path.starts_with('/') {
        return Err(Usage::new("PATH begins with a slash").into());
    }

    let agent = source.agent();
    let mut next = Some(format!("{api}{path}"));
    for _ in 0..pages {
        let Some(url) = next.take() else { return Ok(()) };
        // `next` is a whole URL that the server chose. The agent would go there too, without a
        // token.
        if !source.allows(&url.parse()?) {
            return Err(format!("the next page is at an origin that may not receive the token: {url:?}").into());
        }
        let page = get(&agent, &url)?;
        match page["values"].as_array() {
            Some(values) => values.iter().try_for_each(say)?,
            None => say(&page)?,
        }
        next = page["next"].as_str().map(str::to_owned);
    }
    if next.is_some() {
        warn("there is more: see --pages");
    }
    Ok(())
}

fn source(args: &Args, api: &str) -> Result<TokenSource, Failure> {
    let endpoint = args.setting("token-endpoint")?;
    let endpoint = endpoint.as_deref().unwrap_or("https://bitbucket.org/site/oauth2/access_token");
    let request = TokenRequest::new(endpoint)?.allow_origin(api)?;
    if let Some(file) = args.optional("jwt-file")? {
        // The scheme is `JWT`, and that is all the authentication there is.
        let jwt = format!("JWT {}", common::read(&file)?.secret());
        let request = request.grant_type("urn:bitbucket:oauth2:jwt")?.header("authorization", &jwt)?;
        return Ok(TokenSource::new(Credentials::none(), request)?);
    }
    let credentials = args.credentials()?;
    if let Some(file) = args.optional("refresh-token-file")? {
        let request = request.grant_type("refresh_token")?;
        let transport = refreshing(file, credentials.clone(), request.clone());
        // Without retries: if an answer got lost, the refresh token that was sent may be used up.
        return Ok(TokenSource::builder(credentials, request).transport(transport).retries(0).build()?);
    }
    // Basic, as is the default, and a token for two hours. The agent renews it, also after a 401.
    Ok(TokenSource::new(credentials, request)?)
}

/// Since May 2026 a refresh token is good for one use, and the answer brings the next one. So every
/// token request is another one: it is made from the file, which is written before the token is
/// used.
fn refreshing(file: String, credentials: Credentials, request: TokenRequest) -> impl Transport {
    let ureq = UreqTransport::new();
    let failed = |cause: Failure| TransportError::new(TransportErrorKind::Other, cause);
    move |_: http::Request<Vec<u8>>, attempt: &Attempt| {
        let current = common::read(&file).map_err(failed)?;
        let request = request.clone().parameter("refresh_token", current);
        let request = request
            .and_then(|request| request.encode(&credentials, &Attempt::default()))
            .map_err(|error| failed(error.into()))?;
        let response = ureq.send(request, attempt)?;
        let answer: Value = serde_json::from_slice(response.body()).unwrap_or_default();
        if let (true, Some(next)) = (response.status().is_success(), answer["refresh_token"].as_str()) {
            replace(file.as_ref(), next).map_err(|error| failed(format!("{file}: {error}").into()))?;
        }
        Ok(response)
    }
}

/// Replaces the file in one step, so that it is never half written. Its permissions stay.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let new = file.with_extension("new");
    let mut out = File::create(&new)?;
    out.set_permissions(fs::metadata(file)?.permissions())?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    fs::rename(new, file)
}

fn get(agent: &ureq::Agent, url: &str) -> Result<Value, Failure> {
    let (status, body) = common::get(agent, url)?;
    let body: Value = serde_json::from_str(&body).unwrap_or_default();
    if status.is_success() {
        return Ok(body);
    }
    // Bitbucket's own errors, unlike those of OAuth, hold an object.
    match body["error"]["message"].as_str() {
        Some(message) => Err(format!("{url}: {status}: {message:?}").into()),
        None => Err(format!("{url}: {status}").into()),
    }
}
