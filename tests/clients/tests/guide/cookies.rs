use client_credentials::TokenSource;

/// Calls a URL twice, and returns the names of the cookies that were set.
fn visit(source: &TokenSource, own: &ureq::Agent, url: &str) -> Result<Vec<String>, ureq::Error> {
    let agent = source.wrap(own.clone());
    agent.get(url).call()?; // the answer sets cookies
    agent.get(url).call()?; // the request has them
    Ok(own.cookie_jar_lock().iter().map(|cookie| cookie.name().to_owned()).collect())
}
