//! Real git clones from a server of its own that takes tokens by HTTP Basic, as Bitbucket does, and asks the example for
//! them.

use crate::emulator;
use crate::git::{git, good, repository, server};
use crate::loopback::{SECRET, Server, json_reply, token_reply};
use crate::run::{CLIENT, Directory, Program, Run, basic, binary, example};

/// Bitbucket's answer: two hours, another token each time.
fn auth() -> Server {
    let mut count = 0;
    Server::new(move |request| {
        assert_eq!(request.header("authorization"), Some(basic(CLIENT, SECRET).as_str()));
        count += 1;
        json_reply(200, &format!(r#"{{"access_token":"tok-{count}","expires_in":7200,"token_type":"bearer"}}"#))
    })
}

/// A home in which git asks the example for every password.
struct Setting {
    home: Directory,
    auth: Server,
    repositories: Server,
}

impl Setting {
    /// The server takes these tokens alone.
    fn new(auth: Server, tokens: &[&str]) -> Self {
        let home = Directory::new();
        repository(&home);
        let repositories = server(&home, tokens);
        let secret = home.write("secret file", SECRET);
        // After the exclamation mark it is a command for a shell, to which git adds the operation.
        let program: Vec<String> =
            emulator::words(&binary("git_credential")).iter().map(|word| format!("'{word}'")).collect();
        let helper = format!(
            "!{} --origin {} --token-endpoint {} --client-id {CLIENT} --client-secret-file '{secret}'",
            program.join(" "),
            repositories.url(""),
            auth.url("/token"),
        );
        good(&home, &["config", "--global", "credential.helper", &helper]);
        Self { home, auth, repositories }
    }

    fn git(&self, args: &[&str]) -> Run {
        git(&self.home).args(args).run()
    }

    fn clone(&self, url: &str) -> Run {
        self.git(&["clone", "--quiet", url, "copy"])
    }

    fn url(&self) -> String {
        self.repositories.url("/team/project.git")
    }
}

#[test]
fn git_clones_and_pushes_with_tokens() {
    let setting = Setting::new(auth(), &["tok-1", "tok-2"]);
    setting.clone(&setting.url()).success();
    assert_eq!(setting.home.read("copy/hello.txt"), "hello\n");
    // Asked once, after the server had refused a request without a password.
    assert_eq!(setting.auth.requests().len(), 1);
    let requests = setting.repositories.requests();
    assert_eq!(requests[0].header("authorization"), None);
    assert!(requests.len() > 2, "{requests:?}");
    assert!(requests[1..].iter().all(|r| r.header("authorization") == Some(basic("x-token-auth", "tok-1").as_str())));

    // Another Git process asks again, and gets another token.
    setting.home.write("copy/hello.txt", "hello again\n");
    setting.git(&["-C", "copy", "commit", "--quiet", "--all", "--message=two"]).success();
    setting.git(&["-C", "copy", "push", "--quiet", "origin", "main"]).success();
    let last = setting.repositories.requests().pop().expect("a push");
    assert_eq!(last.line(), "POST /team/project.git/git-receive-pack HTTP/1.1");
    assert_eq!(last.header("authorization"), Some(basic("x-token-auth", "tok-2").as_str()));
    let pushed = setting.git(&["-C", "team/project.git", "show", "main:hello.txt"]);
    assert_eq!((pushed.success(), setting.auth.requests().len()), ("hello again\n", 2));
    // The copy does not hold a token.
    assert!(!setting.home.read("copy/.git/config").contains("tok-"));
}

#[test]
fn it_makes_no_difference_whether_git_tells_the_path() {
    let setting = Setting::new(auth(), &["tok-1"]);
    good(&setting.home, &["config", "--global", "credential.useHttpPath", "true"]);
    setting.clone(&setting.url()).success();
    assert_eq!(setting.auth.requests().len(), 1);
}

#[test]
fn a_refused_token_is_erased_and_nobody_is_asked_for_a_password() {
    let setting = Setting::new(auth(), &["tok-of-somebody-else"]);
    let run = setting.clone(&setting.url());
    assert_eq!(run.code, 128, "{run:?}");
    assert!(run.stderr.contains("Authentication failed"), "{run:?}");
    assert_eq!(setting.auth.requests().len(), 1);
}

#[test]
fn without_a_token_git_is_told_why_and_to_stop() {
    let auth = Server::new(|_| json_reply(401, r#"{"error":"invalid_client"}"#));
    let setting = Setting::new(auth, &["tok-1"]);
    let run = setting.clone(&setting.url());
    assert_eq!(run.code, 128, "{run:?}");
    assert!(run.stderr.contains("git_credential: token request to 127.0.0.1:"), "{run:?}");
    assert!(run.stderr.contains("denied with status 401, invalid_client"), "{run:?}");
    assert!(run.stderr.contains("told us to quit"), "{run:?}");
    assert_eq!(setting.auth.requests().len(), 1);
}

#[test]
fn another_server_gets_no_token() {
    let setting = Setting::new(auth(), &["tok-1"]);
    let other = server(&setting.home, &["tok-1"]);
    let run = setting.clone(&other.url("/team/project.git"));
    assert_eq!(run.code, 128, "{run:?}");
    assert!(run.stderr.contains("could not read Username"), "{run:?}");
    assert!(other.requests().iter().all(|request| request.header("authorization").is_none()));
    assert_eq!(setting.auth.requests().len(), 0);
}

/// What git writes to a helper, and reads from it: <https://git-scm.com/docs/git-credential#IOFMT>.
fn ask(auth: &Server, operation: &str, question: &str) -> Run {
    helper(auth).args([operation]).stdin(question).shows_token().run()
}

fn helper(auth: &Server) -> Program {
    example("git_credential").client(&auth.url("/token")).args(["--origin", "https://git.example.com"])
}

#[test]
fn only_get_is_answered() {
    let auth = auth();
    let run = ask(&auth, "get", "protocol=https\nhost=git.example.com\nwwwauth[]=Basic realm=\"git\"\n\n");
    let lines: Vec<&str> = run.success().lines().collect();
    let [user, password, expiry] = lines[..] else { panic!("{run:?}") };
    assert_eq!((user, password, run.stderr.as_str()), ("username=x-token-auth", "password=tok-1", ""));
    let expiry: u64 = expiry.strip_prefix("password_expiry_utc=").expect("an expiry").parse().expect("a number");
    assert!(expiry > 1_700_000_000, "{expiry}");

    let question = "protocol=https\nhost=git.example.com\nusername=x-token-auth\npassword=tok-1\n";
    for operation in ["store", "erase", "capability"] {
        let run = ask(&auth, operation, question);
        assert_eq!((run.success(), run.stderr.as_str()), ("", ""), "{operation}");
    }
    assert_eq!(auth.requests().len(), 1);
    helper(&auth).run().is_usage("get, store or erase?");
}

#[test]
fn a_question_about_anybody_else_is_left_to_others() {
    let auth = Server::replies([]);
    for question in [
        "",
        "\n",
        "protocol=https\n",
        "host=git.example.com\n",
        "protocol=http\nhost=git.example.com\n",
        "protocol=https\nhost=git.example.com:8443\n",
        "protocol=https\nhost=git.example.com.evil.example\n",
        "protocol=https\nhost=user@git.example.com\n",
        "protocol=https\nhost=git.example.com\nusername=somebody\n",
    ] {
        let run = ask(&auth, "get", question);
        assert_eq!((run.success(), run.stderr.as_str()), ("", ""), "{question:?}");
    }
    assert_eq!(auth.requests().len(), 0);
}

#[test]
fn another_user_and_no_expiry() {
    let auth = Server::replies([json_reply(200, r#"{"access_token":"tok-a"}"#), token_reply("tok-b")]);
    let question = "protocol=https\nhost=git.example.com\nusername=oauth2\npath=team/project.git\n";
    let run = helper(&auth).args(["--token-user", "oauth2", "get"]).stdin(question).shows_token().run();
    assert_eq!(run.success(), "username=oauth2\npassword=tok-a\n");
}
