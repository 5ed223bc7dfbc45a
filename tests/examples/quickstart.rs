//! The example that a newcomer runs first.

use crate::run::{Program, example};

/// The columns of the narrowest terminal that must do.
const WIDTH: usize = 78;

#[test]
fn every_line_is_what_the_servers_counted_and_fits_a_terminal() {
    // The proxy is not asked for this machine (D31).
    let run = example("quickstart").env("HTTP_PROXY", "http://127.0.0.1:9").run();
    let shown = run.success();
    assert!(shown.contains("All 7 lines are what the servers counted."), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= WIDTH), "{shown}");
    let help = example("quickstart").args(["--help"]).run();
    assert!(help.success().lines().all(|line| line.len() <= WIDTH), "{help:?}");
}

#[test]
fn errors_read_without_a_prefix_and_the_trap_names_its_setting() {
    let run = example("quickstart").run();
    let words: Vec<&str> = run.success().split_whitespace().collect();
    let shown = words.join(" ");
    for text in [
        "The call's error: token request to 127.0.0.1:",
        "The call's error: request not authorized: http://127.0.0.1:",
        "if it should, name it with TokenRequest::allow_origin",
        "The API answered 401 to a request without a token: GET /items HTTP/1.1",
        // The code that is shown is that of the example.
        "let agent = TokenSource::new(credentials, request)?.agent();",
        "let request = request.allow_origin(&other_api)?;",
        "cargo run --example token -- --help",
        "guide::how_do_i",
    ] {
        assert!(shown.contains(text), "{text}: {}", run.stdout);
    }
}

fn has_colours(program: Program) -> bool {
    let run = program.run();
    let (shown, plain) = (run.success(), "All 7 lines are what the servers counted.");
    assert!(shown.contains(plain), "{run:?}");
    let has_colours = shown.contains('\u{1b}');
    assert_eq!(has_colours, shown.contains("\u{1b}[32mok\u{1b}[0m first call"), "{run:?}");
    has_colours
}

#[test]
fn a_pipe_gets_no_colours() {
    assert!(!has_colours(example("quickstart").env("TERM", "xterm")));
}

/// In a terminal made by `script`, which is part of every Debian.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_gets_colours_unless_it_has_none_or_the_user_wants_none() {
    let in_terminal = || {
        let command = crate::emulator::words(&crate::run::binary("quickstart")).join(" ");
        let script = Program::new("script".as_ref());
        script.args(["--quiet", "--return", "--command", &command, "/dev/null"])
    };
    assert!(has_colours(in_terminal().env("TERM", "xterm").env("NO_COLOR", "")));
    assert!(!has_colours(in_terminal().env("TERM", "xterm").env("NO_COLOR", "1")));
    assert!(!has_colours(in_terminal().env("TERM", "dumb")));
    assert!(!has_colours(in_terminal()));
}
