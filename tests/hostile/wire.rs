//! How the token server says it: slowly, broken, without end, or in no known language.

use std::io::Write as _;
use std::net::TcpStream;

use client_credentials::test_util::ManualClock;

use super::*;

#[test]
fn a_slow_or_silent_server_is_waited_for_until_the_deadline_and_no_longer() {
    let second = Duration::from_secs(1);
    let timeout = || End::Transport(TransportErrorKind::Timeout);
    let rows: Vec<Row> = vec![
        ("never answers", Step::Stall.into(), timeout()),
        ("one byte a second, from the first", good().slowly(second), timeout()),
        ("one byte each 20 ms, from the first", good().slowly(Duration::from_millis(20)), timeout()),
        ("one byte a second of the body", good().slow_body(second), timeout()),
        ("one byte each 20 ms of the body", good().slow_body(Duration::from_millis(20)), timeout()),
        ("stalls in the head", good().cut_in_head(Step::Stall), timeout()),
        ("stalls in the body", good().cut_in_body(Step::Stall), timeout()),
        ("stalls in the body of an error", html(500).cut_in_body(Step::Stall), timeout()),
        ("stalls after a chunk", raw(&chunked("")).then(Step::Stall), timeout()),
        (
            "stalls where only the end of the connection ends the body",
            raw("HTTP/1.1 200 OK\r\n\r\n{").then(Step::Stall),
            timeout(),
        ),
    ];
    in_parallel(rows, |(name, behaviour, end)| {
        let took = check(name, &behaviour, &end, 0);
        assert!(took > TIMEOUT.mul_f64(0.95), "{name}: given up after {took:?}");
        check(name, &behaviour, &end, 2);
    });
}

#[test]
fn eight_threads_at_an_endpoint_that_hangs_make_one_request_and_share_its_timeout() {
    let server = TokenServer::start().unwrap();
    server.always(Step::Stall);
    let source = builder(&server).timeout(TIMEOUT).build().unwrap();
    let (_, took) = timed(|| {
        thread::scope(|scope| {
            for _ in 0..8 {
                let timeout = End::Transport(TransportErrorKind::Timeout);
                scope.spawn(|| expect("hangs", &source.token(), &{ timeout }));
            }
        });
    });
    assert_eq!((server.requests().len(), server.connections()), (1, 1));
    // One after the other, they would take eight times as long as one.
    assert!(took < TIMEOUT * 4, "{took:?}");
    assert!(source.inspect().last_error.is_some());
}

#[test]
fn a_slow_answer_that_is_complete_in_time_is_read() {
    run(vec![
        ("a body of one byte each ms", good().slow_body(Duration::from_millis(1)), End::Token(Some(3600))),
        ("a late answer", Behaviour::from(Step::Pause(TIMEOUT)).then(good()), End::Token(Some(3600))),
        ("100 Continue first", raw("HTTP/1.1 100 Continue\r\n\r\n").then(good()), End::Token(Some(3600))),
        ("103 Early Hints first", raw("HTTP/1.1 103 -\r\nlink: </x>\r\n\r\n").then(good()), End::Token(Some(3600))),
        ("half-closes after the answer", good().then(Step::HalfClose), End::Token(Some(3600))),
        ("closes after the answer", good().then(Step::Close), End::Token(Some(3600))),
        ("answers twice", good().then(Behaviour::token("second", 60)), End::Token(Some(3600))),
    ]);
}

/// One after the other: both sides are busy all the time.
#[test]
fn an_answer_without_an_end_is_cut_off() {
    let forever = |again: &str| Behaviour::from(Step::Repeat(again.as_bytes().to_vec(), u64::MAX));
    #[cfg(feature = "gzip")]
    let zipped = gzip_head().then(Step::Send(EMPTY_GZIP[..10].to_vec())).then(empty_blocks());
    for (name, behaviour) in [
        ("says 102 Processing for ever", forever("HTTP/1.1 102 Processing\r\n\r\n")),
        ("says 100 Continue for ever", forever("HTTP/1.1 100 Continue\r\n\r\n")),
        ("says early hints for ever", forever("HTTP/1.1 103 -\r\nlocation: /\r\n\r\n")),
        #[cfg(feature = "gzip")]
        ("zips nothing for ever", zipped),
    ] {
        check(name, &behaviour, &End::CutOff, 0);
        check(name, &behaviour, &End::CutOff, 2);
    }
}

/// ureq looks at the clock once per buffer of input, and here every 20 bytes of it cost the making of a decoder: work for
/// the machine, and so slower without optimization and next to other tests.
#[cfg(feature = "gzip")]
#[test]
fn empty_gzip_members_for_ever_are_cut_off_after_at_most_one_more_buffer() {
    let server = TokenServer::start().unwrap();
    server.always(gzip_head().then(Step::Repeat(EMPTY_GZIP.to_vec(), u64::MAX)));
    let source = builder(&server).timeout(TIMEOUT).build().unwrap();
    let (result, took) = ask(&source);
    expect("zips empty members for ever", &result, &End::Transport(TransportErrorKind::Timeout));
    let one_buffer = Duration::from_millis(if cfg!(debug_assertions) { 1000 } else { 100 });
    assert!(took < at_most(TIMEOUT) + one_buffer, "{took:?}");
}

// Connections.

#[test]
fn a_connection_that_breaks_is_an_error_and_nothing_is_made_of_half_an_answer() {
    let broken = || End::Transport(TransportErrorKind::Other);
    let closed = || End::Transport(TransportErrorKind::Closed);
    run(vec![
        ("closes without a word", Step::Close.into(), closed()),
        ("closes in the head", good().cut_in_head(Step::Close), closed()),
        ("closes in the body", good().cut_in_body(Step::Close), broken()),
        ("half-closes without a word", Step::HalfClose.into(), closed()),
        ("half-closes in the head", good().cut_in_head(Step::HalfClose), closed()),
        ("half-closes in the body", good().cut_in_body(Step::HalfClose), broken()),
        ("resets", Step::Reset.into(), closed()),
        ("resets in the head", good().cut_in_head(Step::Reset), closed()),
        ("resets in the body", good().cut_in_body(Step::Reset), broken()),
        ("closes between chunks", raw(&chunked("")).then(Step::Close), broken()),
        ("closes in a body without an end", raw("HTTP/1.1 200 OK\r\n\r\n{\"access_").then(Step::Close), malformed(200)),
        (
            "says less than it announced",
            raw("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{}").then(Step::Close),
            broken(),
        ),
    ]);
}

#[test]
fn nobody_there_is_a_connect_error() {
    let server = TokenServer::start().unwrap();
    let source = source(&server, 0);
    drop(server);
    let (result, took) = ask(&source);
    expect("nobody there", &result, &End::Transport(TransportErrorKind::Connect));
    assert!(took < at_most(PATIENCE), "{took:?}");
}

#[test]
fn a_handshake_that_never_ends_is_a_timeout() {
    in_time("handshake", TIMEOUT, || {
        // The server waits for the end of what it takes for the head of a request.
        let server = TokenServer::start().unwrap();
        let request = TokenRequest::new(&server.url().replace("http://", "https://")).unwrap().audience(API);
        let builder = TokenSource::builder(Credentials::new(CLIENT, SECRET), request).transport(UreqTransport::new());
        let (result, took) = ask(&builder.timeout(TIMEOUT).build().unwrap());
        expect("handshake", &result, &End::Transport(TransportErrorKind::Timeout));
        assert!(server.requests().is_empty());
        took
    });
}

/// Closing a socket wakes its reader and its writer on some systems only.
#[test]
fn a_token_server_that_is_dropped_ends_in_time_whatever_its_clients_do() {
    let post = "POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n";
    for (name, sent, behaviour) in [
        ("silent from the start", "", good()),
        ("stops in the head", "POST / HT", good()),
        ("stops in the body", &format!("{post}a"), good()),
        ("silent after an answer", &format!("{post}ab"), good()),
        ("waits for a server that stalls", &format!("{post}ab"), Step::Stall.into()),
        ("waits for a server that pauses", &format!("{post}ab"), Step::Pause(Duration::from_secs(3600)).into()),
        ("does not read", &format!("{post}ab"), Behaviour::flood(u64::MAX)),
    ] {
        let server = TokenServer::start().unwrap();
        server.always(behaviour);
        let mut client = TcpStream::connect(server.address()).unwrap();
        client.write_all(sent.as_bytes()).unwrap();
        // Until the server can only wait.
        SystemClock.sleep(Duration::from_millis(100));
        assert_eq!(server.requests().len(), usize::from(sent.ends_with("ab")), "{name}");
        let (sender, ended) = mpsc::channel();
        thread::spawn(move || {
            drop(server);
            sender.send(())
        });
        ended.recv_timeout(Duration::from_secs(10)).unwrap_or_else(|_| panic!("{name}: the server does not end"));
    }
}

#[test]
fn an_answer_nobody_asked_for_is_never_the_answer_to_the_next_request() {
    let late = Behaviour::from(Step::Pause(Duration::from_millis(20))).then(Behaviour::token("smuggled", 60));
    for second in [Behaviour::token("smuggled", 60), late] {
        let (server, clock) = (TokenServer::start().unwrap(), ManualClock::new());
        server.next(good().then(second));
        server.next(Behaviour::token("asked-for", 60));
        let source = builder(&server).clock(clock.clone()).build().unwrap();
        assert_eq!(source.token().unwrap().secret(), TOKEN);
        // Not before the server has said everything.
        SystemClock.sleep(Duration::from_millis(400));
        clock.advance(Duration::from_secs(1));
        assert_eq!(source.renew().unwrap().secret(), "asked-for");
        assert_eq!(server.requests().len(), 2);
    }
}

#[test]
fn the_same_token_every_time_is_taken_and_asked_for_no_more_often() {
    let (server, clock) = (TokenServer::start().unwrap(), ManualClock::new());
    server.always(good());
    let source = builder(&server).clock(clock.clone()).build().unwrap();
    for _ in 0..100 {
        assert_eq!(source.token().unwrap().secret(), TOKEN);
    }
    assert_eq!(server.requests().len(), 1);
    clock.advance(Duration::from_secs(1));
    assert_eq!(source.renew().unwrap().secret(), TOKEN);
    assert_eq!(source.token().unwrap().secret(), TOKEN);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn d12_an_api_that_refuses_the_same_token_every_time_costs_one_renewal() {
    let (server, api) = (TokenServer::start().unwrap(), TokenServer::start().unwrap());
    server.always(good());
    api.always(http::Response::builder().status(401).body("").unwrap());
    let items = format!("http://{}/items", api.address());
    let clock = ManualClock::new();
    let request = TokenRequest::new(&server.url()).unwrap().audience(&items);
    let builder = TokenSource::builder(Credentials::new(CLIENT, SECRET), request).transport(UreqTransport::new());
    let agent = builder.clock(clock).build().unwrap().agent();
    for calls in 1..=50 {
        assert!(matches!(agent.get(&items).call(), Err(ureq::Error::StatusCode(401))));
        assert_eq!((api.requests().len(), server.requests().len()), (calls, 2));
    }
}

/// ureq's output buffer is 128 KiB. A token above that, though below the limit for an answer, is of no use.
#[test]
fn a_token_too_long_for_a_header_is_an_error_of_the_call_and_nothing_hangs() {
    let (server, api) = (TokenServer::start().unwrap(), TokenServer::start().unwrap());
    let items = format!("http://{}/items", api.address());
    for (length, works) in [(100_000, true), (200_000, false)] {
        server.next(Behaviour::token(&"t".repeat(length), 3600));
        let request = TokenRequest::new(&server.url()).unwrap().audience(&items);
        let agent = TokenSource::new(Credentials::new(CLIENT, SECRET), request).unwrap().agent();
        let (outcome, took) = timed(|| agent.get(&items).call());
        assert_eq!(outcome.is_ok(), works, "{length}: {outcome:?}");
        assert!(took < at_most(PATIENCE), "{length}: {took:?}");
    }
}

// What is no HTTP.

#[test]
fn what_is_no_http_is_a_transport_error() {
    let broken = || End::Transport(TransportErrorKind::Other);
    let with = |header: &str| raw(&format!("HTTP/1.1 200 OK\r\n{header}\r\n\r\n{}", token_json(""))).then(Step::Close);
    let row = |name, text: &str| (name, raw(text).then(Step::Close), broken());
    let mut rows = vec![
        row("HTTP/0.9", &token_json("")),
        row("a TLS alert", "\u{15}\u{3}\u{1}\0\u{2}\u{2}F"),
        row("an HTTP/2 settings frame", "\0\0\0\u{4}\0\0\0\0\0"),
        row("ICY", "ICY 200 OK\r\n\r\n{}"),
        row("HTTP/2.0", "HTTP/2.0 200 OK\r\ncontent-length: 2\r\n\r\n{}"),
        row("a status of two digits", "HTTP/1.1 20 OK\r\n\r\n{}"),
        row("a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n{}"),
        row("a status below 100", "HTTP/1.1 099 OK\r\n\r\n{}"),
        row("a mail server", "220 mail.example ESMTP\r\n"),
        // ureq takes a head without an end for a closed connection.
        ("only line breaks", raw("\r\n\r\n\r\n\r\n").then(Step::Close), End::Transport(TransportErrorKind::Closed)),
        ("a header without a colon", with("nonsense"), broken()),
        ("a header with a NUL", with("x: a\0b"), broken()),
        ("a space before the colon", with("x : 1"), broken()),
        ("a content-length that is no number", with("content-length: many"), broken()),
        ("a negative content-length", with("content-length: -1"), broken()),
        ("a content-length of 2^64", with("content-length: 18446744073709551616"), broken()),
        ("a chunk size that is no number", raw(&chunked("zz\r\n")).then(Step::Close), broken()),
        ("a chunk size of 2^64", raw(&chunked("10000000000000000\r\n")).then(Step::Close), broken()),
        ("a chunk that is longer than it says", raw(&chunked("1\r\n  \r\n")).then(Step::Close), broken()),
        #[cfg(feature = "gzip")]
        ("gzip that is none", gzip_head().then(raw("{}")).then(Step::Close), broken()),
        #[cfg(feature = "gzip")]
        ("gzip that is text", gzip(b"{\"access_token\":\"x\"}"), broken()),
        #[cfg(feature = "gzip")]
        ("gzip that ends early", gzip(&EMPTY_GZIP[..12]), broken()),
    ];
    rows.push(("a coding that nobody asked for", with("content-encoding: br"), End::Token(None)));
    run(rows);
}

// Size.

#[test]
fn whatever_is_too_large_is_refused_as_soon_as_it_is() {
    let broken = || End::Transport(TransportErrorKind::Other);
    // ureq takes a head without an end for a closed connection.
    let closed = || End::Transport(TransportErrorKind::Closed);
    let endless = |head: &str, again: &str| raw(head).then(Step::Repeat(again.as_bytes().to_vec(), u64::MAX));
    let json_head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let token = token_json("");
    let exactly = |length: usize| json(&format!("{token}{}", " ".repeat(length - token.len())));
    run(vec![
        ("exactly 256 KiB", exactly(256 << 10), End::Token(None)),
        ("256 KiB and a byte", exactly((256 << 10) + 1), too_large()),
        ("100 MiB", Behaviour::flood(HUGE), too_large()),
        ("2^64 - 1 bytes", Behaviour::flood(u64::MAX), too_large()),
        ("an endless body", endless(&format!("{json_head}\r\n{token}"), " "), too_large()),
        (
            "endless chunks",
            endless(&format!("{json_head}transfer-encoding: chunked\r\n\r\n"), "400\r\n").then(Step::Close),
            broken(),
        ),
        (
            "endless good chunks",
            endless(
                &format!("{json_head}transfer-encoding: chunked\r\n\r\n"),
                &format!("400\r\n{}\r\n", " ".repeat(1024)),
            ),
            too_large(),
        ),
        (
            "an endless chunk extension",
            endless(&format!("{json_head}transfer-encoding: chunked\r\n\r\n1;"), "x"),
            broken(),
        ),
        #[cfg(feature = "gzip")]
        ("a gzip bomb", Behaviour::gzip_bomb(HUGE), too_large()),
        (
            "an error of 100 MiB",
            raw(&format!("HTTP/1.1 500 -\r\ncontent-length: {HUGE}\r\n\r\n"))
                .then(Step::Repeat(vec![b'x'; 1 << 16], HUGE >> 16)),
            too_large(),
        ),
        ("1 MiB of headers", endless("HTTP/1.1 200 OK\r\n", "x-flood: 1\r\n"), broken()),
        ("a header of 1 MiB", endless("HTTP/1.1 200 OK\r\nx-flood: ", "1"), closed()),
        ("a status line of 1 MiB", endless("HTTP/1.1 200 ", "O"), closed()),
        ("a status line that never begins", endless("", "\r\n"), closed()),
    ]);
}
