//! What many processes cost one token endpoint (D32): each a source of its own, with a clock of its own.

use client_credentials::Clock as _;
use client_credentials::test_util::ManualClock;

use super::*;

const LIFETIME: u64 = 3600;

/// Process by process, the age at which each of its first `renewals` renewals asks for a token, if it is called all the
/// time. The first token is asked for at 0.
fn renewals_of(processes: usize, renewals: usize) -> Vec<Vec<f64>> {
    (0..processes)
        .map(|_| {
            let clock = ManualClock::new();
            let (start, body) = (clock.now(), format!(r#"{{"access_token":"T","expires_in":{LIFETIME}}}"#));
            let endpoint = move |_: Request<Vec<u8>>, _: &client_credentials::Attempt| {
                Ok::<_, TransportError>(Response::new(body.clone().into_bytes()))
            };
            let builder = TokenSource::builder(Credentials::new("id", "s3cret"), question()).transport(endpoint);
            let source = builder.clock(clock.clone()).build().expect("a source");
            (0..renewals)
                .map(|_| {
                    source.token().expect("a token");
                    clock.advance(source.inspect().renews_in.expect("a time"));
                    clock.now().since(&start).as_secs_f64()
                })
                .collect()
        })
        .collect()
}

#[test]
fn d32_no_spike_above_twice_the_mean_after_a_common_start() {
    let (processes, renewals) = (4000, 3);
    let times = renewals_of(processes, renewals);
    let period =
        times.iter().map(|times| times[renewals - 1] - times[0]).sum::<f64>() / (processes * (renewals - 1)) as f64;
    assert!((3240.0..=3270.0).contains(&period), "a renewal in due time keeps the pace: {period}");
    // Bins of 6 minutes, in which chance alone makes a few hundredths.
    let bin = 360.0;
    let mut bins = vec![0_u32; (period * renewals as f64 / bin) as usize + 1];
    for time in times.into_iter().flatten() {
        bins[(time / bin) as usize] += 1;
    }
    let mean = processes as f64 * bin / period;
    let peak = f64::from(*bins.iter().max().expect("a bin")) / mean;
    assert!((1.5..2.0).contains(&peak), "{peak} times the mean: {bins:?}");
}

#[test]
fn d32_a_server_that_hands_out_the_same_token_until_its_end_is_asked_a_few_times_for_each() {
    let (script, lives) = (Script::new(), 10);
    let (clock, start) = (script.clock(), script.clock().now());
    for _ in 0..1000 {
        let clock = clock.clone();
        script.answer(move |_, _| {
            let now = clock.now().since(&start).as_secs();
            let (number, left) = (now / LIFETIME, LIFETIME - now % LIFETIME);
            Ok(Response::new(format!(r#"{{"access_token":"T{number}","expires_in":{left}}}"#).into_bytes()))
        });
    }
    let source = source(&script);
    while clock.now().since(&start) < seconds(lives * LIFETIME) {
        source.token().expect("a token");
        clock.advance(seconds(1));
    }
    let requests = script.requests().len() as u64;
    assert!(requests <= lives * 12, "{requests} requests in {lives} lives");
}
