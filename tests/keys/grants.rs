//! Grants with a new proof for each attempt: the JWT bearer grant and token exchange.

use super::*;

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

#[test]
fn the_assertion_of_a_grant_is_signed_and_names_the_issuer_that_it_was_given() {
    let (script, key) = (Script::new(), key());
    script.json(503, "");
    script.token("t", 3600);
    let grant = Assertion::new(key.clone())
        .issuer("robot@example.com")
        .claim("scope", "read")
        .expect("a claim")
        .lifetime(Duration::from_secs(3600));
    let request = question().assertion(grant).expect("a request");
    let source = TokenSource::builder(Credentials::none(), request).transport(script.clone()).clock(script.clock());
    source.build().expect("a source").token().expect("a token");
    let sent: Vec<_> = script.requests().iter().map(form).collect();
    assert_eq!(sent[0]["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let claims: Vec<_> = sent.iter().map(|sent| claims(&sent["assertion"], &key)).collect();
    assert_eq!((&claims[0]["iss"], &claims[0]["aud"]), (&Value::from("robot@example.com"), &Value::from(ENDPOINT)));
    assert_eq!((&claims[0]["sub"], &claims[0]["scope"]), (&Value::Null, &Value::from("read")));
    // Google allows at most an hour between the two.
    assert_eq!(claims[0]["exp"].as_u64().expect("a number") - claims[0]["iat"].as_u64().expect("a number"), 3600);
    assert_ne!(claims[0]["jti"], claims[1]["jti"]);
}

#[test]
fn a_parameter_from_a_closure_is_read_at_each_attempt() {
    let script = Script::new();
    script.json(503, "");
    script.token("t", 3600);
    let reads = Mutex::new(0);
    let read = move || {
        let mut reads = reads.lock().expect("a number");
        *reads += 1;
        Ok(Secret::from(format!("subject-{reads}")))
    };
    let request = question()
        .grant_type(EXCHANGE)
        .and_then(|request| request.parameter("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"))
        .and_then(|request| request.parameter_from("subject_token", read))
        .expect("a request");
    assert!(format!("{request:?}").contains("subject_token"));
    let source = TokenSource::builder(Credentials::none(), request).transport(script.clone()).clock(script.clock());
    source.build().expect("a source").token().expect("a token");
    let sent: Vec<_> = script.requests().iter().map(|sent| form(sent)["subject_token"].clone()).collect();
    assert_eq!(sent, ["subject-1", "subject-2"]);
}

#[test]
fn te_01_to_te_03_the_tokens_of_an_exchange_come_with_their_types() {
    for (has, needs) in [
        ("subject_token", "subject_token_type"),
        ("actor_token", "actor_token_type"),
        ("actor_token_type", "actor_token"),
    ] {
        let text = format!("parameter \"{has}\": needs the parameter \"{needs}\", too (RFC 8693 section 2.1)");
        let request = || question().grant_type(EXCHANGE).expect("a request");
        let fixed = request().parameter(has, "x").expect("a request");
        let made = request().parameter_from(has, || Ok(Secret::from("x"))).expect("a request");
        for request in [fixed, made] {
            let build = |request| TokenSource::builder(Credentials::none(), request).transport(Script::new()).build();
            assert_eq!(build(request.clone()).expect_err("an error").to_string(), text);
            assert!(build(request.parameter(needs, "y").expect("a request")).is_ok());
        }
    }
}

#[test]
fn a_parameter_from_a_closure_has_the_rules_of_any_other() {
    let read = || Ok(Secret::from("x"));
    let twice = question().parameter("a", "1").expect("a request").parameter_from("a", read);
    assert!(twice.expect_err("an error").to_string().contains("given twice"));
    let twice = question().parameter_from("a", read).expect("a request").parameter("a", "1");
    assert!(twice.expect_err("an error").to_string().contains("given twice"));
    assert!(question().parameter_from("scope", read).is_err());
    assert!(question().parameter_from("client_assertion", read).is_err());
    let empty = question().parameter_from("a", || Ok(Secret::from(""))).expect("a request");
    let error = empty.encode(&Credentials::new("id", "s"), &Attempt::default()).expect_err("an error").to_string();
    assert!(error.contains("without a name or a value"), "{error}");
}
