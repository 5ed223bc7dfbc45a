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
    IdAlone,
    OwnHeader,
    Nothing,
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
            _ => format!("{CHECK}, and {HOW}"),
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
            Proof::IdAlone => f.write_str("the client id alone, ")?,
            Proof::OwnHeader => f.write_str("an Authorization header of your own, ")?,
            Proof::Nothing => f.write_str("no client authentication, ")?,
        }
        f.write_str(if self.is_json {
            "a JSON body (many servers want a form: TokenRequest::body_format)"
        } else {
            "a form"
        })?;
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

/// Escapes a text of the program, and cuts it.
fn short(text: &str) -> String {
    const LONGEST: usize = 80;
    let bytes = &text.as_bytes()[..text.len().min(LONGEST)];
    format!("{}{}", Excerpt(bytes), if text.len() > LONGEST { "..." } else { "" })
}
