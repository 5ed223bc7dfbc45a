//! The texts of what goes wrong. Each says what to do, and none repeats what was sent.

use client_credentials::StoreError;
use redis::RedisError;

/// Returns what an error reply means, and what the operator of the Redis server should do.
///
/// `needs` are the rights that the user needs.
pub(crate) fn refused(code: &str, detail: &str, needs: &str) -> String {
    // A script repeats the error of a command inside its own: "ERR Error running script ...: -READONLY You ...".
    let is = |wanted: &str| code == wanted || detail.contains(wanted);
    if is("NOPERM") || detail.contains("ACL failure") {
        return format!("does not let this user do it: the rights that are needed are {needs}");
    }
    if is("READONLY") || is("MASTERDOWN") {
        return "is a replica, which only reads: use the address of the primary".into();
    }
    if is("OOM") {
        return "is full (maxmemory), and evicts nothing: give it more memory, or a maxmemory-policy such as \
                allkeys-lru"
            .into();
    }
    match code {
        "LOADING" => "is reading its data after a start, and will answer soon".into(),
        "NOAUTH" => "wants a password: put user and password into the URL, redis://user:password@host".into(),
        "MISCONF" => "cannot save to its disk and so refuses to write (MISCONF): look into its log".into(),
        "DENIED" => "is in protected mode, and serves programs on its own machine only".into(),
        "MOVED" | "ASK" | "CLUSTERDOWN" | "CROSSSLOT" | "TRYAGAIN" => format!(
            "is a node of a cluster and sends its clients to other nodes ({code}), which this store does not follow: \
             use one that isn't in a cluster, or a proxy"
        ),
        _ => format!("answers {}", shown(code, detail)),
    }
}

/// An error that this crate does not know. "unknown command" repeats the arguments, so the end is cut off.
fn shown(code: &str, detail: &str) -> String {
    let end = detail.find(", with args").unwrap_or(detail.len());
    let text = [code, " ", &detail[..end]].concat();
    text.trim_end().chars().take(160).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// What became of a connection.
pub(crate) fn broken(error: &RedisError, limit: std::time::Duration) -> String {
    if error.is_timeout() {
        return format!("does not answer within {} ms", limit.as_millis());
    }
    if error.kind() == redis::ErrorKind::Parse {
        return "does not speak the protocol of Redis: a port with TLS needs rediss://".into();
    }
    let text = error.to_string();
    if text.contains("UnknownIssuer") {
        return format!("has a certificate of an unknown authority (RedisStore::root_certificates): {text}");
    }
    if text.contains("end of file") || error.is_connection_dropped() && !error.is_connection_refusal() {
        return format!("closes the connection: {text}; a port with TLS needs rediss://, one without needs redis://");
    }
    format!("cannot be reached: {text}")
}

/// An error with the address.
pub(crate) fn at(address: &impl std::fmt::Display, what: &str) -> StoreError {
    StoreError::new(format!("{address} {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_error_is_shown_without_what_was_sent() {
        let text = refused("ERR", "unknown command 'EVAL', with args beginning with: 'return 1' '1' 'hush'", "");
        assert_eq!(text, "answers ERR unknown command 'EVAL'");
        assert_eq!(refused("ERR", "a\u{1b}[31mb\nc", ""), "answers ERR a [31mb c");
        assert!(refused("ERR", &"x".repeat(4096), "").len() < 200);
    }

    #[test]
    fn an_error_inside_a_script_is_told_like_one_outside() {
        let inside = "Error running script (call to f_12): @user_script:1: -READONLY You can't write against a replica";
        assert_eq!(refused("ERR", inside, ""), refused("READONLY", "", ""));
    }
}
