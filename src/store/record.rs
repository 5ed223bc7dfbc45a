//! What the entries of a store say: a token, or a failure. Pure; time is an argument. Imports `clock`,
//! `error`, `protocol::token`, `renewal::caller`, `store`.
//!
//! An entry is a JSON object. `v` is the version: another number is nothing that can be used, and is
//! replaced. Members that are not known are ignored, so that a later version may add some. There is no
//! secret in it, no client id and no endpoint.

use std::time::{Duration, UNIX_EPOCH};

use http::header::RETRY_AFTER;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::clock::{Moment, Uptime};
use crate::error::Error;
use crate::protocol::token::{AccessToken, TokenHeader};
use crate::renewal::caller::Kept;

const VERSION: u64 = 1;
/// A larger entry is nothing that this crate has written.
const LARGEST: usize = 1024 * 1024;
/// An entry that was made further in the future is not used: one of two clocks is wrong.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// The longest that a failure holds, whatever its entry says.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// What the clocks show, those of this machine and that of the store.
pub(crate) struct Clocks {
    pub(crate) now: Moment,
    pub(crate) uptime: Option<Uptime>,
    /// How much longer the store keeps the entry.
    pub(crate) left: Option<Duration>,
}

/// A failure that other processes need not repeat.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Note {
    pub(crate) status: u16,
    pub(crate) code: Option<String>,
    /// How long it is remembered.
    pub(crate) pause: Duration,
    /// Whether the server asked for the pause.
    pub(crate) asked: bool,
    /// What was refused, if a closure may replace it.
    pub(crate) proof: Option<String>,
}

impl Note {
    /// Makes a note of a refusal; `None` for a failure that tells other machines nothing.
    pub(crate) fn new(error: &Error, pause: Duration, proof: Option<String>) -> Option<Self> {
        let Error::Denied(denied) = error else { return None };
        // Without a code, it may be the word of a proxy or a firewall about this machine.
        if denied.code().is_none() && !matches!(denied.status(), 429 | 500..) {
            return None;
        }
        let asked = denied.retry_after.is_some();
        Some(Self { status: denied.status(), code: denied.code().map(str::to_owned), pause, asked, proof })
    }

    /// Returns the error that `decode` makes of the answer that was noted.
    pub(crate) fn error(&self, decode: impl FnOnce(&http::Response<String>) -> Option<Error>) -> Option<Error> {
        let body = self.code.as_ref().map(|code| serde_json::json!({ "error": code }).to_string());
        let mut answer = http::Response::builder().status(self.status);
        if self.asked {
            answer = answer.header(RETRY_AFTER, self.pause.as_secs_f64().ceil() as u64);
        }
        decode(&answer.body(body.unwrap_or_default()).ok()?).filter(|error| matches!(error, Error::Denied(_)))
    }
}

/// Writes the entry of a token. `keep` is how long the store keeps it, counted from the request.
pub(crate) fn of_token(kept: &Kept, keep: Duration, clocks: &Clocks) -> Zeroizing<Vec<u8>> {
    let token = &kept.token;
    let mut record = begin(token.age(&clocks.now), keep, clocks);
    record.insert("token".into(), token.secret().into());
    record.insert("type".into(), "Bearer".into());
    if let Some(lifetime) = token.expires_in() {
        record.insert("expires_in_ms".into(), milliseconds(lifetime).into());
    }
    if let Some(scope) = token.scope() {
        record.insert("scope".into(), scope.into());
    }
    if let Some(members) = token.members() {
        record.insert("members".into(), members.clone().into());
    }
    // Without it, the token is used until it is refused.
    if kept.due != Duration::MAX {
        record.insert("renew_ms".into(), milliseconds(kept.due).into());
    }
    written(record)
}

/// Reads the entry of a token. Returns `None` if it cannot be used.
pub(crate) fn token(entry: &[u8], header: &TokenHeader, clocks: &Clocks) -> Option<Kept> {
    let mut record = read(entry)?;
    let age = age(&record, clocks)?;
    if record.get("type")?.as_str() != Some("Bearer") {
        return None;
    }
    let scope = match record.get_mut("scope").map(Value::take) {
        None => None,
        Some(Value::String(scope)) => Some(scope),
        Some(_) => return None,
    };
    let members = match record.get_mut("members").map(Value::take) {
        None => Map::new(),
        Some(Value::Object(members)) => members,
        Some(_) => return None,
    };
    let lifetime = optional(&record, "expires_in_ms")?;
    let due = optional(&record, "renew_ms")?.unwrap_or(Duration::MAX);
    let token = record.get("token")?.as_str()?;
    let token = AccessToken::sent_in(header, token, lifetime, scope, members, clocks.now)?;
    Some(Kept { token: token.aged(age), due })
}

/// Writes the entry of a failure.
pub(crate) fn of_note(note: &Note, clocks: &Clocks) -> Zeroizing<Vec<u8>> {
    let mut record = begin(Duration::ZERO, note.pause, clocks);
    let mut denied = Map::new();
    denied.insert("status".into(), note.status.into());
    denied.insert("code".into(), note.code.clone().into());
    denied.insert("asked".into(), note.asked.into());
    denied.insert("proof".into(), note.proof.clone().into());
    record.insert("denied".into(), denied.into());
    written(record)
}

/// Reads the entry of a failure, with the part of its pause that is left. Returns `None` if it cannot be
/// used, or is over.
pub(crate) fn note(entry: &[u8], clocks: &Clocks) -> Option<Note> {
    let record = read(entry)?;
    let pause = duration(&record, "keep_ms")?.min(LONGEST_PAUSE);
    // By the wall clock, too, so that an attacker with write access cannot keep an old note alive by saving
    // it again. A wrong clock costs a request.
    let age = age(&record, clocks)?.max(wall_age(&record, clocks).unwrap_or_default());
    let pause = pause.checked_sub(age).filter(|left| !left.is_zero())?;
    let denied = record.get("denied")?;
    let text = |name| match denied.get(name) {
        None | Some(Value::Null) => Some(None),
        Some(Value::String(text)) => Some(Some(text.clone())),
        Some(_) => None,
    };
    Some(Note {
        status: denied.get("status")?.as_u64()?.try_into().ok()?,
        code: text("code")?,
        pause,
        asked: denied.get("asked")?.as_bool()?,
        proof: text("proof")?,
    })
}

/// Begins an entry about something of this age.
fn begin(age: Duration, keep: Duration, clocks: &Clocks) -> Map<String, Value> {
    let mut record = Map::new();
    record.insert("v".into(), VERSION.into());
    let wall = clocks.now.wall().checked_sub(age).and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    record.insert("wall_ms".into(), milliseconds(wall.unwrap_or_default()).into());
    record.insert("keep_ms".into(), milliseconds(keep).into());
    if let Some(uptime) = &clocks.uptime {
        record.insert("boot".into(), uptime.boot_id().into());
        record.insert("up_ms".into(), milliseconds(uptime.time().saturating_sub(age)).into());
    }
    record
}

fn written(record: Map<String, Value>) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(Value::Object(record).to_string().into_bytes())
}

fn read(entry: &[u8]) -> Option<Map<String, Value>> {
    let entry = Some(entry).filter(|entry| entry.len() <= LARGEST)?;
    let Value::Object(record) = serde_json::from_slice(entry).ok()? else { return None };
    (record.get("v")?.as_u64()? == VERSION).then_some(record)
}

/// Returns the age: the largest that a clock tells. The clock of the store takes the place of the wall
/// clock, because the wall clocks of two machines may differ. `None` if a clock tells nonsense.
fn age(record: &Map<String, Value>, clocks: &Clocks) -> Option<Duration> {
    let since_boot = match &clocks.uptime {
        Some(uptime) if record.get("boot").and_then(Value::as_str) == Some(uptime.boot_id()) => {
            uptime.time().saturating_sub(duration(record, "up_ms")?)
        }
        _ => Duration::ZERO,
    };
    let age = match clocks.left {
        Some(left) => {
            let keep = duration(record, "keep_ms")?;
            // A store may round up, or keep an entry for a little longer.
            keep.checked_sub(left).or_else(|| (left - keep <= CLOCKS_DIFFER).then_some(Duration::ZERO))?
        }
        None => wall_age(record, clocks)?,
    };
    Some(age.max(since_boot))
}

/// Returns the age by the wall clock. `None` if it is of the future.
fn wall_age(record: &Map<String, Value>, clocks: &Clocks) -> Option<Duration> {
    let then = UNIX_EPOCH.checked_add(duration(record, "wall_ms")?)?;
    match clocks.now.wall().duration_since(then) {
        Ok(age) => Some(age),
        Err(ahead) => (ahead.duration() <= CLOCKS_DIFFER).then_some(Duration::ZERO),
    }
}

fn duration(record: &Map<String, Value>, name: &str) -> Option<Duration> {
    record.get(name)?.as_u64().map(Duration::from_millis)
}

/// The outer `None` is for a member that is there and is no duration.
fn optional(record: &Map<String, Value>, name: &str) -> Option<Option<Duration>> {
    if record.contains_key(name) { duration(record, name).map(Some) } else { Some(None) }
}

fn milliseconds(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}

/// Returns the number of a stamp for a token that was requested at this moment.
pub(crate) fn stamp(at: Moment) -> u64 {
    milliseconds(at.wall().duration_since(UNIX_EPOCH).unwrap_or_default())
}
