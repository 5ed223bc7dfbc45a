//! The client authentication of one token request (RFC 6749 section 2.3). Imports `error`, `made`,
//! `redact`, `protocol::basic`.

use std::hash::{Hash, Hasher};

use http::HeaderValue;

use crate::error::Error;
use crate::made::Made;
use crate::protocol::basic::BasicEncoding;
use crate::redact::Secret;

/// The client authentication of one request.
pub(crate) enum Authentication {
    Basic {
        header: HeaderValue,
        secret: Secret,
        encoding: BasicEncoding,
        /// What would write the id and secret differently.
        others: Vec<&'static str>,
        /// The client id, if the body has it, too.
        id_in_body: Option<String>,
    },
    Body {
        client_id: String,
        secret: Secret,
    },
    Assertion {
        client_id: String,
        made: Made,
    },
    ClientId(String),
    Nothing,
}

/// If two have equal hashes, a server that refused one refuses the other as well.
impl Hash for Authentication {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Basic { header, .. } => header.hash(state),
            Self::Body { client_id, secret } => (client_id, secret.secret()).hash(state),
            Self::Assertion { client_id, made } => (client_id, made.mark()).hash(state),
            Self::ClientId(client_id) => client_id.hash(state),
            Self::Nothing => {}
        }
    }
}

/// Refuses control characters, and an empty client id. RFC 6749 sections A.1 and A.2 allow visible
/// characters and the space; Appendix B allows all of Unicode. An empty secret is legal
/// (section 2.3.1), so it is sent.
pub(super) fn check(name: &str, text: &str) -> Result<(), Error> {
    if text.chars().any(char::is_control) {
        return Err(Error::configuration(format!(
            "the client {name} holds a control character; is there a line break at its end?"
        )));
    }
    if name == "id" && text.is_empty() {
        return Err(Error::configuration(
            "the client id is empty; check where it is read from, or use Credentials::none",
        ));
    }
    Ok(())
}
