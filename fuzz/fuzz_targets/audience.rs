//! Where a token may go, with the `url` crate (WHATWG) as the second opinion and a reading by hand as the third.
//!
//! If an origin is allowed and a URL matches it, then
//! - by hand: the text between `://` and the first of `/?#\` holds no `@` in either, and scheme, host (without case)
//!   and port (the scheme's own where there is none) are equal;
//! - for WHATWG: the URL has no user name and no password, and both URLs have one origin. Both readings see the *same*
//!   hosts, or none: a host that WHATWG rejects (`1.2.3.4.5`, `[::1%25eth0]`, `xn--`) is rejected in both URLs. That is
//!   the one difference, and it is safe: an HTTP client connects to the host exactly as written.
//!
//! Written as WHATWG serializes them, an origin matches a URL if *and only if* WHATWG says that they have one origin
//! and there is no user info. Otherwise the crate is the stricter one, on purpose: it compares hosts as they are
//! written, so `https://127.1`, `https://[0::1]`, `https://a.test:` and `https://\u{e4}.test` do not match their normal
//! forms; to miss one costs a request its token, to merge two could send it astray.
//!
//! Plain http is an allowed origin only where WHATWG sees a loopback address or `localhost`, too.
//!
//! Input: a byte, the allowed origin, line feed, the URL. The byte is a place in the origin where the URL is inserted
//! for a third text, because tricks are made of the very host that they imitate.

#![no_main]

use client_credentials::TokenRequest;
use http::Uri;
use libfuzzer_sys::fuzz_target;
use url::{Host, Url};

fuzz_target!(|data: &[u8]| {
    let Some((&place, rest)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let (origin, url) = text.split_once('\n').unwrap_or((text, ""));
    let trick = inserted(origin, url, place);
    if let Some(allowed) = Allowed::new(origin) {
        for url in [url, &trick, &origin.to_ascii_uppercase(), &other_scheme(origin)] {
            allowed.check(url);
        }
    }
    check_any(url);
    check_any(&trick);
    check_canonical(origin, [url, &trick]);
});

fn inserted(origin: &str, part: &str, place: u8) -> String {
    let mut place = usize::from(place) % (origin.len() + 1);
    while !origin.is_char_boundary(place) {
        place -= 1;
    }
    format!("{}{part}{}", &origin[..place], &origin[place..])
}

/// The same host and port, but for a port that goes without saying.
fn other_scheme(origin: &str) -> String {
    let (scheme, rest) = origin.split_once("://").unwrap_or((origin, ""));
    format!("http{}://{rest}", if scheme.len() == 4 { "s" } else { "" })
}

thread_local! {
    static REQUEST: TokenRequest = TokenRequest::new("https://auth.test/token").expect("a good endpoint");
}

fn nothing_allowed() -> TokenRequest {
    REQUEST.with(Clone::clone)
}

struct Allowed<'a> {
    request: TokenRequest,
    by_hand: (String, String, String),
    whatwg: Option<Url>,
    text: &'a str,
}

impl<'a> Allowed<'a> {
    fn new(text: &'a str) -> Option<Self> {
        let whatwg = Url::parse(text).ok();
        let safe = nothing_allowed().allow_origin(text);
        let request = safe.clone().or_else(|_| nothing_allowed().dangerously_allow_plain_http_origin(text)).ok()?;
        let by_hand = by_hand(text).unwrap_or_else(|| panic!("{text:?} is no origin"));
        if safe.is_ok() {
            assert!(by_hand.0 == "https" || whatwg.as_ref().is_some_and(is_loopback), "plain http to {text:?}");
        }
        // An audience allows what an origin of the same text does.
        let audience = nothing_allowed().audience(text);
        let uri: Uri = text.parse().expect("an origin is a URI");
        assert_eq!(audience.allows(&uri), safe.is_ok(), "audience {text:?}");
        assert!(request.allows(&uri), "{text:?} does not allow itself");
        Some(Self { request, by_hand, whatwg, text })
    }

    fn check(&self, url: &str) {
        if !url.parse::<Uri>().is_ok_and(|uri| self.request.allows(&uri)) {
            return;
        }
        assert_eq!(by_hand(url).as_ref(), Some(&self.by_hand), "{url:?} matches {:?}", self.text);
        let whatwg = Url::parse(url).ok();
        assert_eq!(
            whatwg.as_ref().map(Url::origin),
            self.whatwg.as_ref().map(Url::origin),
            "{url:?} matches {:?}",
            self.text
        );
        if let Some(read) = whatwg {
            assert!(read.origin().is_tuple() && has_no_user(&read), "{url:?} matches {:?}", self.text);
        }
    }
}

/// Scheme and host in lower case, the port without leading zeros.
fn by_hand(url: &str) -> Option<(String, String, String)> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let authority = &rest[..rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len())];
    let after_brackets = authority.rfind(']').map_or(0, |end| end + 1);
    let colon = authority[after_brackets..].find(':').map_or(authority.len(), |at| after_brackets + at);
    let port = match authority[colon..].trim_start_matches(':').trim_start_matches('0') {
        "" if colon < authority.len() => "0",
        "" if scheme == "https" => "443",
        "" => "80",
        port => port,
    };
    let host = authority[..colon].to_ascii_lowercase();
    let good = ["http", "https"].contains(&scheme.as_str()) && !host.is_empty() && !authority.contains('@');
    good.then(|| (scheme.clone(), host, port.to_owned()))
}

fn has_no_user(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn check_any(url: &str) {
    let Ok(uri) = url.parse::<Uri>() else { return };
    assert!(!nothing_allowed().allows(&uri), "nothing is allowed, but {url:?} is");
    if nothing_allowed().dangerously_allow_any_origin().allows(&uri) {
        let (scheme, ..) = by_hand(url).unwrap_or_else(|| panic!("{url:?} has no origin"));
        assert!(scheme == "https" || Url::parse(url).is_ok_and(|read| is_loopback(&read)), "plain http to {url:?}");
    }
}

fn check_canonical(origin: &str, urls: [&str; 2]) {
    let Ok(origin) = Url::parse(origin) else { return };
    let parsed = nothing_allowed().dangerously_allow_plain_http_origin(origin.as_str());
    let Ok(request) = parsed else { return };
    assert!(has_no_user(&origin), "{origin}");
    for url in urls {
        let Ok(url) = Url::parse(url) else { continue };
        // A path may hold what `http::Uri` does not take; nothing can be sent there then.
        let Ok(uri) = url.as_str().parse::<Uri>() else { continue };
        let same = url.origin() == origin.origin() && has_no_user(&url);
        assert_eq!(request.allows(&uri), same, "{url} and {origin}");
    }
}
