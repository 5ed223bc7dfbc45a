//! A Git credential helper that answers with fresh tokens:
//! `cargo run --example git_credential -- --help`
//!
//! git's side: <https://git-scm.com/docs/gitcredentials#_custom_helpers> and
//! <https://git-scm.com/docs/git-credential>. Bitbucket's side, the user `x-token-auth`:
//! <https://developer.atlassian.com/cloud/bitbucket/oauth-2/>.

mod common;

use std::io::{self, Read as _};
use std::process::ExitCode;
use std::time::UNIX_EPOCH;

use client_credentials::{TokenRequest, TokenSource, UreqTransport};
use common::{Args, Failure, Usage, say};

const HELP: &str = "\
Answers git's question for a password with an access token.

Usage: git_credential [OPTIONS] get|store|erase

  --origin URL               where git may send tokens
                             [default: https://bitbucket.org]
  --token-user NAME          the user that they go with [default: x-token-auth]
  --token-endpoint URL       [env: TOKEN_ENDPOINT; default:
                             https://bitbucket.org/site/oauth2/access_token]
  --client-id KEY            the key of an OAuth consumer [env: CLIENT_ID]
  --client-secret-file FILE  holds its secret
                             [or the secret itself in env: CLIENT_SECRET]
  --store DIR                keep the token there, for the next call and for
                             other processes of this user [env: STORE]

Without --store, let git keep a token in memory for less than the two hours that
it lives, and ask this program for the next one:

  bitbucket=credential.https://bitbucket.org.helper
  git config --global $bitbucket 'cache --timeout=3600'
  git config --global --add $bitbucket \\
    '/path/to/git_credential --client-id KEY --client-secret-file /path/to/file'

A token is good for every repository that the consumer may read, so
credential.useHttpPath makes no difference.
";

fn main() -> ExitCode {
    common::run(HELP, program)
}

fn program(args: Args) -> Result<(), Failure> {
    let or = |value: Option<String>, default: &str| value.unwrap_or_else(|| default.to_owned());
    let origin = or(args.optional("origin")?, "https://bitbucket.org");
    let endpoint = or(args.setting("token-endpoint")?, "https://bitbucket.org/site/oauth2/access_token");
    let user = or(args.optional("token-user")?, "x-token-auth");
    let credentials = args.credentials()?;
    let [operation] = &args.words[..] else { return Err(Usage::new("get, store or erase?").into()) };
    // Read to the end whatever is asked: git takes a closed pipe for an error.
    let mut question = String::new();
    io::stdin().read_to_string(&mut question)?;
    if operation != "get" {
        // Nothing is stored here, so there is nothing to erase. Other operations may come one day,
        // and are to be ignored as well.
        return Ok(());
    }

    let attribute = |name| question.lines().filter_map(|line| line.split_once('=')).find(|(n, _)| *n == name);
    let (Some((_, protocol)), Some((_, host))) = (attribute("protocol"), attribute("host")) else { return Ok(()) };
    let request = TokenRequest::new(&endpoint)?.allow_origin(&origin)?;
    let builder = TokenSource::builder(credentials, request).transport(UreqTransport::new());
    let source = common::stored(builder, &args)?.build()?;
    // The same rule as for requests: scheme, host and port. To any other question git gets no
    // answer, and asks its other helpers.
    let ours = format!("{protocol}://{host}/").parse().is_ok_and(|uri| source.allows(&uri));
    if !ours || attribute("username").is_some_and(|(_, name)| name != user) {
        return Ok(());
    }
    let token = source.token().inspect_err(|_| {
        // There is no password for this user, so git need not ask. If this cannot be written, git
        // is gone.
        let _ = say("quit=1");
    })?;
    say(format_args!("username={user}\npassword={}", token.secret()))?;
    // For git's own cache; older versions of git ignore it.
    let expiry = token.expires_in().and_then(|lifetime| token.sent_at().wall().checked_add(lifetime));
    if let Some(since) = expiry.and_then(|at| at.duration_since(UNIX_EPOCH).ok()) {
        say(format_args!("password_expiry_utc={}", since.as_secs()))?;
    }
    Ok(())
}
