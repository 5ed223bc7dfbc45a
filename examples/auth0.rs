//! Calls an API that Auth0 protects: `cargo run --example auth0 -- --help`
//!
//! The token request is the one of
//! <https://auth0.com/docs/get-started/authentication-and-authorization-flow/client-credentials-flow/call-your-api-using-the-client-credentials-flow>,
//! the headers are those of
//! <https://auth0.com/docs/troubleshoot/customer-support/operational-policies/rate-limit-policy>
//! and <https://auth0.com/docs/fine-grained-m2m-token-quotas-early-access>.

mod common;

use std::process::ExitCode;

use client_credentials::{Attempt, BodyFormat, EventKind, TokenRequest, TokenSource, Transport, UreqTransport};
use common::{Args, Failure, Usage, say, warn};

const HELP: &str = "\
Calls an API that Auth0 protects, and prints its answers.

Usage: auth0 [OPTIONS] URL...

  --token-endpoint URL       https://TENANT.REGION.auth0.com/oauth/token
                             [env: TOKEN_ENDPOINT]
  --client-id ID             of the machine-to-machine application
                             [env: CLIENT_ID]
  --client-secret-file FILE  holds its secret
                             [or the secret itself in env: CLIENT_SECRET]
  --audience NAME            the identifier of the API
  --organization ID          if the token is for one of your customers
  --scope SCOPES             fewer than the application was granted
  --json                     send the token request as JSON instead of a form
";

/// Where Auth0 says how much is left: for the token endpoint as a whole, for this client, for this
/// organization.
const LIMITS: [&str; 5] = [
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "auth0-client-quota-limit",
    "auth0-organization-quota-limit",
];

fn main() -> ExitCode {
    common::run(HELP, program)
}

fn program(args: Args) -> Result<(), Failure> {
    // Auth0 reads the id and the secret from the body.
    let credentials = args.credentials()?.in_body();
    let mut request = TokenRequest::new(&args.token_endpoint()?)?.audience(args.required("audience")?);
    if let Some(organization) = args.optional("organization")? {
        request = request.organization(&organization)?;
    }
    if let Some(scope) = args.optional("scope")? {
        request = request.scope(&scope)?;
    }
    if args.switch("json") {
        request = request.body_format(BodyFormat::Json);
    }
    let urls = args.words;
    if urls.is_empty() {
        return Err(Usage::new("which URL?").into());
    }
    for url in &urls {
        // The audience is only a name at Auth0; the API may live elsewhere.
        request = request.allow_origin(url)?;
    }

    let source = TokenSource::builder(credentials, request).transport(transport()).on_event(|event| match event.kind {
        EventKind::Answered { error: None, .. } | EventKind::Refused { .. } => warn(event),
        _ => {}
    });
    let source = source.build()?;
    if let Some(lifetime) = source.token()?.expires_in() {
        let minutes = lifetime.as_secs() / 60;
        warn(format_args!("the token is good for {} h {} min", minutes / 60, minutes % 60));
    }
    let agent = source.agent();
    urls.iter().try_for_each(|url| say(get(&agent, url)?))
}

/// Sends token requests through ureq, and shows what Auth0 says about its limits in every answer.
fn transport() -> impl Transport {
    let ureq = UreqTransport::new();
    move |request: http::Request<Vec<u8>>, attempt: &Attempt| {
        let response = ureq.send(request, attempt)?;
        for name in LIMITS {
            if let Some(value) = response.headers().get(name) {
                warn(format_args!("{name}: {}", value.as_bytes().escape_ascii()));
            }
        }
        Ok(response)
    }
}

fn get(agent: &ureq::Agent, url: &str) -> Result<String, Failure> {
    match common::get(agent, url)? {
        (status, body) if status.is_success() => Ok(body),
        (status, body) => Err(format!("{url}: {status}: {}", body.escape_debug()).into()),
    }
}
