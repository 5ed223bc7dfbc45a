//! Sends events to the hook and to the `log` crate. Imports `event`, `origin`, `source`.

use std::sync::PoisonError;

use crate::event::{Event, EventKind};
use crate::origin;
use crate::source::TokenSource;

impl TokenSource {
    pub(super) fn emit(&self, kind: EventKind<'_>) {
        let event = Event { endpoint: self.0.request.endpoint_host(), client_id: self.0.credentials.client_id(), kind };
        let level = match kind {
            EventKind::Answered { error: Some(_), .. }
            | EventKind::Refused { error: Some(_), .. }
            | EventKind::NotSent { .. }
            | EventKind::ClockCorrected { .. }
            | EventKind::LifetimeIgnored { .. }
            | EventKind::RenewalFailed { .. }
            | EventKind::OriginNotAllowed { .. }
            | EventKind::LengthRequired { .. } => log::Level::Warn,
            #[cfg(feature = "store")]
            EventKind::StoreFailed { .. } => log::Level::Warn,
            _ => log::Level::Debug,
        };
        log::log!(target: "client_credentials", level, "{event}");
        if let Some(hook) = &self.0.hook {
            hook(&event);
        }
    }

    /// Reports, once per origin, a 401 from an origin that is not allowed to receive the token.
    pub(super) fn report_origin(&self, uri: &http::Uri) {
        /// Stop reporting after this many origins.
        const MOST: usize = 16;
        let origin = origin::display(uri);
        let mut reported = self.0.origins_not_allowed.lock().unwrap_or_else(PoisonError::into_inner);
        if reported.len() < MOST && !reported.contains(&origin) {
            reported.push(origin.clone());
            drop(reported);
            self.emit(EventKind::OriginNotAllowed { origin: &origin });
        }
    }
}
