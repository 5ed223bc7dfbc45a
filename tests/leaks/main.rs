//! Where tokens and secrets go, and where they show: what servers received when a URL or a redirect tried to lead them
//! elsewhere, and everything that is printed or logged on the way. A binary of its own, because a program has one logger.
#![cfg(feature = "ureq")]

mod full_run;
mod redirects;
mod urls;
mod world;

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

const CLIENT: &str = "leaky client";
/// Texts that must not show, each with characters that every encoding changes.
const SECRET: &str = "S3cret/of+the&client=~*";
const ASSERTION: &str = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.c2lnbmF0dXJl+/=";
const API_KEY: &str = "Key/of+the&gateway==";
/// Shorter than 16 characters.
const PARAMETER: &str = "Tenant/no+1";
const QUERY: &str = "Query/of+the&endpoint==";
const OWN_SCHEME: &str = "Own/proof+of&possession==";
const TOKENS: [&str; 4] = [
    "First-token/of+the~server==",
    "Second-token/of+the~server==",
    "Third-token/of+the~server==",
    "Last^token%2Fof!it==",
];

/// All that must not show, in every form, with what it is a form of.
static HIDDEN: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let pairs = [format!("{CLIENT}:{SECRET}"), format!("{}:{}", encoded(CLIENT), encoded(SECRET))];
    let hidden = [SECRET, ASSERTION, API_KEY, PARAMETER, QUERY, OWN_SCHEME]
        .into_iter()
        .chain(TOKENS)
        .map(str::to_owned)
        .chain(pairs);
    hidden.flat_map(|text| forms(&text).into_iter().map(move |form| (form, text.clone()))).collect()
});

fn assert_hides_everything(what: &str, text: &str) {
    for (form, hidden) in &*HIDDEN {
        if let Some(at) = text.find(form) {
            let from = text[..at].rfind('\n').map_or(0, |at| at + 1);
            panic!("{what}: {hidden:?}, as {form:?}, in {}", text[from..].lines().next().unwrap_or_default());
        }
    }
}

fn forms(text: &str) -> Vec<String> {
    let form = encoded(text);
    let percent: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let decimal: Vec<String> = text.bytes().map(|byte| byte.to_string()).collect();
    let entities: String = text.bytes().map(|byte| format!("&#{byte};")).collect();
    let units: String = text.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    let mut forms = vec![
        text.to_owned(),
        text.escape_default().to_string(),
        serde_json::Value::from(text).to_string().trim_matches('"').to_owned(),
        form.replace('+', "%20"),
        form.to_lowercase(),
        form,
        percent.to_lowercase(),
        percent,
        hex.to_uppercase(),
        hex,
        decimal.join(", "),
        // As `Display` shows a backslash of the server, and as the server writes it.
        units.replace('\\', "\\\\"),
        units,
        entities,
        text.replace('&', "&amp;"),
    ];
    // In the middle of something longer, base64 has three ways to write it; the letters at its ends are shared.
    for before in 0..3 {
        for alphabet in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let whole = alphabet.encode([&b"::"[..before], text.as_bytes()].concat());
            forms.push(whole[if before == 0 { 0 } else { before + 1 }..whole.len() - 2].to_owned());
        }
    }
    forms
}

/// What a server may make of a text that it repeats, one escape each.
fn escaped(text: &str) -> [String; 9] {
    let bytes = |escape: fn(u8) -> String| text.bytes().map(escape).collect::<String>();
    [
        encoded(text),
        bytes(|byte| format!("%{byte:02x}")),
        bytes(|byte| format!("&#{byte};")),
        bytes(|byte| format!("&#x{byte:X};")),
        text.replace('&', "&amp;").replace('/', "&sol;").replace('=', "&equals;"),
        bytes(|byte| format!("\\u{byte:04x}")),
        bytes(|byte| format!("{byte:02X}")),
        STANDARD.encode(text),
        URL_SAFE_NO_PAD.encode(format!("a{text}")),
    ]
}

fn escaped_twice(text: &str) -> String {
    escaped(text).iter().flat_map(|once| escaped(once)).collect::<Vec<_>>().join("\t")
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn basic_value() -> String {
    STANDARD.encode(format!("{}:{}", encoded(CLIENT), encoded(SECRET)))
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
