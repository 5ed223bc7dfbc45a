//! Recipes for identity providers, and answers to "How do I ...?".
//!
//! Questions: [How do I ...](how_do_i) name the API, rotate the secret, use a proxy, test my
//! program, and forty more.
//!
//! Recipes: each one names what its service needs, and shows the exact token request.
//!
//! | recipe | what is special |
//! |---|---|
//! | [Auth0](auth0) | `audience`; id and secret in the body; 429 with `Retry-After` |
//! | [Bitbucket Cloud](bitbucket) | no audience; the JWT grant; Git |
//! | [Microsoft Entra](entra) | `scope` ends with `/.default` |
//! | [Okta](okta) | at least one scope of your own |
//! | [Keycloak](keycloak) | the realm is in the URL |
//! | [Amazon Cognito](cognito) | scopes with a slash; 400 for a wrong secret |
//! | [Google service account](google) | a signed assertion instead of a secret |
//! | [Salesforce](salesforce) | no `expires_in`; the API's address comes with the token |
//! | [SAP XSUAA, Cloud Foundry UAA](sap) | HTTP Basic is not decoded unless a header says so |
//! | [eBay](ebay) | `token_type` is `Application Access Token` |
//! | [UPS](ups) | numbers sent as strings; a header with the account |
//! | [Zoom](zoom) | the grant `account_credentials` |
//! | [GitHub App](github) | not OAuth 2.0, so a transport translates |
//!
//! Load: [At scale](scale) is for many processes that use one token endpoint.
//!
//! The recipes write `"client-id"` and `"client-secret"`. In a program,
//! [read the secret](how_do_i#rotate-the-client-secret-without-a-restart) from a file, a vault or
//! the environment.
//!
//! Every page is tested. Its code runs as a doc test, the token request that it shows is compared
//! with the one that is sent, and the answers that the service documents are replayed
//! (`tests/vendors.rs`).
// Documentation only: no code, and it imports nothing.
#![cfg(all(any(doc, doctest), feature = "ureq"))]

#[doc = include_str!("../docs/how-do-i.md")]
pub mod how_do_i {}

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

#[doc = include_str!("../docs/recipes/okta.md")]
pub mod okta {}

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

#[doc = include_str!("../docs/recipes/ups.md")]
pub mod ups {}

#[doc = include_str!("../docs/recipes/zoom.md")]
pub mod zoom {}
