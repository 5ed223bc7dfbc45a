//! JWT assertions (RFC 7521, RFC 7523). Imports `error`, `instance`, `made`, `redact`,
//! `signing`, `signing::jwt`, `transport`.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::error::{Error, Failed};
use crate::instance::Instance;
use crate::made::{Context, Made, Maker};
use crate::redact::Secret;
use crate::signing::{SigningKey, jwt};
use crate::transport::Attempt;

/// What a JWT says, and the key that signs it (RFC 7523 section 3).
///
/// It is a recipe: a new JWT is made and signed for each use. It says
///
/// | claim | value |
/// |---|---|
/// | `iss` | [`issuer`](Self::issuer), else the client id |
/// | `sub` | [`subject`](Self::subject), else, for client authentication, the issuer |
/// | `aud` | [`audience`](Self::audience), else the issuer of the server if it is known, else the URL of the token endpoint |
/// | `iat` | ten seconds before it is signed, for clocks that are a little behind ours |
/// | `exp` | [`lifetime`](Self::lifetime) after `iat` |
/// | `jti` | 16 random bytes in Base64url, so that no two are the same |
/// | others | [`claim`](Self::claim) |
///
/// and has the headers `alg`, `typ` (`JWT`), `kid`, and `x5t#S256` for a key with a certificate,
/// and those of [`header`](Self::header).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use client_credentials::{Assertion, SigningKey};
///
/// let assertion = Assertion::new(SigningKey::generate()?)
///     .issuer("robot@example.com")
///     .claim("scope", "https://api.example.com/read")?
///     .lifetime(Duration::from_secs(3600));
/// # assert!(format!("{assertion:?}").contains("robot@example.com"));
/// # Ok::<_, client_credentials::Error>(())
/// ```
#[derive(Clone)]
pub struct Assertion {
    key: SigningKey,
    issuer: Option<String>,
    subject: Option<String>,
    audience: Option<String>,
    /// In JSON, as the headers are.
    claims: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    lifetime: Duration,
}

/// Clocks may be this much behind ours.
const BACKDATED: Duration = Duration::from_secs(10);

impl Assertion {
    /// Makes an assertion that this key signs.
    ///
    /// ```
    /// # use client_credentials::{Assertion, SigningKey};
    /// let assertion = Assertion::new(SigningKey::generate()?);
    /// # assert!(format!("{assertion:?}").contains("ES256"));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn new(key: SigningKey) -> Self {
        Self {
            key,
            issuer: None,
            subject: None,
            audience: None,
            claims: Vec::new(),
            headers: Vec::new(),
            lifetime: Duration::from_secs(60),
        }
    }

    /// Sets the claim `iss`. Default: the client id, if there is one.
    ///
    /// ```
    /// # use client_credentials::{Assertion, SigningKey};
    /// let github = Assertion::new(SigningKey::generate()?).issuer("Iv23liABC");
    /// # assert!(format!("{github:?}").contains("Iv23liABC"));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Sets the claim `sub`. Default: the issuer for client authentication (RFC 7523 section 3),
    /// else none.
    ///
    /// ```
    /// # use client_credentials::{Assertion, SigningKey};
    /// let salesforce = Assertion::new(SigningKey::generate()?).subject("robot@example.com");
    /// # assert!(format!("{salesforce:?}").contains("robot@example.com"));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Sets the claim `aud`, one text and never a list (D13). Default: the issuer of the server if
    /// it is known, else the URL of the token endpoint.
    ///
    /// ```
    /// # use client_credentials::{Assertion, SigningKey};
    /// let keycloak = Assertion::new(SigningKey::generate()?).audience("https://kc.example.com/realms/acme");
    /// # assert!(format!("{keycloak:?}").contains("realms/acme"));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Adds a claim, in place of one with the same name.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] for `iss`, `sub`, `aud` and `exp`, which have methods of their own,
    /// and for `iat` and `jti`, which are made when the assertion is signed.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Assertion, SigningKey};
    /// let assertion = Assertion::new(SigningKey::generate()?).claim("scope", "read write")?;
    /// assert_eq!(
    ///     assertion.claim("exp", 1_700_000_000).unwrap_err().to_string(),
    ///     "Assertion::claim \"exp\": use Assertion::lifetime"
    /// );
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Result<Self, Error> {
        put(&mut self.claims, "claim", name, value.into(), |name| match name {
            "iss" => Some("use Assertion::issuer"),
            "sub" => Some("use Assertion::subject"),
            "aud" => Some("use Assertion::audience"),
            "exp" => Some("use Assertion::lifetime"),
            "iat" | "jti" => Some("it is made when the assertion is signed"),
            _ => None,
        })?;
        Ok(self)
    }

    /// Adds a header (RFC 7515 section 4.1), in place of one with the same name. With the value
    /// `()`, a header that is there by default is left out.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] for `alg` and `kid`, which have methods of their own, and for `jwk`,
    /// `crit` and `b64`, which are not supported.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Assertion, SigningKey};
    /// let assertion = Assertion::new(SigningKey::generate()?)
    ///     .header("typ", "client-authentication+jwt")?
    ///     .header("jku", "https://client.example.com/jwks.json")?;
    /// assert_eq!(
    ///     assertion.header("kid", "1").unwrap_err().to_string(),
    ///     "Assertion::header \"kid\": use SigningKey::key_id"
    /// );
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Result<Self, Error> {
        put(&mut self.headers, "header", name, value.into(), |name| match name {
            "alg" => Some("use SigningKey::algorithm"),
            "kid" => Some("use SigningKey::key_id"),
            // A private key could be put there, and the other two change what is signed (RFC 7797).
            "jwk" | "crit" | "b64" => Some("it is not supported"),
            _ => None,
        })?;
        Ok(self)
    }

    /// Sets the time from `iat` to `exp`. Since `iat` is ten seconds back, the assertion is valid for
    /// ten seconds less. Default: 60 seconds. Fractions of a second are dropped; less than 11 seconds
    /// count as 11.
    ///
    /// It is used at once, so a short time is enough; servers refuse long ones.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use client_credentials::{Assertion, SigningKey};
    /// let google = Assertion::new(SigningKey::generate()?).lifetime(Duration::from_secs(3600));
    /// # assert!(format!("{google:?}").contains("3600s"));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }
}

impl Assertion {
    /// Signs the assertion, for one use. `now` is the time of the server, as far as it is known.
    pub(super) fn sign(&self, context: Context<'_>, now: SystemTime, jti: &[u8; 16]) -> Result<Secret, Error> {
        let (header, claims) = (self.header_text(), self.claims_text(context, now, jti));
        jwt::compact(header.as_bytes(), claims.as_bytes(), &self.key)
            .map_err(|cause| Error::credentials(Failed::Signature, cause))
    }

    /// Returns how long an assertion is valid from the moment it is signed.
    pub(crate) fn valid_for(&self) -> Duration {
        Duration::from_secs(self.seconds()) - BACKDATED
    }

    fn seconds(&self) -> u64 {
        self.lifetime.as_secs().max(BACKDATED.as_secs() + 1)
    }

    /// Returns the audience that a server gets to see.
    fn audience_for<'a>(&'a self, context: Context<'a>) -> Option<&'a str> {
        self.audience.as_deref().or(context.audience)
    }

    fn header_text(&self) -> String {
        let mut headers = Members::default();
        headers.put("alg", quoted(self.key.algorithm_name()));
        headers.put("typ", quoted("JWT"));
        if let Some(key_id) = &self.key.key_id {
            headers.put("kid", quoted(key_id));
        }
        if let Some(certificates) = &self.key.certificates {
            match self.key.sends_x5t {
                true => headers.put("x5t", quoted(&certificates.x5t)),
                false => headers.put("x5t#S256", quoted(&certificates.x5t_s256)),
            }
            if self.key.sends_x5c {
                let certificates: Vec<_> = certificates.x5c.iter().map(|certificate| quoted(certificate)).collect();
                headers.put("x5c", format!("[{}]", certificates.join(",")));
            }
        }
        self.headers.iter().for_each(|(name, value)| headers.put(name, value.clone()));
        headers.0.retain(|(_, value)| value != "null");
        headers.object()
    }

    fn claims_text(&self, context: Context<'_>, now: SystemTime, jti: &[u8; 16]) -> String {
        let issuer = self.issuer.as_deref().or(context.client_id);
        let subject = self.subject.as_deref().or(issuer.filter(|_| context.authenticates));
        let audience = self.audience_for(context);
        let issued = now.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(BACKDATED).as_secs();

        let mut claims = Members::default();
        self.claims.iter().for_each(|(name, value)| claims.put(name, value.clone()));
        for (name, value) in [("iss", issuer), ("sub", subject), ("aud", audience)] {
            if let Some(value) = value {
                claims.put(name, quoted(value));
            }
        }
        claims.put("jti", quoted(&URL_SAFE_NO_PAD.encode(jti)));
        // Numbers, not texts (RFC 7519 section 2, NumericDate). `nbf` is left out: a server that is
        // behind would refuse it, and it says no more than `iat`.
        claims.put("iat", issued.to_string());
        claims.put("exp", issued.saturating_add(self.seconds()).to_string());
        claims.object()
    }
}

/// The members of an object, sorted by name, with their values in JSON. Few and short-lived, so a map
/// would only make the program larger.
#[derive(Default)]
struct Members<'a>(Vec<(&'a str, String)>);

impl<'a> Members<'a> {
    fn put(&mut self, name: &'a str, value: String) {
        match self.0.binary_search_by_key(&name, |(name, _)| name) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (name, value)),
        }
    }

    fn object(self) -> String {
        let members: Vec<_> = self.0.iter().map(|(name, value)| format!("{}:{value}", quoted(name))).collect();
        format!("{{{}}}", members.join(","))
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string always serializes to JSON")
}

impl Maker for Assertion {
    fn make(&self, context: Context<'_>, attempt: &Attempt) -> Result<Made, Error> {
        let text = self.sign(context, attempt.moment.wall(), &attempt.random)?;
        let (thumbprint, instance) = self.key.identity();
        let mark = thumbprint.or_else(|| instance.map(Instance::name));
        let audience = self.audience_for(context).unwrap_or_default().to_owned();
        Ok(Made { text, mark, signed: Some((self.key.algorithm_name(), audience)) })
    }

    /// What it says at one moment, and its key, so that nothing that it says can be forgotten.
    fn identity(&self, context: Context<'_>) -> (String, Option<Instance>) {
        let (thumbprint, instance) = self.key.identity();
        let claims = self.claims_text(context, UNIX_EPOCH, &[0; 16]);
        (format!("{}{claims}{}", self.header_text(), thumbprint.as_deref().unwrap_or_default()), instance.cloned())
    }

    fn may_change(&self) -> bool {
        false
    }
}

fn put(
    members: &mut Vec<(String, String)>,
    what: &str,
    name: &str,
    value: Value,
    reserved: fn(&str) -> Option<&'static str>,
) -> Result<(), Error> {
    if let Some(instead) = reserved(name) {
        return Err(Error::configuration(format!("Assertion::{what} {name:?}: {instead}")));
    }
    members.push((name.to_owned(), value.to_string()));
    Ok(())
}

fn names(members: &[(String, String)]) -> Vec<&str> {
    members.iter().map(|(name, _)| name.as_str()).collect()
}

impl fmt::Debug for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assertion")
            .field("key", &self.key)
            .field("issuer", &self.issuer)
            .field("subject", &self.subject)
            .field("audience", &self.audience)
            .field("claims", &names(&self.claims))
            .field("headers", &names(&self.headers))
            .field("lifetime", &self.lifetime)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::algorithm::Algorithm;
    use crate::signing::tests::{rows, thumbprint};

    const ED25519: &str = "-----BEGIN PRIVATE KEY-----\\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\\n\
                           -----END PRIVATE KEY-----";
    const JTI: [u8; 16] = [7; 16];
    const AUTHENTICATION: Context<'_> =
        Context { client_id: Some("my-client"), authenticates: true, audience: Some("https://auth.example.com/token") };

    fn key() -> SigningKey {
        SigningKey::from_pem(ED25519).expect("a key")
    }

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_700_000_000)
    }

    fn read(jwt: &Secret) -> (Value, Value) {
        let parts: Vec<&str> = jwt.secret().split('.').collect();
        assert_eq!(parts.len(), 3);
        let json = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("Base64")).expect("JSON");
        (json(parts[0]), json(parts[1]))
    }

    fn signed(assertion: &Assertion, defaults: Context<'_>) -> (Value, Value) {
        read(&assertion.sign(defaults, now(), &JTI).expect("a signature"))
    }

    fn holds(whole: &Value, part: &Value) -> bool {
        part.as_object().expect("an object").iter().all(|(name, value)| whole.get(name) == Some(value))
    }

    #[test]
    fn client_authentication_says_who_for_whom_from_when_until_when_and_which() {
        let (header, claims) = signed(&Assertion::new(key().key_id("k1")), AUTHENTICATION);
        assert_eq!(header, serde_json::json!({ "alg": "EdDSA", "kid": "k1", "typ": "JWT" }));
        let expected = serde_json::json!({
            "iss": "my-client", "sub": "my-client", "aud": "https://auth.example.com/token",
            "iat": 1_699_999_990, "exp": 1_700_000_050, "jti": "BwcHBwcHBwcHBwcHBwcHBw",
        });
        assert_eq!(claims, expected);
    }

    #[test]
    fn the_text_is_the_same_in_whatever_order_the_claims_came() {
        let one = Assertion::new(key()).claim("b", 1).and_then(|it| it.claim("a", 2)).expect("claims");
        let other = Assertion::new(key()).claim("a", 2).and_then(|it| it.claim("b", 1)).expect("claims");
        let text = |it: &Assertion| it.sign(AUTHENTICATION, now(), &JTI).expect("a signature").secret().to_owned();
        assert_eq!(text(&one), text(&other));
        let again = Assertion::new(key()).claim("a", 2).and_then(|it| it.claim("a", 3)).expect("claims");
        assert_eq!(signed(&again, AUTHENTICATION).1["a"], 3);
    }

    #[test]
    fn another_jti_and_another_time_make_another_assertion() {
        let assertion = Assertion::new(key());
        let text = |now, jti| assertion.sign(AUTHENTICATION, now, jti).expect("a signature").secret().to_owned();
        assert_ne!(text(now(), &JTI), text(now(), &[8; 16]));
        assert_ne!(text(now(), &JTI), text(now() + Duration::from_secs(1), &JTI));
        assert_eq!(text(now(), &JTI), text(now() + Duration::from_millis(999), &JTI));
    }

    #[test]
    fn issuer_subject_and_audience_are_what_the_program_says() {
        let assertion = Assertion::new(key()).issuer("i");
        let (_, claims) = signed(&assertion, AUTHENTICATION);
        assert_eq!((&claims["iss"], &claims["sub"]), (&"i".into(), &"i".into()));
        let (_, claims) = signed(&assertion.subject("s").audience("a"), AUTHENTICATION);
        let named = (&claims["iss"], &claims["sub"], &claims["aud"]);
        assert_eq!(named, (&"i".into(), &"s".into(), &"a".into()));
        // A grant or a token of its own.
        let (_, claims) = signed(&Assertion::new(key()), Context { authenticates: false, ..AUTHENTICATION });
        assert_eq!((claims["iss"].as_str(), claims.get("sub")), (Some("my-client"), None));
        let (_, claims) = signed(&Assertion::new(key()), Context::default());
        assert_eq!(claims, serde_json::json!({ "iat": claims["iat"], "exp": claims["exp"], "jti": claims["jti"] }));
    }

    #[test]
    fn every_google_and_github_line_of_keys_jsonl() {
        let mut seen = 0;
        for row in rows("google_key_file").iter().chain(&rows("github_app")) {
            let text = |value: &Value| value.as_str().expect("a text").to_owned();
            let (file, expected) = (&row["file"], &row["claims"]);
            let mut assertion = if file.is_object() {
                let key = SigningKey::from_pem(text(&file["private_key"])).expect("a key");
                let assertion = Assertion::new(key.key_id(text(&file["private_key_id"])));
                let assertion = assertion.issuer(text(&file["client_email"])).claim("scope", text(&row["scope"]));
                assertion.expect("a claim").lifetime(Duration::from_secs(3600))
            } else {
                let key = SigningKey::from_pem(text(&rows("key_file")[1]["pem"])).expect("a key of PKCS#1");
                Assertion::new(key).issuer("Iv23liABC")
            };
            if let Some(lifetime) = row["lifetime"].as_u64() {
                assertion = assertion.lifetime(Duration::from_secs(lifetime));
            }
            let now = UNIX_EPOCH + Duration::from_secs(row["now"].as_u64().expect("a time"));
            let defaults = Context { audience: file["token_uri"].as_str(), ..Context::default() };
            let (header, claims) = read(&assertion.sign(defaults, now, &JTI).expect("a signature"));
            assert_eq!(header, row["header"]);
            assert!(holds(&claims, expected), "{claims} of {expected}");
            assert_eq!(
                claims.as_object().map(serde_json::Map::len),
                expected.as_object().map(|claims| claims.len() + 1)
            );
            seen += 1;
        }
        assert_eq!(seen, 2);
    }

    #[test]
    fn what_is_made_when_it_is_signed_is_refused_as_a_claim_or_header() {
        for (name, instead) in [
            ("iss", "use Assertion::issuer"),
            ("sub", "use Assertion::subject"),
            ("aud", "use Assertion::audience"),
            ("exp", "use Assertion::lifetime"),
            ("iat", "it is made when the assertion is signed"),
            ("jti", "it is made when the assertion is signed"),
        ] {
            let error = Assertion::new(key()).claim(name, "x").expect_err("an error");
            assert_eq!(error.to_string(), format!("Assertion::claim \"{name}\": {instead}"));
        }
        for (name, instead) in [
            ("alg", "use SigningKey::algorithm"),
            ("kid", "use SigningKey::key_id"),
            ("jwk", "it is not supported"),
            ("crit", "it is not supported"),
            ("b64", "it is not supported"),
        ] {
            let error = Assertion::new(key()).header(name, ()).expect_err("an error");
            assert_eq!(error.to_string(), format!("Assertion::header \"{name}\": {instead}"));
        }
    }

    #[test]
    fn a_header_replaces_the_default_and_null_leaves_it_out() {
        let typed = Assertion::new(key()).header("typ", "client-authentication+jwt").expect("a header");
        assert_eq!(signed(&typed, AUTHENTICATION).0["typ"], "client-authentication+jwt");
        let bare = typed.header("typ", ()).and_then(|it| it.header("jku", "https://a.test/")).expect("headers");
        assert_eq!(signed(&bare, AUTHENTICATION).0, serde_json::json!({ "alg": "EdDSA", "jku": "https://a.test/" }));
    }

    #[test]
    fn the_times_are_numbers_that_neither_overflow_nor_end_before_they_begin() {
        let times = |lifetime, now| {
            let jwt = Assertion::new(key()).lifetime(lifetime).sign(AUTHENTICATION, now, &JTI).expect("a signature");
            let (_, claims) = read(&jwt);
            (claims["iat"].as_u64().expect("a number"), claims["exp"].as_u64().expect("a number"))
        };
        assert_eq!(times(Duration::from_millis(90_999), now()), (1_699_999_990, 1_700_000_080));
        assert_eq!(times(Duration::ZERO, now()), (1_699_999_990, 1_700_000_001));
        assert_eq!(times(Duration::MAX, now()), (1_699_999_990, u64::MAX));
        assert_eq!(times(Duration::from_secs(60), UNIX_EPOCH - Duration::from_secs(5)), (0, 60));
    }

    #[test]
    fn equal_recipes_share_and_everything_that_an_assertion_says_tells_it_from_others() {
        let identity = |it: &Assertion| it.identity(AUTHENTICATION).0;
        let plain = identity(&Assertion::new(key()));
        assert_eq!(plain, identity(&Assertion::new(key())));
        let rsa = rows("key_file")[0]["pem"].as_str().expect("PEM").to_owned();
        let rsa = SigningKey::from_pem(rsa).expect("a key");
        let other = |it: Result<Assertion, Error>| identity(&it.expect("an assertion"));
        let mut all = vec![
            plain,
            identity(&Assertion::new(key().key_id("k"))),
            identity(&Assertion::new(SigningKey::generate().expect("a key"))),
            identity(&Assertion::new(SigningKey::generate().expect("a key"))),
            identity(&Assertion::new(rsa.clone())),
            identity(&Assertion::new(rsa.algorithm(Algorithm::Ps256).expect("an RSA key"))),
            identity(&Assertion::new(key()).issuer("x")),
            identity(&Assertion::new(key()).subject("x")),
            identity(&Assertion::new(key()).audience("x")),
            identity(&Assertion::new(key()).lifetime(Duration::from_secs(61))),
            other(Assertion::new(key()).claim("x", "1")),
            other(Assertion::new(key()).claim("x", 1)),
            other(Assertion::new(key()).header("x", "1")),
            Assertion::new(key()).identity(Context { client_id: Some("y"), ..AUTHENTICATION }).0,
            Assertion::new(key()).identity(Context { authenticates: false, ..AUTHENTICATION }).0,
            identity(&Assertion::new(SigningKey::shared(&[b'a'; 32]).expect("a key"))),
            identity(&Assertion::new(SigningKey::shared(&[b'b'; 32]).expect("a key"))),
        ];
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);

        let external = || Assertion::new(SigningKey::external(Algorithm::Es256, |_| Ok(vec![0; 64])));
        let (one, other) = (external(), external());
        assert!(one.identity(AUTHENTICATION).1.is_some());
        assert!(one.identity(AUTHENTICATION).1 == one.clone().identity(AUTHENTICATION).1);
        assert!(one.identity(AUTHENTICATION).1 != other.identity(AUTHENTICATION).1);
    }

    #[test]
    fn debug_shows_neither_a_key_nor_the_value_of_a_claim() {
        let assertion = Assertion::new(key()).claim("pin", "s3cret").and_then(|it| it.header("x", "h1dden"));
        let shown = format!("{:?}", assertion.expect("an assertion"));
        assert!(shown.contains("pin") && shown.contains(&thumbprint(&key())), "{shown}");
        assert!(!shown.contains("s3cret") && !shown.contains("h1dden"), "{shown}");
        let shared = format!("{:?}", SigningKey::shared(&[b'q'; 32]).expect("a key"));
        assert_eq!(shared, "SigningKey { algorithm: \"HS256\", key_id: None, thumbprint: None }");
    }
}
