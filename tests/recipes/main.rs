//! The recipes whose proof is signed or comes from the platform: their programs run against servers
//! that verify the signature with the registered key, and answer in the words of the vendor, good and
//! bad. The documents are named on the pages.

mod client_assertions;
mod github;
mod grants;
#[path = "../loopback/mod.rs"]
mod loopback;
#[path = "../shown/mod.rs"]
mod shown;
#[path = "../signed/mod.rs"]
mod signed;
mod workload_identity;

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use client_credentials::test_util::Script;
use client_credentials::{
    AccessToken, Clock as _, Credentials, Denied, Error, SigningKey, TokenRequest, TokenSource, TokenSourceBuilder,
};
use http::{Request, Response};
use serde_json::Value;
use signed::unix;

type BoxError = Box<dyn std::error::Error>;
/// What a program of a page makes before it makes its source.
type Program = Result<(Credentials, TokenRequest), BoxError>;

/// A token endpoint as its vendor describes it.
struct Vendor {
    page: &'static str,
    /// The parameter that has the JWT.
    parameter: &'static str,
    /// The whole header of the JWT.
    header: Value,
    /// All claims but `iat`, `exp` and `jti`.
    claims: Value,
    /// The longest time that `exp` may be ahead, in seconds.
    longest: u64,
    good: &'static str,
    bad: (u16, &'static str),
}

impl Vendor {
    /// A source for the program, and the script that answers its request. The server knows the
    /// public key of `registered`.
    fn source(&self, program: Program, registered: &SigningKey) -> (TokenSource, Script) {
        let (credentials, request) = program.expect("a program");
        let script = Script::new();
        let jwk = registered.public_jwk().expect("a public key");
        let (parameter, header, claims, longest) =
            (self.parameter, self.header.clone(), self.claims.clone(), self.longest);
        let (clock, good, bad) = (script.clock(), self.good, self.bad);
        script.answer(move |request, _| {
            let accepts = |(sent_header, sent_claims): (Value, Value)| {
                sent_header == header && are_in_time(&sent_claims, unix(clock.now().wall()), longest) && {
                    let mut others = sent_claims;
                    for name in ["iat", "exp", "jti"] {
                        others.as_object_mut().expect("an object").remove(name).expect("a claim of each JWT");
                    }
                    others == claims
                }
            };
            let is_accepted = signed::verified(&form(request.body())[parameter], &jwk).is_some_and(accepts);
            Ok(if is_accepted { answer(200, good) } else { answer(bad.0, bad.1) })
        });
        let builder = TokenSource::builder(credentials, request);
        (over(builder, &script).build().expect("a source"), script)
    }

    /// The token that the vendor gives to this program, whose request the page shows.
    #[track_caller]
    fn token(&self, program: Program, registered: &SigningKey) -> AccessToken {
        let (source, script) = self.source(program, registered);
        let token = source.token().expect("a token");
        assert_shown(self.page, &script.requests()[0], self.parameter);
        token
    }

    /// The refusal if the program signs with another key than the registered one, and its text.
    #[track_caller]
    fn refusal(&self, program: Program, registered: &SigningKey) -> (Denied, String) {
        let (source, script) = self.source(program, registered);
        let error = source.token().expect_err("a refusal");
        let (text, shown) = (error.to_string(), format!("{error:?}"));
        let jwt = form(script.requests()[0].body())[self.parameter].clone();
        for part in jwt.split('.') {
            assert!(!text.contains(part) && !shown.contains(part), "{text}");
        }
        match error {
            Error::Denied(denied) => ((*denied).clone(), text),
            other => panic!("{other:?}"),
        }
    }
}

fn over(builder: TokenSourceBuilder, script: &Script) -> TokenSourceBuilder {
    builder.transport(script.clone()).clock(script.clock()).retries(0)
}

fn are_in_time(claims: &Value, now: u64, longest: u64) -> bool {
    let time = |name: &str| claims[name].as_u64().expect("a number");
    time("iat") <= now && now < time("exp") && time("exp") - now <= longest && time("exp") - time("iat") <= longest
}

fn form(body: &[u8]) -> HashMap<String, String> {
    form_urlencoded::parse(body).into_owned().collect()
}

fn answer(status: u16, body: &str) -> Response<Vec<u8>> {
    Response::builder().status(status).body(body.as_bytes().to_vec()).expect("a response")
}

fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

/// Pages show no signature: they have `header.claims.signature` in its place.
#[track_caller]
fn assert_shown(page: &str, sent: &Request<Vec<u8>>, parameter: &str) {
    let mut body = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(sent.body()) {
        body.append_pair(&name, if name == parameter { "header.claims.signature" } else { &value });
    }
    let mut sent = sent.clone();
    *sent.body_mut() = body.finish().into_bytes();
    shown::assert_shown(&page_of(page), &sent);
}

fn page_of(name: &str) -> String {
    let path = PathBuf::from_iter([env!("CARGO_MANIFEST_DIR"), "docs", "recipes", name]);
    fs::read_to_string(path).expect("a page").replace("\r\n", "\n")
}

/// A private key of the vectors.
fn pem(id: &str) -> String {
    let row = include_str!("../vectors/keys.jsonl").lines().find(|line| line.contains(&format!("{id:?}")));
    let row: Value = serde_json::from_str(row.expect("a line with this id")).expect("JSON");
    row["pem"].as_str().expect("PEM").to_owned()
}

/// A key of this kind that is registered nowhere.
const OTHER_RSA_KEY: &str = "KV-KEY-03";

/// A file in the folder for temporary files, deleted at the end.
struct File(PathBuf);

impl File {
    fn new(name: &str, content: &str) -> Self {
        let path = std::env::temp_dir().join(format!("client-credentials-{}-{name}", std::process::id()));
        fs::write(&path, content).expect("a file");
        Self(path)
    }

    fn path(&self) -> String {
        self.0.to_str().expect("a path").to_owned()
    }

    fn write(&self, content: &str) {
        fs::write(&self.0, content).expect("a file");
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The lines between `// From <page>:` and `// End.` are those of the page.
#[test]
fn the_pages_show_the_programs_that_run_here() {
    let squeezed = |text: &str| text.split_whitespace().collect::<String>();
    let is_shown = |line: &&str| !line.starts_with("# ");
    let mut checked = 0;
    for source in [
        include_str!("client_assertions.rs"),
        include_str!("github.rs"),
        include_str!("grants.rs"),
        include_str!("workload_identity.rs"),
    ] {
        for block in source.split("// From ").skip(1) {
            let (page, rest) = block.split_once(":\n").or_else(|| block.split_once(":\r\n")).expect("a page");
            let (program, _) = rest.split_once("// End.").expect("the end of the program");
            let code = page_of(page).lines().filter(is_shown).collect::<Vec<_>>().join("\n");
            assert!(squeezed(&code).contains(&squeezed(program)), "{page} does not show this:\n{program}");
            checked += 1;
        }
    }
    assert!(checked >= 12, "{checked}");
}
