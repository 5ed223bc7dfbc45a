//! How it works, answers to "How do I ...?", and recipes for identity providers.
//!
//! [How it works](how_it_works): the life of a token, a 401, and many threads, in three pictures.
//!
//! Questions: [How do I ...](how_do_i) name the API, rotate the secret, use a proxy, test my
//! program, and fifty more.
//!
//! Texts: [Error messages](errors) says of each text that this crate shows what it means and what
//! to do.
//!
//! Recipes: each one names what its service needs, and shows the exact token request.
//!
//! | recipe | what is special |
//! |---|---|
//! | [Auth0](auth0) | `audience`; id and secret in the body; 429 with `Retry-After` |
//! | [Bitbucket Cloud](bitbucket) | no audience; the JWT grant; Git |
//! | [Microsoft Entra](entra) | `scope` ends with `/.default`; a secret or a certificate |
//! | [Workload identity](workload_identity) | Kubernetes and GitHub Actions: nothing to store |
//! | [Okta](okta) | at least one scope of your own; a key for Okta's APIs |
//! | [Keycloak](keycloak) | the realm is in the URL; a secret or a key |
//! | [Amazon Cognito](cognito) | scopes with a slash; 400 for a wrong secret |
//! | [Google](google) | a key file, or the token of another platform |
//! | [Salesforce](salesforce) | no `expires_in`; the API's address comes with the token; JWT bearer |
//! | [NetSuite](netsuite) | a key; scopes are claims |
//! | [SMART Backend Services](smart) | a key; ES384 or RS384 |
//! | [SAP XSUAA, Cloud Foundry UAA](sap) | HTTP Basic is not decoded unless a header says so |
//! | [eBay](ebay) | `token_type` is `Application Access Token` |
//! | [UPS](ups) | numbers sent as strings; a header with the account |
//! | [Zoom](zoom) | the grant `account_credentials` |
//! | [GitHub App](github) | a signed JWT is the token; installation tokens |
//!
//! Many processes: with [Token stores](stores) they share one token. [At scale](scale) says what
//! they cost a token endpoint without one.
//!
#![cfg_attr(
    feature = "store",
    doc = "[A store of your own](own_store) shows one in a table of a PostgreSQL database.\n\n"
)]
//! The recipes write `"client-id"` and `"client-secret"`. In a program,
//! [read the secret](how_do_i#rotate-the-secret) from a file, a vault or
//! the environment.
//!
//! Every page is tested. Its code runs as a doc test, or in `tests/clients` and `tests/stores` if it
//! needs another HTTP client or a database. The token request that a recipe shows is compared with
//! the one that is sent, and the answers that the service documents are replayed
//! (`tests/vendors.rs`). Programs that sign run against servers that verify the signature
//! (`tests/recipes`).
// Documentation only: no code, and it imports nothing.
#![cfg(all(any(doc, doctest), feature = "keys", feature = "ureq"))]

/// The life of a token, a 401, and many threads, in three pictures.
///
/// # The life of a token
///
/// The first API request needs a token, so the crate requests one and keeps it in memory. All later
/// API requests carry this token.
///
#[doc = include_str!("../docs/pictures/life.svg")]
///
/// - The **renewal window** opens before the token has to be replaced: a fifth of its lifetime, and
///   5 minutes at most. In this window, one caller requests the second token inside its own call.
///   All others go on with the first one, so they do not wait. If the renewal fails, the first token
///   is used until early expiry, and the next renewal is tried after a pause.
/// - At **early expiry**, 30 seconds before the end of the lifetime (a quarter of it, if that is
///   less), the token is no longer used. An API request that takes a while, or a clock that differs,
///   then does no harm. See [`early_expiry`](crate::TokenSourceBuilder::early_expiry).
/// - The **expiry** is the time of the token request plus `expires_in`, measured by the monotonic
///   clock. The time of day of this machine may be wrong.
///
/// No thread runs in the background, and nothing is requested for a program that makes no calls. If
/// no caller may wait at all, set
/// [`renew_in_background`](crate::TokenSourceBuilder::renew_in_background). Processes that started
/// at the same moment do not renew at the same moment: see [At scale](scale).
///
/// # A 401
///
/// An API may refuse a token before it expires, because it was revoked or a key was rotated. The
/// program does not see this 401:
///
#[doc = include_str!("../docs/pictures/refusal.svg")]
///
/// - The token is dropped only if it still is the cached one. If another thread has replaced it
///   already, that token is used.
/// - The request is sent once more at most. The second answer goes to the program, whatever it is.
/// - The body is sent again if it fits into the
///   [replay limit](crate::TokenSourceBuilder::replay_limit), 1 MiB. If it does not, the program
///   gets the 401, and its next request has another token.
/// - A challenge that says `insufficient_scope` causes no renewal, because another token would be
///   refused as well.
/// - An API that refuses every token costs one token request in 10 seconds.
///
/// # Many threads
///
/// Threads that need a token at the same time share one token request:
///
#[doc = include_str!("../docs/pictures/threads.svg")]
///
/// - If the token request fails, all threads get its error. It is remembered for a while, so that
///   the next calls do not repeat it at once.
/// - Each thread waits no longer than its own time limit. If the thread that fetches runs out of
///   time, the thread with the most time left goes on.
/// - Clones of a source, and sources that share a [`TokenCache`](crate::TokenCache), share its
///   tokens. Processes share them through a [store](stores).
pub mod how_it_works {}

#[doc = include_str!("../docs/how-do-i.md")]
pub mod how_do_i {}

#[doc = include_str!("../docs/errors.md")]
pub mod errors {}

#[doc = include_str!("../docs/recipes/auth0.md")]
pub mod auth0 {}

#[doc = include_str!("../docs/recipes/bitbucket.md")]
pub mod bitbucket {}

#[doc = include_str!("../docs/recipes/cognito.md")]
pub mod cognito {}

#[doc = include_str!("../docs/recipes/ebay.md")]
pub mod ebay {}

#[doc = include_str!("../docs/recipes/entra.md")]
pub mod entra {}

#[doc = include_str!("../docs/recipes/github.md")]
pub mod github {}

#[doc = include_str!("../docs/recipes/google.md")]
pub mod google {}

#[doc = include_str!("../docs/recipes/keycloak.md")]
pub mod keycloak {}

#[doc = include_str!("../docs/recipes/netsuite.md")]
pub mod netsuite {}

#[doc = include_str!("../docs/recipes/okta.md")]
pub mod okta {}

#[cfg(feature = "store")]
#[doc = include_str!("../docs/recipes/own-store.md")]
pub mod own_store {}

#[doc = include_str!("../docs/recipes/salesforce.md")]
pub mod salesforce {}

#[doc = include_str!("../docs/recipes/sap.md")]
pub mod sap {}

// On GitHub the page links to the picture. Here the picture is part of the page, because no other
// file comes with it.
#[doc = "[plot]: #plot\n"]
#[doc = include_str!("../docs/scale.md")]
#[doc = ""]
#[doc = include_str!("../docs/scale.svg")]
pub mod scale {}

#[doc = include_str!("../docs/recipes/smart.md")]
pub mod smart {}

#[cfg(feature = "store-file")]
#[doc = include_str!("../docs/stores.md")]
pub mod stores {}

#[doc = include_str!("../docs/recipes/ups.md")]
pub mod ups {}

#[doc = include_str!("../docs/recipes/workload-identity.md")]
pub mod workload_identity {}

#[doc = include_str!("../docs/recipes/zoom.md")]
pub mod zoom {}

#[doc = include_str!("../SECURITY.md")]
pub mod security {}

#[doc = include_str!("../CHANGELOG.md")]
pub mod changelog {}
