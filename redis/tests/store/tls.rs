use std::path::Path;
use std::process::Command;
use std::time::Duration;

use client_credentials::{SealingKey, Stamp, TokenStore};
use client_credentials_redis::RedisStore;

use crate::support::{Server, free_port, name, new_directory};

const MINUTE: Duration = Duration::from_secs(60);

fn openssl(directory: &Path, command: &str) {
    let output = Command::new("openssl").args(command.split(' ')).current_dir(directory).output().expect("openssl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// An authority, and a certificate of 127.0.0.1.
fn certificates(directory: &Path) {
    std::fs::write(directory.join("names"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n").unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(
        directory,
        &format!("req -x509 {key} -keyout authority.key -out authority.pem -days 2 -subj /CN=authority"),
    );
    openssl(directory, &format!("req {key} -keyout server.key -out server.csr -subj /CN=redis"));
    openssl(
        directory,
        "x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -extfile names -out server.pem",
    );
}

#[test]
fn tls_is_used_and_certificates_are_checked() {
    let directory = new_directory();
    certificates(&directory);
    let file = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    // The plain port remains for the questions of the test.
    let port = free_port().to_string();
    let server = Server::with(&[
        "--tls-port",
        &port,
        "--tls-cert-file",
        &file("server.pem"),
        "--tls-key-file",
        &file("server.key"),
        "--tls-auth-clients",
        "no",
        "--tls-ca-cert-file",
        &file("authority.pem"),
    ]);
    let pem = std::fs::read(file("authority.pem")).unwrap();
    let store = |host: &str| RedisStore::new(format!("rediss://{host}:{port}/3"), SealingKey::from([7; 32])).unwrap();

    for host in ["127.0.0.1", "localhost"] {
        let trusting = store(host).root_certificates(&pem).unwrap();
        for stamp in 1..=5 {
            trusting.save(&name(1), b"token", Stamp::from(stamp), MINUTE).unwrap();
            assert_eq!(trusting.load(&name(1)).unwrap().unwrap().bytes(), Some(&b"token"[..]));
            drop(trusting.claim(&name(1), MINUTE).unwrap().unwrap());
        }
    }
    assert_eq!(server.calls("select"), 2, "one connection each");

    let error = store("127.0.0.1").load(&name(1)).unwrap_err().to_string();
    assert!(error.contains("unknown authority (RedisStore::root_certificates)"), "{error}");

    // A server that hangs in the handshake, and one without TLS.
    server.freeze();
    let start = std::time::Instant::now();
    let error = store("127.0.0.1").load(&name(1)).unwrap_err().to_string();
    assert!(error.contains("does not answer") && start.elapsed() < Duration::from_millis(750), "{error}");
    server.thaw();
    let plain = format!("rediss://127.0.0.1:{}", server.port());
    let error = RedisStore::new(plain, SealingKey::from([7; 32])).unwrap().load(&name(1)).unwrap_err().to_string();
    println!("TLS to a plain port: {error}");
    let crossed = format!("redis://127.0.0.1:{port}");
    let error = RedisStore::new(crossed, SealingKey::from([7; 32])).unwrap().load(&name(1)).unwrap_err().to_string();
    assert!(error.contains("rediss://"), "{error}");
    let _ = std::fs::remove_dir_all(&directory);
}

#[test]
fn roots_that_are_none_are_an_error() {
    let store = |url: &str| RedisStore::new(url, SealingKey::from([7; 32])).unwrap();
    let error = store("rediss://h").root_certificates(b"hush").unwrap_err().to_string();
    assert!(error.contains("no root certificates") && !error.contains("hush"), "{error}");
    let error = store("redis://h").root_certificates(b"").unwrap_err().to_string();
    assert!(error.contains("begins with rediss://"), "{error}");
}
