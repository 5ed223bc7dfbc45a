//! The commands, on a few connections that are kept.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use client_credentials::{Claim, Entry, Stamp, StoreError, StoreKey, TokenStore};
use redis::{Cmd, Value};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::address::Address;
use crate::fault;
use crate::link::{Deadline, Failure, Link};

/// How long an operation may take in all. Less than the half second after which a source gives its store up, so
/// that it is told why.
const LIMIT: Duration = Duration::from_millis(400);

/// Longer entries are neither written nor read.
const MAX_ENTRY: usize = 1 << 20;

const STAMP: usize = size_of::<u64>();

/// A connection that was not used for longer is not used again. Between two renewals something on the way may have
/// dropped it without a word, and the answer would be waited for in vain.
const LONGEST_IDLE: Duration = Duration::from_secs(30);

/// More idle connections than this are closed. A source uses one at a time.
const MAX_IDLE: usize = 8;

/// Sets the entry, unless the first 8 bytes of the one that is there are greater, byte by byte: `<` of Lua compares
/// by the locale of the server. If the key has a value of another type, it is replaced.
const SAVE: &str = "\
local old, new = redis.pcall('GETRANGE', KEYS[1], 0, 7), ARGV[1]
if type(old) == 'string' and #old == 8 then
  for i = 1, 8 do
    local a, b = old:byte(i), new:byte(i)
    if a > b then return 0 end
    if a < b then break end
  end
end
redis.call('SET', KEYS[1], new, 'PX', ARGV[2])
return 1";

/// Deletes a claim that still is ours.
const RELEASE: &str = "\
if redis.call('GETRANGE', KEYS[1], 0, -1) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0";

/// The commands that a user of the Redis needs, as `ACL SETUSER` wants them.
const COMMANDS: &str = "+getrange +pttl +set +del +eval";

/// Entries and claims in a Redis, not sealed.
#[derive(Clone)]
pub(crate) struct Entries(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// The last operation had no answer: a claim is not released then, which would wait for nothing again.
    silent: AtomicBool,
}

struct State {
    address: Arc<Address>,
    prefix: String,
    /// With the moment of its last use.
    idle: Vec<(Link, Instant)>,
    /// A process that was forked must not use the connections of its parent.
    process: u32,
}

impl Entries {
    pub(crate) fn new(address: Address, prefix: &str) -> Self {
        let state =
            State { address: Arc::new(address), prefix: prefix.into(), idle: Vec::new(), process: std::process::id() };
        Self(Arc::new(Shared { state: Mutex::new(state), silent: AtomicBool::new(false) }))
    }

    pub(crate) fn set_prefix(&self, prefix: String) {
        self.state().prefix = prefix;
    }

    #[cfg(feature = "rustls")]
    pub(crate) fn set_root_certificates(&self, pem: &[u8]) -> Result<(), StoreError> {
        let mut state = self.state();
        let Some(tls) = &mut Arc::make_mut(&mut state.address).tls else {
            return Err(StoreError::new("root certificates are for a URL that begins with rediss://"));
        };
        tls.config = crate::tls::config(crate::tls::own_roots(pem)?)?;
        Ok(())
    }

    pub(crate) fn address(&self) -> String {
        self.state().address.to_string()
    }

    pub(crate) fn prefix(&self) -> String {
        self.state().prefix.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `what` is `t` for a token, or `l` for the claim (lease) of who fetches it. The braces make one slot of both.
    fn name(&self, key: &StoreKey, what: &str) -> String {
        format!("{}{{{key}}}:{what}", self.state().prefix)
    }

    /// Sends all commands in one round trip, and returns their answers.
    fn exchange(&self, commands: &[Cmd]) -> Result<Vec<Value>, StoreError> {
        self.try_exchange(commands).map_err(|failure| self.explain(failure))
    }

    fn try_exchange(&self, commands: &[Cmd]) -> Result<Vec<Value>, Failure> {
        let result = self.exchange_within(commands, Deadline::after(LIMIT));
        self.0.silent.store(matches!(result, Err(Failure::Broken(_))), Ordering::Relaxed);
        result
    }

    /// The lock is not held while anything is sent or read: a Redis that hangs must not stop two threads one after the
    /// other.
    fn exchange_within(&self, commands: &[Cmd], deadline: Deadline) -> Result<Vec<Value>, Failure> {
        let (idle, address) = self.take();
        if let Some(mut link) = idle {
            match link.exchange(commands, deadline) {
                // Closed by the server meanwhile, as after its own idle timeout or a restart, and so are the others,
                // probably. All commands may be sent twice: a claim that was given, and whose answer was lost, ends by
                // itself.
                Err(Failure::Broken(error)) if !error.is_timeout() => self.state().idle.clear(),
                result => return self.keep(link, result),
            }
        }
        let mut link = Link::open(&address, deadline)?;
        let result = link.exchange(commands, deadline);
        self.keep(link, result)
    }

    fn take(&self) -> (Option<Link>, Arc<Address>) {
        let mut state = self.state();
        let process = std::process::id();
        if state.process != process {
            state.process = process;
            state.idle.clear();
        }
        state.idle.retain(|(_, used)| used.elapsed() < LONGEST_IDLE);
        let idle = state.idle.pop().map(|(link, _)| link);
        (idle, Arc::clone(&state.address))
    }

    /// After an error a new connection is made, even if the server only refused: it may have become a replica, and
    /// its name may lead to another by now.
    fn keep(&self, link: Link, result: Result<Vec<Value>, Failure>) -> Result<Vec<Value>, Failure> {
        let mut state = self.state();
        if result.is_ok() && state.idle.len() < MAX_IDLE {
            state.idle.push((link, Instant::now()));
        }
        result
    }

    #[cold]
    fn explain(&self, failure: Failure) -> StoreError {
        let state = self.state();
        let select = if state.address.database == 0 { "" } else { " +select" };
        let needs = format!("~{}* {COMMANDS}{select}", state.prefix);
        let what = match failure {
            Failure::Broken(error) => fault::broken(&error, LIMIT),
            Failure::Refused { code, detail, .. } => fault::refused(&code, &detail, &needs),
            Failure::Login => "refuses the user or the password of the URL".into(),
            Failure::Database => format!("has no database {}", state.address.database),
        };
        fault::at(&state.address, &what)
    }
}

impl TokenStore for Entries {
    fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        let name = self.name(key, "t");
        // The time first: if the entry is replaced between the two, it is the time of the older one, which is less.
        // Not GET, which would read whatever is there, up to 512 MiB.
        let time = redis::cmd("PTTL").arg(&name).to_owned();
        let value = redis::cmd("GETRANGE").arg(&name).arg(0).arg(STAMP + MAX_ENTRY).to_owned();
        let mut answers = match self.try_exchange(&[time, value]) {
            Ok(answers) => answers,
            Err(Failure::Refused { code, .. }) if code == "WRONGTYPE" => {
                return Ok(Some(Entry::unusable("an entry in Redis is a list, a hash or a set", Stamp::default())));
            }
            Err(failure) => return Err(self.explain(failure)),
        };
        let (value, left) = (answers.pop(), answers.pop());
        let Some(Value::BulkString(mut value)) = value else {
            return Err(fault::at(&self.address(), "answers GETRANGE with something else than a text"));
        };
        if value.is_empty() {
            return Ok(None);
        }
        let Some((stamp, entry)) = value.split_first_chunk::<STAMP>() else {
            return Ok(Some(Entry::unusable("an entry in Redis is too short", Stamp::default())));
        };
        let (stamp, length) = (Stamp::from(u64::from_be_bytes(*stamp)), entry.len());
        if length > MAX_ENTRY {
            return Ok(Some(Entry::unusable("an entry in Redis is longer than 1 MiB", stamp)));
        }
        value.drain(..STAMP);
        let entry = Entry::new(value, stamp);
        // -1: for ever; -2: there was no entry a moment ago.
        Ok(Some(match left {
            Some(Value::Int(left @ 0..)) => entry.left(Duration::from_millis(left.unsigned_abs())),
            _ => entry,
        }))
    }

    fn claim(&self, key: &StoreKey, lease: Duration) -> Result<Option<Claim>, StoreError> {
        let name = self.name(key, "l");
        let mut owner = [0; 16];
        SystemRandom::new()
            .fill(&mut owner)
            .map_err(|_| StoreError::new("the operating system gives no random numbers"))?;
        let until = Instant::now().checked_add(lease);
        let set = redis::cmd("SET").arg(&name).arg(&owner[..]).arg("NX").arg("PX").arg(milliseconds(lease)).to_owned();
        match self.exchange(&[set])?.pop() {
            Some(Value::Okay) => Ok(Some(Claim::new(Release { entries: self.clone(), name, owner, until }))),
            _ => Ok(None),
        }
    }

    fn save(&self, key: &StoreKey, entry: &[u8], stamp: Stamp, keep: Duration) -> Result<(), StoreError> {
        if entry.len() > MAX_ENTRY {
            return Err(StoreError::new("an entry of more than 1 MiB is not kept in Redis"));
        }
        let value = [&u64::from(stamp).to_be_bytes(), entry].concat();
        let name = self.name(key, "t");
        self.exchange(&[script(SAVE, &name).arg(value).arg(milliseconds(keep)).to_owned()]).map(drop)
    }
}

/// A claim in a Redis.
struct Release {
    entries: Entries,
    name: String,
    owner: [u8; 16],
    /// After this moment it isn't ours.
    until: Option<Instant>,
}

impl Drop for Release {
    fn drop(&mut self) {
        let over = self.until.is_some_and(|until| Instant::now() >= until);
        if over || self.entries.0.silent.load(Ordering::Relaxed) {
            return;
        }
        // It ends by itself if that fails.
        let _ = self.entries.exchange(&[script(RELEASE, &self.name).arg(&self.owner[..]).to_owned()]);
    }
}

/// Not `EVALSHA`: it saves 300 bytes once in the life of a token, and costs two rights and another round trip after
/// each start of the server.
fn script(text: &str, name: &str) -> Cmd {
    redis::cmd("EVAL").arg(text).arg(1).arg(name).to_owned()
}

/// Rounded up. Redis wants at least 1, and can add it to its clock up to some limit.
fn milliseconds(time: Duration) -> u64 {
    let rounded = time.as_micros().div_ceil(1000);
    u64::try_from(rounded).unwrap_or(u64::MAX).clamp(1, 1 << 42)
}
