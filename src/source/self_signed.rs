//! Sources whose token is an assertion that is signed here, without a token endpoint. Imports
//! `builder`, `credentials`, `error`, `request`, `signing`, `source`, `transport`.

use std::borrow::Cow;

use crate::error::{Error, TransportError};
use crate::protocol::credentials::Credentials;
use crate::protocol::request::TokenRequest;
use crate::signing::assertion::Assertion;
use crate::source::TokenSource;
use crate::source::builder::TokenSourceBuilder;
use crate::transport::Attempt;

impl TokenSource {
    /// Makes a source whose token is the assertion itself, signed here: for APIs that take a JWT as
    /// bearer token, such as GitHub's for apps, App Store Connect and Snowflake. `origin` is the URL
    /// of the API.
    ///
    /// There is no token endpoint. A new JWT is signed ahead of the end of the old one, and after a
    /// 401. The assertion has the claims that you name, and no audience unless you name one.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if `origin` is not an https URL, or an http URL whose host is
    /// loopback.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Assertion, SigningKey, TokenSource};
    /// # use std::time::Duration;
    /// let app = Assertion::new(SigningKey::generate()?)
    ///     .issuer("Iv23liABC")
    ///     .lifetime(Duration::from_secs(540));
    /// let source = TokenSource::self_signed(app, "https://api.github.com")?;
    /// assert!(source.token()?.secret().starts_with("eyJ"));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn self_signed(assertion: Assertion, origin: &str) -> Result<Self, Error> {
        TokenSourceBuilder::self_signed(assertion, origin)?.build()
    }
}

impl TokenSourceBuilder {
    /// Starts a source as [`TokenSource::self_signed`] does, with settings of your own.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if `origin` is not an https URL, or an http URL whose host is
    /// loopback.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Assertion, SigningKey, TokenSourceBuilder};
    /// # let app = Assertion::new(SigningKey::generate()?);
    /// let source = TokenSourceBuilder::self_signed(app, "https://api.github.com")?
    ///     .on_event(|event| println!("{event}"))
    ///     .build()?;
    /// # assert!(source.allows(&"https://api.github.com/app".parse().unwrap()));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn self_signed(assertion: Assertion, origin: &str) -> Result<Self, Error> {
        let lifetime = assertion.valid_for().as_secs();
        let request = TokenRequest::new(origin)?.without_grant_type().issuer("").allow_origin(origin)?;
        let request = request.signed_parameter("access_token", assertion)?;
        // The signed token is in the request, and the transport makes an answer of it.
        let answer = move |request: http::Request<Vec<u8>>, _: &Attempt| {
            let pairs = form_urlencoded::parse(request.body());
            let token = pairs.last().map_or(Cow::Borrowed(""), |(_, token)| token);
            let answer = format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":{lifetime}}}"#);
            Ok::<_, TransportError>(http::Response::new(answer.into_bytes()))
        };
        let mut builder = Self::new(Credentials::none(), request, None).transport(answer);
        builder.self_signed = true;
        Ok(builder)
    }
}
