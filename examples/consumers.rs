//! Manages OAuth consumers of a Bitbucket account: `cargo run --example consumers -- --help`
//!
//! The resource is that of
//! <https://confluence.atlassian.com/bitbucket/oauth-resource-296093112.html>. Bitbucket Cloud
//! deprecated it and removed it on 29 April 2019, without a replacement
//! (<https://developer.atlassian.com/cloud/bitbucket/deprecation-notice-v1-apis/>): the answer
//! there is a 404. Here it is an example of any resource that is listed, created, updated and
//! deleted, with bodies in either format.

mod common;

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use client_credentials::{Credentials, TokenRequest, TokenSource};
use common::{Args, Failure, Usage, say};
use serde_json::Value;
use ureq::{Agent, Body, http::Response};

const HELP: &str = "\
Lists, creates, updates and deletes the OAuth consumers of an account.

Usage: consumers --account NAME [OPTIONS] list
       consumers --account NAME [OPTIONS] create --name NAME --save FILE
       consumers --account NAME [OPTIONS] update ID --name NAME
       consumers --account NAME [OPTIONS] delete ID

  --account NAME             whose consumers
  --name NAME                what a consumer has:
  --description TEXT         its name, what it is for,
  --url URL                  and a page about it
  --save FILE                where the new consumer goes: it holds a secret, and
                             the file must not be there yet
  --json                     send JSON instead of a form
  --api URL                  [default: https://api.bitbucket.org]
  --token-endpoint URL       [env: TOKEN_ENDPOINT; default:
                             https://bitbucket.org/site/oauth2/access_token]

Which consumer asks:
  --consumer FILE            one that was saved
  --client-id KEY            or its key [env: CLIENT_ID]
  --client-secret-file FILE  and its secret
                             [or the secret itself in env: CLIENT_SECRET]
";

fn main() -> ExitCode {
    common::run(HELP, program)
}

fn program(args: Args) -> Result<(), Failure> {
    let api = args.optional("api")?.unwrap_or_else(|| "https://api.bitbucket.org".into());
    let endpoint = args.setting("token-endpoint")?;
    let endpoint = endpoint.as_deref().unwrap_or("https://bitbucket.org/site/oauth2/access_token");
    let account = args.required("account")?;
    if !account.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
        return Err(Usage::new("--account: letters, digits, - and _ only").into());
    }
    let credentials = match args.optional("consumer")? {
        Some(file) => consumer(&file)?,
        None => args.credentials()?,
    };
    let (json, save) = (args.switch("json"), args.all("save"));
    let mut fields = Vec::new();
    for name in ["name", "description", "url"] {
        fields.extend(args.optional(name)?.map(|value| (name, value)));
    }

    let request = TokenRequest::new(endpoint)?.allow_origin(&api)?;
    // An agent with settings of its own. Statuses are answers, so that the body of a refusal can be
    // read.
    let config = Agent::config_builder().timeout_global(Some(Duration::from_secs(60))).http_status_as_error(false);
    let agent = TokenSource::new(credentials, request)?.wrap(config.build().into());
    let all = format!("{api}/1.0/users/{account}/consumers");
    let one = |id: &str| match id.parse::<u64>() {
        Ok(id) => Ok(format!("{all}/{id}")),
        Err(_) => Err(Usage::new("ID is a number")),
    };
    let words: Vec<&str> = args.words.iter().map(String::as_str).collect();
    match (&words[..], &save[..]) {
        (["list"], []) => {
            let list = object(agent.get(&all).call())?;
            list.as_array().into_iter().flatten().try_for_each(show)?;
        }
        (["create"], [file]) => {
            // First the file, then the secret that goes into it.
            let mut out = private(file).map_err(|error| format!("{file}: {error}"))?;
            let created = send(&agent, "POST", &all, &fields, json).inspect_err(|_| drop(fs::remove_file(file)))?;
            writeln!(out, "{created}")?;
            show(&created)?;
        }
        (["update", id], []) => show(&send(&agent, "PUT", &one(id)?, &fields, json)?)?,
        (["delete", id], []) => drop(object(agent.delete(one(id)?).call())?),
        _ => return Err(Usage::new("list, create (with --save FILE), update ID or delete ID?").into()),
    }
    Ok(())
}

/// The agent adds the token, and sends the body once more if the API refused it.
fn send(agent: &Agent, method: &str, url: &str, fields: &[(&str, String)], json: bool) -> Result<Value, Failure> {
    let request = if method == "PUT" { agent.put(url) } else { agent.post(url) };
    if json {
        let body: serde_json::Map<_, _> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
        return object(request.content_type("application/json").send(Value::from(body).to_string()));
    }
    object(request.send_form(fields.iter().map(|(name, value)| (*name, value.as_str()))))
}

/// The object in an answer, or Bitbucket's message if it is a refusal.
fn object(answer: Result<Response<Body>, ureq::Error>) -> Result<Value, Failure> {
    let mut answer = answer.map_err(|error| common::readable(error, "the API"))?;
    let body: Value = serde_json::from_str(&answer.body_mut().read_to_string()?).unwrap_or_default();
    if answer.status().is_success() {
        return Ok(body);
    }
    let message = body["error"]["message"].as_str().unwrap_or_default();
    Err(format!("the API answered {}: {message:?}", answer.status()).into())
}

/// Everything but the secret.
fn show(consumer: &Value) -> Result<(), Failure> {
    say(format_args!("{} {} {}", consumer["id"], consumer["key"], consumer["name"]))
}

/// A consumer as the API returns it: its key is the client id.
fn consumer(file: &str) -> Result<Credentials, Failure> {
    let object: Value = serde_json::from_str(common::read(file)?.secret()).unwrap_or_default();
    match (object["key"].as_str(), object["secret"].as_str()) {
        (Some(key), Some(secret)) => Ok(Credentials::new(key, secret)),
        _ => Err(format!("{file}: not a consumer with key and secret").into()),
    }
}

/// A new file that no other user can read.
fn private(file: &str) -> io::Result<fs::File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true).create_new(true).open(file)
}
