//! Runs each example as a person would, against servers on this machine that speak the vendor's dialect.
//!
//! `cargo test` builds the examples first; `cargo test --test examples` does not: `cargo build --examples` then.
#![cfg(feature = "ureq")]

mod emulator;
mod loopback;

#[path = "examples/any_client.rs"]
mod any_client;
#[path = "examples/auth0.rs"]
mod auth0;
#[path = "examples/bitbucket.rs"]
mod bitbucket;
#[path = "examples/consumers.rs"]
mod consumers;
#[path = "examples/cron.rs"]
mod cron;
#[path = "examples/git.rs"]
mod git;
#[path = "examples/git_credential.rs"]
mod git_credential;
#[path = "examples/many_tenants.rs"]
mod many_tenants;
#[path = "examples/quickstart.rs"]
mod quickstart;
#[path = "examples/run.rs"]
mod run;
#[path = "examples/token.rs"]
mod token;

use run::example;

/// The examples that take a client from the arguments or the environment, with what else they cannot do without.
const WITH_CLIENT: [(&str, &[&str]); 7] = [
    ("any_client", &[]),
    ("auth0", &["--audience", "a"]),
    ("bitbucket", &[]),
    ("consumers", &["--account", "a"]),
    ("cron", &["https://api.example.com/"]),
    ("git_credential", &[]),
    ("token", &[]),
];

fn all() -> impl Iterator<Item = &'static str> {
    WITH_CLIENT.map(|(name, _)| name).into_iter().chain(["many_tenants", "quickstart"])
}

#[test]
fn help_says_how_an_example_is_called_and_installed_and_how_it_ends() {
    for name in all() {
        for flag in ["--help", "-h"] {
            let run = example(name).args([flag]).run();
            assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{name}");
            for text in [
                &format!("\nUsage: {name}"),
                "\nExit status: 0 for success, 1 for a failure, 2 for a wrong command line.\n",
                &format!("cargo run --example {name} -- "),
                &format!("cargo install --path . --example {name}\n"),
                &format!("cargo install client-credentials --example {name}\n"),
            ] {
                assert!(run.stdout.contains(text), "{text}: {}", run.stdout);
            }
            assert!(run.stdout.lines().all(|line| line.len() <= 80), "{}", run.stdout);
        }
    }
}

/// The help text is what declares the options, so it cannot name one that the example refuses.
#[test]
fn every_option_of_the_help_is_known_and_takes_a_value_if_it_shows_one() {
    for name in all() {
        let help = example(name).args(["--help"]).run().stdout;
        let options = help.lines().filter_map(|line| line.trim_start().strip_prefix("--"));
        for option in options {
            let (option, rest) = option.split_once(' ').unwrap_or((option, ""));
            let option = format!("--{option}");
            if rest.starts_with(char::is_uppercase) {
                example(name).args([&option]).run().is_usage(&format!("{option} needs a value"));
                let run = example(name).args([&format!("{option}=x"), "--no-such-option"]).run();
                run.is_usage("--no-such-option is not known");
                let run = example(name).args([&option, "--help", "--no-such-option"]).run();
                run.is_usage("--no-such-option is not known");
            } else {
                let run = example(name).args([&format!("{option}={}", loopback::SECRET)]).run();
                run.is_usage(&format!("{option} takes no value"));
            }
        }
    }
}

#[test]
fn help_is_printed_without_looking_at_the_rest() {
    let run = example("token").args(["--json", "word", "--help", "--no-such-option"]).run();
    assert!(run.success().contains("Usage: token"), "{run:?}");
}

#[test]
fn wrong_usage_is_told_from_failure_and_shows_no_value() {
    let secret = format!("--client-secret={}", loopback::SECRET);
    for (name, needed) in WITH_CLIENT {
        let given = |args: &[&str]| {
            let endpoint = ["--token-endpoint", "http://127.0.0.1:9/token"];
            example(name).args(endpoint).args(needed).args(args).run()
        };
        given(&["--client-secret-file", "x"]).is_usage("--client-id (or CLIENT_ID) is missing");
        given(&["--client-id", "id"]).is_usage("CLIENT_SECRET (or --client-secret-file) is missing");
        given(&["--client-id"]).is_usage("--client-id needs a value");
        given(&["--client-id", "a", "--client-id=b"]).is_usage("--client-id is given twice");
        given(&["--client-id", "id", "--client-secret-file", "x", &secret]).is_usage("--client-secret is not known");
        given(&["-x"]).is_usage("-x is not known");
        given(&["--\u{1b}[31m"]).is_usage("--\\u{1b}[31m is not known");
    }
    let unasked = |name: &str| example(name).args([loopback::SECRET]).run();
    unasked("quickstart").is_usage("there are no arguments");
    unasked("many_tenants").is_usage("--token-endpoint (or TOKEN_ENDPOINT) is missing");
    example("many_tenants").args(["--url", "x"]).run().is_usage("--token-endpoint (or TOKEN_ENDPOINT) is missing");
}

#[test]
fn after_two_dashes_there_are_no_options() {
    let given = |name: &str, args: &[&str]| example(name).client("http://127.0.0.1:9/token").args(args).run();
    given("token", &["--", "--json"]).is_usage("too many arguments");
    given("bitbucket", &["--", "--help"]).is_usage("PATH begins with a slash");
    given("consumers", &["--account", "a", "--", "-h"]).is_usage("update ID or delete ID?");
    given("quickstart", &["--", "--help"]).is_usage("there are no arguments");
    given("git_credential", &["--", "store"]).success();
    // Before them, a value may look like an option.
    given("token", &["--scope", "--", "-x"]).is_usage("-x is not known");
}

#[cfg(unix)]
#[test]
fn an_argument_that_is_not_utf_8_is_refused_without_being_shown() {
    use std::os::unix::ffi::OsStrExt as _;

    let bytes = |end: &[u8]| std::ffi::OsString::from(std::ffi::OsStr::from_bytes(&[b"hush-hush", end].concat()));
    for name in all() {
        let given = |args: &[std::ffi::OsString]| example(name).args(args).run();
        given(&[bytes(b"\xff")]).is_usage("an argument is not UTF-8");
        given(&["--".into(), bytes(b"\xff")]).is_usage("an argument is not UTF-8");
        if name != "quickstart" {
            let option = "--token-endpoint";
            given(&[option.into(), bytes(b"\xff")]).is_usage("the value of --token-endpoint is not UTF-8");
            let mut both = std::ffi::OsString::from("--token-endpoint=");
            both.push(bytes(b"\xff"));
            given(&[both]).is_usage("the value of --token-endpoint is not UTF-8");
        }
        given(&[std::ffi::OsStr::from_bytes(b"--\xff").into()]).is_usage("is not known");
    }
}

/// As in `... | head -1`: nothing that is written can be read.
#[cfg(unix)]
#[test]
fn without_a_reader_an_example_ends_quietly() {
    for name in all() {
        let run = example(name).args(["--help"]).without_readers().run();
        assert_eq!(run.code, 0, "{name}");
        let run = example(name).args(["--no-such-option"]).without_readers().run();
        assert_eq!(run.code, 2, "{name}");
    }
    let auth = loopback::Server::new(|_| loopback::token_reply("tok-1"));
    let run = example("token").client(&auth.url("/token")).args(["--verbose"]).without_readers().run();
    assert_eq!(run.code, 0);
    assert_eq!(example("quickstart").without_readers().run().code, 0);
}
