//! Decodes the response of the token endpoint: a token (RFC 6749 section 5.1) or an error
//! (section 5.2).
//!
//! Imports `clock`, `error`, `redact`, and from `protocol` the modules `credentials`, `members`,
//! `request`, `retry_after`, `token`.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::clock::Moment;
use crate::error::{Denied, Error, ProtocolError, ProtocolErrorKind};
use crate::protocol::credentials::Authentication;
use crate::protocol::members::{Member, NotAnObject, Object};
use crate::protocol::request::TokenRequest;
use crate::protocol::retry_after::retry_after;
use crate::protocol::token::AccessToken;

impl TokenRequest {
    /// Reads the response to this request (RFC 6749 sections 5.1 and 5.2).
    ///
    /// `sent_at` is the moment before the request was sent. The age of the token counts from there,
    /// so that time spent on the network never makes it look younger than it is.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] if the status is not 2xx, or the body contains an `error` code.
    /// [`Error::Protocol`] if the body of a 2xx response is not a token response, or its token
    /// cannot be used.
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
        self.decode_sent(response, sent_at, &Authentication::Nothing)
    }

    /// Works like [`decode`](Self::decode), for a request that was sent with this client
    /// authentication: if the server repeated its secret, no error shows it.
    pub(crate) fn decode_sent<B: AsRef<[u8]>>(
        &self,
        response: &http::Response<B>,
        sent_at: Moment,
        authentication: &Authentication,
    ) -> Result<AccessToken, Error> {
        let answer = Answer {
            status: response.status(),
            headers: response.headers(),
            body: response.body().as_ref(),
            sent_at,
            authentication,
        };
        self.read(&answer)
    }

    /// Not generic, so that it is compiled only once.
    fn read(&self, answer: &Answer<'_>) -> Result<AccessToken, Error> {
        let mut object = Object::default();
        let read = object.read(answer.body, answer.is_form());
        if !answer.status.is_success() {
            let object = if object.repeated.is_some() { Object::default() } else { object };
            return Err(self.denied(answer, &object));
        }
        let wrong = |kind| {
            Error::Protocol(Arc::new(ProtocolError {
                endpoint: self.endpoint_host().to_owned(),
                status: answer.status.as_u16(),
                kind,
            }))
        };
        read.map_err(|NotAnObject| wrong(ProtocolErrorKind::MalformedResponse))?;
        if let Some(name) = object.repeated {
            return Err(wrong(ProtocolErrorKind::DuplicateMember(name)));
        }
        if object.code().is_some() {
            return Err(self.denied(answer, &object));
        }
        self.token(&mut object, answer).map_err(wrong)
    }

    fn token(&self, object: &mut Object<'_>, answer: &Answer<'_>) -> Result<AccessToken, ProtocolErrorKind> {
        let token = match &object.access_token {
            None | Some(Member::Null) => return Err(ProtocolErrorKind::MissingAccessToken),
            Some(Member::Text(token)) => token,
            Some(_) => return Err(ProtocolErrorKind::InvalidAccessToken),
        };
        match &object.token_type {
            None | Some(Member::Null) => {}
            Some(Member::Text(name)) if self.means_bearer(name) => {}
            Some(Member::Text(name)) => {
                let name = self.redactor(answer.authentication).and(token).hide(name);
                return Err(ProtocolErrorKind::UnsupportedTokenType(name));
            }
            Some(_) => return Err(ProtocolErrorKind::UnsupportedTokenType(String::from("(not a string)"))),
        }
        let expires_in = match &object.expires_in {
            None | Some(Member::Null) => None,
            Some(value) => Some(seconds(value)?),
        };
        let scope = match &object.scope {
            Some(Member::Text(text)) => Some(spaced(text)),
            Some(Member::Other(value)) => scope_list(value),
            Some(Member::Number(_)) => None,
            // Bitbucket called it `scopes` until May 2026.
            None | Some(Member::Null) => object.more.get("scopes").and_then(scope_list),
        };
        AccessToken::new(token, expires_in, scope, mem::take(&mut object.more), answer.sent_at)
            .ok_or(ProtocolErrorKind::InvalidAccessToken)
    }

    /// Whether `token_type` means `Bearer`, in upper or lower case (RFC 6749 section 5.1). A token
    /// of an unknown type must not be used (section 7.1).
    fn means_bearer(&self, token_type: &str) -> bool {
        token_type.eq_ignore_ascii_case("bearer")
            || self.token_type_aliases().iter().any(|alias| alias.eq_ignore_ascii_case(token_type))
    }

    fn denied(&self, answer: &Answer<'_>, object: &Object<'_>) -> Error {
        let mut redactor = self.redactor(answer.authentication);
        if let Some(Member::Text(token)) = &object.access_token {
            redactor = redactor.and(token);
        }
        let show = |text: &str| redactor.hide(text);
        let (status, code) = (answer.status.as_u16(), object.code());
        let retryable =
            matches!(status, 408 | 429 | 500..=599) || matches!(code, Some("server_error" | "temporarily_unavailable"));
        let excerpt = if code.is_none() { redactor.excerpt(answer.body) } else { None };
        Error::Denied(Arc::new(Denied {
            endpoint: self.endpoint_host().to_owned(),
            status,
            code: code.map(show),
            description: object.text("error_description").map(show),
            uri: object.text("error_uri").map(show),
            retry_after: answer
                .headers
                .get(RETRY_AFTER)
                .and_then(|value| retry_after(value.as_bytes(), answer.sent_at.wall())),
            retryable,
            excerpt,
            encoded: matches!(answer.authentication, Authentication::Basic { encoded: true, .. }),
        }))
    }
}

/// A response of the token endpoint, with what is known about its request.
struct Answer<'a> {
    status: StatusCode,
    headers: &'a HeaderMap,
    body: &'a [u8],
    sent_at: Moment,
    authentication: &'a Authentication,
}

impl Answer<'_> {
    fn is_form(&self) -> bool {
        self.headers.get(CONTENT_TYPE).is_some_and(|value| {
            let name = value.as_bytes().split(|&byte| byte == b';').next().unwrap_or_default();
            name.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
        })
    }
}

/// Reads `expires_in` (RFC 6749 section A.14). Real servers also send a string, a fraction or a
/// negative number.
fn seconds(value: &Member<'_>) -> Result<Duration, ProtocolErrorKind> {
    match value {
        // `as` saturates, so no number overflows. No lifetime beyond a day is honoured anyway.
        Member::Number(number) => Some(*number as u64),
        Member::Text(text) => whole_seconds(text),
        // serde_json reads numbers this way with its feature `arbitrary_precision`, which another
        // crate may have enabled.
        Member::Other(value) => value.as_f64().map(|number| number as u64),
        Member::Null => None,
    }
    .map(Duration::from_secs)
    .ok_or(ProtocolErrorKind::InvalidExpiresIn)
}

/// Parses digits with an optional minus sign and fraction. Drops the fraction, and returns 0 for a
/// negative number. Accepts fewer spellings than the parser of `f64`, and does not link its tables.
fn whole_seconds(text: &str) -> Option<u64> {
    let number = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let below_one = whole.is_empty() || text.starts_with('-');
    // Parsing can fail only because the number is too large.
    Some(if below_one { 0 } else { whole.parse().unwrap_or(u64::MAX) })
}

/// Reads a list of scopes (RFC 6749 section 3.3). Some servers send an array. A comma does not
/// separate, because a scope may contain one.
fn scope_list(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(spaced(text)),
        Value::Array(values) => {
            let mut list = String::new();
            for value in values.iter().filter_map(Value::as_str) {
                list.extend([value, " "]);
            }
            Some(spaced(&list))
        }
        _ => None,
    }
}

/// Returns `text` with a single space between two values, and none around them.
fn spaced(text: &str) -> String {
    let mut spaced = String::with_capacity(text.len());
    for part in text.split_inclusive(' ').filter(|part| *part != " ") {
        spaced.push_str(part);
    }
    spaced.truncate(spaced.trim_end_matches(' ').len());
    spaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_in_a_string_allow_only_a_minus_sign_and_a_fraction() {
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
