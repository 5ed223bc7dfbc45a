//! `docs/errors.md` as a check (D51): it quotes every text that the code shows to users, and no
//! other. What a text says word for word is in `tests/teaching.rs`.

mod project;

use client_credentials::{Reason, Verdict};

/// What the string literals of the code say that users do not read.
const NOT_SHOWN: [&str; 13] = [
    // Words in the error texts of TLS libraries.
    "wrong version number",
    "record layer failure",
    "certificate required",
    "handshake failure",
    "access denied",
    "bad certificate",
    // The names of threads.
    "token renewal",
    "token store",
    // A panic and a key for tests.
    "a MemoryStore that panics on demand",
    "the name key of a MemoryStore",
    // What serde says of a wrong type, which is not passed on.
    "a JSON value",
    // What is shown in place of a missing or a wrong value.
    "left out",
    "not a string",
];

/// The texts of the code: its string literals of two words or more, with `<>` for each part that
/// changes, and without punctuation at both ends.
fn texts() -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for (file, content) in project::files("src", "rs") {
        // Character references, and the heads of HTTP messages.
        let not_texts = ["guide.rs", "redact/escape.rs", "signing/tests.rs"];
        if not_texts.contains(&file.as_str()) || file.starts_with("test_util/server") {
            continue;
        }
        let literals = literals(&code(&content));
        let constants: Vec<_> = literals
            .iter()
            .filter_map(|(before, text)| {
                let name = before.trim_end().strip_suffix(": &str =")?.rsplit(' ').next()?;
                Some((format!("{{{name}}}"), text))
            })
            .collect();
        for (before, text) in &literals {
            let mut text = text.clone();
            for (name, value) in &constants {
                text = text.replace(name, value);
            }
            let text = fixed(&text, '{', '}');
            let of_a_panic = before.ends_with("expect(");
            if !of_a_panic && is_a_sentence(&text) && !NOT_SHOWN.contains(&text.as_str()) {
                texts.push((file.clone(), text));
            }
        }
    }
    texts
}

/// A file without documentation, comments, attributes and tests.
fn code(text: &str) -> String {
    let end = text.find("\n#[cfg(test)]\nmod ").or_else(|| text.find("\n#[cfg(all(test")).unwrap_or(text.len());
    let skipped = |line: &&str| ["//", "#[", "#!["].iter().any(|start| line.trim_start().starts_with(start));
    text[..end].lines().filter(|line| !skipped(line)).map(|line| format!("{line}\n")).collect()
}

/// Each string literal, and the code before it up to the literal before that.
fn literals(code: &str) -> Vec<(String, String)> {
    let (mut literals, mut before, mut chars) = (Vec::new(), String::new(), code.chars().peekable());
    while let Some(c) = chars.next() {
        let is_char = before.ends_with('\'') || before.ends_with("'\\");
        if c != '"' || is_char {
            before.push(c);
            continue;
        }
        let mut text = String::new();
        while let Some(c) = chars.next().filter(|&c| c != '"') {
            match (c, chars.peek()) {
                // The line goes on after the white space.
                ('\\', Some('\n')) => while chars.next_if(|c| c.is_whitespace()).is_some() {},
                ('\\', Some(&escaped)) => {
                    text.push(escaped);
                    chars.next();
                }
                _ => text.push(c),
            }
        }
        literals.push((std::mem::take(&mut before), text));
    }
    literals
}

/// A text with `<>` for each part in brackets.
fn fixed(text: &str, open: char, close: char) -> String {
    let (mut fixed, mut rest) = (String::new(), text);
    while let Some((before, (_, after))) = rest.split_once(open).and_then(|(b, r)| Some((b, r.split_once(close)?))) {
        fixed.push_str(before);
        fixed.push_str("<>");
        rest = after;
    }
    fixed.push_str(rest);
    fixed.trim_matches([' ', ',', ';', ':', '(', ')']).to_owned()
}

/// Labels of PEM and what is around them are not.
fn is_a_sentence(text: &str) -> bool {
    if text.starts_with("-----") || text.starts_with("n-----END") || !text.contains(|c: char| c.is_ascii_lowercase()) {
        return false;
    }
    let words = text.split_whitespace().filter(|word| word.contains(|c: char| c.is_ascii_alphabetic()));
    words.count() > 1
}

/// The texts that the page quotes: the paragraphs that are nothing but code.
fn quoted() -> Vec<String> {
    let page = project::read("docs/errors.md");
    let quotes = page.split("\n\n").filter_map(|part| {
        // A text with code in it is between two marks and spaces.
        let with_code = part.strip_prefix("`` ").and_then(|part| part.strip_suffix(" ``"));
        let plain = || part.strip_prefix('`')?.strip_suffix('`').filter(|text| !text.contains('`'));
        with_code.or_else(plain)
    });
    quotes.map(|quote| fixed(&quote.replace('\n', " "), '<', '>')).collect()
}

#[test]
fn d51_each_text_of_the_code_is_on_the_page_of_messages() {
    let (texts, quoted) = (texts(), quoted());
    let missing = texts.iter().filter(|(_, text)| !quoted.iter().any(|quoted| quoted.contains(text.as_str())));
    let missing: String = missing.map(|(file, text)| format!("src/{file}: {text}\n")).collect();
    assert!(missing.is_empty(), "explain these texts in docs/errors.md:\n{missing}");
    assert!(texts.len() > 80, "the check must have something to look at: {}", texts.len());
}

#[test]
fn d51_each_text_on_the_page_of_messages_is_in_the_code() {
    let (texts, quoted) = (texts(), quoted());
    let unknown = quoted.iter().filter(|quoted| !texts.iter().any(|(_, text)| text == *quoted));
    let unknown: String = unknown.map(|quoted| format!("{quoted}\n")).collect();
    assert!(unknown.is_empty(), "the code does not say this:\n{unknown}");
    for (at, text) in quoted.iter().enumerate() {
        assert!(!quoted[..at].contains(text), "twice: {text}");
    }
}

#[test]
fn d51_the_page_of_messages_explains_each_word_of_an_event() {
    let page = project::read("docs/errors.md");
    let reasons =
        [Reason::NoToken, Reason::Expiring, Reason::Refused, Reason::Forced].map(|reason| format!("{reason:?}"));
    let verdicts = [
        Verdict::Replay,
        Verdict::NotReplayable,
        Verdict::Useless,
        Verdict::Redirected,
        Verdict::SameToken,
        Verdict::RenewalFailed,
        Verdict::TooSoon,
    ]
    .map(|verdict| format!("{verdict:?}"));
    for word in reasons.iter().chain(&verdicts) {
        assert!(page.contains(&format!("| `{word}` |")), "{word}");
    }
}
