use crate::loopback::{Server, reply, token_reply};
use crate::run::{Program, example};

fn cron(auth: &Server, api: &Server) -> Program {
    example("cron").client(&auth.url("/token")).args([&api.url("/jobs")])
}

#[cfg(feature = "store-file")]
#[test]
fn a_second_run_uses_the_token_of_the_first() {
    let (auth, api) = (Server::new(|_| token_reply("tok-a")), Server::new(|_| reply(200).body("a job")));
    let directory = std::env::temp_dir().join(format!("client-credentials-{}-cron", std::process::id()));
    let run = || cron(&auth, &api).env("STORE", &directory).run();
    let (first, second) = (run(), run());
    std::fs::remove_dir_all(&directory).expect("a directory");
    assert_eq!((first.success(), second.success()), ("a job\n", "a job\n"));
    assert!(first.stderr.contains("token received after "), "{}", first.stderr);
    assert!(second.stderr.contains("token taken from the store, requested "), "{}", second.stderr);
    assert_eq!((auth.requests().len(), api.requests().len()), (1, 2));
    assert!(api.requests().iter().all(|request| request.token() == Some("tok-a")));
}

/// The question is the same, so the token is, too.
#[cfg(feature = "store-file")]
#[test]
fn the_programs_of_one_client_share_a_token() {
    let auth = Server::new(|_| token_reply("tok-a"));
    let directory = std::env::temp_dir().join(format!("client-credentials-{}-shared", std::process::id()));
    let run = |name: &str, args: &[&str], stdin: &str| {
        let program = example(name).client(&auth.url("/token")).args(args).env("STORE", &directory);
        program.stdin(stdin).shows_token().run().success().to_owned()
    };
    let question = "protocol=https\nhost=bitbucket.org\n\n";
    let answers = [run("token", &[], ""), run("token", &["--header"], ""), run("git_credential", &["get"], question)];
    std::fs::remove_dir_all(&directory).expect("a directory");
    assert_eq!(answers[..2], ["tok-a\n", "Authorization: Bearer tok-a\n"]);
    assert!(answers[2].contains("password=tok-a\n"), "{}", answers[2]);
    assert_eq!(auth.requests().len(), 1);
}

#[cfg(not(feature = "store-file"))]
#[test]
fn a_store_needs_the_feature() {
    let (auth, api) = (Server::new(|_| token_reply("tok-a")), Server::new(|_| reply(200).body("a job")));
    cron(&auth, &api).args(["--store", "x"]).run().is_usage("--store needs the feature store-file of the crate");
}

#[test]
fn an_answer_of_the_api_that_is_no_success_is_a_failure() {
    let (auth, api) = (Server::new(|_| token_reply("tok-a")), Server::new(|_| reply(503).body("later")));
    let run = cron(&auth, &api).run();
    assert_eq!((run.code, run.stdout.as_str()), (1, "later\n"));
    assert!(run.stderr.ends_with(": status 503\n"), "{}", run.stderr);
}
