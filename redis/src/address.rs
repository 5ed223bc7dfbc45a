//! Where a Redis is: what a URL says, and the errors for what it should not say.

use std::fmt;
use std::path::PathBuf;
#[cfg(feature = "rustls")]
use std::sync::Arc;

use client_credentials::StoreError;
use redis::{ConnectionAddr, IntoConnectionInfo as _};

/// What a URL says. `Display` shows it without the user and the password.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) target: Target,
    /// User and password.
    pub(crate) login: Option<(Option<String>, String)>,
    pub(crate) database: i64,
    #[cfg(feature = "rustls")]
    pub(crate) tls: Option<Tls>,
}

#[derive(Clone)]
pub(crate) enum Target {
    Tcp(String, u16),
    Socket(PathBuf),
}

#[cfg(feature = "rustls")]
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) name: rustls::pki_types::ServerName<'static>,
    pub(crate) config: Arc<rustls::ClientConfig>,
}

impl Address {
    /// # Errors
    ///
    /// What is wrong with the URL. Never a part of it, because each may be a part of the password.
    pub(crate) fn parse(text: &str) -> Result<Self, StoreError> {
        let wrong = |what: &str| Err(StoreError::new(format!("the URL of Redis {what}")));
        let schemes = ["redis", "rediss", "valkey", "valkeys", "unix", "redis+unix", "valkey+unix"];
        let Some(scheme) = schemes.into_iter().find(|scheme| starts_with(text, scheme)) else {
            return wrong("must begin with redis://, rediss:// (TLS), valkey://, valkeys:// (TLS) or unix://");
        };
        let tls = matches!(scheme, "rediss" | "valkeys");
        // Whether its own TLS is compiled is nothing to the crate redis.
        let plain = if tls { ["redis", &text[scheme.len()..]].concat() } else { text.to_owned() };
        let Some(url) = redis::parse_redis_url(&plain) else {
            return wrong(
                "cannot be read: special characters of the password must be percent-encoded (/ is %2F, @ is %40, \
                 # is %23, ? is %3F), and a port is a number up to 65535",
            );
        };
        let unix = scheme.ends_with("unix");
        let known: &[&str] = if unix { &["db", "user", "pass", "protocol"] } else { &["protocol"] };
        if url.fragment().is_some() {
            return wrong("contains #: if it belongs to the password, write %23");
        }
        if !url.query_pairs().all(|(name, _)| known.contains(&&*name)) {
            return wrong("has a parameter that is not known here: if ? belongs to the password, write %3F");
        }
        if !unix && !url.username().is_empty() && url.password().is_none() {
            return wrong(
                "names a user without a password: write redis://user:password@host, or redis://:password@host for the default user",
            );
        }
        if tls && !cfg!(feature = "rustls") {
            return wrong("wants TLS: turn on the feature \"rustls\" of client-credentials-redis");
        }
        let info = match url.into_connection_info() {
            Ok(info) => info,
            // The texts are fixed ones: "Missing hostname", "Invalid database number".
            Err(error) => return wrong(&format!("is not complete: {}", fixed_part(&error))),
        };
        let target = match info.addr() {
            ConnectionAddr::Tcp(host, port) => Target::Tcp(host.clone(), *port),
            ConnectionAddr::Unix(path) => Target::Socket(path.clone()),
            _ => return wrong("is of a kind that is not known here"),
        };
        let settings = info.redis_settings();
        let database = settings.db();
        if database < 0 {
            return wrong("has a negative database number");
        }
        Ok(Self {
            #[cfg(feature = "rustls")]
            tls: match &target {
                Target::Tcp(host, _) if tls => Some(Tls {
                    name: rustls::pki_types::ServerName::try_from(host.clone())
                        .map_err(|_| StoreError::new("the URL of Redis has a host that no certificate can have"))?,
                    config: crate::tls::config(crate::tls::public_roots())?,
                }),
                _ => None,
            },
            target,
            login: settings.password().map(|password| (settings.username().map(Into::into), password.into())),
            database,
        })
    }

    fn is_tls(&self) -> bool {
        #[cfg(feature = "rustls")]
        return self.tls.is_some();
        #[cfg(not(feature = "rustls"))]
        false
    }
}

fn starts_with(text: &str, scheme: &str) -> bool {
    let head = text.get(..scheme.len());
    head.is_some_and(|head| head.eq_ignore_ascii_case(scheme)) && text[scheme.len()..].starts_with("://")
}

/// An error of the crate redis without its detail, which may repeat what was given.
fn fixed_part(error: &redis::RedisError) -> String {
    let text = error.to_string();
    text.split(" - ").next().unwrap_or_default().to_owned()
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls() { "rediss" } else { "redis" };
        match &self.target {
            Target::Socket(path) => write!(f, "unix://{}", path.display())?,
            // IPv6
            Target::Tcp(host, port) if host.contains(':') => write!(f, "{scheme}://[{host}]:{port}")?,
            Target::Tcp(host, port) => write!(f, "{scheme}://{host}:{port}")?,
        }
        match self.database {
            0 => Ok(()),
            number => write!(f, "/{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> String {
        match Address::parse(url) {
            Ok(address) => format!("{address} {:?}", address.login),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_url_says_where_who_and_which_database() {
        assert_eq!(parse("redis://cache.example"), "redis://cache.example:6379 None");
        assert_eq!(parse("redis://cache.example:6380/3"), "redis://cache.example:6380/3 None");
        assert_eq!(parse("REDIS://:pw@[::1]/"), r#"redis://[::1]:6379 Some((None, "pw"))"#);
        assert_eq!(parse("valkey://me:p%40w@h/1"), r#"redis://h:6379/1 Some((Some("me"), "p@w"))"#);
    }

    #[test]
    #[cfg(unix)]
    fn a_url_may_name_a_socket() {
        assert_eq!(
            parse("unix:///run/redis.sock?db=2&user=me&pass=p%2Fw"),
            r#"unix:///run/redis.sock/2 Some((Some("me"), "p/w"))"#
        );
    }

    #[test]
    fn a_wrong_url_is_explained_without_being_repeated() {
        let cases = [
            ("", "must begin with redis://"),
            ("hush@cache.example:6379", "must begin with redis://"),
            ("http://hush@cache.example", "must begin with redis://"),
            ("redis:hush", "must begin with redis://"),
            ("redis://:hu/sh@cache.example", "percent-encoded"),
            ("redis://:hu#sh@cache.example", "percent-encoded"),
            ("redis://me:12#hush@cache.example", "write %23"),
            ("redis://me:12?hush@cache.example", "write %3F"),
            ("redis://me:12/hush@cache.example", "Invalid database number"),
            ("redis://h/hush", "Invalid database number"),
            ("redis://h/-1", "negative database number"),
            ("redis://h:66666", "a port is a number"),
            ("redis://hush@h", "a user without a password"),
            ("redis:///hush", "Missing hostname"),
            ("redis://0.0.0.0", "wildcard address"),
            ("redis://h?hush=1", "a parameter that is not known here"),
            ("rediss://h#insecure", "write %23"),
            ("redis://:%ffhush@h", "Password is not valid UTF-8"),
        ];
        for (url, expected) in cases {
            let text = parse(url);
            assert!(text.contains(expected), "{url}: {text}");
            assert!(!text.contains("hush") && !text.contains("12"), "{url}: {text}");
        }
    }
}
