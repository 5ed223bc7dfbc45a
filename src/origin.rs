//! Origins that may receive a token (RFC 6750 section 5.3, RFC 9700 section 4.9.1), and the token
//! endpoint, where it comes from. Imports `error`.
//!
//! URLs are parsed with `http::Uri`, which the connection is made from, too. A second parser could
//! disagree with it about which host the bytes go to.

use http::Uri;

use crate::error::Error;

/// The origins that may receive a token. Without any, no origin may.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins {
    allowed: Vec<Origin>,
    any: bool,
}

impl Origins {
    /// Adds the origin of `url`, which must be an https URL, or an http URL whose host is loopback.
    pub(crate) fn add(&mut self, url: &str) -> Result<(), Error> {
        self.push(Origin::of(url)?);
        Ok(())
    }

    /// Adds the origin of an audience, if it names one.
    pub(crate) fn add_audience(&mut self, audience: &str) {
        if let Ok(origin) = Origin::of(audience) {
            self.push(Origin { of_audience: true, ..origin });
        }
    }

    /// Removes the origins of all audiences. One that was added otherwise, too, stays.
    pub(crate) fn forget_audiences(&mut self) {
        self.allowed.retain(|origin| !origin.of_audience);
    }

    /// Adds the origin of `url`, even if it is plain http.
    pub(crate) fn add_insecure(&mut self, url: &str) -> Result<(), Error> {
        let (secure, host, port) = parse(url)?;
        self.push(Origin::new(secure, host, port));
        Ok(())
    }

    /// Allows every https origin, and plain http to loopback hosts.
    pub(crate) fn add_any(&mut self) {
        self.any = true;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.allowed.is_empty() && !self.any
    }

    pub(crate) fn allows(&self, uri: &Uri) -> bool {
        let (Some(secure), Some(authority)) = (is_secure(uri), uri.authority()) else {
            return false;
        };
        self.allowed.iter().any(|origin| origin.is(secure, authority.as_str()))
            || (self.any && read(uri).is_some_and(|(secure, host, _)| secure || is_loopback(host)))
    }

    fn push(&mut self, origin: Origin) {
        if !self.allowed.contains(&origin) {
            self.allowed.push(origin);
        }
    }
}

/// One origin in the form in which origins are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    secure: bool,
    /// The host in lower case, and the port if it is not the default: the usual spelling in a URL.
    authority: String,
    /// The length of the host in `authority`.
    host: usize,
    port: u16,
    /// Whether it goes when the audience is replaced.
    of_audience: bool,
}

impl Origin {
    /// Returns the origin of an https URL, or an http URL whose host is loopback.
    fn of(url: &str) -> Result<Self, Error> {
        let (secure, host, port) = parse(url)?;
        if !secure && !is_loopback(&host) {
            return Err(Error::configuration(format!(
                "plain http would show the token to anyone on the network path to {host}; use https, or \
                 TokenRequest::dangerously_allow_plain_http_origin"
            )));
        }
        Ok(Self::new(secure, host, port))
    }

    fn new(secure: bool, host: String, port: u16) -> Self {
        let length = host.len();
        let default = self::port("", secure) == Some(port);
        Self {
            secure,
            authority: if default { host } else { format!("{host}:{port}") },
            host: length,
            port,
            of_audience: false,
        }
    }

    /// Whether `authority` is this host and port and nothing else (RFC 3986 section 3.2). It must
    /// begin with the host, so it has no user info, and only a port may follow.
    fn is(&self, secure: bool, authority: &str) -> bool {
        self.secure == secure
            && (authority == self.authority
                || authority.split_at_checked(self.host).is_some_and(|(host, rest)| {
                    host.eq_ignore_ascii_case(&self.authority[..self.host]) && port(rest, secure) == Some(self.port)
                }))
    }
}

/// A token endpoint (RFC 6749 section 3.2), parsed and checked once.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint(Uri);

impl Endpoint {
    /// Parses an https URL, or an http URL whose host is loopback.
    pub(crate) fn new(url: &str) -> Result<Self, Error> {
        let endpoint = Self::over_plain_http(url)?;
        let host = endpoint.0.host().unwrap_or_default();
        if is_secure(&endpoint.0) != Some(true) && !is_loopback(host) {
            return Err(Error::configuration(format!(
                "token endpoint: plain http would show the client secret to anyone on the network path to {host}; use \
                 https (RFC 6749 section 3.2)"
            )));
        }
        Ok(endpoint)
    }

    /// Parses an http or https URL with any host.
    pub(crate) fn over_plain_http(url: &str) -> Result<Self, Error> {
        let wrong = |what: &str| Error::configuration(format!("token endpoint: {}", explained(url, what)));
        // `http::Uri` drops a fragment silently.
        if url.contains('#') {
            return Err(wrong("has a fragment, which is not allowed (RFC 6749 section 3.2)"));
        }
        let uri: Uri = url.parse().map_err(|_| wrong("is not a URL"))?;
        if read(&uri).is_none() {
            return Err(wrong(NO_ORIGIN));
        }
        Ok(Self(uri))
    }

    pub(crate) fn uri(&self) -> &Uri {
        &self.0
    }

    /// Returns the host, and the port if the URL has one.
    pub(crate) fn host(&self) -> &str {
        self.0.authority().map_or("", http::uri::Authority::as_str)
    }
}

fn parse(url: &str) -> Result<(bool, String, u16), Error> {
    let wrong = |what| Error::configuration(format!("TokenRequest::allow_origin: {}", explained(url, what)));
    let uri: Uri = url.parse().map_err(|_| wrong("is not a URL"))?;
    let (secure, host, port) = read(&uri).ok_or_else(|| wrong(NO_ORIGIN))?;
    Ok((secure, host.to_ascii_lowercase(), port))
}

const NO_ORIGIN: &str = "is not an http(s) URL with a host, without user info, with a port from 0 to 65535";

/// Says what is wrong with a URL: its most frequent mistakes by name, anything else as `otherwise`.
fn explained(url: &str, otherwise: &str) -> String {
    let url_shown = shown(url);
    if url.trim().is_empty() {
        format!("{url_shown} is empty; it must be a URL that begins with https://")
    } else if url.contains(['\n', '\r']) {
        format!("{url_shown} holds a line break; trim the file or variable that it comes from")
    } else if url.contains(|char: char| char.is_whitespace() || char.is_control()) {
        format!("{url_shown} holds a space or a control character")
    } else if url.split_once("://").is_none() {
        format!("{url_shown} has no scheme; it must begin with https://")
    } else {
        format!("{url_shown} {otherwise}")
    }
}

/// Returns a URL that cannot be used, for messages: escaped, cut, without its query, and without
/// anything else if it may hold a password.
fn shown(url: &str) -> String {
    const LONGEST: usize = 100;
    if url.contains('@') {
        return String::from("the URL (not shown, because it may hold a password)");
    }
    let url = &url.as_bytes()[..url.find(['?', '#']).unwrap_or(url.len())];
    let dots = if url.len() > LONGEST { "..." } else { "" };
    format!("\"{}{dots}\"", url[..url.len().min(LONGEST)].escape_ascii())
}

/// Returns whether the scheme is https, the host, and the port. Returns `None` if one of them is
/// missing, or if there is user info or a port that is not a number up to 65535: `http::Uri` reads
/// `host:99999` as a host without a port, and `a@b` as the host `b`.
fn read(uri: &Uri) -> Option<(bool, &str, u16)> {
    let (secure, authority) = (is_secure(uri)?, uri.authority()?);
    let host = authority.host();
    let port = port(authority.as_str().strip_prefix(host)?, secure)?;
    (!host.is_empty()).then_some((secure, host, port))
}

fn is_secure(uri: &Uri) -> Option<bool> {
    match uri.scheme_str()? {
        "https" => Some(true),
        "http" => Some(false),
        _ => None,
    }
}

/// Parses what follows a host: nothing (the default port), or a colon and digits.
fn port(rest: &str, secure: bool) -> Option<u16> {
    if rest.is_empty() {
        return Some(if secure { 443 } else { 80 });
    }
    let digits = rest.strip_prefix(':')?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Returns scheme, host and port of a URL, for messages.
pub(crate) fn display(uri: &Uri) -> String {
    match (uri.scheme_str(), uri.host()) {
        (Some(scheme), Some(host)) => {
            let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{scheme}://{host}{port}")
        }
        _ => String::from("a URL without scheme and host"),
    }
}

/// Whether `host` is this machine, by a name or address that no resolver can point elsewhere
/// (RFC 6761 section 6.3, RFC 1122 section 3.2.1.3, RFC 4291 section 2.5.3).
pub(crate) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .and_then(|address| address.parse::<std::net::Ipv6Addr>().ok())
            .is_some_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(origin: &str, url: &str) -> bool {
        let mut origins = Origins::default();
        origins.add(origin).expect("a valid origin");
        url.parse::<Uri>().is_ok_and(|uri| origins.allows(&uri))
    }

    #[test]
    fn scheme_host_and_port_must_match() {
        let api = "https://api.example.com/base?x=1";
        for same in [
            "https://api.example.com",
            "https://api.example.com/",
            "https://API.Example.COM/v1?q#f",
            "https://api.example.com:443/v1",
            "https://api.example.com:0443/v1",
            "HTTPS://api.example.com/",
        ] {
            assert!(allows(api, same), "{same}");
        }
        for other in [
            "http://api.example.com/",
            "https://api.example.com:8443/",
            "https://example.com/",
            "https://xapi.example.com/",
            "https://api.example.com.evil.test/",
            "https://api.example.com@evil.test/",
            "https://evil.test@api.example.com/",
            "https://user:pass@api.example.com/",
            "https://api.example.com./",
            "https://api.example.com:99999/",
            "https://api.example.com:/",
            "https://api.example.com:+443/",
            "https://api.example.com\\@evil.test/",
            "https://api.example%2ecom/",
            "ftp://api.example.com/",
            "/v1/items",
            "api.example.com",
            "*",
        ] {
            assert!(!allows(api, other), "{other}");
        }
    }

    #[test]
    fn ipv6_hosts_are_compared_as_they_are_written() {
        assert!(allows("https://[2001:db8::1]:8443", "https://[2001:DB8::1]:8443/x"));
        assert!(!allows("https://[2001:db8::1]:8443", "https://[2001:db8::1]/x"));
        assert!(!allows("https://[2001:db8::1]", "https://[2001:db8::2]/x"));
    }

    #[test]
    fn d14_plain_http_needs_loopback_or_a_dangerous_setting() {
        let mut origins = Origins::default();
        for local in ["http://localhost:8080", "http://127.0.0.1", "http://127.9.9.9:1", "http://[::1]:80"] {
            origins.add(local).expect("loopback");
        }
        for remote in ["http://api.example.com", "http://localhost.example.com", "http://127.0.0.1.example.com"] {
            let error = origins.add(remote).expect_err("not loopback").to_string();
            assert!(error.contains("https"), "{error}");
        }
        origins.add_insecure("http://api.example.com").expect("allowed by this method");
        assert!(origins.allows(&Uri::from_static("http://api.example.com/x")));
        assert!(!origins.allows(&Uri::from_static("https://api.example.com/x")));
    }

    #[test]
    fn any_origin_still_means_https() {
        let mut origins = Origins::default();
        assert!(origins.is_empty());
        origins.add_any();
        assert!(!origins.is_empty());
        assert!(origins.allows(&Uri::from_static("https://anywhere.test/")));
        assert!(origins.allows(&Uri::from_static("http://localhost:3/")));
        assert!(!origins.allows(&Uri::from_static("http://anywhere.test/")));
        assert!(!origins.allows(&Uri::from_static("https://a@anywhere.test/")));
    }

    #[test]
    fn a_url_that_names_no_origin_is_refused() {
        let mut origins = Origins::default();
        for bad in ["", "api.example.com", "urn:example:api", "https://u@h/", "https://h:99999", "https://ä.test"] {
            origins.add(bad).expect_err(bad);
        }
    }
}
