//! The refusal of a token request (RFC 6749 section 5.2), and what helps against it. Imports
//! `error`, `made`, `redact`, and from `protocol` the modules `authentication`, `clock_offset`,
//! `decode`, `encode`, `members`, `request`, `retry_after`.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Uri;
use http::header::{AUTHORIZATION, DATE, LOCATION, RETRY_AFTER};
use serde_json::Value;

use super::Answer;
use crate::error::{Denied, Error, Hints, Proof, SecretIn, Sent, SignedFor};
use crate::made::Made;
use crate::protocol::authentication::Authentication;
use crate::protocol::clock_offset::server_ahead;
use crate::protocol::encode::Prepared;
use crate::protocol::members::{Member, Object};
use crate::protocol::request::{BodyFormat, TokenRequest};
use crate::protocol::retry_after::retry_after;
use crate::redact::Secret;

impl TokenRequest {
    pub(super) fn denied(&self, answer: &Answer<'_>, object: &Object<'_>) -> Error {
        let mut redactor = answer.redactor(self);
        if let Some(Member::Text(token)) = &object.access_token {
            redactor = redactor.and(token);
        }
        let elsewhere = self.dialect.token.as_ref().and_then(|path| path.find(&object.more));
        if let Some(token) = elsewhere.and_then(Value::as_str) {
            redactor = redactor.and(token);
        }
        let show = |text: &str| redactor.hide(text);
        let (status, code) = (answer.status.as_u16(), object.code());
        let retryable =
            matches!(status, 408 | 429 | 500..=599) || matches!(code, Some("server_error" | "temporarily_unavailable"));
        let compressed = code.is_none() && answer.is_compressed();
        let excerpt = if code.is_none() && !compressed { redactor.excerpt(answer.body) } else { None };
        let location = || answer.headers.get(LOCATION).and_then(|to| redirect(self.endpoint.uri(), to.as_bytes()));
        Error::Denied(Arc::new(Denied {
            endpoint: self.endpoint_host().to_owned(),
            status,
            code: code.map(show),
            description: object.description().map(show),
            uri: object.text("error_uri").map(show),
            retry_after: answer
                .headers
                .get(RETRY_AFTER)
                .and_then(|value| retry_after(value.as_bytes(), answer.sent_at.wall())),
            retryable,
            excerpt,
            hints: Hints {
                sent: self.sent(answer),
                compressed,
                location: if answer.status.is_redirection() { location().map(|url| show(&url)) } else { None },
            },
        }))
    }

    /// Returns what was sent, for the text of a refusal.
    fn sent(&self, answer: &Answer<'_>) -> Sent {
        let prepared = answer.prepared;
        let grant = prepared.iter().flat_map(|prepared| &prepared.parameters).find_map(|(_, made)| signed_for(made));
        let date = answer.headers.get(DATE).filter(|_| prepared.is_some_and(Prepared::is_signed));
        let secret = |how, secret: &Secret| Proof::Secret { how, is_empty: secret.secret().is_empty() };
        Sent {
            proof: match answer.prepared.map(|prepared| &prepared.client) {
                None => Proof::Unknown,
                Some(Authentication::Basic { secret: value, encoding, others, .. }) => {
                    secret(SecretIn::Basic { encoding: encoding.name(), others: others.clone() }, value)
                }
                Some(Authentication::Body { secret: value, .. }) => secret(SecretIn::Body, value),
                Some(Authentication::Assertion { made, .. }) => signed_for(made).map_or_else(
                    || Proof::Provided { expired: expired(made.text.secret(), answer.sent_at.wall()) },
                    Proof::Signed,
                ),
                Some(Authentication::ClientId(_)) => Proof::IdAlone,
                Some(Authentication::Nothing) if self.headers.contains_key(AUTHORIZATION) => Proof::OwnHeader,
                Some(Authentication::Nothing) => Proof::Nothing,
            },
            is_json: self.body_format == BodyFormat::Json,
            is_plain_http: !self.is_https(),
            grant,
            server_ahead: date.and_then(|date| server_ahead(date.as_bytes(), answer.sent_at.wall())),
            audience: self.audiences.join(" "),
            resource: self.resources.join(" "),
            scope: self.scopes.join(" "),
        }
    }
}

fn signed_for(made: &Made) -> Option<SignedFor> {
    made.signed.as_ref().map(|(algorithm, audience)| SignedFor { algorithm, audience: audience.clone() })
}

/// Returns for how many seconds a JWT has been expired. It is not verified: this is for a message.
fn expired(jwt: &str, now: SystemTime) -> Option<u64> {
    let claims = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    let now = now.duration_since(UNIX_EPOCH).ok()?.as_secs();
    now.checked_sub(claims.get("exp")?.as_u64()?)
}

/// Returns where a redirect of `from` leads (RFC 9110 section 10.2.2), without user info, query and
/// fragment, in which there may be secrets.
fn redirect(from: &Uri, location: &[u8]) -> Option<String> {
    let location = String::from_utf8_lossy(location);
    let end = location.find(['?', '#']).unwrap_or(location.len());
    let location = location[..end].trim();
    let (scheme, authority) = (from.scheme_str()?, from.authority()?.as_str());
    if let Some((scheme, rest)) = location.split_once("://").filter(|(scheme, _)| !scheme.contains('/')) {
        return Some(format!("{scheme}://{}", without_user_info(rest)));
    }
    if let Some(rest) = location.strip_prefix("//") {
        return Some(format!("{scheme}://{}", without_user_info(rest)));
    }
    let path = if location.is_empty() || location.starts_with('/') {
        location.to_owned()
    } else {
        let (folder, _) = from.path().rsplit_once('/')?;
        format!("{folder}/{location}")
    };
    Some(format!("{scheme}://{authority}{path}"))
}

fn without_user_info(rest: &str) -> &str {
    rest.rsplit_once('@').map_or(rest, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_is_shown_as_a_whole_url_without_what_may_be_secret() {
        let from = Uri::from_static("https://auth.example.com:8443/a/token?tenant=x");
        for (location, shown) in [
            ("https://auth.example.com/token/", "https://auth.example.com/token/"),
            ("https://login.example.com/?next=s3cret#s3cret", "https://login.example.com/"),
            ("https://user:pass@login.example.com/x", "https://login.example.com/x"),
            ("/a/token/?code=s3cret", "https://auth.example.com:8443/a/token/"),
            ("token/", "https://auth.example.com:8443/a/token/"),
            ("//login.example.com/token", "https://login.example.com/token"),
            (" /a/token/ ", "https://auth.example.com:8443/a/token/"),
            ("?x", "https://auth.example.com:8443"),
        ] {
            assert_eq!(redirect(&from, location.as_bytes()).as_deref(), Some(shown), "{location}");
        }
    }
}
