#!/usr/bin/env python3
"""Writes the seed inputs of every target, made from ../tests/vectors, into OUTDIR/<target>/."""

import base64
import json
import pathlib
import sys

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "tests" / "vectors"

# An allowed origin and a URL: the same, look-alikes, and tricks.
ORIGINS = """
https://api.example.com https://api.example.com/v1?q#f
https://api.example.com HTTPS://API.Example.COM:0443/v1
https://api.example.com https://api.example.com@evil.test/
https://api.example.com https://api.example.com.evil.test/
https://api.example.com https://user:pass@api.example.com/
https://api.example.com https://api.example.com./
https://api.example.com https://api.example.com\\@evil.test/
https://api.example.com https://api.example%2ecom/
https://api.example.com https://api.example.com:99999/
https://api.example.com https://api.example.com:/
https://api.example.com https://evil.test?@api.example.com/
https://api.example.com https://evil.test/#@api.example.com
https://api.example.com:8443 https://api.example.com:8443/
https://api.example.com:8443 http://api.example.com:8443/
https://api.example.com https://api.example.com:+443/
https://[2001:db8::1]:8443 https://[2001:DB8::1]:8443/x
https://[::1] https://[0::1]/
http://localhost:8080 http://LOCALHOST:8080/x
http://127.0.0.1 http://127.1/
http://127.0.0.1 http://2130706433/
http://[::1]:80 http://[::1]/
https://xn--mnchen-3ya.test https://m\u00fcnchen.test/
https://1.2.3.4.5 https://1.2.3.4.5/
""".split()

# Two questions: steps of both sides, `<` left only, `>` right only.
QUESTIONS = [
    ["=sread write", ">swrite"],
    ["<sread write", ">swrite", ">sread"],
    ["<sread", ">sread write"],
    ["<pa|1", "<pb|2", ">pb|2", ">pa|1"],
    ["=pa|1", "=hx-tenant|a", "~"],
    ["<hx-tenant|a", ">hX-Tenant|b"],
    ["=rurn:a", "=rhttps://api.test/", "~"],
    ["=aone", "=atwo", "~"],
    ["=j", "=rurn:a", "=rurn:b", ">f"],
    ["=tBearerToken", ">tbearertoken", "<tx"],
    ["<cb|a:b|c", ">cm|a:b|c"],
    ["<cb|id|s/", ">cm|id|s/"],
    ["<cb|id|s", ">cr|id|s"],
    ["=ci|id|s", "=j"],
    ["<cP", ">cP2"],
    ["<cP", ">cM"],
    ["<cI", ">cI"],
    ["=cu", "=gurn:x:y", "=passertion|eyJ"],
    ["<cu", ">cu2"],
    ["=cn", "=hauthorization|Key 1"],
    ["<ehttps://auth.test", ">eHTTPS://auth.test/"],
    ["=ehttps://auth.test/t?a=%2f&a=+", "=oorg"],
    ["=1https://api.test", "<3", ">2http://api.test"],
]


def rows(name):
    with open(VECTORS / f"{name}.jsonl", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def steps(texts):
    return b"\xff".join(text.encode().replace(b"|", b"\xfe") for text in texts)


def replies():
    for row in rows("token_response") + rows("error_response"):
        body = row.get("body")
        if isinstance(body, str):
            yield f"{row.get('status', 200)} {row.get('content_type') or ''}\n{body}".encode()
    for row in rows("b64token"):
        body = json.dumps({"access_token": row["value"], "token_type": "Bearer", "expires_in": 60})
        yield f"200 application/json\n{body}".encode()


def basics():
    for row in rows("basic"):
        name, secret = row["client_id"].encode(), row["client_secret"].encode()
        if len(name) < 256:
            for encoding in range(3):
                yield bytes([encoding, len(name)]) + name + secret


def bodies():
    letters = {"grant_type": "g", "scope": "s", "audience": "a", "resource": "r"}
    for row in rows("token_request_body"):
        pairs = row["pairs"]
        texts = [letters[n] + v if n in letters else f"p{n}|{v}" for n, v in pairs if not n.startswith("client_")]
        yield steps(texts)
        yield steps(["ci|my-client|s3cret", "j", *texts])
    for row in rows("scope"):
        yield steps(["s" + row["scope"]])
    for question in QUESTIONS:
        yield steps([text[1:] for text in question])


def questions():
    yield from (steps(question) for question in QUESTIONS)
    for body in bodies():
        both = b"\xff".join(b"=" + step for step in body.split(b"\xff"))
        yield both
        yield both + b"\xff~"


def redactions():
    secrets = ["S3cret/of+the&client", "a%41b&amp;c\\u0041", "%2B%2B%2B%2B", "caf\u00e9 \U0001f511 au lait", "aaaaaaaaa"]
    for at, secret in enumerate(secrets):
        secret = secret.encode()
        head = bytes([len(secret)]) + secret
        yield bytes([0, 0]) + head + b"wrong secret: " + secret
        for first in range(16):
            yield bytes([first, (5 * first + at) % 16]) + head + b"bad (\xff)!"


def signing_keys():
    labels = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "CERTIFICATE", "RSA-PSS PRIVATE KEY", "OPENSSH PRIVATE KEY"]
    for row in rows("keys") + rows("key_files"):
        pem = row.get("pem")
        for text in pem.values() if isinstance(pem, dict) else [pem or ""]:
            yield b"p" + text.encode()
            yield b"p" + text.encode().replace(b"\n", b"\\n")
            # What is between the lines, as DER.
            for section in text.split("-----BEGIN ")[1:]:
                label, _, body = section.partition("-----")
                try:
                    der = base64.b64decode(body.partition("-----")[0])
                except ValueError:
                    continue
                if label in labels:
                    yield bytes([labels.index(label)]) + der
        if "jwk" in row:
            yield b"j" + json.dumps(row["jwk"]).encode()


def signatures():
    for row in rows("keys"):
        if row["kind"] == "ecdsa_der":
            yield bytes([row["n"]]) + bytes.fromhex(row["der_hex"])
            if row["raw_hex"]:
                yield bytes([row["n"] + 1]) + bytes.fromhex(row["raw_hex"])


CLAIMS = [
    ["cscope|\"read write\"", "l3600"],
    ["cscope|[1,2.5,null,{\"a\":\"\u00e9\"}]", "htyp|\"client-authentication+jwt\""],
    ["ciss|1", "cjti|2", "cexp|3", "ciat|4", "csub|5", "caud|6"],
    ["halg|\"none\"", "hkid|1", "hjwk|{\"d\":1}", "hcrit|[]", "hb64|false"],
    ["ii", "ss", "aa", "htyp|null", "cnbf|1", "kk\"1\\"],
    ["ca|1", "ca|2", "c|3", "hx5t|\"a\"", "l0"],
]


def entries():
    now = 1_700_000_000_000
    token = {"v": 1, "token": "tok", "type": "Bearer", "expires_in_ms": 3_600_000, "scope": "a b", "wall_ms": now - 60_000}
    token |= {"keep_ms": 3_600_000, "boot": "a-boot", "up_ms": 99_940_000, "renew_ms": 1_800_000, "members": {"a": 1}}
    for changed in [{}, {"v": 2}, {"token": "a\r\nb: c"}, {"wall_ms": now + 61_000}, {"up_ms": 0}, {"renew_ms": 0}]:
        for byte in [0, 2, 0x82]:
            yield bytes([byte]) + json.dumps(token | changed).encode()
    denied = {"status": 401, "code": "invalid_client", "asked": False, "proof": None}
    for changed in [{}, {"status": 200}, {"asked": True}, {"proof": "0"}]:
        note = {"v": 1, "wall_ms": now - 1000, "keep_ms": 10_000, "denied": denied | changed}
        yield from (bytes([byte]) + json.dumps(note).encode() for byte in [1, 3])


SEEDS = {
    "reply": replies,
    "challenge": lambda: ("\n".join(row["in"]).encode() for row in rows("www_authenticate")),
    "retry_after": lambda: (f"1700000000\n{row['value']}".encode() for row in rows("retry_after")),
    "audience": lambda: (b"0" + "\n".join(ORIGINS[at : at + 2]).encode() for at in range(0, len(ORIGINS), 2)),
    "basic": basics,
    "body": bodies,
    "question": questions,
    "redact": redactions,
    "signing_key": signing_keys,
    "ecdsa_der": signatures,
    "claims": lambda: (steps(claims) for claims in CLAIMS),
    "entry": entries,
}


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: seeds.py OUTDIR")
    for target, seeds in SEEDS.items():
        folder = pathlib.Path(sys.argv[1]) / target
        folder.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(seeds()):
            (folder / f"seed-{number:03}").write_bytes(seed)


main()
