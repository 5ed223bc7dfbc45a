//! The recipes of `docs/recipes`: what each page shows is what is sent, and what the vendor documents as its answer,
//! good and bad, goes through the source. The documents are named on the pages. Those that sign are in `tests/recipes`.

#[path = "shown/mod.rs"]
mod shown;

use client_credentials::test_util::Script;
use client_credentials::{
    Attempt, BasicEncoding, Credentials, Denied, Error, TokenRequest, TokenSource, TokenSourceBuilder,
};
use std::time::Duration;

/// A service, as its page describes it.
struct Vendor {
    page: &'static str,
    credentials: Credentials,
    request: TokenRequest,
}

impl Vendor {
    fn new(page: &'static str, credentials: Credentials, request: Result<TokenRequest, Error>) -> Self {
        Self { page, credentials, request: request.expect("a request") }
    }

    /// A source that the vendor answers with this. A failure may be tried again at once: it is the vendor's last word.
    fn builder(&self, script: &Script) -> TokenSourceBuilder {
        TokenSource::builder(self.credentials.clone(), self.request.clone())
            .transport(script.clone())
            .clock(script.clock())
            .retries(0)
    }

    fn source(&self, status: u16, body: &str) -> TokenSource {
        let script = Script::new();
        script.json(status, body);
        self.builder(&script).build().expect("a source")
    }

    fn denied(&self, status: u16, body: &str) -> (Denied, String) {
        let error = self.source(status, body).token().expect_err("an error");
        let text = error.to_string();
        let decoded = self.request.decode(&response(status, body), sent_at()).expect_err("an error");
        match (error, decoded) {
            (Error::Denied(denied), Error::Denied(decoded)) => {
                let facts = |one: &Denied| {
                    let [code, description, excerpt] =
                        [one.code(), one.description(), one.excerpt()].map(|text| text.map(str::to_owned));
                    (one.status(), code, description, excerpt)
                };
                assert_eq!(facts(&denied), facts(&decoded), "the source says what the decoder says");
                ((*denied).clone(), text)
            }
            other => panic!("{other:?}"),
        }
    }

    /// The page shows the request that is sent, to the byte.
    fn assert_shown(&self) {
        let sent = self.request.encode(&self.credentials, &Attempt::default()).expect("an HTTP request");
        shown::assert_shown(self.page, &sent);
    }

    fn allows(&self, url: &str) -> bool {
        self.request.allows(&url.parse().expect("a URL"))
    }
}

fn response(status: u16, body: &str) -> http::Response<Vec<u8>> {
    http::Response::builder().status(status).body(body.into()).expect("a response")
}

fn sent_at() -> client_credentials::Moment {
    client_credentials::Clock::now(&client_credentials::SystemClock)
}

fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

fn client() -> Credentials {
    Credentials::new("client-id", "client-secret")
}

fn auth0() -> Vendor {
    Vendor::new(
        include_str!("../docs/recipes/auth0.md"),
        client().in_body(),
        TokenRequest::new("https://tenant.auth0.com/oauth/token").map(|one| one.audience("https://api.example.com/")),
    )
}

#[test]
fn auth0_gives_tokens_for_a_day() {
    let vendor = auth0();
    vendor.assert_shown();
    assert!(vendor.allows("https://api.example.com/v1/items"));
    let source = vendor.source(200, r#"{"access_token":"eyJz93a...k4laUWw","token_type":"Bearer","expires_in":86400}"#);
    let token = source.token().expect("a token");
    assert_eq!(token.header_value(), "Bearer eyJz93a...k4laUWw");
    assert_eq!((token.expires_in(), token.scope()), (seconds(86_400), None));
    assert_eq!(source.inspect().expires_in, seconds(86_400));
}

#[test]
fn auth0_counts_tokens_and_says_when_to_come_back() {
    let vendor = auth0();
    let script = Script::new();
    let body = r#"{"error":"too_many_requests","error_description":"Client quota exceeded"}"#;
    script.answer(move |_, _| {
        let answer = http::Response::builder()
            .status(429)
            .header("retry-after", "3540")
            .header("auth0-client-quota-limit", "b=per_hour;q=10;r=0;t=3540")
            .body(body.into());
        Ok(answer.expect("a response"))
    });
    script.token("later", 86_400);
    let source = vendor.builder(&script).build().expect("a source");
    let error = source.token().expect_err("an error");
    assert!(error.is_retryable());
    assert_eq!(error.retry_after(), seconds(3540));
    script.clock().advance(Duration::from_secs(3530));
    source.token().expect_err("not yet");
    assert_eq!(script.requests().len(), 1, "nothing is sent meanwhile");
    script.clock().advance(Duration::from_secs(10));
    assert_eq!(source.token().expect("a token").secret(), "later");
}

fn bitbucket() -> Vendor {
    Vendor::new(
        include_str!("../docs/recipes/bitbucket.md"),
        client(),
        TokenRequest::new("https://bitbucket.org/site/oauth2/access_token")
            .and_then(|one| one.allow_origin("https://api.bitbucket.org")),
    )
}

#[test]
fn bitbucket_says_scope_since_may_2026_and_scopes_before() {
    let vendor = bitbucket();
    vendor.assert_shown();
    assert!(vendor.allows("https://api.bitbucket.org/2.0/user"));
    assert!(!vendor.allows("https://bitbucket.org/workspace/repository"));
    for scope in ["scopes", "scope"] {
        let body = format!(
            r#"{{"access_token":"t","{scope}":"repository pullrequest","expires_in":7200,"refresh_token":"r","token_type":"bearer"}}"#
        );
        let token = vendor.source(200, &body).token().expect("a token");
        assert_eq!(token.scope().expect("a scope"), "repository pullrequest");
        assert_eq!((token.expires_in(), token.member("refresh_token")), (seconds(7200), None));
        assert_eq!(token.header_value(), "Bearer t");
    }
}

#[test]
fn bitbucket_errors_of_the_api_hold_an_object_and_lead_to_a_new_token() {
    let vendor = bitbucket();
    let body = r#"{"type":"error","error":{"message":"Access token expired."}}"#;
    let script = Script::new();
    script.token("one", 7200);
    script.token("two", 7200);
    let source = vendor.builder(&script).build().expect("a source");
    let mut request = http::Request::get("https://api.bitbucket.org/2.0/user").body(()).expect("a request");
    let mut call = source.call(&mut request).expect("a token");
    assert!(call.retry(&mut request, &response(401, body)));
    assert_eq!(request.headers()["authorization"], "Bearer two");
    // The same words from the token endpoint are no OAuth 2.0 error, and still are told.
    let (denied, text) = vendor.denied(401, body);
    assert_eq!(denied.code(), None);
    assert!(text.contains("Access token expired."), "{text}");
}

fn entra() -> Vendor {
    Vendor::new(
        include_str!("../docs/recipes/entra.md"),
        client().in_body(),
        TokenRequest::new("https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token")
            .and_then(|one| one.scope("https://graph.microsoft.com/.default"))
            .and_then(|one| one.allow_origin("https://graph.microsoft.com")),
    )
}

#[test]
fn entra_gives_tokens_and_its_errors_have_line_breaks() {
    let vendor = entra();
    vendor.assert_shown();
    assert!(vendor.allows("https://graph.microsoft.com/v1.0/users"));
    let token = vendor
        .source(200, r#"{"token_type":"Bearer","expires_in":3599,"access_token":"eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiIsIng1dCI6Ik1uQ19WWmNBVGZNNXBP..."}"#)
        .token()
        .expect("a token");
    assert_eq!((token.expires_in(), token.scope()), (seconds(3599), None));

    let (denied, text) = vendor.denied(
        400,
        r#"{"error":"invalid_scope","error_description":"AADSTS70011: The provided value for the input parameter 'scope' is not valid. The scope https://foo.microsoft.com/.default is not valid.\r\nTrace ID: 255d1aef-8c98-452f-ac51-23d051240864\r\nCorrelation ID: fb3d2015-bc17-4bb9-bb85-30c5cf1aaaa7\r\nTimestamp: 2016-01-09 02:02:12Z","error_codes":[70011],"timestamp":"YYYY-MM-DD HH:MM:SSZ","trace_id":"255d1aef-8c98-452f-ac51-23d051240864","correlation_id":"fb3d2015-bc17-4bb9-bb85-30c5cf1aaaa7"}"#,
    );
    assert_eq!(denied.code(), Some("invalid_scope"));
    assert!(denied.description().is_some_and(|text| text.starts_with("AADSTS70011: ") && text.contains("\r\n")));
    assert!(text.contains("AADSTS70011") && text.contains(r"\r\n") && !text.contains('\n'), "{text}");
    assert!(text.ends_with("(TokenRequest::scope)"), "{text}");
}

/// Azure AD v1 and managed identities write numbers as strings.
#[test]
fn entra_v1_numbers_are_strings() {
    let body = r#"{"access_token":"eyJ0eXAi...","token_type":"Bearer","expires_in":"3599","expires_on":"1388452167","resource":"https://service.contoso.com/"}"#;
    let token = entra().source(200, body).token().expect("a token");
    assert_eq!(token.expires_in(), seconds(3599));
    assert_eq!(token.member("expires_on").and_then(|at| at.as_str()), Some("1388452167"));
}

fn okta() -> Vendor {
    Vendor::new(
        include_str!("../docs/recipes/okta.md"),
        client(),
        TokenRequest::new("https://dev-123456.okta.com/oauth2/default/v1/token")
            .and_then(|one| one.scope("items.read"))
            .and_then(|one| one.allow_origin("https://api.example.com")),
    )
}

#[test]
fn okta_names_the_scope_and_who_is_wrong() {
    let vendor = okta();
    vendor.assert_shown();
    let body = r#"{"access_token":"eyJhbG[...]1LQ","token_type":"Bearer","expires_in":3600,"scope":"customScope"}"#;
    let token = vendor.source(200, body).token().expect("a token");
    assert_eq!(token.scope().expect("a scope"), "customScope");
    let (denied, text) = vendor.denied(
        401,
        r#"{"error":"invalid_client","error_description":"The client secret supplied for a confidential client is invalid."}"#,
    );
    assert_eq!((denied.status(), denied.code()), (401, Some("invalid_client")));
    assert!(
        text.contains("confidential client is invalid") && text.contains("check the client id and secret"),
        "{text}"
    );
}

fn keycloak() -> Vendor {
    Vendor::new(
        include_str!("../docs/recipes/keycloak.md"),
        client(),
        TokenRequest::new("https://sso.example.com/realms/demo/protocol/openid-connect/token")
            .and_then(|one| one.allow_origin("https://api.example.com")),
    )
}

#[test]
fn keycloak_adds_members_with_hyphens() {
    let vendor = keycloak();
    vendor.assert_shown();
    for body in [
        r#"{"access_token":"eyJhbGciOiJSUzI1NiIs...","token_type":"Bearer","expires_in":60,"scope":"email profile"}"#,
        r#"{"access_token":"eyJhbGciOiJSUzI1NiIs...","expires_in":60,"refresh_expires_in":0,"token_type":"bearer","not-before-policy":0,"scope":"email profile"}"#,
    ] {
        let token = vendor.source(200, body).token().expect("a token");
        assert_eq!(token.expires_in(), seconds(60));
        assert_eq!(token.scope().expect("a scope"), "email profile");
    }
    let (denied, text) = vendor.denied(
        401,
        r#"{"error":"invalid_client","error_description":"Invalid client or Invalid client credentials"}"#,
    );
    assert_eq!(denied.code(), Some("invalid_client"));
    assert!(text.contains("check the client id and secret"), "{text}");
}

/// What the page says about a token of 60 seconds.
#[test]
fn keycloak_tokens_of_a_minute_are_renewed_at_half_time() {
    let script = Script::new();
    for _ in 0..2 {
        script.json(200, r#"{"access_token":"t","token_type":"Bearer","expires_in":60}"#);
    }
    let source = keycloak().builder(&script).clock(script.clock()).build().expect("a source");
    let renews_in = || {
        source.token().expect("a token");
        source.inspect().renews_in.expect("an end").as_secs_f64()
    };
    let first = renews_in();
    assert!((13.0..=34.0).contains(&first), "{first}");
    script.clock().advance(Duration::from_secs_f64(first) + Duration::from_millis(1));
    let second = renews_in();
    assert!((25.0..=35.0).contains(&second), "{second}");
}

fn cognito() -> Vendor {
    Vendor::new(
        include_str!("../docs/recipes/cognito.md"),
        client(),
        TokenRequest::new("https://example.auth.eu-central-1.amazoncognito.com/oauth2/token")
            .and_then(|one| one.scope("items/read items/write"))
            .and_then(|one| one.allow_origin("https://api.example.com")),
    )
}

#[test]
fn cognito_refuses_a_wrong_secret_with_400_and_no_description() {
    let vendor = cognito();
    vendor.assert_shown();
    let body = r#"{"access_token":"eyJra1example","token_type":"Bearer","expires_in":3600}"#;
    let token = vendor.source(200, body).token().expect("a token");
    assert_eq!((token.expires_in(), token.scope()), (seconds(3600), None));
    let (denied, text) = vendor.denied(400, r#"{"error":"invalid_client"}"#);
    assert_eq!((denied.status(), denied.code(), denied.description()), (400, Some("invalid_client"), None));
    assert!(text.contains("check the client id and secret"), "{text}");
}

#[test]
fn cognito_shows_its_example_header() {
    // The header of the page "Token endpoint" for this client.
    let credentials = Credentials::new("djc98u3jiedmi283eu928", "abcdef01234567890");
    let sent = cognito().request.encode(&credentials, &Attempt::default()).expect("an HTTP request");
    assert_eq!(sent.headers()["authorization"], "Basic ZGpjOTh1M2ppZWRtaTI4M2V1OTI4OmFiY2RlZjAxMjM0NTY3ODkw");
}

fn salesforce() -> Vendor {
    Vendor::new(
        include_str!("../docs/recipes/salesforce.md"),
        client().in_body(),
        TokenRequest::new("https://example.my.salesforce.com/services/oauth2/token")
            .and_then(|one| one.allow_origin("https://example.my.salesforce.com")),
    )
}

#[test]
fn salesforce_names_no_lifetime_and_an_instance() {
    let vendor = salesforce();
    vendor.assert_shown();
    let script = Script::new();
    let body = r#"{"access_token":"00D50000000IZ3Z!AQcAQH0dMHZ","signature":"your_signature","scope":"cdp_query_api api","instance_url":"https://example.my.salesforce.com","id":"https://login.salesforce.com/id/00Dx/005x","token_type":"Bearer","issued_at":"4564564565767"}"#;
    script.json(200, body);
    script.token("next", 60);
    let source = vendor.builder(&script).fallback_lifetime(Some(Duration::from_secs(900))).build().expect("a source");
    let token = source.token().expect("a token");
    assert_eq!(token.header_value(), "Bearer 00D50000000IZ3Z!AQcAQH0dMHZ");
    assert_eq!(token.expires_in(), None);
    assert_eq!(token.member("instance_url").and_then(|url| url.as_str()), Some("https://example.my.salesforce.com"));
    assert_eq!(source.inspect().expires_in, seconds(900));
    script.clock().advance(Duration::from_secs(900));
    assert_eq!(source.token().expect("a token").secret(), "next");
}

/// As clients report it; Salesforce's page shows no failure.
#[test]
fn salesforce_has_words_of_its_own_for_a_wrong_id() {
    let (denied, text) =
        salesforce().denied(400, r#"{"error":"invalid_client_id","error_description":"client identifier invalid"}"#);
    assert_eq!((denied.code(), denied.description()), (Some("invalid_client_id"), Some("client identifier invalid")));
    assert!(text.contains("client identifier invalid"), "{text}");
}

fn sap() -> Vendor {
    Vendor::new(
        include_str!("../docs/recipes/sap.md"),
        Credentials::new("sb-app!t123", "a/b+c=="),
        TokenRequest::new("https://tenant.authentication.eu10.hana.ondemand.com/oauth/token")
            .and_then(|one| one.header("x-cf-encoded-credentials", "true"))
            .and_then(|one| one.allow_origin("https://api.example.com")),
    )
}

#[test]
fn sap_gives_tokens_for_half_a_day_and_says_bad_credentials() {
    let vendor = sap();
    vendor.assert_shown();
    let body =
        r#"{"access_token":"eyJhbGci","token_type":"bearer","expires_in":43199,"scope":"uaa.resource","jti":"5a1c"}"#;
    let token = vendor.source(200, body).token().expect("a token");
    assert_eq!(token.header_value(), "Bearer eyJhbGci");
    assert_eq!(token.expires_in(), seconds(43_199));
    assert_eq!(token.member("jti").and_then(|id| id.as_str()), Some("5a1c"));
    let (denied, text) = vendor.denied(401, r#"{"error":"unauthorized","error_description":"Bad credentials"}"#);
    assert_eq!(denied.code(), Some("unauthorized"));
    assert!(text.contains("Bad credentials"), "{text}");
}

/// The three ways of the page carry the same secret.
#[test]
fn sap_gets_the_same_secret_each_way() {
    let request = sap().request;
    let encoded = request.encode(&sap().credentials, &Attempt::default()).expect("an HTTP request");
    let raw = Credentials::new("sb-app!t123", "a/bc==").basic_encoding(BasicEncoding::Raw);
    let raw = request.encode(&raw, &Attempt::default()).expect("an HTTP request");
    // sb-app!t123:a/b%2Bc== and sb-app!t123:a/bc==
    assert_eq!(encoded.headers()["authorization"], "Basic c2ItYXBwIXQxMjM6YS9iJTJCYz09");
    assert_eq!(raw.headers()["authorization"], "Basic c2ItYXBwIXQxMjM6YS9iYz09");
}

fn ebay() -> Vendor {
    Vendor::new(
        include_str!("../docs/recipes/ebay.md"),
        client().basic_encoding(BasicEncoding::Raw),
        TokenRequest::new("https://api.ebay.com/identity/v1/oauth2/token")
            .and_then(|one| one.scope("https://api.ebay.com/oauth/api_scope"))
            .map(|one| one.token_type_alias("Application Access Token"))
            .and_then(|one| one.allow_origin("https://api.ebay.com")),
    )
}

#[test]
fn ebay_tokens_have_a_type_of_their_own() {
    let vendor = ebay();
    vendor.assert_shown();
    let body = r#"{"access_token":"v^1.1#i^1#p^1#r^0#I^3#f^0#t^H4s...wu67e3xAhskz4DAAA","token_type":"Application Access Token","expires_in":7200,"refresh_token":"N/A"}"#;
    let token = vendor.source(200, body).token().expect("a token");
    assert_eq!(token.header_value(), "Bearer v^1.1#i^1#p^1#r^0#I^3#f^0#t^H4s...wu67e3xAhskz4DAAA");
    assert_eq!((token.expires_in(), token.member("refresh_token")), (seconds(7200), None));

    // Without the alias of the page, the error names it.
    let plain = TokenRequest::new("https://api.ebay.com/identity/v1/oauth2/token").expect("a request");
    let error = plain.decode(&response(200, body), sent_at()).expect_err("an error").to_string();
    assert!(error.contains("TokenRequest::token_type_alias"), "{error}");

    let (denied, _) =
        vendor.denied(401, r#"{"error":"invalid_client","error_description":"client authentication failed"}"#);
    assert_eq!(denied.code(), Some("invalid_client"));
}

fn ups() -> Vendor {
    Vendor::new(
        include_str!("../docs/recipes/ups.md"),
        client(),
        TokenRequest::new("https://onlinetools.ups.com/security/v1/oauth/token")
            .and_then(|one| one.header("x-merchant-id", "1A2B3C"))
            .and_then(|one| one.allow_origin("https://onlinetools.ups.com")),
    )
}

#[test]
fn ups_writes_numbers_as_strings_and_errors_in_a_list() {
    let vendor = ups();
    vendor.assert_shown();
    let body = r#"{"token_type":"Bearer","issued_at":"1706710921672","client_id":"client-id","access_token":"eyJraWQi","scope":"","expires_in":"14399","refresh_count":"0","status":"approved"}"#;
    let token = vendor.source(200, body).token().expect("a token");
    assert_eq!(token.expires_in(), seconds(14_399));
    assert_eq!(token.scope(), Some(""));
    assert_eq!(token.member("issued_at").and_then(|at| at.as_str()), Some("1706710921672"));
    for (status, retryable) in [(400, false), (401, false), (403, false), (429, true)] {
        let body = r#"{"response":{"errors":[{"code":"10401","message":"ClientId is Invalid"}]}}"#;
        let (denied, text) = vendor.denied(status, body);
        assert_eq!((denied.status(), denied.code()), (status, None));
        assert!(denied.excerpt().is_some_and(|text| text.contains("ClientId is Invalid")));
        assert!(text.contains("ClientId is Invalid"), "{text}");
        assert_eq!(Error::Denied(denied.into()).is_retryable(), retryable, "{status}");
    }
}

fn zoom() -> Vendor {
    Vendor::new(
        include_str!("../docs/recipes/zoom.md"),
        client(),
        TokenRequest::new("https://zoom.us/oauth/token")
            .and_then(|one| one.grant_type("account_credentials"))
            .and_then(|one| one.parameter("account_id", "account-id"))
            .and_then(|one| one.allow_origin("https://api.zoom.us")),
    )
}

#[test]
fn zoom_has_a_grant_of_its_own() {
    let vendor = zoom();
    vendor.assert_shown();
    let body = r#"{"access_token":"eyJhbGciOiJIUzI1NiJ9","token_type":"bearer","expires_in":3600,"scope":"user:read:admin meeting:write"}"#;
    let token = vendor.source(200, body).token().expect("a token");
    assert_eq!(token.header_value(), "Bearer eyJhbGciOiJIUzI1NiJ9");
    assert_eq!(token.scope().expect("a scope"), "user:read:admin meeting:write");
}

/// As clients report it; Zoom's page shows no failure.
#[test]
fn zoom_tells_a_reason() {
    let (denied, text) =
        zoom().denied(400, r#"{"reason":"Invalid client_id or client_secret","error":"invalid_client"}"#);
    assert_eq!((denied.code(), denied.description()), (Some("invalid_client"), None));
    assert!(text.contains("check the client id and secret"), "{text}");
}
