//! How much memory an answer may cost: measured in a process that does nothing but ask for one token, this binary
//! once more.

use std::{env, fs};

use super::*;

#[test]
fn a_large_answer_costs_less_than_8_mib_at_its_peak() {
    let endless = |head: &str, again: &[u8]| raw(head).then(Step::Repeat(again.to_vec(), u64::MAX));
    let chunk = format!("400\r\n{}\r\n", " ".repeat(1024));
    measure(vec![
        ("a good answer, for comparison", good(), "ok"),
        ("100 MiB", Behaviour::flood(HUGE), "BodyTooLarge"),
        #[cfg(feature = "gzip")]
        ("a gzip bomb of 100 MiB", Behaviour::gzip_bomb(HUGE), "BodyTooLarge"),
        (
            "chunks without end",
            endless("HTTP/1.1 200 -\r\ntransfer-encoding: chunked\r\n\r\n", chunk.as_bytes()),
            "BodyTooLarge",
        ),
        ("an error without end", endless("HTTP/1.1 500 -\r\n\r\n", &[b'x'; 1 << 16]), "BodyTooLarge"),
        ("headers without end", endless("HTTP/1.1 200 -\r\n", b"x-flood: 1\r\n"), "Other"),
        ("a document too deep for a stack", json(&token_json(&format!(r#","x":{}"#, "[".repeat(200_000)))), "Protocol"),
        ("a token and 120,000 numbers", json(&many("0,", 120_000)), "Protocol"),
    ]);
}

/// Small as text, large as a tree in memory, and kept as long as the token.
#[test]
fn an_answer_of_many_small_values_costs_less_than_8_mib_at_its_peak() {
    let objects = many(r#"{"":0},"#, 30_000);
    measure(vec![
        ("a token and 30,000 objects", json(&objects), "any"),
        ("a token and 4,000 objects", json(&many(r#"{"":0},"#, 4_000)), "ok"),
        ("an error and 30,000 objects", Behaviour::json(400, &objects), "any"),
    ]);
}

/// A good answer with a list of this many of these in it.
fn many(item: &str, count: usize) -> String {
    token_json(&format!(r#","x":[{}0]"#, item.repeat(count)))
}

fn measure(rows: Vec<(&str, Behaviour, &str)>) {
    // What an emulator needs to translate the program is in the figures.
    let most = if emulator::runner().is_empty() { 8 << 10 } else { 16 << 10 };
    for (name, behaviour, end) in rows {
        let server = TokenServer::start().unwrap();
        server.always(behaviour);
        let (idle, peak, how) = of_a_child(&server.url());
        println!("{name}: {idle} KiB idle, {} KiB more at the peak, {how}", peak - idle);
        assert!(how == end || end == "any", "{name}: {how}");
        assert!(peak - idle < most, "{name}: {idle} KiB idle, {peak} KiB at the peak");
        assert_eq!(server.requests().len(), 1, "{name}");
    }
}

/// The URL that a child is to ask; without it the test below has nothing to do.
const VARIABLE: &str = "HOSTILE_TOKEN_URL";

#[test]
fn child() {
    #[expect(clippy::disallowed_methods, reason = "how a parent talks to its child")]
    let Ok(url) = env::var(VARIABLE) else { return };
    let request = TokenRequest::new(&url).unwrap().audience(API);
    let builder = TokenSource::builder(Credentials::new(CLIENT, SECRET), request).transport(UreqTransport::new());
    let source = builder.retries(0).build().unwrap();
    let idle = kib("VmRSS:");
    let how = match source.token() {
        Ok(_) => String::from("ok"),
        Err(Error::Transport(failure)) => format!("{:?}", failure.kind()),
        Err(Error::Protocol(_)) => String::from("Protocol"),
        Err(Error::Denied(_)) => String::from("Denied"),
        Err(error) => panic!("{error}"),
    };
    println!("\nmeasured {idle} {} {how}", kib("VmHWM:"));
}

/// Resident when idle, resident at most (both in KiB), and how its token request ended.
fn of_a_child(url: &str) -> (u64, u64, String) {
    let output = emulator::command(&env::current_exe().unwrap())
        .args(["--exact", "memory::child", "--nocapture", "--test-threads=1"])
        .env(VARIABLE, url)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut words = text.lines().find_map(|line| line.strip_prefix("measured ")).expect(&text).split(' ');
    let mut word = || words.next().unwrap().to_owned();
    (word().parse().unwrap(), word().parse().unwrap(), word())
}

fn kib(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
