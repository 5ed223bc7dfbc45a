//! Texts of which each attempt at a token request makes a new one: signed assertions, and what
//! closures return. Imports `error`, `instance`, `redact`, `transport`.

use std::sync::Arc;

use crate::error::{BoxError, Error, Failed};
use crate::instance::Instance;
use crate::redact::Secret;
use crate::transport::Attempt;

/// Makes a text for each attempt. A trait object, so that a program that signs nothing does not
/// contain what signs.
pub(crate) trait Maker: Send + Sync {
    fn make(&self, context: Context<'_>, attempt: &Attempt) -> Result<Made, Error>;

    /// Returns what identifies the text in a cache key, before one is made: what decides about it,
    /// and the instance of each closure that does. Does not call a closure.
    fn identity(&self, context: Context<'_>) -> (String, Option<Instance>);

    /// Whether a closure takes part, which may return something else each time.
    fn may_change(&self) -> bool;
}

/// What an assertion says unless it has settings of its own.
#[derive(Clone, Copy, Default)]
#[cfg_attr(not(feature = "keys"), allow(dead_code, reason = "only assertions read it"))]
pub(crate) struct Context<'a> {
    pub(crate) client_id: Option<&'a str>,
    /// Whether the issuer is the subject, too, as client authentication requires (RFC 7523
    /// section 3).
    pub(crate) authenticates: bool,
    pub(crate) audience: Option<&'a str>,
}

/// A text for one attempt.
pub(crate) struct Made {
    pub(crate) text: Secret,
    /// The key that signed the text: a server that refused one text of a key refuses the next one, too.
    /// Without a key, the text itself is compared.
    pub(crate) mark: Option<Arc<str>>,
    /// The algorithm and the audience, if it was signed here.
    pub(crate) signed: Option<(&'static str, String)>,
}

impl Made {
    /// Returns what stands for a text in a cache key.
    pub(crate) fn recipe(recipe: String) -> Self {
        Self { text: Secret::new(recipe), mark: None, signed: None }
    }

    pub(crate) fn mark(&self) -> &str {
        self.mark.as_deref().unwrap_or(self.text.secret())
    }
}

type Closure = dyn Fn() -> Result<Secret, BoxError> + Send + Sync;

/// A closure that returns the text.
pub(crate) struct Provided {
    closure: Box<Closure>,
    instance: Instance,
    /// What the text is, for the error if the closure fails.
    what: fn(&str) -> Failed,
    name: String,
}

impl Provided {
    pub(crate) fn new(
        what: fn(&str) -> Failed,
        name: &str,
        closure: impl Fn() -> Result<Secret, BoxError> + Send + Sync + 'static,
    ) -> Self {
        Self { closure: Box::new(closure), instance: Instance::default(), what, name: name.to_owned() }
    }
}

impl Maker for Provided {
    fn make(&self, _: Context<'_>, _: &Attempt) -> Result<Made, Error> {
        let text = (self.closure)().map_err(|cause| Error::credentials((self.what)(&self.name), cause))?;
        Ok(Made { text, mark: None, signed: None })
    }

    fn identity(&self, _: Context<'_>) -> (String, Option<Instance>) {
        // Not empty, because an empty parameter counts as left out.
        (String::from("+ "), Some(self.instance.clone()))
    }

    fn may_change(&self) -> bool {
        true
    }
}
