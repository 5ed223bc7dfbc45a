//! Encodes a token request as an HTTP request. Imports `error`, `instance`, `made`, `redact`,
//! `transport`, and from `protocol` the modules `authentication`, `credentials`, `parameters`,
//! `request`.

use std::hash::{Hash, Hasher};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::instance::Instance;
use crate::made::{Context, Made};
use crate::protocol::authentication::Authentication;
use crate::protocol::credentials::Credentials;
use crate::protocol::parameters::without_value;
use crate::protocol::request::{BodyFormat, CLIENT_CREDENTIALS, TokenRequest};
use crate::redact::Redactor;
use crate::transport::Attempt;

impl TokenRequest {
    /// Makes the HTTP request that asks for a token (RFC 6749 section 4.4.2). Its body or its
    /// `Authorization` header contains the client secret.
    ///
    /// Each attempt signs a new assertion, with the time and the random bytes of `attempt`.
    /// A client secret uses neither.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the credentials cannot be sent this way, if the request would
    /// use two methods of client authentication (RFC 6749 section 2.3), or if it would use none
    /// with the grant `client_credentials`. [`Error::Credentials`] if a closure fails that returns the
    /// client secret, a key, an assertion or a parameter.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Attempt, Credentials, TokenRequest};
    /// let request = TokenRequest::new("https://auth.example.com/token")?;
    /// let sent = request.encode(&Credentials::new("my-client", "s3cret"), &Attempt::default())?;
    /// assert_eq!((sent.method().as_str(), sent.uri().path()), ("POST", "/token"));
    /// assert_eq!(sent.headers()["content-type"], "application/x-www-form-urlencoded");
    /// assert_eq!(sent.headers()["authorization"], "Basic bXktY2xpZW50OnMzY3JldA==");
    /// assert_eq!(sent.body(), b"grant_type=client_credentials");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn encode(&self, credentials: &Credentials, attempt: &Attempt) -> Result<http::Request<Vec<u8>>, Error> {
        self.encode_with(&self.prepare(credentials, attempt)?)
    }

    /// Makes what belongs to one attempt. Calls the closures.
    pub(crate) fn prepare(&self, credentials: &Credentials, attempt: &Attempt) -> Result<Prepared, Error> {
        let audience = self.assertion_audience();
        let audience = audience.as_deref();
        let client = credentials.authenticate(audience, attempt)?;
        let context = self.context(credentials, audience);
        let parameters = self.made.iter().map(|(name, maker)| {
            let made = maker.make(context, attempt)?;
            if made.text.secret().is_empty() { Err(without_value(name)) } else { Ok((name.clone(), made)) }
        });
        Ok(Prepared { parameters: parameters.collect::<Result<_, Error>>()?, client })
    }

    /// Returns what stands for [`prepare`](Self::prepare) in a cache key, with the instances of the
    /// closures, which are not called.
    pub(crate) fn identity(&self, credentials: &Credentials) -> Result<(Prepared, Vec<Instance>), Error> {
        let audience = self.assertion_audience();
        let audience = audience.as_deref();
        let (client, instance) = credentials.identity(audience)?;
        let mut instances = Vec::from_iter(instance);
        let context = self.context(credentials, audience);
        let mut parameters = Vec::new();
        for (name, maker) in &self.made {
            let (recipe, instance) = maker.identity(context);
            instances.extend(instance);
            parameters.push((name.clone(), Made::recipe(recipe)));
        }
        Ok((Prepared { client, parameters }, instances))
    }

    /// For a grant, which names its own subject.
    fn context<'a>(&self, credentials: &'a Credentials, audience: Option<&'a str>) -> Context<'a> {
        Context { client_id: credentials.client_id(), authenticates: false, audience }
    }

    pub(crate) fn encode_with(&self, prepared: &Prepared) -> Result<http::Request<Vec<u8>>, Error> {
        let Prepared { client, parameters } = prepared;
        self.check(client)?;
        let mut headers = self.headers.clone();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let scope = self.scopes.join(" ");
        let mut pairs = self.pairs(&scope);
        pairs.extend(parameters.iter().map(|(name, made)| (name.as_str(), made.text.secret())));
        match client {
            Authentication::Basic { header, id_in_body, .. } => {
                headers.insert(AUTHORIZATION, header.clone());
                pairs.extend(id_in_body.as_deref().map(|client_id| ("client_id", client_id)));
            }
            Authentication::Body { client_id, secret } => {
                pairs.extend([("client_id", client_id.as_str()), ("client_secret", secret.secret())]);
            }
            // RFC 7521 section 4.2 allows the id beside the assertion, and some servers require it.
            Authentication::Assertion { client_id, made } => pairs.extend([
                ("client_id", client_id.as_str()),
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                ("client_assertion", made.text.secret()),
            ]),
            Authentication::ClientId(client_id) => pairs.push(("client_id", client_id)),
            Authentication::Nothing => {}
        }
        let (content_type, body) = match self.body_format {
            BodyFormat::Form => ("application/x-www-form-urlencoded", form(&pairs)),
            BodyFormat::Json => ("application/json", json(&pairs)),
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        let mut request = http::Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.endpoint.uri().clone();
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// Checks that the request uses at most one method of client authentication (RFC 6749
    /// section 2.3), that the grant `client_credentials` uses one (section 4.4), and that the tokens
    /// of a token exchange come with their types (RFC 8693 section 2.1).
    pub(crate) fn check(&self, client: &Authentication) -> Result<(), Error> {
        let own_header = self.headers.contains_key(AUTHORIZATION);
        let two_methods = |sent| {
            Err(Error::configuration(format!(
                "header \"authorization\": {sent} is sent already, and a request may not use two methods (RFC 6749 \
                 section 2.3); use Credentials::none"
            )))
        };
        match client {
            Authentication::Basic { .. } | Authentication::Body { .. } if own_header => {
                two_methods("the client secret")
            }
            Authentication::Assertion { .. } if own_header => two_methods("a client assertion"),
            Authentication::Nothing if self.grant_type.as_deref() == Some(CLIENT_CREDENTIALS) && !own_header => {
                Err(Error::configuration(
                    "Credentials::none: the grant client_credentials needs client authentication (RFC 6749 section 4.4); \
                     use Credentials::new, or Credentials::public with a client certificate",
                ))
            }
            _ => self.check_token_exchange(),
        }
    }

    fn check_token_exchange(&self) -> Result<(), Error> {
        let has = |name| self.parameter_names().any(|known| known == name);
        for (name, needed) in [
            ("subject_token", "subject_token_type"),
            ("actor_token", "actor_token_type"),
            ("actor_token_type", "actor_token"),
        ] {
            if has(name) && !has(needed) {
                return Err(Error::configuration(format!(
                    "parameter {name:?}: needs the parameter {needed:?}, too (RFC 8693 section 2.1)"
                )));
            }
        }
        Ok(())
    }

    /// Returns the parameters in order. An empty `scope` is left out (RFC 6749 section 3.2).
    fn pairs<'a>(&'a self, scope: &'a str) -> Vec<(&'a str, &'a str)> {
        let mut pairs = Vec::new();
        pairs.extend(self.grant_type.iter().map(|grant_type| ("grant_type", grant_type.as_str())));
        pairs.extend(Some(("scope", scope)).filter(|(_, scope)| !scope.is_empty()));
        pairs.extend(self.audiences.iter().map(|audience| ("audience", audience.as_str())));
        pairs.extend(self.resources.iter().map(|resource| ("resource", resource.as_str())));
        pairs.extend(self.parameters.iter().map(|(name, value)| (name.as_str(), value.secret())));
        pairs
    }

    /// Returns a redactor for the texts that a server can only have got from this request: the
    /// client secret, the Basic value, all headers and parameters that the user set, and the query
    /// of the token endpoint.
    pub(crate) fn redactor(&self, prepared: Option<&Prepared>) -> Redactor {
        let mut secrets: Vec<&str> = self.parameters.iter().map(|(_, value)| value.secret()).collect();
        let made = prepared.iter().flat_map(|prepared| &prepared.parameters);
        secrets.extend(made.map(|(_, made)| made.text.secret()));
        let mut authorization = self.headers.get(AUTHORIZATION);
        match prepared.map_or(&Authentication::Nothing, |prepared| &prepared.client) {
            Authentication::Basic { header, secret, .. } => {
                authorization = Some(header);
                secrets.push(secret.secret());
            }
            Authentication::Body { secret, .. } => secrets.push(secret.secret()),
            Authentication::Assertion { made, .. } => secrets.push(made.text.secret()),
            Authentication::ClientId(_) | Authentication::Nothing => {}
        }
        // A server may repeat a part alone: the credentials without their scheme, what they decode
        // to, or one value of a query.
        for value in self.headers.values().chain(authorization) {
            let value = std::str::from_utf8(value.as_bytes()).expect("the setter takes a str");
            secrets.push(value);
            secrets.extend(value.split_once(' ').map(|(_scheme, rest)| rest));
        }
        let authorization = authorization.and_then(|value| value.to_str().ok()).unwrap_or_default();
        secrets.extend(authorization.split(' '));
        let pair =
            authorization.split_once(' ').and_then(|(_scheme, rest)| STANDARD.decode(rest).ok().map(Zeroizing::new));
        if let Some(pair) = pair.as_ref().and_then(|pair| std::str::from_utf8(pair).ok()) {
            secrets.push(pair);
            secrets.extend(pair.split_once(':').map(|(_user, password)| password));
        }
        let query = self.endpoint.uri().query().unwrap_or_default();
        secrets.push(query);
        secrets.extend(query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(_name, value)| value)));
        Redactor::new(secrets)
    }
}

/// What each attempt makes for itself. If two have equal hashes, a server that refused one refuses the
/// other as well.
pub(crate) struct Prepared {
    pub(crate) client: Authentication,
    pub(crate) parameters: Vec<(String, Made)>,
}

impl Prepared {
    /// Whether something in it was signed here, at a time of this machine's clock.
    pub(crate) fn is_signed(&self) -> bool {
        let client = match &self.client {
            Authentication::Assertion { made, .. } => Some(made),
            _ => None,
        };
        client.into_iter().chain(self.parameters.iter().map(|(_, made)| made)).any(|made| made.signed.is_some())
    }
}

impl Hash for Prepared {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.client.hash(state);
        for (_, made) in &self.parameters {
            made.mark().hash(state);
        }
    }
}

/// Encodes a form (RFC 6749 Appendix B).
fn form(pairs: &[(&str, &str)]) -> Vec<u8> {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish().into_bytes()
}

/// Encodes one object of strings. Consecutive parameters with the same name become one member,
/// whose value is an array.
fn json(pairs: &[(&str, &str)]) -> Vec<u8> {
    let member = |same: &[(&str, &str)]| {
        let values: Vec<String> = same.iter().map(|(_, value)| quoted(value)).collect();
        let values = values.join(",");
        format!("{}:{}", quoted(same[0].0), if same.len() > 1 { format!("[{values}]") } else { values })
    };
    let members: Vec<String> = pairs.chunk_by(|one, next| one.0 == next.0).map(member).collect();
    format!("{{{}}}", members.join(",")).into_bytes()
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string always serializes to JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_token_request_body_jsonl() {
        let mut seen = 0;
        for line in include_str!("../../tests/vectors/token_request_body.jsonl").lines() {
            let row: serde_json::Value = serde_json::from_str(line).expect("a vector is JSON");
            let text = |value: &serde_json::Value| value.as_str().expect("a string").to_owned();
            let pairs: Vec<(String, String)> =
                row["pairs"].as_array().expect("pairs").iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect();
            let pairs: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            assert_eq!(form(&pairs), text(&row["body"]).into_bytes(), "{line}");
            seen += 1;
        }
        assert_eq!(seen, 14);
    }

    #[test]
    fn a_repeated_parameter_becomes_a_json_array() {
        assert_eq!(
            json(&[("r", "1"), ("r", "2"), ("r", "3"), ("a", "é\"")]),
            r#"{"r":["1","2","3"],"a":"é\""}"#.as_bytes()
        );
    }

    #[test]
    fn an_empty_scope_is_left_out() {
        let request = TokenRequest::new("https://auth.example.com/token").expect("a request");
        let http = request.encode(&Credentials::new("id", "s"), &Attempt::default()).expect("an HTTP request");
        assert_eq!(http.body(), b"grant_type=client_credentials");
    }
}
