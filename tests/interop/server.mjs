// A certified authorization server and a small API that it protects, for the
// interop tests. When ready it prints one line of JSON (see the end), and it runs
// until SIGTERM or until its standard input ends, so not with `</dev/null`. An
// argument is the public key of the client `by-jwk` (a JWK).

import { execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Provider, errors } from 'oidc-provider';

// Standard output belongs to the ready line; the provider's notices use `info`.
console.log = console.error;
console.info = console.error;

const HOST = '127.0.0.1';
const SCOPES = ['read', 'write'];

const RESOURCES = [
  { uri: 'https://api.example/items', scope: 'read write', ttl: 300 },
  // Any scope but `read` is left out of the grant, without an error.
  { uri: 'https://api.example/read-only', scope: 'read', ttl: 300 },
  { uri: 'https://api.example/three-seconds', scope: 'read write', ttl: 3 },
  { uri: 'https://api.example/one-second', scope: 'read write', ttl: 1 },
  { uri: 'https://api.example/one-second-at-most', scope: 'read write', ttl: 1, tolerance: 0 },
];
const DEFAULT_RESOURCE = RESOURCES[0].uri;

// The provider rounds the moment of expiry down to a whole second, so a token
// announced for 1 second would live from 0 to 1 second, and no client could know
// when it ends. This many seconds of tolerance, which real APIs have too, make it
// live from 1 to 2: never less than announced.
const TOLERANCE = 1;

const PRINTABLE_ASCII = String.fromCharCode(...Array.from({ length: 95 }, (_, i) => 0x20 + i));

const basic = (id, secret) => ({ id, secret, method: 'client_secret_basic' });
const post = (id, secret) => ({ id, secret, method: 'client_secret_post' });
const secretJwt = (id, secret) => ({ id, secret, method: 'client_secret_jwt' });

const CLIENTS = [
  basic('basic', 'basic-secret'),
  post('post', 'post-secret'),
  // Token requests are counted per client, so a test that looks at the count has
  // a client of its own.
  basic('admin', 'admin-secret'),
  basic('caching', 'caching-secret'),
  basic('expiry', 'expiry-secret'),
  basic('expiry-at-most', 'expiry-at-most-secret'),
  basic('revoked-get', 'revoked-get-secret'),
  basic('revoked-post', 'revoked-post-secret'),
  basic('revoked-twice', 'revoked-twice-secret'),
  basic('revoked-at-first', 'revoked-at-first-secret'),
  basic('wrong-secret', 'wrong-secret-secret'),
  basic('tls', 'tls-secret'),
  basic('tls-unknown', 'tls-unknown-secret'),
  basic('tls-at-first', 'tls-at-first-secret'),
  basic('id:with:colons', 'se:cr:et'),
  basic('id with space', ' secret with space '),
  // Decoding one time too many turns `%41` into `A`.
  basic('id%41', 'secret%41%2541'),
  basic('id+plus', 'sec+ret++'),
  basic('id/slash=equals', 'c2Vj/cmV0+c2VjcmV0=='),
  basic('a+b/c=d&e', 'k=v&client_id=other'),
  basic("id:+% /=&~!*'()", "se:cr+et%41 /=&~!*'()"),
  // A lone `%` is no valid escape, so sending it raw is an error.
  basic('100%', '%'),
  basic('printable ascii', PRINTABLE_ASCII),
  post("post:+% /=&~!*'()", "se:cr+et%41 /=&~!*'()"),
  post('post printable ascii', PRINTABLE_ASCII),
  secretJwt('hs256', randomBytes(32).toString('hex')),
  secretJwt('hs256-wrong', randomBytes(32).toString('hex')),
];

// The server knows the public keys (JWK). The tests get the private keys, in the
// forms in which people have them.
function keyPair(type, options, form) {
  const { publicKey, privateKey } = generateKeyPairSync(type, options);
  return { jwk: publicKey.export({ format: 'jwk' }), pem: privateKey.export({ format: 'pem', type: form }) };
}

const RSA = keyPair('rsa', { modulusLength: 2048 }, 'pkcs1');
const P256 = keyPair('ec', { namedCurve: 'P-256' }, 'pkcs8');
const P384 = keyPair('ec', { namedCurve: 'P-384' }, 'sec1');
const ED25519 = keyPair('ed25519', undefined, 'pkcs8');

// Without an algorithm, the server takes each that fits the key.
const signed = (id, key, algorithm) => ({ id, pem: key.pem, jwks: [key.jwk], method: 'private_key_jwt', algorithm });

const SIGNING_CLIENTS = [
  signed('rs256', RSA, 'RS256'),
  signed('ps256', RSA, 'PS256'),
  signed('es256', P256, 'ES256'),
  signed('es384', P384, 'ES384'),
  signed('eddsa', ED25519, 'EdDSA'),
  signed('rsa', RSA),
  { ...signed('key-ids', P256), jwks: [{ ...P256.jwk, kid: 'new' }, { ...P384.jwk, kid: 'old' }] },
  ...[
    'audiences', 'wrong-audience', 'wrong-key', 'rotated', 'replayed', 'renewed', 'lost-answer', 'clock-behind',
    'clock-ahead', 'expired-assertion',
  ].map((id) => signed(id, P256)),
];

// How the API authenticates to the introspection endpoint; it gets no tokens.
const API_CLIENT = basic('items-api', randomBytes(32).toString('hex'));

// Token requests per client, and per request line of the API how often it answered
// with which status, and the number of the connection of each request. A test marks
// its request lines with a query of its own.
const stats = { token_requests: {}, api: {}, connections: {} };

const count = (counts, key) => { counts[key] = (counts[key] ?? 0) + 1; };

// Over TLS, the socket of a request belongs to one handshake.
const sockets = new WeakMap();
let connections = 0;

function connectionOf(socket) {
  if (!sockets.has(socket)) {
    connections += 1;
    sockets.set(socket, connections);
  }
  return sockets.get(socket);
}

const records = new Map();

// The provider's own store warns at every start and forgets all but the newest
// thousand tokens.
const store = (model) => ({
  find: async (id) => records.get(`${model}:${id}`),
  upsert: async (id, payload) => {
    const tolerance = RESOURCES.find(({ uri }) => uri === payload.aud)?.tolerance ?? TOLERANCE;
    records.set(`${model}:${id}`, { ...payload, exp: payload.exp + tolerance });
  },
  destroy: async (id) => { records.delete(`${model}:${id}`); },
});

function getResourceServerInfo(ctx, uri) {
  const resource = RESOURCES.find((candidate) => candidate.uri === uri);
  if (!resource) {
    throw new errors.InvalidTarget();
  }
  // By itself the provider leaves out the scopes it does not know.
  for (const scope of ctx.oidc.requestParamScopes) {
    if (!SCOPES.includes(scope)) {
      throw new errors.InvalidScope('requested scope is not allowed', scope);
    }
  }
  return { scope: resource.scope, accessTokenTTL: resource.ttl, accessTokenFormat: 'opaque' };
}

function mayRevoke(_ctx, client, token) {
  if (token.clientId !== client.clientId) {
    throw new errors.InvalidRequest('client is not authorized to revoke the presented token');
  }
  return true;
}

function clientMetadata({ id, secret, method, jwks, algorithm, more }, grantTypes) {
  return {
    client_id: id,
    client_secret: secret,
    token_endpoint_auth_method: method,
    ...jwks && { jwks: { keys: jwks } },
    ...algorithm && { token_endpoint_auth_signing_alg: algorithm },
    ...more,
    grant_types: grantTypes,
    response_types: [],
    redirect_uris: [],
  };
}

// RFC 8705. Without TLS a socket has no such method.
const certificateOf = (socket) => socket.getPeerX509Certificate?.();

const thumbprintOf = (certificate) => createHash('sha256').update(certificate.raw).digest('base64url');

function certificateClients({ known, selfSigned }) {
  const { subject } = new X509Certificate(known.certificate);
  const certificate = new X509Certificate(selfSigned.certificate);
  const jwk = { ...certificate.publicKey.export({ format: 'jwk' }), x5c: [certificate.raw.toString('base64')] };
  const byAuthority = { method: 'tls_client_auth', more: { tls_client_auth_subject_dn: subject } };
  return [
    { id: 'mtls', ...byAuthority },
    { id: 'mtls-refused', ...byAuthority },
    { id: 'mtls-bound', ...byAuthority, more: { ...byAuthority.more, tls_client_certificate_bound_access_tokens: true } },
    { id: 'mtls-self-signed', method: 'self_signed_tls_client_auth', jwks: [jwk] },
  ];
}

function createProvider(issuer, clients) {
  const provider = new Provider(issuer, {
    adapter: store,
    clients: [
      ...clients.map((client) => clientMetadata(client, ['client_credentials'])),
      clientMetadata(API_CLIENT, []),
    ],
    clientAuthMethods: [
      'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt', 'tls_client_auth',
      'self_signed_tls_client_auth',
    ],
    enabledJWA: {
      clientAuthSigningAlgValues: [
        'HS256', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'EdDSA',
      ],
    },
    // Nothing is signed here, but without a key the provider uses, and warns
    // about, one of its own.
    jwks: {
      keys: [generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' })],
    },
    scopes: SCOPES,
    ttl: { ClientCredentials: (_ctx, token) => token.resourceServer.accessTokenTTL },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      introspection: {
        enabled: true,
        allowedPolicy: (_ctx, client) => client.clientId === API_CLIENT.id,
      },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        tlsClientAuth: true,
        selfSignedTlsClientAuth: true,
        getCertificate: (ctx) => certificateOf(ctx.socket),
        certificateAuthorized: (ctx) => ctx.socket.authorized,
        certificateSubjectMatches: (ctx, property, expected) =>
          property === 'tls_client_auth_subject_dn' && certificateOf(ctx.socket).subject === expected,
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: (_ctx, _client, oneOf) => oneOf ?? DEFAULT_RESOURCE,
        getResourceServerInfo,
      },
      revocation: { enabled: true, allowedPolicy: mayRevoke },
    },
  });

  provider.use(async (ctx, next) => {
    await next();
    if (ctx.oidc?.route === 'token') {
      count(stats.token_requests, ctx.oidc.client?.clientId ?? '(unknown)');
      if (ctx.status === 200) {
        // A member that RFC 6749 does not know, as many servers have some.
        ctx.body.issuer = issuer;
      }
    }
  });
  provider.on('server_error', (_ctx, err) => console.error(err));
  return provider;
}

async function introspect(endpoint, token) {
  const credentials = Buffer.from(`${API_CLIENT.id}:${API_CLIENT.secret}`).toString('base64');
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { authorization: `Basic ${credentials}` },
    body: new URLSearchParams({ token, token_type_hint: 'access_token' }),
  });
  if (!response.ok) {
    throw new Error(`introspection: status ${response.status}`);
  }
  return response.json();
}

const sha256 = (data) => createHash('sha256').update(data).digest('hex');

function challenge(error, description, more = '') {
  const details = error ? `, error="${error}", error_description="${description}"${more}` : '';
  return { 'www-authenticate': `Bearer realm="items"${details}` };
}

async function answer(request, body, introspectionEndpoint) {
  const route = `${request.method} ${request.url.split('?')[0]}`;
  if (route === 'GET /stats') {
    return [200, stats];
  }
  if (!['GET /items', 'POST /items', 'GET /admin'].includes(route)) {
    return [404, { error: 'not_found' }];
  }

  const token = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (!token) {
    return [401, { error: 'unauthorized' }, challenge()];
  }
  const info = await introspect(introspectionEndpoint, token);
  if (!info.active) {
    return [401, { error: 'invalid_token' }, challenge('invalid_token', 'the token is not active')];
  }
  // RFC 8705 section 3.
  const bound = info.cnf?.['x5t#S256'];
  const certificate = certificateOf(request.socket);
  if (bound && !(certificate && thumbprintOf(certificate) === bound)) {
    return [401, { error: 'invalid_token' }, challenge('invalid_token', 'the token is bound to another certificate')];
  }
  if (route === 'GET /admin') {
    const why = 'the scope admin is needed';
    return [403, { error: 'insufficient_scope' }, challenge('insufficient_scope', why, ', scope="admin"')];
  }

  const answered = {
    client_id: info.client_id,
    scope: info.scope ?? null,
    resource: info.aud,
    token_sha256: sha256(token),
    bound_to: bound ?? null,
  };
  if (route === 'POST /items') {
    answered.body_length = body.length;
    answered.body_sha256 = sha256(body);
  }
  return [200, answered];
}

function apiOf(introspectionEndpoint) {
  return async (request, response) => {
    let status;
    let json;
    let headers;
    try {
      // Read to the end even for a refusal: a client that is still sending
      // could otherwise see a reset connection in place of the answer.
      const body = Buffer.concat(await request.toArray());
      [status, json, headers] = await answer(request, body, introspectionEndpoint);
      if (json !== stats) {
        const line = `${request.method} ${request.url}`;
        count(stats.api[line] ??= {}, status);
        (stats.connections[line] ??= []).push(connectionOf(request.socket));
      }
    } catch (err) {
      console.error(err);
      [status, json] = [500, { error: 'server_error' }];
    }
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(json));
  };
}

// Certificates by an authority that only the tests know, all made at each start: one of this
// machine, and one of a client. A third has the name of that client, and is signed by itself.
function makeCertificates() {
  const folder = mkdtempSync(join(tmpdir(), 'interop-'));
  const openssl = (...words) => execFileSync('openssl', words, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  const read = (name) => readFileSync(join(folder, name), 'utf8');
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  try {
    openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=interop authority');
    openssl('req', ...newKey, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=interop server');
    writeFileSync(join(folder, 'extensions'), `subjectAltName=IP:${HOST}\n`);
    openssl('x509', '-req', '-in', 'server.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-set_serial', '1',
      '-extfile', 'extensions', '-out', 'server.pem');
    openssl('req', ...newKey, '-keyout', 'client.key', '-out', 'client.csr', '-subj', '/CN=interop client');
    // Without extensions, openssl makes a certificate of version 1, and rustls takes version 3 only.
    writeFileSync(join(folder, 'extensions'), 'extendedKeyUsage=clientAuth\n');
    openssl('x509', '-req', '-in', 'client.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-set_serial', '2',
      '-extfile', 'extensions', '-out', 'client.pem');
    openssl('req', '-x509', ...newKey, '-keyout', 'self.key', '-out', 'self.pem', '-subj', '/CN=interop client');
    return {
      authority: read('ca.pem'),
      own: { key: read('server.key'), cert: read('server.pem') },
      known: { key: read('client.key'), certificate: read('client.pem') },
      selfSigned: { key: read('self.key'), certificate: read('self.pem') },
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function listen(server, scheme = 'http') {
  server.listen(0, HOST);
  await once(server, 'listening');
  return `${scheme}://${HOST}:${server.address().port}`;
}

// A closed standard input means that the test process is gone, however it ended.
process.stdin.on('end', () => process.exit(0)).on('error', () => process.exit(0)).resume();
process.on('SIGTERM', () => process.exit(0));

// The issuer holds the port, so the server listens before the provider exists.
const authorizationServer = createServer();
const issuer = await listen(authorizationServer);
const { authority, own, known, selfSigned } = makeCertificates();
const byJwk = process.argv[2] ? [{ id: 'by-jwk', jwks: [JSON.parse(process.argv[2])], method: 'private_key_jwt' }] : [];
const clients = [...CLIENTS, ...SIGNING_CLIENTS, ...byJwk, ...certificateClients({ known, selfSigned })];
const provider = createProvider(issuer, clients).callback();
authorizationServer.on('request', provider);

const metadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
const { token_endpoint, revocation_endpoint, introspection_endpoint } = metadata;
const api = await listen(createServer(apiOf(introspection_endpoint)));

// The same once more, over TLS, with or without a certificate of the client.
const options = { ...own, ca: authority, requestCert: true, rejectUnauthorized: false };
const tlsIssuer = await listen(createTlsServer(options, provider), 'https');
const tls = {
  authority,
  token_endpoint: token_endpoint.replace(issuer, tlsIssuer),
  api: await listen(createTlsServer(options, apiOf(introspection_endpoint)), 'https'),
  known,
  self_signed: selfSigned,
};

const ready = {
  issuer, token_endpoint, revocation_endpoint, api, tls, pid: process.pid, clients: CLIENTS, resources: RESOURCES,
  keys: SIGNING_CLIENTS.map(({ id, pem }) => ({ id, pem })),
};
process.stdout.write(`${JSON.stringify(ready)}\n`);
