//! The tables of the sections that say who callers are and how much they may ask for.

use super::{Key, Range, Section, Usual};

pub(super) static TLS: Section = Section {
    name: "tls",
    meaning: "The server's side of TLS, and who vouches for callers: see [identity.md](identity.md). The files are read again when they change. Without this section connections are not encrypted.",
    optional: true,
    keys: &[
        Key {
            name: "certificate",
            usual: Usual::Required("\"tls/server.pem\""),
            unit: "",
            range: Range::Text("a PEM file"),
            meaning: "The server's certificate, and below it what leads to its authority.",
        },
        Key {
            name: "key",
            usual: Usual::Required("\"tls/server.key\""),
            unit: "",
            range: Range::Text("a PEM file"),
            meaning: "Its key. A file that others may read is refused.",
        },
        Key {
            name: "client_ca",
            usual: Usual::Unset("callers show no certificate", "\"tls/callers-ca.pem\""),
            unit: "",
            range: Range::Text("a PEM file"),
            meaning: "The authorities that vouch for callers' certificates.",
        },
        Key {
            name: "client_crl",
            usual: Usual::Unset("nothing is revoked", "\"tls/callers.crl\""),
            unit: "",
            range: Range::Text("a PEM file, beside `client_ca`"),
            meaning: "Callers' certificates that were revoked.",
        },
    ],
};

pub(super) static OIDC: Section = Section {
    name: "oidc",
    meaning: "The issuer of callers' bearer tokens: see [identity.md](identity.md). Without this section no token is taken.",
    optional: true,
    keys: &[
        Key {
            name: "issuer",
            usual: Usual::Required("\"https://id.example.org/realms/health\""),
            unit: "",
            range: Range::Text("an `https://` address; with `jwks_file` any text"),
            meaning: "The issuer, exactly as tokens name it.",
        },
        Key {
            name: "audience",
            usual: Usual::Required("\"nightingale\""),
            unit: "",
            range: Range::Text("a text"),
            meaning: "For whom a token must be.",
        },
        Key {
            name: "jwks_file",
            usual: Usual::Unset("they are fetched from the issuer", "\"issuer.jwks.json\""),
            unit: "",
            range: Range::Text("a JSON file"),
            meaning: "The issuer's keys.",
        },
        Key {
            name: "ca",
            usual: Usual::Unset("the system's authorities", "\"tls/issuer-ca.pem\""),
            unit: "",
            range: Range::Text("a PEM file"),
            meaning: "Who vouches for the issuer's own certificate.",
        },
        Key {
            name: "algorithms",
            usual: Usual::Value("[\"RS256\", \"ES256\", \"EdDSA\"]"),
            unit: "",
            range: Range::Text("one or more of these"),
            meaning: "The signatures that are taken.",
        },
        Key {
            name: "leeway_seconds",
            usual: Usual::Value("30"),
            unit: "s",
            range: Range::Whole(0, 300),
            meaning: "How far the issuer's clock and this one may differ.",
        },
        Key {
            name: "tenant_claim",
            usual: Usual::Value("\"tenant\""),
            unit: "",
            range: Range::Text("a name, or a JSON pointer that starts with `/`"),
            meaning: "Which claim of a token names the tenant.",
        },
        Key {
            name: "roles_claim",
            usual: Usual::Value("\"roles\""),
            unit: "",
            range: Range::Text("a name, or a JSON pointer that starts with `/`"),
            meaning: "Which claim of a token names the roles.",
        },
        Key {
            name: "roles_prefix",
            usual: Usual::Value("\"\""),
            unit: "",
            range: Range::Text("a text"),
            meaning: "Only roles that start so are read, without it.",
        },
        Key {
            name: "refresh_seconds",
            usual: Usual::Value("600"),
            unit: "s",
            range: Range::Whole(60, 86_400),
            meaning: "How often the issuer's keys are fetched anew.",
        },
    ],
};

pub(super) static RATES: Section = Section {
    name: "rates",
    meaning: "How much a tenant may ask for, and connections may take: see [identity.md](identity.md).",
    optional: false,
    keys: &[
        Key {
            name: "requests_per_second",
            usual: Usual::Unset("without bound; 500 where callers show who they are", "500"),
            unit: "requests/s",
            range: Range::Whole(1, 1_000_000_000),
            meaning: "A tenant's requests, in the mean.",
        },
        Key {
            name: "burst",
            usual: Usual::Unset("twice the requests of a second", "1000"),
            unit: "requests",
            range: Range::Whole(1, 1_000_000_000),
            meaning: "A tenant's requests at once.",
        },
        Key {
            name: "in_flight",
            usual: Usual::Unset("without bound; 512 where callers show who they are", "512"),
            unit: "requests",
            range: Range::Whole(1, 1_000_000_000),
            meaning: "A tenant's requests that are not answered yet.",
        },
        Key {
            name: "jobs_per_day",
            usual: Usual::Unset("without bound", "10000"),
            unit: "jobs",
            range: Range::Whole(1, 1_000_000_000),
            meaning: "Jobs of a tenant that are accepted on a day, by UTC.",
        },
        Key {
            name: "connections",
            usual: Usual::Value("768"),
            unit: "connections",
            range: Range::Whole(1, 1_000_000),
            meaning: "Open at once.",
        },
        Key {
            name: "connections_per_address",
            usual: Usual::Value("512"),
            unit: "connections",
            range: Range::Whole(1, 1_000_000),
            meaning: "Of them, from one address.",
        },
        Key {
            name: "streams_per_connection",
            usual: Usual::Value("200"),
            unit: "calls",
            range: Range::Whole(1, 10_000),
            meaning: "Open at once on one connection.",
        },
        Key {
            name: "header_bytes",
            usual: Usual::Value("16384"),
            unit: "bytes",
            range: Range::Whole(1024, 1 << 20),
            meaning: "Headers of one call.",
        },
        Key {
            name: "handshake_seconds",
            usual: Usual::Value("10"),
            unit: "s",
            range: Range::Whole(1, 300),
            meaning: "How long a handshake, a frame or a block of headers may take.",
        },
        Key {
            name: "message_seconds",
            usual: Usual::Value("30"),
            unit: "s",
            range: Range::Whole(1, 3600),
            meaning: "How long a message may take, beside what its size takes.",
        },
        Key {
            name: "connection_seconds",
            usual: Usual::Value("3600"),
            unit: "s",
            range: Range::Whole(1, 30 * 86_400),
            meaning: "When a connection is told to end.",
        },
        Key {
            name: "tenants",
            usual: Usual::Unset("all have the same share", "{ north = { jobs_per_day = 1000 } }"),
            unit: "",
            range: Range::Text("tables `[rates.tenants.NAME]` with any of the first four keys"),
            meaning: "Shares of single tenants.",
        },
    ],
};
