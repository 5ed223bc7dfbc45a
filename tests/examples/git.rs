//! git on both ends: a smart-http server, which is `git http-backend` behind HTTP Basic, and git as its client.

use std::path::Path;

use crate::loopback::{Received, Reply, Server, reply};
use crate::run::{Directory, Program, Run, basic, command, finish};

/// git with a configuration of its own, in this home. It asks nobody at a terminal.
pub fn git(home: &Directory) -> Program {
    let who = ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"];
    who.into_iter()
        .fold(Program::new(Path::new("git")), |git, name| git.env(name, "somebody@example.com"))
        .env("HOME", home.path())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C")
        .current_dir(home.path())
}

/// Runs git to a good end.
pub fn good(home: &Directory, args: &[&str]) -> Run {
    let run = git(home).args(args).run();
    run.success();
    run
}

/// Makes `team/project.git` with one commit on `main`.
pub fn repository(home: &Directory) {
    let run = command(Path::new("git")).arg("--version").output();
    assert!(run.is_ok_and(|run| run.status.success()), "these tests need git: install it and put it on the PATH");
    let bare = "team/project.git";
    good(home, &["init", "--quiet", "--bare", "--initial-branch=main", bare]);
    good(home, &["init", "--quiet", "--initial-branch=main", "seed"]);
    home.write("seed/hello.txt", "hello\n");
    good(home, &["-C", "seed", "add", "hello.txt"]);
    good(home, &["-C", "seed", "commit", "--quiet", "--message=one"]);
    good(home, &["-C", "seed", "push", "--quiet", "../team/project.git", "main"]);
}

/// Serves what is in this directory to the user `x-token-auth` with one of these tokens.
pub fn server(root: &Directory, tokens: &[&str]) -> Server {
    let root = root.path().to_owned();
    let allowed: Vec<String> = tokens.iter().map(|token| basic("x-token-auth", token)).collect();
    Server::new(move |request| {
        if request.header("authorization").is_some_and(|value| allowed.iter().any(|basic| basic == value)) {
            cgi(&root, request)
        } else {
            reply(401).header("WWW-Authenticate", r#"Basic realm="git""#)
        }
    })
}

/// RFC 3875, as far as git needs it.
fn cgi(root: &Path, request: &Received) -> Reply {
    let (path, query) = request.target().split_once('?').unwrap_or((request.target(), ""));
    let mut git = command(Path::new("git"));
    git.arg("http-backend").env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1");
    // A user who is known may push.
    git.env("REMOTE_USER", "x-token-auth").env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", root);
    git.env("REQUEST_METHOD", request.method()).env("PATH_INFO", path).env("QUERY_STRING", query);
    git.env("CONTENT_LENGTH", request.body.len().to_string());
    let headers = [
        ("content-type", "CONTENT_TYPE"),
        ("content-encoding", "HTTP_CONTENT_ENCODING"),
        ("git-protocol", "GIT_PROTOCOL"),
    ];
    for (header, variable) in headers {
        git.envs(request.header(header).map(|value| (variable, value)));
    }
    let (_, answer, said) = finish(git.spawn().expect("git"), request.body.clone(), "git http-backend");
    let said = String::from_utf8_lossy(&said);
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap_or_else(|| panic!("{said}"));
    let head = std::str::from_utf8(&answer[..end]).expect("ASCII");
    let value = |name| head.lines().filter_map(|line| line.split_once(": ")).find(|(n, _)| *n == name).map(|(_, v)| v);
    let status = value("Status").map_or(200, |status| status[..3].parse().expect("a status"));
    reply(status).header("Content-Type", value("Content-Type").unwrap_or("text/plain")).body(&answer[end + 4..])
}
