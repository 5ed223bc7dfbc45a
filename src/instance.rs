//! Tells values apart that cannot be compared, such as closures. Imports nothing from this crate.

use std::sync::Arc;

/// A value that equals only its clones. It points to one byte, because values without a size may
/// share an address.
#[derive(Clone, Default)]
pub(crate) struct Instance(Arc<u8>);

impl Instance {
    /// Returns a text that only clones have, as long as one of them lives.
    #[cfg(feature = "keys")]
    pub(crate) fn name(&self) -> Arc<str> {
        Arc::from(format!("{:p}", Arc::as_ptr(&self.0)))
    }
}

impl PartialEq for Instance {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Instance {}
