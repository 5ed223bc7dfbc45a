//! What a refused token request sent, as far as it helps to find the mistake. Imports `redact`.

use std::fmt;

use crate::redact::Excerpt;

/// What was sent, for the text of a refusal. Holds no secret.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) proof: Proof,
    pub(crate) is_json: bool,
    /// Whether the token endpoint is plain http.
    pub(crate) is_plain_http: bool,
    /// The assertion in the grant, if one was signed here.
    pub(crate) grant: Option<SignedFor>,
    /// By how many seconds the server's clock is ahead of ours, if what was sent has a time in it and
    /// the answer tells.
    pub(crate) server_ahead: Option<i64>,
    pub(crate) audience: String,
    pub(crate) resource: String,
    pub(crate) scope: String,
}

/// The client authentication that was sent.
#[derive(Clone, Debug, Default)]
pub(crate) enum Proof {
    /// Somebody else sent the request.
    #[default]
    Unknown,
    /// A client secret, and whether it was empty.
    Secret {
        how: SecretIn,
        is_empty: bool,
    },
    /// A client assertion that was signed here.
    Signed(SignedFor),
    /// A client assertion from a closure, and for how many seconds it has been expired.
    Provided {
        expired: Option<u64>,
    },
    IdAlone,
    OwnHeader,
    Nothing,
}

/// The algorithm and the audience of an assertion.
#[derive(Clone, Debug)]
pub(crate) struct SignedFor {
    pub(crate) algorithm: &'static str,
    pub(crate) audience: String,
}

impl fmt::Display for SignedFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} for \"{}\")", self.algorithm, short(&self.audience))
    }
}

#[derive(Clone, Debug)]
pub(crate) enum SecretIn {
    /// HTTP Basic in this encoding, and what would write the id and secret differently, in the
    /// order in which to try it.
    Basic {
        encoding: &'static str,
        others: Vec<&'static str>,
    },
    Body,
}

impl Sent {
    /// Returns what to do if the server does not accept the client.
    pub(super) fn credentials_remedy(&self) -> String {
        const CHECK: &str = "check the client id and secret";
        const HOW: &str = "how they are sent (Credentials::basic_encoding, Credentials::in_body)";
        match &self.proof {
            Proof::Secret { is_empty: true, .. } => format!("the client secret was empty; {CHECK}, and {HOW}"),
            Proof::Secret { how: SecretIn::Basic { others, .. }, .. } if !others.is_empty() => format!(
                "{CHECK}; they hold characters that servers decode differently: try {} (Credentials::basic_encoding)",
                others.join(", then ")
            ),
            // The key is the client secret (client_secret_jwt).
            Proof::Signed(SignedFor { algorithm: "HS256", .. }) => {
                format!("{CHECK}, and the audience of the assertion (TokenRequest::issuer){}", self.clock())
            }
            Proof::Signed(_) => format!(
                "check the client id, that the server has this public key (SigningKey::public_jwk) with this key id, and \
                 the audience of the assertion (Assertion::audience){}",
                self.clock()
            ),
            Proof::Provided { expired: Some(seconds) } => {
                format!("the assertion expired {} ago; does something still write it?", rough(*seconds))
            }
            Proof::Provided { .. } => {
                String::from("check the client id, and the issuer, the subject and the audience of the assertion")
            }
            Proof::IdAlone | Proof::Nothing => String::from(
                "check the client id, and what the server expects with it: a secret (Credentials::new), a key \
                 (Credentials::with_key) or a certificate (UreqTransport::with_client_certificate)",
            ),
            Proof::OwnHeader => String::from("check the Authorization header that you set (TokenRequest::header)"),
            Proof::Unknown | Proof::Secret { .. } => format!("{CHECK}, and {HOW}"),
        }
    }

    /// Returns what to do if the server does not accept the grant.
    pub(super) fn grant_remedy(&self) -> String {
        match &self.grant {
            Some(_) => format!(
                "check what the assertion says (Assertion::issuer, subject, audience, claim), and that the server has its \
                 public key{}",
                self.clock()
            ),
            None => String::from(
                "the assertion or token that was sent is wrong or expired (TokenRequest::parameter); if this machine \
                 signs assertions, check its clock",
            ),
        }
    }

    fn clock(&self) -> String {
        match self.server_ahead {
            Some(ahead @ 3..) => format!("; this machine's clock is {ahead} s behind the server's"),
            Some(ahead @ ..=-3) => {
                format!("; this machine's clock is {} s ahead of the server's", ahead.unsigned_abs())
            }
            _ => String::new(),
        }
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sent: ")?;
        match &self.proof {
            Proof::Unknown => {}
            Proof::Secret { how: SecretIn::Basic { encoding, .. }, .. } => write!(f, "HTTP Basic ({encoding}), ")?,
            Proof::Secret { how: SecretIn::Body, .. } => f.write_str("the client secret in the body, ")?,
            Proof::Signed(signed) => write!(f, "a client assertion {signed}, ")?,
            Proof::Provided { .. } => f.write_str("a client assertion of your own, ")?,
            Proof::IdAlone => f.write_str("the client id alone, ")?,
            Proof::OwnHeader => f.write_str("an Authorization header of your own, ")?,
            Proof::Nothing => f.write_str("no client authentication, ")?,
        }
        f.write_str(if self.is_json {
            "a JSON body (many servers want a form: TokenRequest::body_format)"
        } else {
            "a form"
        })?;
        if let Some(signed) = &self.grant {
            write!(f, ", an assertion as the grant {signed}")?;
        }
        for (name, value) in [("audience", &self.audience), ("resource", &self.resource), ("scope", &self.scope)] {
            match value.as_str() {
                "" if name == "resource" => {}
                "" => write!(f, ", no {name}")?,
                value => write!(f, ", {name} \"{}\"", short(value))?,
            }
        }
        Ok(())
    }
}

/// Writes a time for people.
fn rough(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Escapes a text of the program, and cuts it.
fn short(text: &str) -> String {
    const LONGEST: usize = 80;
    let bytes = &text.as_bytes()[..text.len().min(LONGEST)];
    format!("{}{}", Excerpt(bytes), if text.len() > LONGEST { "..." } else { "" })
}
