//! What the fuzz targets share: readings and writings of the same texts as the crate's, made without it, and a model
//! of a token request.

#![forbid(unsafe_code)]

pub mod calendar;
pub mod escapes;
pub mod model;
pub mod reading;
