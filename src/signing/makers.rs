//! Makers of assertions whose key is not fixed: it comes from a closure, or is the client secret.
//! Imports `error`, `instance`, `made`, `redact`, `signing`, `signing::assertion`, `transport`.

use crate::error::{BoxError, Error, Failed};
use crate::instance::Instance;
use crate::made::{Context, Made, Maker};
use crate::redact::Secret;
use crate::signing::SigningKey;
use crate::signing::assertion::Assertion;
use crate::transport::Attempt;

/// Signs with the key that a closure returns.
pub(crate) struct KeyFrom<F> {
    provider: F,
    instance: Instance,
}

impl<F> KeyFrom<F> {
    pub(crate) fn new(provider: F) -> Self {
        Self { provider, instance: Instance::default() }
    }
}

impl<F> Maker for KeyFrom<F>
where
    F: Fn() -> Result<SigningKey, BoxError> + Send + Sync,
{
    fn make(&self, context: Context<'_>, attempt: &Attempt) -> Result<Made, Error> {
        let key = (self.provider)().map_err(|cause| {
            let client_id = context.client_id.unwrap_or_default().to_owned();
            Error::credentials(Failed::Key { client_id }, cause)
        })?;
        Assertion::new(key).make(context, attempt)
    }

    fn identity(&self, context: Context<'_>) -> (String, Option<Instance>) {
        (format!("{:?}", context.audience), Some(self.instance.clone()))
    }

    fn may_change(&self) -> bool {
        true
    }
}

/// Signs with a client secret (`client_secret_jwt`).
pub(crate) fn sign_with_secret(secret: &Secret, context: Context<'_>, attempt: &Attempt) -> Result<Made, Error> {
    Assertion::new(SigningKey::shared(secret.secret().as_bytes())?).make(context, attempt)
}
