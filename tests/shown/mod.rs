//! Compares a token request with what a page of the guide shows.

/// Panics unless the page shows this request, to the byte.
#[track_caller]
pub fn assert_shown(page: &str, sent: &http::Request<Vec<u8>>) {
    // A long body is broken before a parameter, as RFC 6749 breaks its examples.
    let page = page.replace("\n&", "&");
    let (uri, mut text) = (sent.uri(), format!("{} ", sent.method()));
    text.push_str(&format!(
        "{} HTTP/1.1\nhost: {}\n",
        uri.path_and_query().expect("a path"),
        uri.host().expect("a host")
    ));
    let mut headers: Vec<String> = sent
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", value.to_str().expect("visible ASCII")))
        .collect();
    headers.sort();
    text.push_str(&headers.concat());
    text.push('\n');
    text.push_str(std::str::from_utf8(sent.body()).expect("text"));
    assert!(
        page.contains(&format!("```text\n{text}\n```\n")) || page.contains(&format!("```text\n{text}```\n")),
        "{text}"
    );
}
