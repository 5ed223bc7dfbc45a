//! What the examples share: arguments, and how a program ends. Copy it along, or use your own.
//!
//! Exit status 0 for success, 1 for a failure, 2 for a command line that makes no sense.
#![allow(dead_code, reason = "every example uses its own part")]
#![allow(clippy::disallowed_methods, reason = "an example may read the environment; the library does not")]

use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs};

use client_credentials::{Credentials, Secret};

pub type Failure = Box<dyn Error + Send + Sync>;

/// The name of the example.
const NAME: &str = env!("CARGO_CRATE_NAME");

/// A command line that makes no sense.
#[derive(Debug)]
pub struct Usage(String);

impl Usage {
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Usage {}

/// Runs a program: prints `help` if asked to, else what went wrong with all its causes.
pub fn run(help: &str, program: impl FnOnce(Args) -> Result<(), Failure>) -> ExitCode {
    let outcome = Args::read().map_err(Failure::from).and_then(|mut args| {
        if args.switch("help") || args.switch("h") { Ok(say(help.trim_end())?) } else { program(args) }
    });
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    eprint!("{NAME}: {failure}");
    let mut cause = failure.source();
    while let Some(error) = cause {
        eprint!(": {error}");
        cause = error.source();
    }
    eprintln!();
    if failure.is::<Usage>() {
        eprintln!("Try {NAME} --help");
        return ExitCode::from(2);
    }
    ExitCode::FAILURE
}

/// `println!` panics when nobody reads any more, as in `... | head -1`.
pub fn say(line: impl fmt::Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

/// The arguments that nobody has asked for yet.
pub struct Args(Vec<String>);

impl Args {
    fn read() -> Result<Self, Usage> {
        let words: Result<_, OsString> = env::args_os().skip(1).map(OsString::into_string).collect();
        words.map(Self).map_err(|word| Usage(format!("{word:?} is not UTF-8")))
    }

    /// Whether `--name` is there.
    pub fn switch(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|word| !is_flag(word, name));
        self.0.len() < before
    }

    /// Each VALUE of `--name VALUE` or `--name=VALUE`.
    pub fn all(&mut self, name: &str) -> Result<Vec<String>, Usage> {
        let mut values = Vec::new();
        let mut words = std::mem::take(&mut self.0).into_iter();
        while let Some(word) = words.next() {
            match word.split_once('=') {
                _ if is_flag(&word, name) => {
                    values.push(words.next().ok_or_else(|| Usage(format!("--{name} needs a value")))?);
                }
                Some((flag, value)) if is_flag(flag, name) => values.push(value.to_owned()),
                _ => self.0.push(word),
            }
        }
        Ok(values)
    }

    /// The value of `--name`.
    pub fn optional(&mut self, name: &str) -> Result<Option<String>, Usage> {
        let mut values = self.all(name)?;
        let value = values.pop();
        if values.is_empty() { Ok(value) } else { Err(Usage(format!("--{name} is given twice"))) }
    }

    /// The same, if there must be one.
    pub fn required(&mut self, name: &str) -> Result<String, Usage> {
        self.optional(name)?.ok_or_else(|| Usage(format!("--{name} is missing")))
    }

    /// The same for a number.
    pub fn number(&mut self, name: &str, default: usize) -> Result<usize, Usage> {
        let Some(text) = self.optional(name)? else { return Ok(default) };
        text.parse()
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| Usage(format!("--{name}: {text:?} is no number above 0")))
    }

    /// The value of `--name`, or else of the environment variable `NAME`.
    pub fn setting(&mut self, name: &str) -> Result<Option<String>, Usage> {
        Ok(self.optional(name)?.or_else(|| variable(name)))
    }

    /// The token endpoint: `--token-endpoint`, or TOKEN_ENDPOINT.
    pub fn token_endpoint(&mut self) -> Result<String, Usage> {
        self.setting("token-endpoint")?.ok_or_else(|| Usage::new("--token-endpoint (or TOKEN_ENDPOINT) is missing"))
    }

    /// The client: its id, and a secret that is no argument, because arguments show in the list of processes.
    pub fn credentials(&mut self) -> Result<Credentials, Usage> {
        let id = self.setting("client-id")?.ok_or_else(|| Usage::new("--client-id (or CLIENT_ID) is missing"))?;
        if let Some(file) = self.setting("client-secret-file")? {
            // Read anew at each token request: a secret that was rotated needs no restart.
            return Ok(Credentials::with_secret_from(id, move || read(&file)));
        }
        let secret = variable("client-secret")
            .ok_or_else(|| Usage::new("CLIENT_SECRET (or --client-secret-file) is missing"))?;
        Ok(Credentials::new(id, secret))
    }

    /// What is left: to be called last. A flag among it is one that nobody knows.
    pub fn words(self) -> Result<Vec<String>, Usage> {
        match self.0.iter().find(|word| word.starts_with('-')) {
            // Without its value, which may be a secret that does not belong here.
            Some(flag) => Err(Usage(format!("{} is not known", flag.split('=').next().unwrap_or_default()))),
            None => Ok(self.0),
        }
    }
}

/// The status and the body of what an API answers. A refusal is an answer too, so that its body can be shown.
pub fn get(agent: &ureq::Agent, url: &str) -> Result<(ureq::http::StatusCode, String), Failure> {
    let request = agent.get(url).config();
    let request = request.timeout_global(Some(Duration::from_secs(60))).http_status_as_error(false).build();
    let mut response = request.call().map_err(|error| readable(error, url))?;
    Ok((response.status(), response.body_mut().read_to_string()?))
}

/// Takes the error of this crate out of ureq's, which hides its causes: there was no token, and the API was not called.
/// Any other error is about `api`.
pub fn readable(error: ureq::Error, api: &str) -> Failure {
    match error {
        ureq::Error::Other(error) => error,
        error => format!("{api}: {error}").into(),
    }
}

/// The secret in a file, without the line break at its end.
pub fn read(file: &str) -> Result<Secret, Failure> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Secret::from(text.trim_end())),
        Err(error) => Err(format!("{file}: {error}").into()),
    }
}

fn is_flag(word: &str, name: &str) -> bool {
    word.strip_prefix("--").or(word.strip_prefix('-').filter(|name| name.len() == 1)) == Some(name)
}

fn variable(name: &str) -> Option<String> {
    env::var(name.replace('-', "_").to_ascii_uppercase()).ok().filter(|value| !value.is_empty())
}
