use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use client_credentials::{Claim, Entry, Sealed, SealingKey};
use client_credentials::{Stamp, StoreError, StoreKey, TokenStore};
use postgres::{Client, Config, NoTls, Row, types::ToSql};

const LOAD: &str = "
    SELECT entry, stamp, extract(epoch FROM until - now())::float8
    FROM token_store WHERE key = $1 AND until > now()";
const CLAIM: &str = "
    INSERT INTO token_store AS old (key, claimed_by, claimed_until)
    VALUES ($1, gen_random_uuid(), now() + make_interval(secs => $2))
    ON CONFLICT (key) DO UPDATE
    SET claimed_by = excluded.claimed_by, claimed_until = excluded.claimed_until
    WHERE old.claimed_until IS NULL OR old.claimed_until < now()
    RETURNING claimed_by::text";
const RELEASE: &str = "
    UPDATE token_store SET claimed_until = NULL WHERE key = $1 AND claimed_by::text = $2";
const SAVE: &str = "
    INSERT INTO token_store AS old (key, entry, stamp, until)
    VALUES ($1, $2, $3, now() + make_interval(secs => $4))
    ON CONFLICT (key) DO UPDATE
    SET entry = excluded.entry, stamp = excluded.stamp, until = excluded.until
    WHERE old.until IS NULL OR old.until <= now() OR old.stamp <= excluded.stamp";

type Result<T> = std::result::Result<T, StoreError>;

/// The store for a source. `key` is 32 random bytes from a secret manager.
pub fn sealed(database: &str, key: &[u8]) -> Result<Sealed<PostgresStore>> {
    Ok(Sealed::new(PostgresStore::new(database.parse()?), SealingKey::from_bytes(key)?))
}

/// A store in one table of a PostgreSQL database.
#[derive(Clone)]
pub struct PostgresStore(Arc<(Config, Mutex<Option<Client>>)>);

impl PostgresStore {
    /// Does not connect yet.
    pub fn new(config: Config) -> Self {
        Self(Arc::new((config, Mutex::default())))
    }

    /// Executes a statement, and returns the first row of its answer.
    fn ask(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>> {
        let (config, idle) = &*self.0;
        let idle = || idle.lock().unwrap_or_else(PoisonError::into_inner);
        let on = |mut client: Client| client.query_opt(sql, values).map(|row| (client, row));
        // Taken out while it is used, so that nobody waits for somebody else's answer.
        let client = idle().take();
        // The server may have closed it: then once more, on a new connection.
        let reused = client.and_then(|client| on(client).ok());
        let (client, row) = reused.map_or_else(|| config.connect(NoTls).and_then(on), Ok)?;
        *idle() = Some(client);
        Ok(row)
    }
}

impl TokenStore for PostgresStore {
    fn load(&self, key: &StoreKey) -> Result<Option<Entry>> {
        let Some(row) = self.ask(LOAD, &[&&key.as_bytes()[..]])? else { return Ok(None) };
        let stamp = Stamp::from(row.try_get::<_, i64>(1)? as u64 ^ 1 << 63);
        let left = Duration::try_from_secs_f64(row.try_get(2)?)?;
        Ok(Some(Entry::new(row.try_get(0)?, stamp).left(left)))
    }

    fn claim(&self, key: &StoreKey, lease: Duration) -> Result<Option<Claim>> {
        let row = self.ask(CLAIM, &[&&key.as_bytes()[..], &lease.as_secs_f64()])?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Claim::new(Release(self.clone(), *key, row.try_get(0)?))))
    }

    fn save(&self, key: &StoreKey, entry: &[u8], stamp: Stamp, keep: Duration) -> Result<()> {
        // A stamp has 64 bits without a sign. Turning the first bit keeps the order.
        let stamp = (u64::from(stamp) ^ 1 << 63) as i64;
        self.ask(SAVE, &[&&key.as_bytes()[..], &entry, &stamp, &keep.as_secs_f64()]).map(drop)
    }
}

struct Release(PostgresStore, StoreKey, String);

impl Drop for Release {
    fn drop(&mut self) {
        // If this fails, the lease ends by itself.
        let _ = self.0.ask(RELEASE, &[&&self.1.as_bytes()[..], &self.2]);
    }
}
