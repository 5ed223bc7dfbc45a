use std::time::Duration;

use client_credentials::{SealingKey, Stamp, StoreError, TokenStore};
use client_credentials_redis::RedisStore;

use crate::support::{Server, name};

const MINUTE: Duration = Duration::from_secs(60);

/// As the manual says it.
const COMMANDS: [&str; 5] = ["+getrange", "+pttl", "+set", "+del", "+eval"];

fn let_user(server: &Server, rights: &[&str]) {
    let mut command: Vec<&[u8]> = vec![b"ACL", b"SETUSER", b"tokens", b"reset", b"on", b">hush"];
    command.extend(rights.iter().map(|right| right.as_bytes()));
    server.run::<()>(&command);
}

fn store(server: &Server, login: &str, path: &str) -> RedisStore {
    let url = format!("redis://{login}127.0.0.1:{}{path}", server.port());
    RedisStore::new(url, SealingKey::from([7; 32])).unwrap()
}

/// Everything that a store does.
fn use_all(store: &RedisStore) -> Result<(), StoreError> {
    for stamp in 1..=2 {
        let claim = store.claim(&name(1), MINUTE)?.ok_or_else(|| StoreError::new("not released"))?;
        store.load(&name(1))?;
        store.save(&name(1), b"token", Stamp::from(stamp), MINUTE)?;
        drop(claim);
    }
    Ok(())
}

#[test]
fn these_rights_are_enough_and_none_is_superfluous() {
    let server = Server::start();
    let rights = [&["~cc:1:*"], &COMMANDS[..]].concat();
    let_user(&server, &rights);
    use_all(&store(&server, "tokens:hush@", "")).unwrap();
    assert_eq!(server.names().len(), 1, "the claim was released");

    for missing in COMMANDS {
        server.run::<()>(&[b"FLUSHALL"]);
        let fewer: Vec<&str> = rights.iter().copied().filter(|right| *right != missing).collect();
        let_user(&server, &fewer);
        let error = use_all(&store(&server, "tokens:hush@", "")).expect_err(missing).to_string();
        // A release reports nothing: the claim ends by itself.
        let expected = if missing == "+del" { "not released" } else { "~cc:1:* +getrange +pttl +set +del +eval" };
        assert!(error.contains(expected), "{missing}: {error}");
    }
}

#[test]
fn other_names_are_not_allowed() {
    let server = Server::start();
    let_user(&server, &[&["~cc:1:*"], &COMMANDS[..]].concat());
    let error = use_all(&store(&server, "tokens:hush@", "").prefix("other:")).unwrap_err().to_string();
    assert!(error.contains("~other:* +getrange"), "{error}");
    let mut stranger = redis::Client::open(format!("redis://tokens:hush@127.0.0.1:{}", server.port()))
        .unwrap()
        .get_connection()
        .unwrap();
    assert!(redis::cmd("GET").arg("cc:1:x").query::<String>(&mut stranger).is_err());
    assert!(redis::cmd("KEYS").arg("*").query::<Vec<String>>(&mut stranger).is_err());
}

#[test]
fn a_database_by_its_number_needs_one_right_more() {
    let server = Server::start();
    let rights = [&["~cc:1:*"], &COMMANDS[..]].concat();
    let_user(&server, &rights);
    let error = use_all(&store(&server, "tokens:hush@", "/3")).unwrap_err().to_string();
    assert!(error.contains("+eval +select"), "{error}");
    let_user(&server, &[&rights[..], &["+select"]].concat());
    use_all(&store(&server, "tokens:hush@", "/3")).unwrap();
}

#[test]
fn a_wrong_or_missing_password_says_so() {
    let server = Server::start();
    let_user(&server, &["allkeys", "+@all"]);
    for login in ["tokens:wrong@", "nobody:hush@", ":wrong@"] {
        let error = use_all(&store(&server, login, "")).unwrap_err().to_string();
        assert!(error.contains("refuses the user or the password"), "{login}: {error}");
        assert!(!error.contains("hush") && !error.contains("wrong") && !error.contains("nobody"), "{error}");
    }
    use_all(&store(&server, "tokens:hush@", "")).unwrap();

    let server = Server::with(&["--requirepass", "pa/ss"]);
    let error = use_all(&store(&server, "", "")).unwrap_err().to_string();
    assert!(error.contains("user and password into the URL"), "{error}");
    use_all(&store(&server, ":pa%2Fss@", "")).unwrap();
    use_all(&store(&server, "default:pa%2Fss@", "/3")).unwrap();
}
