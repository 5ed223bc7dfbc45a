//! What the examples share: the command line, and how a program ends. Copy it along, or use your
//! own.
#![allow(dead_code, reason = "every example uses its own part")]
#![allow(clippy::disallowed_methods, reason = "an example may read the environment; the library does not")]

use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs};

use client_credentials::{Credentials, Secret, TokenSourceBuilder};
use lexopt::Arg;

pub type Failure = Box<dyn Error + Send + Sync>;

/// The name of the example.
const NAME: &str = env!("CARGO_CRATE_NAME");

/// A command line that makes no sense. The text names options, but never repeats a value, which may
/// be a secret that does not belong there.
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

/// The reader of standard output has gone, as in `... | head -1`.
#[derive(Debug)]
struct ReaderLeft;

impl fmt::Display for ReaderLeft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("standard output is closed")
    }
}

impl Error for ReaderLeft {}

/// Runs a program with its arguments, or prints `help` if asked to. The help text declares the
/// options: a line that begins with `--name VALUE` or with `--name`.
///
/// A failure is printed with all its causes. A reader that left has read enough: that is a success.
pub fn run(help: &str, program: impl FnOnce(Args) -> Result<(), Failure>) -> ExitCode {
    let outcome = match Args::read(help) {
        Ok(Some(args)) => program(args),
        Ok(None) => say(help_page(help)),
        Err(usage) => Err(usage.into()),
    };
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    if failure.is::<ReaderLeft>() {
        return ExitCode::SUCCESS;
    }
    let mut text = format!("{NAME}: {failure}");
    let mut cause = failure.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    warn(text);
    if failure.is::<Usage>() {
        warn(format_args!("Try {NAME} --help"));
        return ExitCode::from(2);
    }
    ExitCode::FAILURE
}

fn help_page(help: &str) -> String {
    format!(
        "{}

  -h, --help                 print this

Exit status: 0 for success, 1 for a failure, 2 for a wrong command line.

From the sources: cargo run --example {NAME} -- --help
To install it:    cargo install --path . --example {NAME}
Once published:   cargo install client-credentials --example {NAME}",
        help.trim_end()
    )
}

/// Prints a line. Unlike `println!`, it does not panic if the reader has gone.
pub fn say(line: impl fmt::Display) -> Result<(), Failure> {
    writeln!(io::stdout().lock(), "{line}").map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => ReaderLeft.into(),
        _ => format!("standard output: {error}").into(),
    })
}

/// Prints a line on standard error. If it cannot be printed there, it is lost.
pub fn warn(line: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// The command line.
pub struct Args {
    options: Vec<(String, Option<String>)>,
    /// What is not an option, and all that follows `--`.
    pub words: Vec<String>,
}

impl Args {
    /// `None` if help is wanted.
    fn read(help: &str) -> Result<Option<Self>, Usage> {
        let mut parser = lexopt::Parser::from_env();
        let mut args = Self { options: Vec::new(), words: Vec::new() };
        while let Some(arg) = parser.next().map_err(usage)? {
            let name = match arg {
                Arg::Short('h') | Arg::Long("help") => return Ok(None),
                Arg::Short(letter) => return Err(Usage(format!("-{} is not known", letter.escape_debug()))),
                Arg::Long(name) => name.to_owned(),
                Arg::Value(word) => {
                    args.words.push(utf8(word, "an argument")?);
                    continue;
                }
            };
            let value = match takes_value(help, &name) {
                Some(true) => Some(utf8(parser.value().map_err(usage)?, &format!("the value of --{name}"))?),
                Some(false) => None,
                None => return Err(Usage(format!("--{} is not known", name.escape_debug()))),
            };
            args.options.push((name, value));
        }
        Ok(Some(args))
    }

    /// Whether `--name` is there.
    pub fn switch(&self, name: &str) -> bool {
        self.options.iter().any(|(known, _)| known == name)
    }

    /// Each VALUE of `--name VALUE` or `--name=VALUE`.
    pub fn all(&self, name: &str) -> Vec<String> {
        let of_name = self.options.iter().filter(|(known, _)| known == name);
        of_name.filter_map(|(_, value)| value.clone()).collect()
    }

    /// The value of `--name`.
    pub fn optional(&self, name: &str) -> Result<Option<String>, Usage> {
        let mut values = self.all(name);
        let value = values.pop();
        if values.is_empty() { Ok(value) } else { Err(Usage(format!("--{name} is given twice"))) }
    }

    /// The value of `--name`, which must be there.
    pub fn required(&self, name: &str) -> Result<String, Usage> {
        self.optional(name)?.ok_or_else(|| Usage(format!("--{name} is missing")))
    }

    /// The value of `--name` as a number.
    pub fn number(&self, name: &str, default: usize) -> Result<usize, Usage> {
        let Some(text) = self.optional(name)? else { return Ok(default) };
        let number = text.parse().ok().filter(|number| *number > 0);
        number.ok_or_else(|| Usage(format!("--{name} needs a number above 0")))
    }

    /// The value of `--name`, or else of the environment variable `NAME`.
    pub fn setting(&self, name: &str) -> Result<Option<String>, Usage> {
        Ok(self.optional(name)?.or_else(|| variable(name)))
    }

    /// The token endpoint: `--token-endpoint`, or TOKEN_ENDPOINT.
    pub fn token_endpoint(&self) -> Result<String, Usage> {
        self.setting("token-endpoint")?.ok_or_else(|| Usage::new("--token-endpoint (or TOKEN_ENDPOINT) is missing"))
    }

    /// The client id: `--client-id`, or CLIENT_ID.
    pub fn client_id(&self) -> Result<String, Usage> {
        self.setting("client-id")?.ok_or_else(|| Usage::new("--client-id (or CLIENT_ID) is missing"))
    }

    /// The client: its id, and a secret that is not an argument, because arguments show in the list
    /// of processes.
    pub fn credentials(&self) -> Result<Credentials, Usage> {
        let id = self.client_id()?;
        if let Some(file) = self.setting("client-secret-file")? {
            // Read again at each token request: a secret that was rotated needs no restart.
            return Ok(Credentials::with_secret_from(id, move || read(&file)));
        }
        let secret = variable("client-secret")
            .ok_or_else(|| Usage::new("CLIENT_SECRET (or --client-secret-file) is missing"))?;
        Ok(Credentials::new(id, secret))
    }
}

/// Shares the token with other processes, in the directory `--store`, if it is given.
pub fn stored(builder: TokenSourceBuilder, args: &Args) -> Result<TokenSourceBuilder, Failure> {
    let Some(directory) = args.setting("store")? else { return Ok(builder) };
    #[cfg(feature = "store-file")]
    {
        // What comes from a file cannot be compared between processes, but its name can.
        let files = ["client-secret-file", "assertion-file"].map(|name| args.setting(name));
        let [secret, assertion] = files;
        let name = secret?.or(assertion?).unwrap_or_default();
        Ok(builder.store(client_credentials::FileStore::open(directory)?).store_as(name))
    }
    #[cfg(not(feature = "store-file"))]
    {
        drop(directory);
        Err(Usage::new("--store needs the feature store-file of the crate").into())
    }
}

/// Whether the option takes a value. `None` if the help text does not describe it.
fn takes_value(help: &str, name: &str) -> Option<bool> {
    let rest = help.lines().find_map(|line| {
        let rest = line.trim_start().strip_prefix("--")?.strip_prefix(name)?;
        (rest.is_empty() || rest.starts_with(' ')).then_some(rest)
    })?;
    Some(rest.strip_prefix(' ').is_some_and(|rest| rest.starts_with(char::is_uppercase)))
}

/// Not the texts of `lexopt`, which repeat values.
fn usage(error: lexopt::Error) -> Usage {
    Usage(match error {
        lexopt::Error::MissingValue { option: Some(option) } => format!("{option} needs a value"),
        lexopt::Error::UnexpectedValue { option, .. } => format!("{option} takes no value"),
        _ => "the command line makes no sense".into(),
    })
}

fn utf8(word: OsString, what: &str) -> Result<String, Usage> {
    word.into_string().map_err(|_| Usage(format!("{what} is not UTF-8")))
}

/// The status and the body of what an API answers. A refusal is an answer too, so that its body can
/// be shown.
pub fn get(agent: &ureq::Agent, url: &str) -> Result<(ureq::http::StatusCode, String), Failure> {
    let request = agent.get(url).config();
    let request = request.timeout_global(Some(Duration::from_secs(60))).http_status_as_error(false).build();
    let mut response = request.call().map_err(|error| readable(error, url))?;
    Ok((response.status(), response.body_mut().read_to_string()?))
}

/// Takes the error of this crate out of ureq's, which hides its causes: there was no token, and the
/// API was not called. Any other error is about `api`.
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

fn variable(name: &str) -> Option<String> {
    env::var(name.replace('-', "_").to_ascii_uppercase()).ok().filter(|value| !value.is_empty())
}
