#!/usr/bin/env bash
# What the crate costs a program: crates, size of the binary, build time, memory. The program is the first one of the
# README, beside the same by hand on bare ureq, both with the release profile of a small device.
#
#   benches/footprint.sh            the table, also with the crates that one would take instead (needs minutes)
#   benches/footprint.sh --check    fails if crates or size have grown past what is recorded below
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Recorded: crates above ureq and serde_json, and KiB above the same by hand. Raise them only with a reason.
most_crates=3
most_kib=193
# KiB more with a key in place of the secret, with the feature of stores alone, and with a store in files.
most_kib_of_a_key=56
most_kib_of_the_feature=4
most_kib_of_a_store=103

# new NAME DEPENDENCIES MAIN: a program in $work/NAME.
new() {
    mkdir -p "$work/$1/src"
    cat > "$work/$1/Cargo.toml" << EOF
[package]
name = "$1"
version = "0.0.0"
edition = "2024"
[workspace]
[dependencies]
$2
[profile.release]
opt-level = "z"
lto = true
codegen-units = 1
panic = "abort"
strip = true
EOF
    printf '%s\n' "$3" > "$work/$1/src/main.rs"
    # The same versions of what both use.
    cp "$here/Cargo.lock" "$work/$1/Cargo.lock"
}

ureq='ureq = { version = "3.5.2", default-features = false, features = ["rustls"] }'
serde_json='serde_json = { version = "1", default-features = false, features = ["std"] }'

first_program='use client_credentials::{Credentials, TokenRequest, TokenSource};
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let credentials = Credentials::new("my-client", std::env::var("CLIENT_SECRET")?);
    let request = TokenRequest::new(&args[1])?.audience(&args[2]);
    let agent = TokenSource::new(credentials, request)?.agent();
    let items = agent.get(&args[2]).call()?.body_mut().read_to_string()?;
    Ok(println!("{items}"))
}'
new ours "client-credentials = { path = \"$here\" }
$ureq" "$first_program"

new with_key "client-credentials = { path = \"$here\" }
$ureq" 'use client_credentials::{Credentials, SigningKey, TokenRequest, TokenSource};
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let key = SigningKey::from_pem(std::env::var("CLIENT_KEY")?)?;
    let request = TokenRequest::new(&args[1])?.audience(&args[2]);
    let agent = TokenSource::new(Credentials::with_key("my-client", key), request)?.agent();
    let items = agent.get(&args[2]).call()?.body_mut().read_to_string()?;
    Ok(println!("{items}"))
}'

new with_feature "client-credentials = { path = \"$here\", features = [\"store-file\"] }
$ureq" "$first_program"

new with_store "client-credentials = { path = \"$here\", features = [\"store-file\"] }
$ureq" 'use client_credentials::{Credentials, FileStore, TokenRequest, TokenSource};
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let credentials = Credentials::new("my-client", std::env::var("CLIENT_SECRET")?);
    let request = TokenRequest::new(&args[1])?.audience(&args[2]);
    let source = TokenSource::builder(credentials, request).store(FileStore::open(&args[3])?).build()?;
    let items = source.agent().get(&args[2]).call()?.body_mut().read_to_string()?;
    Ok(println!("{items}"))
}'

new by_hand "$ureq
$serde_json
base64 = { version = \"0.23\", default-features = false, features = [\"alloc\"] }" 'use base64::Engine as _;
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let pair = format!("my-client:{}", std::env::var("CLIENT_SECRET")?);
    let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
    let agent = ureq::Agent::new_with_defaults();
    let form = [("grant_type", "client_credentials"), ("audience", &args[2])];
    let body = agent.post(&args[1]).header("authorization", basic).send_form(form)?.body_mut().read_to_string()?;
    let answer: serde_json::Value = serde_json::from_str(&body)?;
    let token = format!("Bearer {}", answer["access_token"].as_str().ok_or("no token")?);
    let items = agent.get(&args[2]).header("authorization", token).call()?.body_mut().read_to_string()?;
    Ok(println!("{items}"))
}'

# crates NAME: the crates in its tree, without the program itself.
crates() {
    (cd "$work/$1" && cargo tree --quiet --edges normal --prefix none | sed 's/ v[0-9].*//' | sort -u | grep -vx "$1")
}

# build NAME: adds the seconds of a clean release build to $work/NAME.seconds.
build() {
    rm -rf "$work/$1/target"
    local began=$EPOCHREALTIME
    (cd "$work/$1" && cargo build --quiet --release)
    awk "BEGIN { printf \"%.1f\\n\", $EPOCHREALTIME - $began }" >> "$work/$1.seconds"
}

kib() {
    echo $(($(stat -c %s "${CARGO_TARGET_DIR:-$work/$1/target}/release/$1") / 1024))
}

above=$(comm -23 <(crates ours) <(crates by_hand) | wc -l)

if [ "${1:-}" = --check ]; then
    # In one place, because what they have in common takes longest.
    export CARGO_TARGET_DIR="$work/target"
    for program in by_hand ours with_key with_feature with_store; do
        (cd "$work/$program" && cargo build --quiet --release)
    done
    more=$(($(kib ours) - $(kib by_hand)))
    of_a_key=$(($(kib with_key) - $(kib ours)))
    of_the_feature=$(($(kib with_feature) - $(kib ours)))
    of_a_store=$(($(kib with_store) - $(kib ours)))
    echo "$above crates above the floor (at most $most_crates), $more KiB above by hand (at most $most_kib)"
    echo "with a key in place of the secret: $of_a_key KiB more (at most $most_kib_of_a_key)"
    echo "with the feature store-file: $of_the_feature KiB more (at most $most_kib_of_the_feature)," \
        "with a store in files: $of_a_store KiB more (at most $most_kib_of_a_store)"
    [ "$above" -le "$most_crates" ] && [ "$more" -le "$most_kib" ] && [ "$of_a_key" -le "$most_kib_of_a_key" ] &&
        [ "$of_the_feature" -le "$most_kib_of_the_feature" ] && [ "$of_a_store" -le "$most_kib_of_a_store" ]
    exit
fi

new oauth2_ureq 'oauth2 = { version = "5", default-features = false, features = ["ureq"] }
ureq2 = { package = "ureq", version = "2" }' 'use oauth2::{ClientId, ClientSecret, TokenResponse, TokenUrl, basic::BasicClient};
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let client = BasicClient::new(ClientId::new("my-client".into()))
        .set_client_secret(ClientSecret::new(std::env::var("CLIENT_SECRET")?))
        .set_token_uri(TokenUrl::new(args[1].clone())?);
    let agent = oauth2::ureq::AgentBuilder::new().redirects(0).build();
    let token = client.exchange_client_credentials().add_extra_param("audience", &args[2]).request(&agent)?;
    let bearer = format!("Bearer {}", token.access_token().secret());
    let items = ureq2::get(&args[2]).set("authorization", &bearer).call()?.into_string()?;
    Ok(println!("{items}"))
}'

new oauth2_reqwest 'oauth2 = { version = "5", default-features = false, features = ["reqwest-blocking", "rustls-tls"] }' 'use oauth2::{ClientId, ClientSecret, TokenResponse, TokenUrl, basic::BasicClient, reqwest};
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let client = BasicClient::new(ClientId::new("my-client".into()))
        .set_client_secret(ClientSecret::new(std::env::var("CLIENT_SECRET")?))
        .set_token_uri(TokenUrl::new(args[1].clone())?);
    let http = reqwest::blocking::ClientBuilder::new().redirect(reqwest::redirect::Policy::none()).build()?;
    let token = client.exchange_client_credentials().add_extra_param("audience", &args[2]).request(&http)?;
    let items = http.get(&args[2]).bearer_auth(token.access_token().secret()).send()?.error_for_status()?.text()?;
    Ok(println!("{items}"))
}'
rm "$work"/oauth2_*/Cargo.lock

# A server for the memory figure: it returns a token or the items to every request.
python3 - > "$work/port" << 'EOF' &
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self): self.answer(b'{"access_token":"t","token_type":"Bearer","expires_in":3600}')
    def do_GET(self): self.answer(b'["one","two"]')
    def answer(self, body):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
print(server.server_port, flush=True)
server.serve_forever()
EOF
server=$!
trap 'kill "$server"; rm -rf "$work"' EXIT
until [ -s "$work/port" ]; do sleep 0.1; done
url="http://127.0.0.1:$(cat "$work/port")"

# Peak resident memory in KiB, the least of five runs.
memory() {
    # One that fails would be small.
    CLIENT_SECRET=secret "$work/$1/target/release/$1" "$url/token" "$url/items" | grep -q '"two"'
    for _ in 1 2 3 4 5; do
        # GNU time is small enough not to be what is measured.
        CLIENT_SECRET=secret env time -f %M "$work/$1/target/release/$1" "$url/token" "$url/items" 2>&1 > /dev/null
    done | sort -n | head -1
}

programs="by_hand ours oauth2_ureq oauth2_reqwest"
# In turn, since the machine may be busy for a while; the median of three is told.
for _ in 1 2 3; do
    for program in $programs; do
        build "$program"
    done
done
echo "| program | crates | clean release build, s | binary, KiB | peak memory, KiB |"
echo "|---|---|---|---|---|"
for program in $programs; do
    seconds=$(sort -n "$work/$program.seconds" | sed -n 2p)
    echo "| $program | $(crates "$program" | wc -l) | $seconds | $(kib "$program") | $(memory "$program") |"
done
echo
echo "crates above the floor: $above"
