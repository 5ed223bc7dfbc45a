//! A job that runs each minute, and asks for a token once an hour: `cargo run --example cron -- --help`

mod common;

use std::process::ExitCode;

use client_credentials::{EventKind, TokenRequest, TokenSource, UreqTransport};
use common::{Args, Failure, Usage, say, warn};

const HELP: &str = "\
Calls an API once, as a job that cron starts each minute.

Usage: cron [OPTIONS] URL

  --token-endpoint URL       [env: TOKEN_ENDPOINT]
  --client-id ID             [env: CLIENT_ID]
  --client-secret-file FILE  holds the secret
                             [or the secret itself in env: CLIENT_SECRET]
  --store DIR                where the token is kept for the next run; without
                             it, each run requests one [env: STORE]

In a crontab, which crontab -e edits:

  TOKEN_ENDPOINT=https://auth.example.com/token
  CLIENT_ID=my-job
  CLIENT_SECRET_FILE=/home/me/.my-job-secret
  STORE=/home/me/.cache/my-job
  * * * * * cron https://api.example.com/v1/jobs

DIR is made, for this user alone, and must be on a disk of this machine. Where
a token came from is said on standard error, which cron sends by mail:
redirect it to a log.
";

fn main() -> ExitCode {
    common::run(HELP, program)
}

fn program(args: Args) -> Result<(), Failure> {
    let [url] = &args.words[..] else { return Err(Usage::new("which URL?").into()) };
    let request = TokenRequest::new(&args.token_endpoint()?)?.allow_origin(url)?;
    let builder = TokenSource::builder(args.credentials()?, request).transport(UreqTransport::new());
    let builder = builder.on_event(|event| {
        if !matches!(event.kind, EventKind::Requested { .. }) {
            warn(event);
        }
    });
    let source = common::stored(builder, &args)?.build()?;
    let (status, body) = common::get(&source.agent(), url)?;
    say(body.trim_end())?;
    if status.is_success() { Ok(()) } else { Err(format!("{url}: status {}", status.as_u16()).into()) }
}
