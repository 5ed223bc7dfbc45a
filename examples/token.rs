//! Prints a token, for pipelines with curl: `cargo run --example token -- --help`

mod common;

use std::process::ExitCode;
use std::time::UNIX_EPOCH;

use client_credentials::{
    AccessToken, Assertion, BasicEncoding, Clock as _, Credentials, EventKind, SigningKey, SystemClock, TokenRequest,
    TokenSource, UreqTransport,
};
use common::{Args, Failure, Usage, say, warn};

const HELP: &str = "\
Prints an access token.

Usage: token [OPTIONS]

  --token-endpoint URL       [env: TOKEN_ENDPOINT]
  --client-id ID             [env: CLIENT_ID]
  --client-secret-file FILE  holds the secret
                             [or the secret itself in env: CLIENT_SECRET]
  --auth METHOD              basic (default), basic-raw, or body
  --key FILE                 a private key in PEM or JWK, in place of the secret
  --key-id ID                the name of the key at the server
  --assertion-file FILE      holds an assertion that another program writes, in
                             place of the secret
  --grant NAME               client_credentials (default), or jwt-bearer: the
                             key signs the grant, and there is no client
  --issuer NAME              with --grant jwt-bearer: who signs
  --subject NAME             with --grant jwt-bearer: for whom
  --audience NAME
  --scope SCOPES
  --parameter NAME=VALUE     a further parameter; may be repeated
  --store DIR                keep the token there, for the next call and for
                             other processes of this user [env: STORE]

  --header                   print a whole header
  --json                     print an object: access_token, token_type,
                             expires_in, expires_at (Unix time), scope
  --verbose                  say on standard error what is asked and answered,
                             without secrets

This shows the token neither in the list of processes nor in the history of the
shell:

  token --header | curl --header @- https://api.example.com/
";

fn main() -> ExitCode {
    common::run(HELP, program)
}

fn program(args: Args) -> Result<(), Failure> {
    let grant = grant(&args)?;
    let credentials = if grant.is_some() { Credentials::none() } else { client(&args)? };
    // The reader of standard output decides where the token goes, so nothing can be checked here. A
    // program that calls the API itself names its origin instead.
    let mut request = TokenRequest::new(&args.token_endpoint()?)?.dangerously_allow_any_origin();
    if let Some(assertion) = grant {
        request = request.assertion(assertion)?;
    }
    if let Some(audience) = args.optional("audience")? {
        request = request.audience(audience);
    }
    if let Some(scope) = args.optional("scope")? {
        request = request.scope(&scope)?;
    }
    for pair in args.all("parameter") {
        let (name, value) = pair.split_once('=').ok_or_else(|| Usage::new("--parameter needs NAME=VALUE"))?;
        request = request.parameter(name, value)?;
    }
    let (header, json, verbose) = (args.switch("header"), args.switch("json"), args.switch("verbose"));
    if !args.words.is_empty() || (header && json) {
        return Err(Usage::new("too many arguments").into());
    }

    if verbose {
        warn(format_args!("> {credentials:?}"));
        warn(format_args!("> {request:?}"));
    }
    let mut builder = TokenSource::builder(credentials, request).transport(UreqTransport::new());
    if verbose {
        builder = builder.on_event(|event| match event.kind {
            EventKind::Requested { .. } => warn(format_args!("> {event}")),
            EventKind::Answered { status: Some(status), .. } => warn(format_args!("< {event} (status {status})")),
            _ => warn(format_args!("< {event}")),
        });
    }
    let token = common::stored(builder, &args)?.build()?.token()?;
    if verbose {
        warn(format_args!("< {token:?}"));
    }
    if json {
        return say(object(&token));
    }
    say(if header { format!("Authorization: Bearer {}", token.secret()) } else { token.secret().to_owned() })
}

/// The assertion of the grant `jwt-bearer`, if it was chosen.
fn grant(args: &Args) -> Result<Option<Assertion>, Failure> {
    let (issuer, subject) = (args.optional("issuer")?, args.optional("subject")?);
    match args.optional("grant")?.as_deref() {
        None | Some("client_credentials") if issuer.is_none() && subject.is_none() => Ok(None),
        Some("jwt-bearer") => {
            let key = key(args)?.ok_or_else(|| Usage::new("--grant jwt-bearer needs --key"))?;
            let assertion = Assertion::new(key).issuer(issuer.ok_or_else(|| Usage::new("--issuer is missing"))?);
            Ok(Some(if let Some(subject) = subject { assertion.subject(subject) } else { assertion }))
        }
        None | Some("client_credentials") => Err(Usage::new("--issuer and --subject need --grant jwt-bearer").into()),
        Some(_) => Err(Usage::new("--grant: client_credentials or jwt-bearer?").into()),
    }
}

fn client(args: &Args) -> Result<Credentials, Failure> {
    if let Some(key) = key(args)? {
        return Ok(Credentials::with_key(args.client_id()?, key));
    }
    if let Some(file) = args.optional("assertion-file")? {
        return Ok(Credentials::with_assertion_from(args.client_id()?, move || common::read(&file)));
    }
    let credentials = args.credentials()?;
    match args.optional("auth")?.as_deref() {
        None | Some("basic") => Ok(credentials),
        Some("basic-raw") => Ok(credentials.basic_encoding(BasicEncoding::Raw)),
        Some("body") => Ok(credentials.in_body()),
        Some(_) => Err(Usage::new("--auth: basic, basic-raw or body?").into()),
    }
}

fn key(args: &Args) -> Result<Option<SigningKey>, Failure> {
    let Some(file) = args.optional("key")? else { return Ok(None) };
    let key = SigningKey::from_pem(common::read(&file)?.secret())?;
    Ok(Some(match args.optional("key-id")? {
        Some(id) => key.key_id(id),
        None => key,
    }))
}

fn object(token: &AccessToken) -> serde_json::Value {
    let mut object = serde_json::json!({"access_token": token.secret(), "token_type": "Bearer"});
    if let Some(lifetime) = token.expires_in() {
        let age = SystemClock.now().since(&token.sent_at());
        object["expires_in"] = lifetime.saturating_sub(age).as_secs().into();
        let expiry = token.sent_at().wall().checked_add(lifetime).and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        object["expires_at"] = expiry.map(|since| since.as_secs()).into();
    }
    if let Some(scope) = token.scope() {
        object["scope"] = scope.into();
    }
    object
}
