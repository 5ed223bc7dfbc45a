//! The `WWW-Authenticate` header (RFC 9110 sections 11.3 and 11.6.1), and whether a new token can
//! help against a 401 (RFC 6750 section 3). Imports nothing from this crate.
//!
//! The parser never fails. It marks what is malformed, keeps what it read before, and continues at
//! the next comma, or at a parameter after a space. It looks at every byte a bounded number of
//! times.

/// One challenge of a `WWW-Authenticate` header (RFC 9110 section 11.6.1), in which an API says
/// what it requires instead of the token it got.
///
/// Its grammar is `auth-scheme [ 1*SP ( token68 / #auth-param ) ]` (RFC 9110 section 11.3). The
/// parameters of a Bearer challenge are defined in RFC 6750 section 3. A [`Call`](crate::Call), and
/// so the agent, reads challenges by itself.
///
/// # Examples
///
/// ```
/// use client_credentials::Challenge;
///
/// let challenges = Challenge::parse([r#"Basic realm="a", Bearer error="invalid_token""#]);
/// assert_eq!(challenges[1].scheme(), "bearer");
/// assert_eq!(challenges[1].param("error"), Some("invalid_token"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    scheme: String,
    params: Vec<(String, String)>,
    token68: Option<String>,
    malformed: bool,
}

impl Challenge {
    /// Parses the values of all `WWW-Authenticate` header lines, in order. Never fails; a challenge
    /// that breaks the grammar is marked (see [`is_malformed`](Self::is_malformed)).
    ///
    /// ```
    /// # use client_credentials::Challenge;
    /// let response = http::Response::builder()
    ///     .status(401)
    ///     .header("www-authenticate", "Bearer")
    ///     .header("www-authenticate", "DPoP algs=ES256, Basic")
    ///     .body(())?;
    /// let challenges = Challenge::parse(response.headers().get_all("www-authenticate"));
    /// assert_eq!(challenges.len(), 3);
    /// # Ok::<_, http::Error>(())
    /// ```
    pub fn parse<I>(values: I) -> Vec<Self>
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        let mut challenges = Vec::new();
        for value in values {
            Reader { bytes: value.as_ref(), at: 0 }.challenges(&mut challenges);
        }
        challenges
    }

    /// Returns the scheme in lower case (schemes are case-insensitive, RFC 9110 section 11.1).
    ///
    /// ```
    /// # use client_credentials::Challenge;
    /// let challenges = Challenge::parse(["Negotiate, BEARER"]);
    /// assert!(challenges.iter().any(|challenge| challenge.scheme() == "bearer"));
    /// ```
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Returns the value of a parameter, without its quotes, or `None` if the challenge does not
    /// have it. `name` must be in lower case.
    ///
    /// ```
    /// # use client_credentials::Challenge;
    /// let header = r#"Bearer error="insufficient_scope", scope="items:write""#;
    /// let challenge = &Challenge::parse([header])[0];
    /// if challenge.param("error") == Some("insufficient_scope") {
    ///     println!("ask for the scope {:?}", challenge.param("scope"));
    /// #     assert_eq!(challenge.param("scope"), Some("items:write"));
    /// }
    /// assert_eq!(challenge.param("realm"), None);
    /// ```
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns all parameters in the order of the header, with the names in lower case and the
    /// values without their quotes.
    ///
    /// ```
    /// # use client_credentials::Challenge;
    /// let digest = &Challenge::parse(["Digest Realm=\"a\", qop=auth"])[0];
    /// assert_eq!(digest.params().collect::<Vec<_>>(), [("realm", "a"), ("qop", "auth")]);
    /// ```
    pub fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        self.params.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the `token68` after the scheme (RFC 9110 section 11.2), if the challenge has one
    /// instead of parameters.
    ///
    /// ```
    /// # use client_credentials::Challenge;
    /// assert_eq!(Challenge::parse(["Negotiate YII="])[0].token68(), Some("YII="));
    /// ```
    #[must_use]
    pub fn token68(&self) -> Option<&str> {
        self.token68.as_deref()
    }

    /// Whether part of this challenge breaks the grammar (RFC 9110 section 11.3). Whatever could be
    /// read is kept.
    ///
    /// ```
    /// # use client_credentials::Challenge;
    /// let challenge = &Challenge::parse([r#"Bearer error="invalid_token", realm="unclosed"#])[0];
    /// assert!(challenge.is_malformed());
    /// assert_eq!(challenge.param("error"), Some("invalid_token"));
    /// ```
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        self.malformed
    }

    fn push(&mut self, name: String, value: String) {
        // RFC 9110 section 11.2 allows each parameter once, so the first one counts. Section 11.3
        // allows either a token68 or parameters.
        if self.params.len() == MOST_PARAMS || self.param(&name).is_some() || self.token68.is_some() {
            self.malformed = true;
        } else {
            self.params.push((name, value));
        }
    }
}

/// Ten times what any real scheme uses; it bounds the search for duplicate names.
const MOST_PARAMS: usize = 64;

/// Decides whether a new token of the same kind may help after a 401 with these challenges (RFC 6750
/// section 3.1).
///
/// It does not if each Bearer challenge says `insufficient_scope` or
/// `insufficient_user_authentication` (RFC 9470). Real servers send a 401 without any challenge, with
/// other schemes, or with an error code of their own for an expired token, even `invalid_request`;
/// those count as refusals of the token.
pub(crate) fn renewal_may_help(challenges: &[Challenge]) -> bool {
    let mut errors = bearer_errors(challenges).peekable();
    errors.peek().is_none()
        || errors.any(|error| !matches!(error, Some("insufficient_scope" | "insufficient_user_authentication")))
}

/// Decides whether a status other than 401 refuses the token all the same: a 400 with an explicit
/// `invalid_token` (RFC 6750 section 3.1 says 401 with SHOULD only).
pub(crate) fn says_invalid_token(challenges: &[Challenge]) -> bool {
    bearer_errors(challenges).any(|error| error == Some("invalid_token"))
}

fn bearer_errors(challenges: &[Challenge]) -> impl Iterator<Item = Option<&str>> {
    challenges.iter().filter(|one| one.scheme == "bearer").map(|one| one.param("error"))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn challenges(mut self, out: &mut Vec<Challenge>) {
        let first = out.len();
        loop {
            // RFC 9110 section 5.6.1.2: empty list elements are ignored.
            self.skip(|byte| matches!(byte, b',' | b' ' | b'\t'));
            if self.at == self.bytes.len() {
                return;
            }
            let word = self.take(is_tchar);
            let gap = self.skip(is_space);
            // A parameter belongs to a challenge of the same header line.
            let current = if out.len() > first { out.last_mut() } else { None };
            match (word.is_empty(), self.peek(), current) {
                (false, Some(b'='), Some(challenge)) => {
                    self.at += 1;
                    self.value(word, challenge);
                }
                (false, next, _) if next != Some(b'=') && (gap > 0 || matches!(next, None | Some(b','))) => {
                    let challenge = self.after_scheme(word);
                    out.push(challenge);
                }
                (_, _, current) => {
                    if let Some(challenge) = current {
                        challenge.malformed = true;
                    }
                    self.skip_element();
                }
            }
        }
    }

    /// Reads what follows `auth-scheme 1*SP`: a `token68`, the first parameter, or nothing.
    fn after_scheme(&mut self, scheme: String) -> Challenge {
        let scheme = scheme.to_ascii_lowercase();
        let mut challenge = Challenge { scheme, params: Vec::new(), token68: None, malformed: false };
        if matches!(self.peek(), None | Some(b',')) {
            return challenge;
        }
        let start = self.at;
        let mut token68 = self.take(is_token68);
        token68.push_str(&self.take(|byte| byte == b'='));
        self.skip(is_space);
        if !token68.is_empty() && matches!(self.peek(), None | Some(b',')) {
            challenge.token68 = Some(token68);
            return challenge;
        }
        self.at = start;
        let name = self.take(is_tchar);
        self.skip(is_space);
        if !name.is_empty() && self.peek() == Some(b'=') {
            self.at += 1;
            self.value(name, &mut challenge);
        } else {
            challenge.malformed = true;
            self.skip_element();
        }
        challenge
    }

    /// Reads `BWS ( token / quoted-string )`, up to the end of the list element. An unquoted value
    /// may contain more than `token` allows, because real ones do. Many servers write a space for
    /// the comma, so a parameter that follows a space is read, too.
    fn value(&mut self, mut name: String, challenge: &mut Challenge) {
        loop {
            self.skip(is_space);
            let value = if self.peek() == Some(b'"') {
                self.quoted()
            } else {
                let value = self.take(|byte| byte.is_ascii_graphic() && !matches!(byte, b',' | b'"'));
                Some(value).filter(|value| !value.is_empty())
            };
            match value {
                Some(value) => challenge.push(name.to_ascii_lowercase(), value),
                None => challenge.malformed = true,
            }
            let gap = self.skip(is_space);
            if matches!(self.peek(), None | Some(b',')) {
                return;
            }
            challenge.malformed = true;
            let start = self.at;
            name = self.take(is_tchar);
            self.skip(is_space);
            if gap == 0 || name.is_empty() || self.peek() != Some(b'=') {
                self.at = start;
                self.skip_element();
                return;
            }
            self.at += 1;
        }
    }

    /// Reads a quoted string (RFC 9110 section 5.6.4). Returns `None` if it is not closed.
    fn quoted(&mut self) -> Option<String> {
        self.at += 1;
        let mut value = Vec::new();
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'"' => return Some(String::from_utf8_lossy(&value).into_owned()),
                b'\\' => {
                    value.extend(self.peek());
                    self.at = self.bytes.len().min(self.at + 1);
                }
                _ => value.push(byte),
            }
        }
        None
    }

    fn skip_element(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b',' => return,
                b'"' => drop(self.quoted()),
                _ => self.at += 1,
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip(&mut self, which: fn(u8) -> bool) -> usize {
        let length = self.bytes[self.at..].iter().take_while(|&&byte| which(byte)).count();
        self.at += length;
        length
    }

    /// Takes the bytes that `which` accepts. It must accept only ASCII.
    fn take(&mut self, which: fn(u8) -> bool) -> String {
        let start = self.at;
        self.skip(which);
        self.bytes[start..self.at].iter().map(|&byte| char::from(byte)).collect()
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Whether `byte` may be part of a `token` (RFC 9110 section 5.6.2).
fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether `byte` may be part of a `token68`, apart from its padding (RFC 9110 section 11.2).
fn is_token68(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_www_authenticate_jsonl() {
        let mut seen = 0;
        for line in include_str!("../../tests/vectors/www_authenticate.jsonl").lines() {
            let row: serde_json::Value = serde_json::from_str(line).expect("a vector is JSON");
            let values = row["in"].as_array().expect("values").iter().map(|value| value.as_str().expect("a string"));
            let got: Vec<serde_json::Value> = Challenge::parse(values).iter().map(as_json).collect();
            assert_eq!(serde_json::Value::from(got), row["out"], "{line}");
            seen += 1;
        }
        assert_eq!(seen, 44);
    }

    fn as_json(challenge: &Challenge) -> serde_json::Value {
        let mut json = serde_json::json!({ "scheme": challenge.scheme() });
        match challenge.token68() {
            Some(token68) => json["token68"] = token68.into(),
            None => {
                json["params"] =
                    challenge.params().map(|(n, v)| (n.to_owned(), v.into())).collect::<serde_json::Map<_, _>>().into();
            }
        }
        if challenge.is_malformed() {
            json["malformed"] = true.into();
        }
        json
    }

    fn helps(value: &str) -> bool {
        renewal_may_help(&Challenge::parse([value]))
    }

    #[test]
    fn d9_a_401_without_a_bearer_challenge_is_a_refusal_of_the_token() {
        assert!(helps(""));
        assert!(helps("Basic realm=\"x\""));
        assert!(helps("Basic error=\"invalid_request\""));
    }

    #[test]
    fn d10_some_errors_show_that_a_new_token_cannot_help() {
        assert!(helps("Bearer error=\"invalid_request\""));
        assert!(!helps("Bearer error=\"insufficient_scope\", scope=\"admin\""));
        assert!(!helps("Bearer error=\"insufficient_user_authentication\""));
        assert!(helps("Bearer"));
        assert!(helps("Bearer error=\"invalid_token\""));
        assert!(helps("Bearer error=\"token_expired\""));
        assert!(helps("Bearer error=\"insufficient_scope\", Bearer error=\"invalid_token\""));
    }

    #[test]
    fn parsing_continues_after_malformed_input() {
        let parsed = Challenge::parse(["Bearer realm=\"a\" x=1, error=invalid_token, =, \"q,q\" y, Basic realm=b"]);
        assert_eq!(parsed.len(), 2);
        assert_eq!(parsed[0].param("error"), Some("invalid_token"));
        assert!(parsed[0].is_malformed() && !parsed[1].is_malformed());
        assert_eq!(parsed[1].param("realm"), Some("b"));
    }

    #[test]
    fn what_is_no_element_makes_the_challenge_before_it_malformed() {
        for odd in ["=x", "\"q\"", "@", "x@"] {
            let parsed = Challenge::parse([format!("Bearer realm=a, {odd}, Basic realm=b")]);
            assert!(parsed[0].is_malformed() && !parsed[1].is_malformed(), "{odd}: {parsed:?}");
        }
    }

    #[test]
    fn a_parameter_after_a_space_is_read_and_its_challenge_is_malformed() {
        let parsed =
            Challenge::parse(["Bearer realm=\"a b\"  error = \"insufficient_scope\"\tscope=\"c, d\" x, Basic realm=e"]);
        let params: Vec<_> = parsed[0].params().collect();
        assert_eq!(params, [("realm", "a b"), ("error", "insufficient_scope"), ("scope", "c, d")]);
        assert!(parsed[0].is_malformed() && !parsed[1].is_malformed());
        // A value needs a space behind it, and a new challenge needs a comma before it.
        assert_eq!(Challenge::parse(["Bearer realm=\"a\"error=\"x\""])[0].params().count(), 1);
        assert_eq!(Challenge::parse(["Basic realm=\"a\" Bearer error=\"x\""]).len(), 1);
        // The first one counts if a name occurs twice.
        assert_eq!(Challenge::parse(["Bearer error=a error=b"])[0].param("error"), Some("a"));
    }

    #[test]
    fn d10_words_behind_a_space_decide_about_a_renewal() {
        assert!(!helps("Bearer realm=\"api\" error=\"insufficient_scope\""));
        assert!(helps("Bearer scope=\"\" error=\"invalid_token\" error_description=\"expired\""));
    }

    #[test]
    fn input_that_is_neither_scheme_nor_parameter_is_skipped() {
        let schemes = |value| Challenge::parse([value]).iter().map(|one| one.scheme.clone()).collect::<Vec<_>>();
        assert_eq!(schemes("realm = \"x\""), [""; 0]);
        assert_eq!(schemes("Bearer\"x\", Basic realm=a"), ["basic"]);
        assert_eq!(schemes("Bearer =x"), [""; 0]);
        assert_eq!(schemes("Bearer x y \"a, Evil z=1\", Basic realm=b"), ["bearer", "basic"]);
        for value in ["Bearer foo bar", "Bearer @"] {
            let challenge = &Challenge::parse([value])[0];
            assert!(challenge.is_malformed() && challenge.params().count() == 0, "{value}: {challenge:?}");
        }
    }

    #[test]
    fn parameters_after_a_token68_are_malformed() {
        let parsed = Challenge::parse(["Negotiate YII=, x=1, Bearer error=invalid_token"]);
        assert!(parsed[0].is_malformed() && parsed[0].params().count() == 0, "{parsed:?}");
        assert_eq!((parsed[0].token68(), parsed[1].param("error")), (Some("YII="), Some("invalid_token")));
    }

    #[test]
    fn spaces_behind_a_token68_do_not_belong_to_it() {
        let parsed = Challenge::parse(["Negotiate YII= \t, Basic realm=a"]);
        assert_eq!((parsed.len(), parsed[0].token68(), parsed[0].is_malformed()), (2, Some("YII="), false));
    }

    #[test]
    fn a_parameter_never_joins_the_challenge_of_another_line() {
        let parsed = Challenge::parse(["Bearer", "error=\"invalid_request\""]);
        assert_eq!((parsed.len(), parsed[0].params().count()), (1, 0));
    }

    #[test]
    fn unquoted_urls_and_non_ascii_bytes_are_read() {
        assert_eq!(Challenge::parse(["X uri=https://a.b/?c=d"])[0].param("uri"), Some("https://a.b/?c=d"));
        let latin: &[u8] = b"Bearer realm=\"\xe9\", error=invalid_token";
        assert_eq!(Challenge::parse([latin])[0].param("error"), Some("invalid_token"));
    }

    #[test]
    fn a_long_hostile_header_is_read_in_linear_time() {
        for unit in ["a ", "a,", "\"", "\\\"", "a=\"", "a= ,", "=", "a b=c d ", "a=b ", "a =b c ", "a=\"\" "] {
            Challenge::parse([unit.repeat(64 * 1024)]);
        }
        let many: Vec<String> = (0..64 * 1024).map(|number| format!("p{number}=1")).collect();
        let challenge = &Challenge::parse([format!("Bearer {}", many.join(","))])[0];
        assert!(challenge.is_malformed() && challenge.params().count() == MOST_PARAMS);
    }
}
