//! The answer of the token endpoint: a token (RFC 6749 section 5.1) or an error (section 5.2).
//! Imports `error`, `moment`, `request`, `retry`, `token`; its own part is `object`.

mod object;

use std::time::Duration;

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use serde::de::Deserialize as _;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::error::{Denied, Error, Excerpt, ProtocolError, ProtocolErrorKind, hidden};
use crate::moment::Moment;
use crate::request::TokenRequest;
use crate::response::object::{Member, NotAnObject, Object, present};
use crate::retry::retry_after;
use crate::token::AccessToken;

impl TokenRequest {
    /// Reads the answer to this request (RFC 6749 sections 5.1 and 5.2). `sent_at` is the moment before the request was
    /// sent: the token's age counts from there, so that time spent on the way never makes it look younger than it is.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] if the status is not 2xx, or the body says `error`; [`Error::Protocol`] if the body of a 2xx
    /// answer is not a token response, or its token cannot be used.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Clock, SystemClock, TokenRequest};
    /// let request = TokenRequest::new("https://auth.example.com/token")?;
    /// let sent_at = SystemClock.now();
    /// let body = r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"bearer"}"#;
    /// let answer = http::Response::new(body);
    /// let token = request.decode(&answer, sent_at)?;
    /// assert_eq!(token.header_value(), "Bearer 2YotnFZFEjr1zCsicMWpAA");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn decode<B: AsRef<[u8]>>(&self, response: &http::Response<B>, sent_at: Moment) -> Result<AccessToken, Error> {
        self.decode_hiding(response, sent_at, &[])
    }

    /// The same; no error shows any of `secrets`, should the server have repeated them.
    pub(crate) fn decode_hiding<B: AsRef<[u8]>>(
        &self,
        response: &http::Response<B>,
        sent_at: Moment,
        secrets: &[Zeroizing<String>],
    ) -> Result<AccessToken, Error> {
        let body = response.body().as_ref();
        let object = Object::read(body, is_form(response));
        if !response.status().is_success() {
            let object = object.ok().filter(|object| object.repeated.is_none()).unwrap_or_default();
            return Err(self.denied(response, object, excerpt(body, secrets), sent_at, secrets));
        }
        let wrong = |kind| {
            Error::Protocol(ProtocolError {
                endpoint: self.endpoint_host().to_owned(),
                status: response.status().as_u16(),
                kind,
            })
        };
        let object = object.map_err(|NotAnObject| wrong(ProtocolErrorKind::MalformedResponse))?;
        if let Some(name) = object.repeated {
            return Err(wrong(ProtocolErrorKind::DuplicateMember(name)));
        }
        if object.code().is_some() {
            return Err(self.denied(response, object, None, sent_at, secrets));
        }
        self.token(object, sent_at, secrets).map_err(wrong)
    }

    fn token(
        &self,
        object: Object<'_>,
        sent_at: Moment,
        secrets: &[Zeroizing<String>],
    ) -> Result<AccessToken, ProtocolErrorKind> {
        let token = match present(object.access_token) {
            None => return Err(ProtocolErrorKind::MissingAccessToken),
            Some(Member::Text(token)) => token,
            Some(_) => return Err(ProtocolErrorKind::InvalidAccessToken),
        };
        match present(object.token_type) {
            None => {}
            Some(Member::Text(name)) if self.means_bearer(&name) => {}
            Some(Member::Text(name)) => {
                let name = hidden(&hidden(&name, secrets), &[&token]);
                return Err(ProtocolErrorKind::UnsupportedTokenType(name));
            }
            Some(_) => return Err(ProtocolErrorKind::UnsupportedTokenType(String::from("(not a string)"))),
        }
        let expires_in = present(object.expires_in).map(|value| seconds(&value)).transpose()?;
        // Bitbucket said `scopes` until May 2026.
        let scope = present(object.scope).or_else(|| Member::deserialize(object.more.get("scopes")?).ok());
        let scope = scope.and_then(|value| scope_list(&value));
        AccessToken::new(&token, expires_in, scope, object.more, sent_at).ok_or(ProtocolErrorKind::InvalidAccessToken)
    }

    /// RFC 6749 section 7.1: a type that is not understood must not be used. Compared without case (section 5.1).
    fn means_bearer(&self, token_type: &str) -> bool {
        token_type.eq_ignore_ascii_case("bearer")
            || self.token_type_aliases().iter().any(|alias| alias.eq_ignore_ascii_case(token_type))
    }

    fn denied<B>(
        &self,
        response: &http::Response<B>,
        object: Object<'_>,
        excerpt: Option<String>,
        sent_at: Moment,
        secrets: &[Zeroizing<String>],
    ) -> Error {
        let status = response.status();
        let code = object.code().map(str::to_owned);
        let retryable = matches!(status.as_u16(), 408 | 429 | 500..=599)
            || matches!(code.as_deref(), Some("server_error" | "temporarily_unavailable"));
        let show = |text: String| hidden(&text, secrets);
        Error::Denied(Box::new(Denied {
            endpoint: self.endpoint_host().to_owned(),
            status: status.as_u16(),
            excerpt: excerpt.filter(|_| code.is_none()),
            code: code.map(show),
            description: object.text("error_description").map(show),
            uri: object.text("error_uri").map(show),
            retry_after: response
                .headers()
                .get(RETRY_AFTER)
                .and_then(|value| retry_after(value.as_bytes(), sent_at.wall)),
            retryable,
            encoded: false,
        }))
    }
}

/// The beginning of a body, fit to be printed; none of an empty one, and none that may hold a token.
fn excerpt(body: &[u8], secrets: &[Zeroizing<String>]) -> Option<String> {
    let longest = secrets.iter().map(|secret| secret.len()).max().unwrap_or_default();
    let (read, more) = body.split_at(body.len().min(Excerpt::LONGEST + 1 + longest));
    let beginning = String::from_utf8_lossy(read);
    if body.is_empty() || beginning.contains("_token") {
        return None;
    }
    let mut shown = hidden(&beginning, secrets).into_bytes();
    // What was cut may have been a secret that is no longer known by its beginning.
    shown.truncate(if more.is_empty() { shown.len() } else { shown.len().saturating_sub(longest) });
    Some(Excerpt(&shown).to_string())
}

fn is_form<B>(response: &http::Response<B>) -> bool {
    response.headers().get(CONTENT_TYPE).is_some_and(|value| {
        let name = value.as_bytes().split(|&byte| byte == b';').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
    })
}

/// RFC 6749 section A.14, and what real servers make of it: a string, a fraction, a negative number.
fn seconds(value: &Member<'_>) -> Result<Duration, ProtocolErrorKind> {
    match value {
        // `as` saturates: no lifetime overflows, and the longest honoured one is a day.
        Member::Number(number) => Some(*number as u64),
        Member::Text(text) => whole_seconds(text),
        // serde_json with its feature `arbitrary_precision`, which another crate may have switched on.
        Member::Other(value) => value.as_f64().map(|number| number as u64),
        Member::Null => None,
    }
    .map(Duration::from_secs)
    .ok_or(ProtocolErrorKind::InvalidExpiresIn)
}

/// Digits with or without a sign and a fraction: less than what `f64` reads, and without its tables.
fn whole_seconds(text: &str) -> Option<u64> {
    let number = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let below_one = whole.is_empty() || text.starts_with('-');
    // Only a number that is too large is left to fail.
    Some(if below_one { 0 } else { whole.parse().unwrap_or(u64::MAX) })
}

/// RFC 6749 section 3.3, a single space between two values; some servers send an array. A comma is a legal character of
/// a value.
fn scope_list(value: &Member<'_>) -> Option<String> {
    match value {
        Member::Text(text) => Some(spaced(text.split(' '), text.len())),
        Member::Other(value) => value.as_array().map(|values| spaced(values.iter().filter_map(Value::as_str), 0)),
        _ => None,
    }
}

fn spaced<'a>(words: impl Iterator<Item = &'a str>, length: usize) -> String {
    let mut spaced = String::with_capacity(length);
    for word in words.filter(|word| !word.is_empty()) {
        if !spaced.is_empty() {
            spaced.push(' ');
        }
        spaced.push_str(word);
    }
    spaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_in_a_string_may_have_a_sign_and_a_fraction_and_nothing_else() {
        let good = [("0", 0), ("3600", 3600), ("3599.9", 3599), ("5.", 5), (".5", 0), ("-5", 0), ("-0.5", 0)];
        for (text, seconds) in good {
            assert_eq!(whole_seconds(text), Some(seconds), "{text}");
        }
        assert_eq!(whole_seconds("99999999999999999999999"), Some(u64::MAX));
        for text in ["", "-", ".", "-.", "+5", "--5", "5-", "1.2.3", " 5", "5 ", "5s", "1e3", "inf", "NaN", "0x10"] {
            assert_eq!(whole_seconds(text), None, "{text}");
        }
    }
}
