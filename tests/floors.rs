//! The floor plan of DESIGN.md, "The modules", as a check: a module imports only from floors below
//! its own, and a file has at most 250 lines of code.

mod project;

/// From the ground up. Modules on one floor do not know each other. `error`, `test_util` and `ureq`
/// count as one module each.
const FLOORS: [&[&str]; 37] = [
    // The ground floor.
    &["redact::escape"],
    &["clock", "instance", "random", "redact", "store::crypto"],
    &["error", "store::key"],
    &["store"],
    &["event", "origin", "store::file", "store::sealed"],
    &["transport"],
    &["made"],
    // Signatures.
    &["signing::algorithm", "signing::der", "signing::unusable"],
    &["signing::crypto"],
    &["signing::private_key"],
    &["signing::pem", "signing::public_key"],
    &["signing::certificate", "signing::jwk"],
    &["signing::client_certificate"],
    &["signing"],
    &["signing::jwt"],
    &["signing::assertion"],
    &["signing::makers"],
    // Bytes.
    &["protocol::basic", "protocol::challenge", "protocol::http_date", "protocol::members", "protocol::token"],
    &["protocol::authentication", "protocol::clock_offset", "protocol::retry_after"],
    &["protocol::credentials", "protocol::dialect"],
    &["protocol::request"],
    &["protocol::parameters"],
    &["protocol::encode", "protocol::vendor_settings"],
    &["protocol::decode", "protocol::key"],
    // Time.
    &["renewal::backoff", "renewal::caller", "renewal::queue", "renewal::settings"],
    &["renewal::failure", "renewal::schedule", "store::record"],
    &["renewal::slot"],
    // Locks.
    &["source::desk", "source::plan", "source::shared_slot", "source::snapshot"],
    &["source::thread_cache", "source::token_cache"],
    &["source"],
    &["source::emit"],
    &["source::fetch"],
    &["source::acquire", "source::obtain"],
    &["source::call", "source::store_settings"],
    &["source::builder"],
    &["source::self_signed"],
    // Adapters, the test kit and the guide.
    &["guide", "test_util", "ureq"],
];

/// Documentation, comments, blank lines and tests do not count.
const MOST_LINES: usize = 250;

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

struct Source {
    /// Relative to `src`, with slashes.
    file: String,
    /// The lines of code.
    code: Vec<String>,
}

impl Source {
    fn all() -> Vec<Self> {
        project::files("src", "rs").into_iter().map(|(file, text)| Self { file, code: code(&text) }).collect()
    }

    /// The module that this file is, or belongs to.
    fn module(&self) -> String {
        let path = self.file.trim_end_matches(".rs").trim_end_matches("/mod");
        known(&path.replace('/', "::"))
            .unwrap_or_else(|| panic!("src/{} is on no floor: give it one in tests/floors.rs and DESIGN.md", self.file))
    }
}

fn code(text: &str) -> Vec<String> {
    let tests = ["\n#[cfg(test)]\nmod ", "\n#[cfg(all(test, not(loom)))]\nmod ", "\n#[cfg(all(test, loom))]\nmod "];
    let end = tests.iter().filter_map(|start| text.find(start)).min().unwrap_or(text.len());
    text[..end]
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with("//"))
        .map(str::to_owned)
        .collect()
}

/// The module on a floor that a path leads to or into.
fn known(path: &str) -> Option<String> {
    let mut path = path;
    while floor(path).is_none() {
        path = path.rsplit_once("::")?.0;
    }
    Some(path.to_owned())
}

/// The paths behind `crate::` in a line, up to the first item.
fn paths_named_in(line: &str) -> impl Iterator<Item = String> {
    line.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
        rest[..end].trim_end_matches(':').to_owned()
    })
}

#[test]
fn a_module_imports_only_from_floors_below_its_own() {
    let mut imports = 0;
    for source in Source::all() {
        if ["lib.rs", "protocol/mod.rs", "renewal/mod.rs"].contains(&source.file.as_str()) {
            continue;
        }
        let module = source.module();
        for path in source.code.iter().flat_map(|line| paths_named_in(line)) {
            let Some(named) = known(&path) else { panic!("src/{}: crate::{path} leads to no floor", source.file) };
            assert!(named == module || floor(&named) < floor(&module), "src/{} imports crate::{path}", source.file);
            imports += 1;
        }
    }
    assert!(imports > 100, "the check must have something to look at: {imports}");
}

#[test]
fn a_file_has_at_most_250_lines_of_code() {
    let long = Source::all().into_iter().filter(|source| source.code.len() > MOST_LINES);
    let long: String = long.map(|source| format!("src/{}: {}\n", source.file, source.code.len())).collect();
    assert!(long.is_empty(), "a second concept may live there:\n{long}");
}

/// ureq may break what is below `unversioned` in any release, and an adapter is no business of the
/// modules below it.
#[test]
fn only_the_adapter_knows_ureq_and_only_its_stable_names() {
    for source in Source::all() {
        for line in &source.code {
            assert!(!line.contains("unversioned"), "src/{}: {line}", source.file);
            let asks = line.contains("feature = \"ureq\"") && !line.contains("not(feature = \"ureq\")");
            let may_ask = ["lib.rs", "guide.rs"].contains(&source.file.as_str()) || source.file.starts_with("ureq/");
            assert!(may_ask || !asks, "src/{}: {line}", source.file);
        }
    }
}

/// Another choice of cryptography is then a change of two files.
#[test]
fn only_one_module_of_each_wing_names_ring() {
    let names =
        |line: &String| line.split(|c: char| !c.is_alphanumeric() && c != ':').any(|word| word.starts_with("ring::"));
    let all = Source::all().into_iter().filter(|source| source.file != "signing/tests.rs");
    let mut named: Vec<String> = all.filter(|source| source.code.iter().any(names)).map(|source| source.file).collect();
    named.sort();
    assert_eq!(named, ["signing/crypto.rs", "store/crypto.rs"]);
}
