//! The client authentication of one token request (RFC 6749 section 2.3). Imports `made`, `redact`,
//! `protocol::basic`.

use std::hash::{Hash, Hasher};

use http::HeaderValue;

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

/// Equal for what is sent in the same way.
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
