//! A client certificate with its key, in DER, for a TLS library. Imports `error`,
//! `signing::certificate`, `signing::pem`, `signing::private_key`, `signing::public_key`,
//! `signing::unusable`.

use zeroize::Zeroizing;

use crate::error::Error;
use crate::signing::certificate::chain;
use crate::signing::pem::File;
use crate::signing::private_key::{Format, PrivateKey};
use crate::signing::public_key::PublicKey;
use crate::signing::unusable::Unusable;

/// The certificate of the key comes first, then the others of its text.
pub(crate) struct ClientCertificate {
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) format: Format,
    pub(crate) key: Zeroizing<Vec<u8>>,
}

impl ClientCertificate {
    /// Reads a text that has both. `method` is for the error.
    pub(crate) fn read(pem: &[u8], method: &str) -> Result<Self, Error> {
        let read = || {
            let file = File::read(pem)?;
            let (format, der) = file.key()?;
            let public = PublicKey::of_private(&PrivateKey::read(format, der)?)?;
            let (chain, _) = chain(&file.certificates, Some(&public))?;
            let chain = chain.into_iter().map(<[u8]>::to_vec).collect();
            Ok(Self { chain, format, key: Zeroizing::new(der.to_vec()) })
        };
        read().map_err(|unusable: Unusable| unusable.at(method))
    }
}
