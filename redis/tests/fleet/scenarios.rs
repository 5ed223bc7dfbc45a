use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use client_credentials::test_util::{Behaviour, Step, TokenServer};

use crate::support::{Server, signal};
use crate::{Clients, Noticed, answer, client, endpoint};

const FETCH: Duration = Duration::from_millis(100);
const GROUPS: usize = 4;
const IN_A_GROUP: usize = 50;

/// 200 clients in 4 processes, which start together and call for this long.
fn fleet(redis: &Server, endpoint: &TokenServer, time: Duration) -> Vec<Clients> {
    let (redis, endpoint) = (redis.url(), endpoint.url());
    let mut groups: Vec<_> = (0..GROUPS).map(|_| Clients::new(&redis, &endpoint, IN_A_GROUP, time)).collect();
    groups.iter_mut().for_each(Clients::start);
    groups
}

fn finish(groups: Vec<Clients>) -> Noticed {
    groups.into_iter().map(Clients::finish).fold(Noticed::default(), Noticed::and)
}

/// Waits for this many token requests.
fn wait_for(endpoint: &TokenServer, count: usize) {
    let until = Instant::now() + Duration::from_secs(20);
    while endpoint.requests().len() < count {
        assert!(Instant::now() < until, "no token request");
        thread::sleep(Duration::from_millis(5));
    }
}

/// One request for all, and one for each client whose store failed.
fn is_shared(requests: usize, most: usize, noticed: &Noticed) {
    assert!(requests <= most + noticed.alone_since(0.0), "{requests} requests, {noticed:?}");
}

/// When each token request came, in seconds.
fn watch(endpoint: &TokenServer, from: Instant, time: Duration, requests: &mut Vec<f64>) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        let now = from.elapsed().as_secs_f64();
        requests.resize(endpoint.requests().len(), now);
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn two_hundred_cold_clients_are_one_token_request() {
    let (redis, endpoint) = (Server::start(), endpoint(FETCH, 3600));
    let noticed = finish(fleet(&redis, &endpoint, Duration::ZERO));
    println!("cold: {noticed:?}, {} requests", endpoint.requests().len());
    assert_eq!((noticed.calls, noticed.errors), (200, 0));
    is_shared(endpoint.requests().len(), 1, &noticed);
}

#[test]
fn two_hundred_clients_with_a_wrong_secret_are_one_token_request() {
    let (redis, endpoint) = (Server::start(), TokenServer::start().unwrap());
    let denial = Behaviour::json(401, r#"{"error":"invalid_client"}"#);
    endpoint.always(Behaviour::from(Step::Pause(FETCH)).then(denial));
    let noticed = finish(fleet(&redis, &endpoint, Duration::ZERO));
    println!("wrong secret: {noticed:?}, {} requests", endpoint.requests().len());
    assert_eq!((noticed.calls, noticed.errors), (200, 200));
    is_shared(endpoint.requests().len(), 1, &noticed);
}

#[test]
fn two_hundred_clients_renew_once_a_period() {
    let (redis, endpoint) = (Server::start(), endpoint(FETCH, 10));
    let (from, mut requests) = (Instant::now(), Vec::new());
    let time = Duration::from_secs(16);
    let groups = fleet(&redis, &endpoint, time);
    watch(&endpoint, from, time, &mut requests);
    let noticed = finish(groups);
    println!("renewal: {noticed:?}, requests at {requests:.1?} s");
    assert_eq!(noticed.errors, 0);
    assert!(requests.len() >= 3, "{requests:?}");
    is_shared(requests.len(), 6, &noticed);
    let near = requests.windows(2).filter(|pair| pair[1] - pair[0] < 2.0).count();
    assert!(near <= noticed.alone_since(0.0), "{requests:?} {noticed:?}");
}

/// A client that holds the lease while the endpoint stalls, and 20 that wait for it.
fn holder_and_waiters(redis: &Server, endpoint: &TokenServer) -> (Clients, Clients) {
    endpoint.next(Step::Stall);
    let mut holder = Clients::new(&redis.url(), &endpoint.url(), 1, Duration::ZERO);
    let mut waiters = Clients::new(&redis.url(), &endpoint.url(), 20, Duration::ZERO);
    holder.start();
    wait_for(endpoint, 1);
    waiters.start();
    thread::sleep(Duration::from_millis(500));
    (holder, waiters)
}

#[test]
fn a_holder_that_is_killed_costs_one_request_more() {
    let (redis, endpoint) = (Server::start(), endpoint(FETCH, 3600));
    let (holder, waiters) = holder_and_waiters(&redis, &endpoint);
    signal("-KILL", holder.id());
    let from = Instant::now();
    let noticed = waiters.finish();
    println!("killed: {noticed:?}, {:?} after the kill, {} requests", from.elapsed(), endpoint.requests().len());
    assert_eq!((noticed.calls, noticed.errors), (20, 0));
    is_shared(endpoint.requests().len(), 2, &noticed);
    // The rest of the lease, the longest pause between two questions, four of which make a claim, and the fetch.
    assert!(from.elapsed() < Duration::from_secs(10), "{:?}", from.elapsed());
}

#[test]
fn a_holder_that_is_stopped_costs_one_request_more() {
    let (redis, endpoint) = (Server::start(), endpoint(FETCH, 3600));
    let (holder, waiters) = holder_and_waiters(&redis, &endpoint);
    signal("-STOP", holder.id());
    let from = Instant::now();
    let noticed = waiters.finish();
    println!("stopped: {noticed:?}, {:?} after the stop, {} requests", from.elapsed(), endpoint.requests().len());
    signal("-CONT", holder.id());
    assert_eq!((noticed.calls, noticed.errors), (20, 0));
    is_shared(endpoint.requests().len(), 2, &noticed);
}

#[test]
fn two_hundred_clients_survive_that_redis_is_killed() {
    let (mut redis, endpoint) = (Server::start(), endpoint(FETCH, 10));
    let (from, mut requests) = (Instant::now(), Vec::new());
    let seconds = Duration::from_secs;
    let groups = fleet(&redis, &endpoint, seconds(36));
    watch(&endpoint, from, seconds(3), &mut requests);
    let before = requests.len();
    redis.kill();
    watch(&endpoint, from, seconds(5), &mut requests);
    let during = requests.len() - before;
    redis.restart();
    // A client leaves a store that failed alone for up to 4 s by now, and what it fetches then lives for 10 s.
    watch(&endpoint, from, seconds(16), &mut requests);
    let together = requests.len();
    watch(&endpoint, from, seconds(12), &mut requests);
    let noticed = finish(groups);
    let last = &requests[together..];
    let alone = noticed.alone_since(24.0);
    println!(
        "outage: {} calls, {} errors, worst {:?}; {before} requests before, {during} during, {} after, then {last:.1?}",
        noticed.calls,
        noticed.errors,
        noticed.worst,
        together - before - during
    );
    assert_eq!(noticed.errors, 0);
    assert!(last.len() <= 4 + alone, "{last:?}");
}

#[test]
fn a_redis_that_hangs_costs_half_a_second_once() {
    let (redis, endpoint) = (Server::start(), endpoint(Duration::ZERO, 3600));
    redis.freeze();
    let source = client(&redis.url(), &endpoint.url());
    let timed = |work: &dyn Fn()| {
        let from = Instant::now();
        work();
        from.elapsed()
    };
    let first = timed(&|| drop(source.token().unwrap()));
    // Two fetches start at least a second apart. The store is left alone for a second after its failure.
    thread::sleep(Duration::from_millis(1050).saturating_sub(first));
    let second = timed(&|| drop(source.renew().unwrap()));
    println!("hangs: {first:?}, then {second:?}");
    assert!(first < Duration::from_millis(900), "{first:?}");
    assert!(second < Duration::from_millis(200), "{second:?}");
    redis.thaw();
}

#[test]
fn cold_clients_of_a_redis_that_hangs_are_served() {
    let (redis, endpoint) = (Server::start(), endpoint(FETCH, 3600));
    redis.freeze();
    let mut clients = Clients::new(&redis.url(), &endpoint.url(), 20, Duration::ZERO);
    clients.start();
    let noticed = clients.finish();
    println!("cold, hangs: {noticed:?}, {} requests", endpoint.requests().len());
    redis.thaw();
    assert_eq!((noticed.calls, noticed.errors), (20, 0));
    assert!(noticed.worst < Duration::from_secs(3), "{noticed:?}");
}

#[test]
fn everything_is_deleted_during_a_fetch() {
    let (redis, endpoint) = (Server::start(), TokenServer::start().unwrap());
    endpoint.always(answer(Duration::from_secs(1), 3600));
    let mut clients = Clients::new(&redis.url(), &endpoint.url(), 20, Duration::ZERO);
    clients.start();
    wait_for(&endpoint, 1);
    redis.run::<()>(&[b"FLUSHALL"]);
    let noticed = clients.finish();
    println!("flushed: {noticed:?}, {} requests", endpoint.requests().len());
    assert_eq!((noticed.calls, noticed.errors), (20, 0));
    is_shared(endpoint.requests().len(), 2, &noticed);
}

#[test]
fn redis_shows_neither_client_nor_secret_nor_token() {
    let (redis, endpoint) = (Server::start(), endpoint(Duration::ZERO, 3600));
    client(&redis.url(), &endpoint.url()).token().unwrap();
    let names = redis.names();
    assert_eq!(names.len(), 1, "{names:?}");
    for name in names {
        let value: Vec<u8> = redis.run(&[b"GET", name.as_bytes()]);
        for word in ["the-client", "the-secret", "the-token", "127.0.0.1", "api.example.com"] {
            let shows = |text: &[u8]| text.windows(word.len()).any(|part| part == word.as_bytes());
            assert!(!shows(&value) && !shows(name.as_bytes()), "{word}");
        }
    }
}

#[test]
fn the_example_counts_token_requests() {
    let redis = Server::start();
    let name = format!("workers{}", std::env::consts::EXE_SUFFIX);
    let test = std::env::current_exe().unwrap();
    let example = test.parent().unwrap().parent().unwrap().join("examples").join(name);
    let output = Command::new(example).env("REDIS_URL", redis.url()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // One, if the machine is not too busy.
    println!("{text}");
    assert!(text.starts_with("200 clients in 4 processes: ") && text.contains(" token requests, "), "{text}");
}

/// A measurement, not a test: it prints.
#[test]
fn a_warm_start_beside_a_token_request() {
    let (redis, endpoint) = (Server::start(), endpoint(Duration::ZERO, 3600));
    let (redis, endpoint) = (redis.url(), endpoint.url());
    client(&redis, &endpoint).token().unwrap();
    let median = |work: &dyn Fn()| {
        let mut times: Vec<_> = (0..200)
            .map(|_| {
                let from = Instant::now();
                work();
                from.elapsed()
            })
            .collect();
        times.sort();
        (times[0], times[100])
    };
    let warm = median(&|| drop(client(&redis, &endpoint).token().unwrap()));
    let unused = client_credentials::TokenRequest::new(&endpoint).unwrap();
    let unused = unused.audience("https://api.example.com");
    let direct = median(&|| {
        let credentials = client_credentials::Credentials::new("the-client", "the-secret");
        let source = client_credentials::TokenSource::builder(credentials, unused.clone()).build().unwrap();
        drop(source.token().unwrap());
    });
    println!(
        "warm start: {:?} best, {:?} median; token request on loopback: {:?} best, {:?} median; ratio {:.2}",
        warm.0,
        warm.1,
        direct.0,
        direct.1,
        warm.1.as_secs_f64() / direct.1.as_secs_f64()
    );
}
