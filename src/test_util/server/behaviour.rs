//! What a token server can be told to do. Imports nothing from this crate.

use std::time::Duration;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};

/// What a [`TokenServer`](super::TokenServer) does with one request: a sequence of [`Step`]s.
///
/// If the last step leaves the connection open, so does the server. A behaviour is made from
/// steps, or from an answer: [`token`](Self::token), [`json`](Self::json),
/// [`redirect`](Self::redirect), or any `http::Response`. An answer can then be sent slowly, cut
/// short, or followed by something else.
///
/// # Examples
///
/// ```
/// use client_credentials::test_util::{Behaviour, Step, TokenServer};
/// use std::time::Duration;
///
/// let good = Behaviour::token("2YotnFZFEjr1zCsicMWpAA", 3600);
/// let second = Duration::from_secs(1);
/// let server = TokenServer::start()?;
///
/// // An answer, and what can go wrong with it.
/// server.next(http::Response::builder().status(429).header("retry-after", "60").body("")?);
/// server.next(good.clone().slowly(second));
/// server.next(good.clone().slow_body(second));
/// server.next(good.clone().cut_in_head(Step::Close));
/// server.next(good.clone().cut_in_body(Step::Reset));
/// server.next(good.clone().cut_in_body(Step::Stall));
/// server.next(good.clone().then(Behaviour::token("a second one", 3600)));
/// server.next(good.clone().then(Step::HalfClose));
/// // No answer at all.
/// server.next(Step::Stall);
/// server.next(Step::Reset);
/// // Headers without an end.
/// let head = Behaviour::from(Step::Send(b"HTTP/1.1 200 OK\r\n".to_vec()));
/// server.next(head.then(Step::Repeat(b"x-flood: 1\r\n".to_vec(), u64::MAX)));
/// # assert_eq!(server.connections(), 0);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Behaviour(pub(super) Vec<Step>);

/// One step of a [`Behaviour`].
///
/// # Examples
///
/// Half an answer, a pause, and the end of the connection:
///
/// ```
/// # #[cfg(feature = "ureq")] {
/// # use std::time::Duration;
/// # use client_credentials::test_util::{Behaviour, Step, TokenServer};
/// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, TransportErrorKind, UreqTransport};
/// # let server = TokenServer::start()?;
/// # let request = TokenRequest::new(&server.url())?.audience("https://api.example.com");
/// # let source = TokenSource::builder(Credentials::new("id", "secret"), request)
/// #     .transport(UreqTransport::new())
/// #     .retries(0)
/// #     .timeout(Duration::from_secs(20))
/// #     .build()?;
/// let head = b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n".to_vec();
/// let behaviour = Behaviour::from(Step::Send(head))
///     .then(Step::Pause(Duration::from_millis(10)))
///     .then(Step::Close);
/// server.next(behaviour);
/// let Err(Error::Transport(failure)) = source.token() else { panic!() };
/// assert_eq!(failure.kind(), TransportErrorKind::Other);
/// # }
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Sends these bytes, whatever they are.
    Send(Vec<u8>),
    /// Sends these bytes this many times.
    Repeat(Vec<u8>, u64),
    /// Sends these bytes one at a time, with this pause after each.
    Trickle(Vec<u8>, Duration),
    /// Does nothing for this long.
    Pause(Duration),
    /// Does nothing until the client closes the connection.
    Stall,
    /// Closes the sending half of the connection, and goes on receiving.
    HalfClose,
    /// Closes the connection.
    Close,
    /// Closes the connection while a byte of the request is unread. Linux and Windows then send a
    /// TCP reset.
    Reset,
}

impl Behaviour {
    /// An answer with this token and this lifetime in seconds.
    ///
    /// ```
    /// # #[cfg(feature = "ureq")] {
    /// # use std::time::Duration;
    /// # use client_credentials::test_util::{Behaviour, Step, TokenServer};
    /// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, TransportErrorKind, UreqTransport};
    /// # let server = TokenServer::start()?;
    /// # let request = TokenRequest::new(&server.url())?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request)
    /// #     .transport(UreqTransport::new())
    /// #     .retries(0)
    /// #     .timeout(Duration::from_secs(20))
    /// #     .build()?;
    /// server.next(Behaviour::token("2YotnFZFEjr1zCsicMWpAA", 3600));
    /// assert_eq!(source.token()?.secret(), "2YotnFZFEjr1zCsicMWpAA");
    /// # }
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn token(token: &str, expires_in: u64) -> Self {
        let token = serde_json::Value::from(token);
        Self::json(200, &format!(r#"{{"access_token":{token},"token_type":"Bearer","expires_in":{expires_in}}}"#))
    }

    /// An answer with this body, which need not be JSON, with the content type of JSON.
    ///
    /// ```
    /// # #[cfg(feature = "ureq")] {
    /// # use std::time::Duration;
    /// # use client_credentials::test_util::{Behaviour, Step, TokenServer};
    /// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, TransportErrorKind, UreqTransport};
    /// # let server = TokenServer::start()?;
    /// # let request = TokenRequest::new(&server.url())?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request)
    /// #     .transport(UreqTransport::new())
    /// #     .retries(0)
    /// #     .timeout(Duration::from_secs(20))
    /// #     .build()?;
    /// server.next(Behaviour::json(401, r#"{"error":"invalid_client"}"#));
    /// let Err(Error::Denied(denied)) = source.token() else { panic!() };
    /// assert_eq!(denied.code(), Some("invalid_client"));
    /// # }
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn json(status: u16, body: &str) -> Self {
        answer(
            status,
            &format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()),
            body.as_bytes(),
        )
    }

    /// An answer that redirects the client to this location.
    ///
    /// ```
    /// # #[cfg(feature = "ureq")] {
    /// # use std::time::Duration;
    /// # use client_credentials::test_util::{Behaviour, Step, TokenServer};
    /// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, TransportErrorKind, UreqTransport};
    /// # let server = TokenServer::start()?;
    /// # let request = TokenRequest::new(&server.url())?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request)
    /// #     .transport(UreqTransport::new())
    /// #     .retries(0)
    /// #     .timeout(Duration::from_secs(20))
    /// #     .build()?;
    /// server.next(Behaviour::redirect(307, "http://other.example/token"));
    /// let Err(Error::Denied(denied)) = source.token() else { panic!() };
    /// assert_eq!(denied.status(), 307); // not followed
    /// # }
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn redirect(status: u16, location: &str) -> Self {
        answer(status, &format!("location: {location}\r\ncontent-length: 0\r\n"), b"")
    }

    /// An answer with a good token, padded with blanks, which JSON allows, to a body of this many
    /// bytes.
    ///
    /// ```
    /// # #[cfg(feature = "ureq")] {
    /// # use std::time::Duration;
    /// # use client_credentials::test_util::{Behaviour, Step, TokenServer};
    /// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, TransportErrorKind, UreqTransport};
    /// # let server = TokenServer::start()?;
    /// # let request = TokenRequest::new(&server.url())?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request)
    /// #     .transport(UreqTransport::new())
    /// #     .retries(0)
    /// #     .timeout(Duration::from_secs(20))
    /// #     .build()?;
    /// server.next(Behaviour::flood(100 << 20)); // 100 MiB
    /// let Err(Error::Transport(failure)) = source.token() else { panic!() };
    /// assert_eq!(failure.kind(), TransportErrorKind::BodyTooLarge);
    /// # }
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn flood(bytes: u64) -> Self {
        let json = r#"{"access_token":"flood","token_type":"Bearer","expires_in":3600}"#;
        let blanks = bytes.saturating_sub(json.len() as u64);
        let length = json.len() as u64 + blanks;
        answer(200, &format!("content-type: application/json\r\ncontent-length: {length}\r\n"), json.as_bytes())
            .then(Step::Repeat(vec![b' '; 1 << 16], blanks >> 16))
            .then(Step::Repeat(vec![b' '], blanks & 0xffff))
    }

    /// An answer whose body is about this many zero bytes, which gzip has made a thousand times
    /// smaller. It ends without a checksum, because a client that reads so far has failed already.
    ///
    /// ```
    /// # #[cfg(feature = "ureq")] {
    /// # use std::time::Duration;
    /// # use client_credentials::test_util::{Behaviour, Step, TokenServer};
    /// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, TransportErrorKind, UreqTransport};
    /// # let server = TokenServer::start()?;
    /// # let request = TokenRequest::new(&server.url())?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request)
    /// #     .transport(UreqTransport::new())
    /// #     .retries(0)
    /// #     .timeout(Duration::from_secs(20))
    /// #     .build()?;
    /// server.next(Behaviour::gzip_bomb(100 << 20)); // 100 MiB in 100 KiB
    /// assert!(source.token().is_err());
    /// # }
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn gzip_bomb(bytes: u64) -> Self {
        // RFC 1952 section 2.3, then one block of RFC 1951 section 3.2.7: a table in which two bits
        // say "the last byte again, 258 times", and a first zero. From there every zero byte means
        // 1,032 more.
        const START: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\x02\xff\xed\xc1\x01\x01\0\0\0\x80\x90\xfe\xaf\xee\x08\x0a";
        let zeros = bytes / 1032;
        let length = START.len() as u64 + zeros;
        let headers =
            format!("content-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: {length}\r\n");
        answer(200, &headers, START).then(Step::Repeat(vec![0], zeros))
    }

    /// Sends this answer one byte at a time, with this pause after each.
    ///
    /// ```
    /// # #[cfg(feature = "ureq")] {
    /// # use std::time::Duration;
    /// # use client_credentials::test_util::{Behaviour, Step, TokenServer};
    /// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, TransportErrorKind, UreqTransport};
    /// # let server = TokenServer::start()?;
    /// # let request = TokenRequest::new(&server.url())?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request)
    /// #     .transport(UreqTransport::new())
    /// #     .retries(0)
    /// #     .timeout(Duration::from_millis(200))
    /// #     .build()?;
    /// server.next(Behaviour::token("t", 3600).slowly(Duration::from_millis(50)));
    /// let Err(Error::Transport(failure)) = source.token() else { panic!() };
    /// assert_eq!(failure.kind(), TransportErrorKind::Timeout);
    /// # }
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn slowly(self, interval: Duration) -> Self {
        self.resent(|bytes, _| vec![Step::Trickle(bytes, interval)])
    }

    /// Sends the head of this answer at once, and its body one byte at a time, with this pause
    /// after each.
    ///
    /// ```
    /// # #[cfg(feature = "ureq")] {
    /// # use std::time::Duration;
    /// # use client_credentials::test_util::{Behaviour, Step, TokenServer};
    /// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, TransportErrorKind, UreqTransport};
    /// # let server = TokenServer::start()?;
    /// # let request = TokenRequest::new(&server.url())?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request)
    /// #     .transport(UreqTransport::new())
    /// #     .retries(0)
    /// #     .timeout(Duration::from_millis(200))
    /// #     .build()?;
    /// server.next(Behaviour::token("t", 3600).slow_body(Duration::from_millis(50)));
    /// let Err(Error::Transport(failure)) = source.token() else { panic!() };
    /// assert_eq!(failure.kind(), TransportErrorKind::Timeout);
    /// # }
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn slow_body(self, interval: Duration) -> Self {
        self.resent(|mut bytes, body_at| {
            let body = bytes.split_off(body_at);
            vec![Step::Send(bytes), Step::Trickle(body, interval)]
        })
    }

    /// Sends half of the head of this answer, and then does this step.
    ///
    /// ```
    /// # #[cfg(feature = "ureq")] {
    /// # use std::time::Duration;
    /// # use client_credentials::test_util::{Behaviour, Step, TokenServer};
    /// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, TransportErrorKind, UreqTransport};
    /// # let server = TokenServer::start()?;
    /// # let request = TokenRequest::new(&server.url())?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request)
    /// #     .transport(UreqTransport::new())
    /// #     .retries(0)
    /// #     .timeout(Duration::from_millis(200))
    /// #     .build()?;
    /// server.next(Behaviour::token("t", 3600).cut_in_head(Step::Stall));
    /// let Err(Error::Transport(failure)) = source.token() else { panic!() };
    /// assert_eq!(failure.kind(), TransportErrorKind::Timeout);
    /// # }
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn cut_in_head(self, then: Step) -> Self {
        self.resent(|bytes, body_at| vec![Step::Send(bytes[..body_at / 2].to_vec()), then])
    }

    /// Sends the head of this answer and half of its body, and then does this step.
    ///
    /// ```
    /// # #[cfg(feature = "ureq")] {
    /// # use std::time::Duration;
    /// # use client_credentials::test_util::{Behaviour, Step, TokenServer};
    /// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, TransportErrorKind, UreqTransport};
    /// # let server = TokenServer::start()?;
    /// # let request = TokenRequest::new(&server.url())?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request)
    /// #     .transport(UreqTransport::new())
    /// #     .retries(0)
    /// #     .timeout(Duration::from_secs(20))
    /// #     .build()?;
    /// server.next(Behaviour::token("t", 3600).cut_in_body(Step::Close));
    /// let Err(Error::Transport(failure)) = source.token() else { panic!() };
    /// assert_eq!(failure.kind(), TransportErrorKind::Other);
    /// # }
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn cut_in_body(self, then: Step) -> Self {
        self.resent(|bytes, body_at| vec![Step::Send(bytes[..(body_at + bytes.len()) / 2].to_vec()), then])
    }

    /// Adds another behaviour or [`Step`] after this one.
    ///
    /// ```
    /// # #[cfg(feature = "ureq")] {
    /// # use std::time::Duration;
    /// # use client_credentials::test_util::{Behaviour, Step, TokenServer};
    /// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, TransportErrorKind, UreqTransport};
    /// # let server = TokenServer::start()?;
    /// # let request = TokenRequest::new(&server.url())?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request)
    /// #     .transport(UreqTransport::new())
    /// #     .retries(0)
    /// #     .timeout(Duration::from_secs(20))
    /// #     .build()?;
    /// // A server that closes the connection after each answer.
    /// server.always(Behaviour::token("t", 3600).then(Step::Close));
    /// source.token()?;
    /// source.renew()?;
    /// assert_eq!(server.connections(), 2);
    /// # }
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn then(mut self, next: impl Into<Self>) -> Self {
        self.0.extend(next.into().0);
        self
    }

    /// Replaces the answer that this behaviour begins with by other steps, made from its bytes and
    /// the position of its body.
    fn resent(mut self, steps: impl FnOnce(Vec<u8>, usize) -> Vec<Step>) -> Self {
        if let Some(Step::Send(bytes)) = self.0.first_mut() {
            let bytes = std::mem::take(bytes);
            let body_at = bytes.windows(4).position(|end| end == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
            self.0.splice(..1, steps(bytes, body_at));
        }
        self
    }
}

impl From<Step> for Behaviour {
    fn from(step: Step) -> Self {
        Self(vec![step])
    }
}

impl<B: AsRef<[u8]>> From<http::Response<B>> for Behaviour {
    /// Sends the response as it is, with a `Content-Length` if it has none.
    fn from(response: http::Response<B>) -> Self {
        let body = response.body().as_ref();
        let mut headers = String::new();
        for (name, value) in response.headers() {
            headers.push_str(&format!("{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes())));
        }
        let delimited = [CONTENT_LENGTH, TRANSFER_ENCODING].iter().any(|name| response.headers().contains_key(name));
        // RFC 9110 section 8.6.
        if !delimited && !matches!(response.status().as_u16(), 100..=199 | 204 | 304) {
            headers.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        answer(response.status().as_u16(), &headers, body)
    }
}

fn answer(status: u16, headers: &str, body: &[u8]) -> Behaviour {
    let mut bytes = format!("HTTP/1.1 {status} -\r\n{headers}\r\n").into_bytes();
    bytes.extend_from_slice(body);
    Step::Send(bytes).into()
}
