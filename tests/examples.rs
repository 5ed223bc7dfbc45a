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
const WITH_CLIENT: [(&str, &[&str]); 6] = [
    ("any_client", &[]),
    ("auth0", &["--audience", "a"]),
    ("bitbucket", &[]),
    ("consumers", &["--account", "a"]),
    ("git_credential", &[]),
    ("token", &[]),
];

#[test]
fn every_example_tells_how_to_use_it() {
    for name in WITH_CLIENT.map(|(name, _)| name).into_iter().chain(["many_tenants"]) {
        for flag in ["--help", "-h"] {
            let run = example(name).args([flag]).run();
            assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{name}");
            assert!(run.stdout.contains(&format!("Usage: {name} ")), "{}", run.stdout);
            assert!(run.stdout.lines().all(|line| line.len() <= 120), "{}", run.stdout);
        }
    }
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
    }
    example("many_tenants").args(["--url", "x"]).run().is_usage("--token-endpoint (or TOKEN_ENDPOINT) is missing");
}
