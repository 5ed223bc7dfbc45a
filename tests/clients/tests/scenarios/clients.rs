//! The adapters as the scenarios see them.

use std::io::{Cursor, Read as _};
use std::time::Duration;

use client_credentials::TokenSource;
use client_credentials_clients::{attohttpc as with_attohttpc, minreq as with_minreq, reqwest as with_reqwest};
use http::header::{AUTHORIZATION, CONTENT_LENGTH};
use http::{HeaderMap, HeaderName, Method, Request};

/// An error of the source or of the client.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// An HTTP client with its adapter.
pub trait Client {
    /// Whether a redirect of a GET that carries a token is followed, rather than returned.
    const FOLLOWS_REDIRECTS: bool;

    fn send(&self, source: &TokenSource, ask: Ask) -> Result<Answer, Failure>;
}

/// A request to be sent.
#[derive(Clone)]
pub struct Ask {
    pub method: Method,
    pub url: String,
    pub authorization: Option<&'static str>,
    pub body: &'static str,
    /// The body comes from a reader, if the client can do that.
    pub streamed: bool,
    /// The request has a `Content-Length` of the caller's.
    pub counted: bool,
    pub limit: Option<Duration>,
}

impl Ask {
    pub fn get(url: &str) -> Self {
        let method = Method::GET;
        Self {
            method,
            url: url.to_owned(),
            authorization: None,
            body: "",
            streamed: false,
            counted: false,
            limit: None,
        }
    }

    pub fn post(url: &str, body: &'static str) -> Self {
        Self { method: Method::POST, body, ..Self::get(url) }
    }

    pub fn within(self, seconds: u64) -> Self {
        Self { limit: Some(Duration::from_secs(seconds)), ..self }
    }

    fn request(&self) -> Request<Vec<u8>> {
        let mut request = Request::builder().method(self.method.clone()).uri(&self.url);
        if let Some(value) = self.authorization {
            request = request.header(AUTHORIZATION, value);
        }
        if self.counted {
            request = request.header(CONTENT_LENGTH, self.body.len());
        }
        request.body(self.body.into()).expect("a request")
    }
}

/// What the caller gets.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

pub struct Attohttpc(attohttpc::ProxySettings);

impl Attohttpc {
    /// Without the proxy that the environment may name.
    pub fn new() -> Self {
        Self(attohttpc::ProxySettings::builder().build())
    }
}

impl Client for Attohttpc {
    const FOLLOWS_REDIRECTS: bool = true;

    fn send(&self, source: &TokenSource, ask: Ask) -> Result<Answer, Failure> {
        let settings = |builder: attohttpc::RequestBuilder| builder.proxy_settings(self.0.clone());
        let response = with_attohttpc::send(source, ask.limit, ask.request().map(Cursor::new), settings)?;
        let (status, headers, mut reader) = response.split();
        let mut body = String::new();
        // attohttpc would wait for a body that these statuses do not have.
        if !matches!(status.as_u16(), 204 | 304) {
            reader.read_to_string(&mut body)?;
        }
        Ok(Answer { status: status.as_u16(), headers, body })
    }
}

/// Without its feature `proxy`, minreq uses none.
pub struct Minreq;

impl Minreq {
    pub fn new() -> Self {
        Self
    }
}

impl Client for Minreq {
    const FOLLOWS_REDIRECTS: bool = false;

    fn send(&self, source: &TokenSource, ask: Ask) -> Result<Answer, Failure> {
        let response = with_minreq::send(source, ask.limit, ask.request())?;
        let mut headers = HeaderMap::new();
        for (name, value) in &response.headers {
            headers.append(name.parse::<HeaderName>()?, value.parse()?);
        }
        Ok(Answer { status: response.status_code, headers, body: response.as_str()?.to_owned() })
    }
}

pub struct Reqwest(reqwest::blocking::Client);

impl Reqwest {
    /// Without the proxy that the environment may name.
    pub fn new() -> Self {
        let client = reqwest::blocking::Client::builder().no_proxy().redirect(with_reqwest::redirects());
        Self(client.build().expect("a client"))
    }
}

impl Client for Reqwest {
    const FOLLOWS_REDIRECTS: bool = true;

    fn send(&self, source: &TokenSource, ask: Ask) -> Result<Answer, Failure> {
        let mut request = reqwest::blocking::Request::new(ask.method, ask.url.parse()?);
        if let Some(value) = ask.authorization {
            request.headers_mut().insert(AUTHORIZATION, value.parse()?);
        }
        if ask.streamed {
            let body = reqwest::blocking::Body::sized(ask.body.as_bytes(), ask.body.len() as u64);
            *request.body_mut() = Some(body);
        } else if !ask.body.is_empty() {
            *request.body_mut() = Some(ask.body.into());
        }
        *request.timeout_mut() = ask.limit;
        let response = with_reqwest::execute(source, &self.0, request)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, body: String::from_utf8(response.bytes()?.into())? })
    }
}
